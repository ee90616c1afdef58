"""The support bundle: what somebody who helps needs, shown before it is written, without any secret."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from cancel_tui.cli.bundle import SECTIONS
from cancel_tui.cli.scrub import Pseudonyms, ids_in, scrubbed
from cancel_tui.practice.cluster import Cluster
from cancel_tui.practice.http import Request
from cancel_tui.practice.venue import CREDENTIALS_PATH
from tests.system.shell import Floor, Shell, practice, told_by

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJlLW9mLWl0"
PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqh\nkiG9w0BAQ\n-----END PRIVATE KEY-----"
HARMLESS = {"application/json", "close", "keep-alive", "upgrade", "13", "websocket", "identity", "chunked"}


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    with practice(tmp_path_factory.mktemp("floor"), "--orders", "5") as found:
        yield found


def overheard(cluster: Cluster) -> set[str]:
    """Values that requests to the venues carry from now on to prove who sends them."""
    found: set[str] = set()
    for venue in cluster.venues:
        answer = venue.server.handler

        async def spy(request: Request, answer: Any = answer) -> Any:
            for name, value in request.headers.items():
                if name not in ("host", "content-length", "sec-websocket-key") and value not in HARMLESS:
                    found.update(value.split())
            found.update(value for name, value in request.params.items() if "sign" in name or "token" in name)
            return await answer(request)

        venue.server.handler = spy
    return found


async def test_no_credential_token_or_signature_is_in_it_and_ids_only_where_that_is_wished(
    tmp_path: Path,
) -> None:
    cluster = Cluster(20)
    await cluster.start()
    sent = overheard(cluster)
    try:
        truth = [one for rows in cluster.live().values() for one in rows]
        shell = Shell(tmp_path, tmp_path / "config.toml")
        cluster.write_configuration(shell.config)
        killed = await asyncio.to_thread(shell, "kill", "--yes", "--json", "--deadline", "20")
        assert killed.json["orders"]
        for venue in cluster.venues:
            origin = urlsplit(venue.base_url).netloc
            for value in (await asyncio.to_thread(told_by, origin, CREDENTIALS_PATH)).values():
                sent |= {value, *(line for line in value.splitlines() if not line.startswith("-----"))}
        ids = {one[name] for one in truth for name in ("order_id", "account") if one[name]}
        # Neither is a time, which the venues want beside the signature.
        sent = {one for one in sent - ids if len(one) >= 12 and not one.isdigit()}
        assert len(sent) > 30
        logs = shell.data / "logs"
        logs.mkdir(mode=0o700)
        lines = [*sorted(one for one in sent if "\n" not in one), JWT, *PEM.splitlines(), f"sign={'0f' * 8}"]
        named = [f"cancel of {one['order_id']} in {one['account']} failed" for one in truth]
        (logs / "console.log").write_text("\n".join([*named, *lines]) + "\n")
        written = {}
        for name, options in {"shown": (), "hidden": ("--hide-ids",)}.items():
            file = tmp_path / f"{name}.json"
            more = ("--yes", "--last", "3000", "--output", str(file), *options)
            done = await asyncio.to_thread(shell, "support", *more)
            assert done.status == 0, done.err
            assert str(file) in done.out
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            written[name] = file.read_text()
    finally:
        await cluster.stop()
    shown = json.loads(written["shown"])
    assert list(shown) == list(SECTIONS)
    assert {"kill_begin", "request", "answer", "kill_end"} <= {one["kind"] for one in shown["journal"]}
    assert {one["venue"] for one in shown["doctor"]} >= {venue.name for venue in cluster.venues}
    assert [one["base_url"] for one in shown["configuration"]["venues"]] == [
        venue.base_url for venue in cluster.venues
    ]
    for text in written.values():
        for secret in (*sent, JWT, "MIIEvQIBADANBgkqh", "0f" * 8):
            assert json.dumps(secret)[1:-1] not in text, secret
    assert len(ids) > 15
    assert all(one in written["shown"] for one in ids)
    assert [one for one in ids if one in written["hidden"]] == []
    hidden = json.loads(written["hidden"])
    assert hidden["about"]["ids"].startswith("hidden")
    assert [one["kind"] for one in hidden["journal"]] == [one["kind"] for one in shown["journal"]]


def test_it_is_looked_through_before_it_is_written(floor: Floor, tmp_path: Path) -> None:
    shell = Shell(tmp_path, floor.shell.config, secrets=floor.shell.secrets)
    answers = [("Write it?", "h\n"), ("Write it?", "s\n"), ("Write it?", "\n")]
    done, _ = shell.typed("support", answers=answers)
    assert done.status == 2
    assert "nothing was written" in done.err
    assert all(section in done.out for section in SECTIONS)
    assert "ids of orders and accounts: shown" in done.out
    assert "ids of orders and accounts: hidden" in done.out
    assert '"doctor": [' in done.out, "all of it was shown"
    assert not shell.data.exists()
    done, _ = shell.typed("support", answers=[("Write it?", "y\n")])
    assert done.status == 0
    (file,) = (shell.data / "support").iterdir()
    assert f"written: {file}" in done.out
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert shell.leaks() == []


def test_without_a_terminal_it_is_not_written_unless_that_is_said(floor: Floor, tmp_path: Path) -> None:
    shell = Shell(tmp_path, floor.shell.config)
    done = shell("support")
    assert (done.status, done.out) == (2, "")
    assert "--yes" in done.err
    assert not shell.data.exists()


def test_a_configuration_that_is_not_valid_is_told_and_no_file_is_replaced(tmp_path: Path) -> None:
    shell = Shell(tmp_path, tmp_path / "config.toml")
    shell.config.write_text('[venues.a]\nkind = "roxom"\ncolour = "red"\n')
    there, link = tmp_path / "there.json", tmp_path / "link.json"
    done = shell("support", "--yes", "--output", str(there))
    assert done.status == 0, done.err
    found = json.loads(there.read_text())
    assert "[venues.a] colour: unknown key" in found["configuration"]["not_valid"]
    assert {one["check"] for one in found["doctor"]} == {"versions", "terminal"}
    before = there.read_bytes()
    link.symlink_to(tmp_path / "elsewhere.json")
    for path in (there, link):
        done = shell("support", "--yes", "--output", str(path))
        assert done.status == 2
        assert "cannot be written" in done.err
    assert there.read_bytes() == before
    assert not (tmp_path / "elsewhere.json").exists()


# ---------------------------------------------------------------------- what looks like a secret


@pytest.mark.parametrize(
    "text",
    [
        f"got {JWT} back",
        f"key {PEM} read",
        "key -----BEGIN RSA PRIVATE KEY-----\nSECRET and cut off",
        "Authorization: Bearer SECRETSECRET",
        "GET /x?a=1&signature=SECRET9f&b=2",
        '{"api_secret": "SECRET", "a": 1}',
        "X-AUTH-SIGNATURE: SECRETabc",
        "X-MBX-APIKEY=SECRET77",
        f"signed {'SECRET0a' * 8} today",
        f"token {'SECRET0a/b' * 7}= today",
    ],
)
def test_what_nobody_knows_by_its_value_is_hidden_by_its_looks(text: str) -> None:
    found = scrubbed({"line": text})["line"]
    assert "[hidden]" in found
    for piece in ("SECRET", "MIIE", "eyJ"):
        assert piece not in found


@pytest.mark.parametrize(
    "text",
    [
        "cancel 7d0c1a52-9e31-4bb0-a4f5-00000000abcd sent",
        "GET /trade/api/v2/futures/orders/open?from_time=1790000000000&limit=50",
        "2026-11-21T22:09:49.929Z kill 06b5980d6d4f7c91: flat",
        "20261121T220949777Z-2967-19f5d0.jsonl, line 4: not the record that follows",
        "see `connect` and `clock` of `cancel-tui doctor`, then try again",
    ],
)
def test_what_a_reader_needs_is_left(text: str) -> None:
    assert scrubbed([text]) == [text]


def test_a_field_that_is_called_like_a_secret_is_hidden_whatever_it_holds() -> None:
    found = scrubbed({"jwt": "x", "nested": [{"Signature": "y", "side": "buy"}]})
    assert found == {"jwt": "[hidden]", "nested": [{"Signature": "[hidden]", "side": "buy"}]}


def test_an_id_has_one_stand_in_wherever_it_stands() -> None:
    record = {"order": "A-17x9", "account": "desk-01", "price": "17.5", "side": "buy", "part": "orders"}
    pseudonyms = Pseudonyms(ids_in([record, {"known": ["orders"]}]))
    found = pseudonyms.hidden([record, "cancel of A-17x9 failed, not of XA-17x9 or A-17x99", os.sep])
    assert found[0]["order"] == "id-1"
    assert found[0]["account"] == "id-2"
    assert (found[0]["price"], found[0]["part"]) == ("17.5", "orders")
    assert found[1] == "cancel of id-1 failed, not of XA-17x9 or A-17x99"
