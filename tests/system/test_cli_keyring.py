"""The program over keyrings that ask, and over one that keeps plain text and that nobody named."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.console.test_tmux import journal
from tests.system.shell import LIMIT, Floor, Shell, practice, told_by

PLAIN = """
import json, os, pathlib
from keyring.backend import KeyringBackend

FILE = pathlib.Path(os.environ["TEST_KEYRING_FILE"])

class PlaintextKeyring(KeyringBackend):
    priority = 0.5
    def _all(self):
        return json.loads(FILE.read_text()) if FILE.exists() else {}
    def get_password(self, service, username):
        return self._all().get(service)
    def set_password(self, service, username, password):
        FILE.write_text(json.dumps({**self._all(), service: password}))
    def delete_password(self, service, username):
        items = self._all()
        del items[service]
        FILE.write_text(json.dumps(items))
"""


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Floor]:
    """Venues of which p99 and roxom have their keys in a keyring that asks about one entry."""
    with practice(tmp_path / "floor", "--orders", "15") as found:
        shell = found.shell
        text = shell.config.read_text()
        for name in ("p99", "roxom"):
            text = re.sub(rf'(?s)(\[venues\.{name}\].*?)credentials = "practice"\n', r"\1", text, count=1)
        shell.config.write_text(text)
        for name in ("p99", "roxom"):
            keys = json.dumps(told_by(found.origins[name], "/_practice/credentials"))
            done = shell("keys", "set", name, "--from-stdin", stdin=keys)
            assert done.status == 0, done.err
        shell.keyring = "AskingKeyring"
        yield found
        assert shell.leaks() == []


def asked(shell: Shell) -> list[str]:
    log = shell.home / "keyring.log"
    return log.read_text().splitlines() if log.exists() else []


def test_a_prompt_for_one_venue_locks_that_one_and_the_others_are_killed_at_once(
    floor: Floor,
) -> None:
    # The first that is read, so that the other one waits behind it.
    floor.shell.environment = {"TEST_KEYRING_ASKS": "roxom"}
    done = floor.shell("kill", "--yes", "--json")
    assert done.status == 3, done.err
    found = {one["venue"]: one for one in done.json["venues"]}
    assert found["roxom"]["verdict"] == "unverified"
    assert "the keyring did not answer in 5 s" in found["roxom"]["error"]
    assert sum(found["roxom"]["requests"].values()) == 0
    assert {one["verdict"] for name, one in found.items() if name != "roxom"} == {"flat"}
    assert floor.live("p99") == {}
    assert floor.live("roxom") != {}
    # The other entry of the same keyring was not waited for: its cancels left before that one was given up.
    records = journal(floor.shell.data)
    given_up = [one["made"] for one in records if one["kind"] == "venue_locked"]
    left = [
        one["made"] for one in records if one["kind"] in ("request", "requests") and one["venue"] == "p99"
    ]
    assert len(given_up) == 1
    assert min(left) < given_up[0]
    assert asked(floor.shell).count("cancel-tui:roxom") == 1
    # Answered later, the next command works with it.
    floor.shell.environment = {}
    done = floor.shell("kill", "--yes", "--json", "--venue", "roxom")
    assert (done.status, floor.live("roxom")) == (0, {})


@pytest.mark.parametrize("more", [(), ("--preview",)])
def test_keys_are_read_once_and_before_the_word_is_typed(floor: Floor, more: tuple[str, ...]) -> None:
    def answers() -> Iterator[tuple[str, str]]:
        yield "Type KILL", ""
        until = time.monotonic() + LIMIT
        while not {"cancel-tui:p99", "cancel-tui:roxom"} <= set(asked(floor.shell)):
            assert time.monotonic() < until
            time.sleep(0.02)
        yield "Type KILL", "KILL\n"

    scope = ("--venue", "p99", "--venue", "roxom")
    done, _ = floor.shell.typed("kill", "--json", *scope, *more, answers=answers())
    assert done.status == 0, done.err
    assert asked(floor.shell).count("cancel-tui:p99") == 1
    assert floor.live("p99") == floor.live("roxom") == {}


# ---------------------------------------------------------------------- plain text


@pytest.fixture
def plain(tmp_path: Path) -> Shell:
    """A machine without a system keyring, on which a plain text store is installed."""
    (tmp_path / "acme_store.py").write_text(PLAIN)
    info = tmp_path / "acme_store-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-store\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[keyring.backends]\nacme = acme_store\n")
    config = tmp_path / "config.toml"
    config.write_text('[venues.p99]\nkind = "p99-spot"\nbase_url = "http://127.0.0.1:1/api/v1"\n')
    shell = Shell(tmp_path, config, secrets={"sentinel-jwt-part"})
    shell.environment = {
        "PYTHON_KEYRING_BACKEND": "",
        "PYTHONPATH": f"{shell.env['PYTHONPATH']}:{tmp_path}",
        "DBUS_SESSION_BUS_ADDRESS": f"unix:path={tmp_path}/none",
    }
    return shell


def keyring_of(shell: Shell) -> dict[str, Any]:
    (found,) = [one for one in shell("doctor", "--json").json["findings"] if one["check"] == "keyring"]
    return dict(found)


def test_plain_text_that_nobody_named_is_refused_and_accepted_by_the_configuration(plain: Shell) -> None:
    name = "acme_store.PlaintextKeyring"
    keys = '{"jwt": "eyJh.eyJz.sentinel-jwt-part"}'
    done = plain("keys", "set", "p99", "--from-stdin", stdin=keys)
    assert done.status == 1
    assert f'accept = ["{name}"]' in done.err
    assert not (plain.home / "keyring.json").exists()
    found = keyring_of(plain)
    assert found["ok"] is False
    assert name in found["detail"]
    assert f'accept = ["{name}"]' in found["remedy"]
    plain.config.write_text(f'{plain.config.read_text()}[keyring]\naccept = ["{name}"]\n')
    done = plain("keys", "set", "p99", "--from-stdin", stdin=keys)
    assert done.status == 0, done.err
    assert f"warning: keyring backend {name} keeps secrets as plain text" in done.err
    assert f"{name} (plaintext)" in done.out
    listed = plain("keys", "list", "--json")
    assert listed.json["backend"]["usable"] is True
    assert listed.json["venues"][0]["state"] == "stored"
    assert "plain text" in listed.err
    found = keyring_of(plain)
    assert found["ok"] is None
    assert (
        found["detail"]
        == f"{name} (plaintext, named by you): keyring backend {name} keeps secrets as plain text"
    )
    assert plain("keys", "delete", "p99", "--yes").status == 0
