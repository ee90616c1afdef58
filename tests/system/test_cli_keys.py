"""Credentials through the command line: hidden, checked before they are stored, kept in the keyring only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.system.shell import Floor, Shell, practice

CONFIG = """
[venues.cs]
kind = "coinswitch-spot"
[venues.cs-fut]
kind = "coinswitch-futures"
credentials = "cs"
[venues.rx]
kind = "roxom"
enabled = false
[venues.p99]
kind = "p99-spot"
[venues.broker]
kind = "b2trader"
base_url = "https://broker.example"
[venues.toy]
kind = "roxom"
base_url = "http://127.0.0.1:9"
credentials = "practice"
"""
SEED = "5eed" * 16
KEY = "key-id-7d1f0a22"
PAIR = json.dumps({"api_key": KEY, "api_secret": SEED})
TOKEN = "bearer-token-0f2b66d1"


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture(scope="module")
def rsa_pem() -> str:
    return pem(rsa.generate_private_key(65_537, 2048))


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A shell of its own, with an empty keyring; whatever it stores must appear nowhere else."""
    config = tmp_path / "config.toml"
    config.write_text(CONFIG)
    found = Shell(tmp_path, config, secrets={SEED, KEY, TOKEN})
    yield found
    assert found.leaks() == []


def states(shell: Shell) -> dict[str, str]:
    done = shell("keys", "list", "--json")
    assert done.status == 0, done.err
    return {one["venue"]: one["state"] for one in done.json["venues"]}


def stored(shell: Shell) -> str:
    file = shell.home / "keyring.json"
    return file.read_text() if file.exists() else ""


def test_a_key_pair_from_standard_input_is_stored_listed_shared_and_deleted(shell: Shell) -> None:
    assert states(shell) == {
        **dict.fromkeys(["cs", "cs-fut", "rx", "p99", "broker"], "missing"),
        "toy": "practice",
    }
    done = shell("keys", "set", "CS", "--from-stdin", stdin=PAIR)
    assert done.status == 0, done.err
    assert "cs-fut" in done.out
    assert SEED in stored(shell)
    found = states(shell)
    assert (found["cs"], found["cs-fut"], found["p99"]) == ("stored", "stored", "missing")
    done = shell("keys", "delete", "cs-fut", "--yes")
    assert done.status == 0, done.err
    assert states(shell)["cs"] == "missing"
    assert SEED not in stored(shell)


def test_a_long_key_is_stored_in_parts_without_anybody_noticing(shell: Shell, rsa_pem: str) -> None:
    shell.secrets |= set(rsa_pem.splitlines()[1:-1])
    given = json.dumps({"api_key": KEY, "private_key": rsa_pem})
    done = shell("keys", "set", "rx", "--from-stdin", stdin=given)
    assert done.status == 0, done.err
    assert states(shell)["rx"] == "stored"
    assert shell("keys", "delete", "rx", "--yes").status == 0
    assert json.loads(stored(shell)) == {}


@pytest.mark.parametrize(
    ("venue", "given", "says"),
    [
        ("cs", json.dumps({"api_key": KEY, "api_secret": SEED[:-2]}), "exactly 64 hex characters"),
        ("cs", json.dumps({"api_key": KEY, "api_secret": "zz" * 32}), "not hex"),
        ("cs", json.dumps({"api_key": KEY}), "api_secret is missing"),
        ("cs", json.dumps({"api_key": KEY, "api_secret": 7}), "must be text"),
        ("cs", json.dumps({"api_key": KEY, "api_secret": SEED, "jwt": "a.b.c"}), "jwt is not known"),
        ("cs", json.dumps({TOKEN: KEY}), "one field's name"),
        ("cs", f'{{"api_key": "{KEY}", "api_key": "{SEED}"}}', "names a field twice"),
        ("cs", f'["{KEY}"]', "one JSON object"),
        ("cs", f'{{"api_key": "{KEY}"', "one JSON object"),
        ("cs", "", "one JSON object"),
        ("cs", "[" * 100_000, "one JSON object"),
        ("cs", "x" * 300_000, "too long"),
        ("rx", json.dumps({"api_key": KEY, "private_key": SEED}), "not a PEM"),
        ("rx", "EC", "not an RSA key"),
        ("rx", "RSA-1024", "1024 bits"),
        ("p99", json.dumps({"api_key": KEY, "api_secret": "s", "jwt": "a.b.c"}), "one too many"),
        ("p99", json.dumps({"jwt": TOKEN}), "not a JWT"),
        ("broker", json.dumps({}), "no field was given"),
        ("toy", PAIR, "practice venue"),
        ("nowhere", PAIR, "no such venue; configured are cs, cs-fut"),
    ],
)
def test_what_cannot_be_right_ends_with_2_and_nothing_is_stored(
    shell: Shell, venue: str, given: str, says: str
) -> None:
    keys = {"EC": lambda: ec.generate_private_key(ec.SECP256R1())}
    small = rsa.generate_private_key(65_537, 1024) if given == "RSA-1024" else None
    if given in keys or small is not None:
        text = pem(keys[given]() if small is None else small)
        shell.secrets |= set(text.splitlines()[1:-1])
        given = json.dumps({"api_key": KEY, "private_key": text})
    done = shell("keys", "set", venue, "--from-stdin", stdin=given)
    assert done.status == 2
    assert says in done.err
    assert done.out == ""
    assert stored(shell) == ""


def test_without_a_terminal_nothing_is_asked(shell: Shell) -> None:
    for command, option in (("set", "--from-stdin"), ("delete", "--yes")):
        done = shell("keys", command, "cs", stdin=PAIR)
        assert done.status == 2
        assert option in done.err
    assert stored(shell) == ""


# ---------------------------------------------------------------------- at the terminal


def test_typed_fields_are_hidden(shell: Shell) -> None:
    answers = [("api_key (hidden): ", f"{KEY}\n"), ("api_secret (hidden): ", f"{SEED}\n")]
    done, echoed = shell.typed("keys", "set", "cs", answers=answers)
    assert done.status == 0, done.err
    assert KEY not in echoed
    assert SEED not in echoed
    assert SEED in stored(shell)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_a_pem_is_pasted_as_it_is_and_what_follows_is_dropped(
    shell: Shell, rsa_pem: str, line_end: str
) -> None:
    shell.secrets |= set(rsa_pem.splitlines()[1:-1])
    pasted = rsa_pem.replace("\n", line_end) + f"echo {TOKEN}{line_end}"
    answers = [("api_key (hidden): ", f"{KEY}{line_end}"), ("private_key (hidden", pasted)]
    done, echoed = shell.typed("keys", "set", "rx", answers=answers)
    assert done.status == 0, done.err
    assert not any(secret in echoed for secret in shell.secrets)
    assert states(shell)["rx"] == "stored"


def test_a_pem_in_one_line_and_slips_of_the_fingers_are_understood(shell: Shell, rsa_pem: str) -> None:
    shell.secrets |= set(rsa_pem.splitlines()[1:-1])
    one_line = rsa_pem.strip().replace("\n", "\\n")
    typed = f"wrong\x15{KEY}xy\x7f\x7f\n"
    answers = [("api_key (hidden): ", typed), ("private_key (hidden", f"\n{one_line}\n")]
    done, _ = shell.typed("keys", "set", "rx", answers=answers)
    assert done.status == 0, done.err
    kept = json.loads(stored(shell))
    assert f'"{KEY}"' in "".join(kept.values())


def test_where_a_venue_takes_either_of_two_sets_the_person_chooses(shell: Shell) -> None:
    shell.secrets.add("c2lnbmF0dXJl")
    answers = [("What does p99 get? ", "3\n2\n"), ("jwt (hidden): ", "eyJh.eyJz.c2lnbmF0dXJl\n")]
    done, _ = shell.typed("keys", "set", "p99", answers=answers)
    assert done.status == 0, done.err
    assert states(shell)["p99"] == "stored"


@pytest.mark.parametrize(("key", "status"), [("\x03", 130), ("\x04", 2)], ids=["interrupt", "end of input"])
def test_leaving_in_the_middle_stores_nothing(shell: Shell, key: str, status: int) -> None:
    done, _ = shell.typed("keys", "set", "cs", answers=[("api_key (hidden): ", key)])
    assert done.status == status, done.err
    assert stored(shell) == ""


def test_deleting_asks_first(shell: Shell) -> None:
    assert shell("keys", "set", "broker", "--from-stdin", stdin=json.dumps({"api_token": TOKEN})).status == 0
    done, _ = shell.typed("keys", "delete", "broker", answers=[("'broker'? [y/N] ", "n\n")])
    assert done.status == 2
    assert states(shell)["broker"] == "stored"
    done, _ = shell.typed("keys", "delete", "broker", answers=[("'broker'? [y/N] ", "y\n")])
    assert done.status == 0, done.err
    assert states(shell)["broker"] == "missing"


# ---------------------------------------------------------------------- trouble with the keyring


def test_four_troubles_are_four_messages(shell: Shell) -> None:
    told = {}
    for backend in ("FileKeyring", "LockedKeyring", "DenyingKeyring", "fail"):
        shell.keyring = backend
        if backend == "fail":
            shell.environment = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
        done = shell("keys", "delete", "cs", "--yes")
        assert done.status == 1, done.err
        assert done.out == ""
        told[backend] = done.err
    assert "no credentials are stored under 'cs'" in told["FileKeyring"]
    assert "is locked" in told["LockedKeyring"]
    assert "denied" in told["DenyingKeyring"]
    assert "no usable keyring backend" in told["fail"]


@pytest.mark.parametrize("backend", ["LockedKeyring", "DenyingKeyring", "ForgetfulKeyring"])
def test_what_the_keyring_does_not_keep_is_not_called_stored(shell: Shell, backend: str) -> None:
    shell.keyring = backend
    done = shell("keys", "set", "cs", "--from-stdin", stdin=PAIR)
    assert done.status == 1
    assert done.out == ""
    assert "keyring" in done.err


def test_a_locked_keyring_is_reported_before_the_secret_is_typed(shell: Shell) -> None:
    shell.keyring = "LockedKeyring"
    done, _ = shell.typed("keys", "set", "cs", answers=[])
    assert done.status == 1
    assert "is locked" in done.err
    assert "hidden" not in done.err


def test_the_list_names_the_backend_and_warns_of_a_weak_one(shell: Shell) -> None:
    done = shell("keys", "list", "--json")
    assert done.json["backend"]["class"] == "tests.system.file_keyring.FileKeyring"
    assert done.json["backend"]["strength"] == "unknown"
    assert "not known" in done.err
    shell.environment = {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    done = shell("keys", "list", "--json")
    assert done.status == 1
    assert done.json["backend"]["strength"] == "none"
    assert "keeps nothing" in done.json["error"]
    assert {one["state"] for one in done.json["venues"]} == {"unknown", "practice"}
    shell.environment = {"PYTHON_KEYRING_BACKEND": "no.such.Backend"}
    done = shell("keys", "list")
    assert done.status == 1
    assert "keyring: none to be had" in done.out


# ---------------------------------------------------------------------- test


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    with practice(tmp_path_factory.mktemp("floor"), "--orders", "10") as found:
        yield found
        assert found.shell.leaks() == []


def test_working_keys_are_proven_at_every_venue(floor: Floor) -> None:
    done = floor.shell("keys", "test", "--json")
    assert done.status == 0, done.err
    assert [(one["venue"], one["ok"]) for one in done.json["venues"]] == [
        (name, True) for name in floor.origins
    ]
    done = floor.shell("keys", "test", "ROXOM")
    assert done.status == 0
    assert done.out.splitlines()[1].split()[:2] == ["roxom", "works"]


def test_keys_that_the_venue_refuses_fail_and_others_do_not(floor: Floor, tmp_path: Path) -> None:
    config = tmp_path / "wrong.toml"
    good, *_ = floor.shell.config.read_text().split("\n\n")
    config.write_text(
        good
        + f'\n[venues.wrong]\nkind = "coinswitch-spot"\nbase_url = "http://{floor.origins["cs-spot"]}"\n'
        + f'[venues.bare]\nkind = "roxom"\nbase_url = "http://{floor.origins["roxom"]}"\n'
        + '[venues.down]\nkind = "p99-spot"\nbase_url = "http://127.0.0.1:1/api/v1"\n'
    )
    shell = Shell(tmp_path, config, secrets={SEED, KEY})
    assert shell("keys", "set", "wrong", "--from-stdin", stdin=PAIR).status == 0
    assert shell("keys", "set", "down", "--from-stdin", stdin='{"jwt": "eyJh.eyJz.c2ln"}').status == 0
    done = shell("keys", "test", "--json")
    assert done.status == 1
    found = {one["venue"]: one for one in done.json["venues"]}
    assert {name: one["ok"] for name, one in found.items()} == {
        "cs-spot": True,
        "wrong": False,
        "bare": False,
        "down": False,
    }
    assert "keys set wrong" in found["wrong"]["remedy"]
    assert "no credentials are stored under 'bare'" in found["bare"]["detail"]
    assert "refused" in found["down"]["detail"]
    assert shell("keys", "test", "cs-spot").status == 0
    assert shell("keys", "test", "nowhere").status == 2
    assert shell.leaks() == []


def test_a_refused_key_makes_the_list_incomplete_and_says_so(floor: Floor, tmp_path: Path) -> None:
    config = tmp_path / "wrong.toml"
    config.write_text(
        f'[venues.wrong]\nkind = "coinswitch-spot"\nbase_url = "http://{floor.origins["cs-spot"]}"\n'
    )
    shell = Shell(tmp_path, config, secrets={SEED, KEY})
    assert shell("keys", "set", "wrong", "--from-stdin", stdin=PAIR).status == 0
    done = shell("orders", "--json")
    assert done.status == 3
    (venue,) = done.json["venues"]
    assert (venue["state"], venue["complete"]) == ("refused", False)
    done = shell("kill", "--yes", "--json", "--deadline", "3")
    assert done.status == 3
    assert done.json["verdict"] == "unverified"
    assert shell.leaks() == []
