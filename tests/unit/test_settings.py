"""The configuration file: what is accepted, and one clear line for everything that is not."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancel_tui.settings import (
    KINDS,
    PATH_NAMES,
    Budget,
    ConsoleSettings,
    Settings,
    SettingsError,
    is_loopback,
    load_settings,
    parse_budget,
    parse_settings,
)

FILE = Path("/somewhere/config.toml")


def read(text: str) -> Settings:
    return parse_settings(text, FILE)


def complaint(text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        read(text)
    words = str(caught.value)
    assert "\n" not in words
    assert words.startswith(str(FILE))
    return words


def venue(*lines: str, kind: str = "roxom", name: str = "x") -> str:
    return f'[venues.{name}]\nkind = "{kind}"\n' + "\n".join(lines)


def test_columns_are_names_of_an_orders_fields() -> None:
    assert read("").console.columns is None
    assert read('[console]\ncolumns = ["status", "price"]').console.columns == ("status", "price")
    assert "there is no column 'colour'; there are venue" in complaint('[console]\ncolumns = ["colour"]')
    assert "must not be an empty list" in complaint("[console]\ncolumns = []")
    assert "must be a list" in complaint('[console]\ncolumns = "price"')


def test_the_contracts_example_is_read() -> None:
    found = read(
        """
        [venues.cs-spot]
        kind = "coinswitch-spot"
        base_url = "https://coinswitch.co"
        [venues.broker]
        kind = "b2trader"
        base_url = "https://broker.example/"
        accounts = ["66f0a1b2c3d4e5f601234567"]
        """
    )
    spot, broker = found.venues
    assert (spot.name, spot.kind, spot.credentials, spot.mode) == (
        "cs-spot",
        "coinswitch-spot",
        "cs-spot",
        "LIVE",
    )
    assert spot.base_is_default
    assert broker.base_url == "https://broker.example"
    assert broker.accounts == ("66f0a1b2c3d4e5f601234567",)
    assert found.path == FILE


@pytest.mark.parametrize("kind", KINDS)
def test_the_defaults_of_each_kind(kind: str) -> None:
    base = 'base_url = "https://broker.example"' if kind == "b2trader" else ""
    (one,) = read(venue(base, kind=kind)).venues
    assert one.enabled
    assert one.stream
    assert one.settle_seconds == 1.0
    assert one.timeout_seconds is None
    assert one.limits == {}
    assert one.lookback_days == 91
    assert one.credentials == "x"
    assert one.accounts == ()
    assert one.inst_types is None
    assert one.probe_rest_lists is False
    assert one.base_url == (KINDS[kind].base_url or "https://broker.example")
    assert one.environment == ("test" if kind == "p99-spot" else "live")
    assert one.mode == ("TEST" if kind == "p99-spot" else "LIVE")


def test_weak_keyrings_are_accepted_by_name_only() -> None:
    assert read("").weak_keyrings == ()
    assert read('[keyring]\naccept = ["a.B", "keyrings.alt.file.PlaintextKeyring"]').weak_keyrings == (
        "a.B",
        "keyrings.alt.file.PlaintextKeyring",
    )


def test_an_empty_file_has_no_venues_and_a_sensible_console() -> None:
    found = read("")
    assert found.venues == ()
    assert found.console.confirm_word == "KILL"
    assert found.console.refresh_seconds == 2.0


def test_all_keys_of_a_kind_are_accepted() -> None:
    (one,) = read(
        venue(
            'base_url = "https://api.example:8443/v"',
            "enabled = false",
            'environment = "test"',
            'credentials = "shared"',
            'limits = { cancel = "10/60", cancel_all = "none", list = "1/0.5", status = "3/1", '
            'closed = "9/86400" }',
            "settle_seconds = 0",
            "timeout_seconds = 2.5",
            'ws_url = "wss://ws.example/ws"',
            "stream = false",
            'api_prefix = ""',
            'rsa_padding = "pss"',
            "sign_cancel_all = false",
            'unit = "sats"',
            'cancel_path = "/o/{orderId}"',
            'cancel_all_path = "/o"',
            'key_header = "X-K"',
            'signature_header = "X-S"',
            'inst_types = ["spot", "perp", "spot"]',
        )
    ).venues
    assert one.limits == {
        "cancel": Budget(10, 60.0),
        "cancel_all": None,
        "list": Budget(1, 0.5),
        "status": Budget(3, 1.0),
        "closed": Budget(9, 86_400.0),
    }
    assert (one.settle_seconds, one.timeout_seconds, one.stream) == (0.0, 2.5, False)
    assert (one.api_prefix, one.rsa_padding, one.unit) == ("", "pss", "sats")
    assert one.inst_types == ("spot", "perp")
    assert one.mode == "TEST"
    assert not one.base_is_default


def test_venues_that_are_not_enabled_take_no_part() -> None:
    found = read(venue("enabled = false", name="a") + "\n" + venue(name="b"))
    assert [one.name for one in found.enabled] == ["b"]


# ---------------------------------------------------------------- what is refused

ERRORS = [
    ('[keyring]\nbackend = "x.Y"', ["[keyring]", "backend", "unknown key", "accept"]),
    ('[keyring]\naccept = "x.Y"', ["[keyring]", "accept", "list"]),
    ('[keyring]\naccept = ["plaintext"]', ["[keyring]", "accept", "module and class"]),
    (venue("colour = 1"), ["[venues.x]", "colour", "unknown key", "base_url", "inst_types"]),
    (venue("lookback_days = 3"), ["[venues.x]", "lookback_days", "unknown key"]),
    (venue('ws_url = "wss://x"', kind="coinswitch-futures"), ["[venues.x]", "ws_url", "unknown key"]),
    ("[venues.x]\n", ["[venues.x]", "kind", "missing", "b2trader", "p99-spot"]),
    ('[venues.x]\nkind = "binance"', ["[venues.x]", "kind", "must be one of", "coinswitch-spot"]),
    ("[venues.x]\nkind = 7", ["[venues.x]", "kind", "must be one of"]),
    ('[venues.x]\nkind = ""', ["[venues.x]", "kind", "must be one of"]),
    ("[markets]\n", ["top level", "markets", "unknown key", "venues"]),
    ("venues = 3", ["venues", "must be a table"]),
    ("[venues]\nx = 3", ["venues.x", "must be a table"]),
    ("[console]\ncolour = 1", ["[console]", "colour", "unknown key", "confirm_word"]),
    ('[console]\nconfirm_word = "a b"', ["[console]", "confirm_word", "letters"]),
    ("[console]\nrefresh_seconds = 0", ["[console]", "refresh_seconds", "0.2"]),
    ('[console]\nbell = "no"', ["[console]", "bell", "true or false"]),
    ("[console]\nalarm_repeat_seconds = 0", ["[console]", "alarm_repeat_seconds", "from 1 to 3600"]),
    ("[console]\nkeys = 3", ["[console]", "keys", "table of texts"]),
    ("[console.keys]\nkill = 3", ["[console]", "keys.kill", "must be a text"]),
    (venue("enabled = 1"), ["enabled", "true or false"]),
    (venue('environment = "practice"'), ["environment", "live, test"]),
    (venue("credentials = { api_key = 1 }"), ["credentials", "must be a text"]),
    (venue('credentials = ""'), ["credentials", "not empty"]),
    (venue("settle_seconds = -1"), ["settle_seconds", "number from 0 to 600"]),
    (venue("settle_seconds = nan"), ["settle_seconds", "number"]),
    (venue("settle_seconds = true"), ["settle_seconds", "number"]),
    (venue("timeout_seconds = 0"), ["timeout_seconds", "number from 0.05"]),
    (venue("lookback_days = 0.5", kind="coinswitch-futures"), ["lookback_days", "whole number"]),
    (venue("lookback_days = 0", kind="coinswitch-futures"), ["lookback_days", "1 to 3650"]),
    (venue('rsa_padding = "oaep"'), ["rsa_padding", "pkcs1v15, pss"]),
    (venue('unit = "eth"'), ["unit", "btc, sats"]),
    (venue('cancel_path = "/orders"'), ["cancel_path", "{orderId}"]),
    (venue('cancel_path = "/{orderId}/{account}"'), ["cancel_path", "plain path"]),
    (venue('cancel_all_path = "orders"'), ["cancel_all_path", "plain path"]),
    (venue('cancel_all_path = "/a/../b"'), ["cancel_all_path", "plain path"]),
    (venue('cancel_all_path = "/a?x=1"'), ["cancel_all_path", "plain path"]),
    (venue('api_prefix = "/api/"'), ["api_prefix", "plain path"]),
    (venue('key_header = "X Key"'), ["key_header", "header name"]),
    (venue("inst_types = []"), ["inst_types", "empty list"]),
    (venue('inst_types = "spot"'), ["inst_types", "list of texts"]),
    (venue('inst_types = [""]'), ["inst_types", "list of texts"]),
    (venue(kind="b2trader"), ["[venues.x]", "base_url", "required"]),
    (
        venue('base_url = "https://h"', 'paths = { cancel = "/x" }', kind="b2trader"),
        ["paths.cancel", "unknown key", "stop_orders"],
    ),
    (
        venue('base_url = "https://h"', 'paths = { orders = "x" }', kind="b2trader"),
        ["paths.orders", "plain path"],
    ),
    (
        venue('base_url = "https://h"', "paths = { orders = 1 }", kind="b2trader"),
        ["paths.orders", "must be a text"],
    ),
    (venue('limits = { orders = "1/1" }'), ["limits.orders", "unknown", "cancel_all"]),
    (venue("limits = { cancel = 10 }"), ["limits.cancel", "must be a text"]),
    (venue('limits = "10/60"'), ["limits", "table"]),
    (venue("[venues.X]", 'kind = "roxom"'), ["venues.X", "venues.x", "case"]),
    ('[venues."a b"]\nkind = "roxom"', ["a b", "letters, digits"]),
    ('[venues.""]\nkind = "roxom"', ["letters, digits"]),
]


@pytest.mark.parametrize(("text", "wanted"), ERRORS)
def test_a_fault_names_file_table_and_key_and_says_what_is_allowed(text: str, wanted: list[str]) -> None:
    words = complaint(text)
    assert not [one for one in wanted if one not in words], words


@pytest.mark.parametrize(
    "key",
    [
        *(
            "api_secret",
            "api_key",
            "apiKey",
            "api-key",
            "secret",
            "jwt",
            "private_key",
            "private_key_file",
            "pem",
        ),
        *(
            "access_token",
            "api_token",
            "password",
            "passphrase",
            "seed",
            "PrivateKey",
            "key",
        ),
    ],
)
def test_secrets_have_no_place_in_the_file(key: str) -> None:
    value = "0123456789abcdef0123456789abcdef"
    for text, where in (
        (venue("zzz = 1", f'{key} = "{value}"'), "[venues.x]"),
        (f'[venues]\n{key} = "{value}"', "[venues]"),
        (f'{key} = "{value}"', "top level"),
        (f'[console]\n{key} = "{value}"', "[console]"),
    ):
        words = complaint(text)
        assert "cancel-tui keys set" in words
        assert key in words
        assert where in words
        assert value not in words


@pytest.mark.parametrize("url", ["http://coinswitch.co", "http://10.0.0.1", "http://localhost.evil.example"])
def test_plain_http_is_for_loopback_addresses_only(url: str) -> None:
    words = complaint(venue(f'base_url = "{url}"'))
    assert "loopback" in words
    assert "base_url" in words


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:9", "http://127.9.9.9"]
)
def test_plain_http_to_this_machine_is_accepted(url: str) -> None:
    (one,) = read(venue(f'base_url = "{url}/"')).venues
    assert one.base_url == url


def test_plain_ws_is_for_loopback_addresses_only() -> None:
    assert "loopback" in complaint(venue('ws_url = "ws://ws.example"'))
    assert read(venue('ws_url = "ws://127.0.0.1:1/ws"')).venues[0].ws_url == "ws://127.0.0.1:1/ws"


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "coinswitch.co",
            "ftp://x",
            "https://",
            "https://u:p@h",
            "https://u@h",
            "https://@h",
            "https://h?a=1",
        ),
        *(
            "https://h#f",
            "https://h?",
            "https://h#",
            "https://h:99999",
            "https://h:x",
            "https://[::1",
            "https://a b",
        ),
        *(
            "https://h\\\\@evil",
            "https://ex\\u00e4mple",
            "https://h\\tx",
            "javascript:alert(1)",
            "wss://h",
        ),
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    assert "base_url" in complaint(venue(f'base_url = "{url}"'))


def test_practice_is_for_loopback_addresses_only() -> None:
    words = complaint(venue('credentials = "practice"'))
    assert "credentials" in words
    assert "loopback" in words
    (one,) = read(venue('credentials = "practice"', 'base_url = "http://127.0.0.1:7"')).venues
    assert one.practice
    assert one.mode == "PRACTICE"


@pytest.mark.parametrize("text", ["[venues.x", "a = ", "= 3", 'x = "', "[a]\n[a]", "\x00", "a = 1_000_"])
def test_bad_toml_is_one_line_with_the_place(text: str) -> None:
    assert "no valid TOML" in complaint(text)


@pytest.mark.parametrize("text", ["a = " + "[" * 20_000, "a = " + "9" * 5_000])
def test_toml_that_would_break_the_reader_is_a_complaint(text: str) -> None:
    assert "TOML" in complaint(text)


def test_a_key_that_would_steer_the_terminal_stays_on_its_line() -> None:
    words = complaint('[venues.x]\nkind = "roxom"\n"\\u001b[31m\\nevil" = 1')
    assert "\x1b" not in words
    assert "evil" in words


# ---------------------------------------------------------------- limits


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("10/60", Budget(10, 60.0)),
        ("1/0.25", Budget(1, 0.25)),
        ("200/86400", Budget(200, 86_400.0)),
        ("none", None),
    ],
)
def test_the_grammar_of_limits(text: str, wanted: Budget | None) -> None:
    assert parse_budget(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "10",
            "/60",
            "10/",
            "0/60",
            "10/0",
            "-1/60",
            "10/-1",
            "1.5/60",
            "10/60s",
            "1e3/60",
            "10/1e3",
            "10/inf",
        ),
        *(
            "10/nan",
            " 10/60",
            "10/60 ",
            "1_0/60",
            "+1/60",
            "10/60/2",
            "None",
            "10/86401",
            "\u0661/60",
            "9" * 20 + "/1",
        ),
    ],
)
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^"):
        parse_budget(text)
    if text.isascii():
        assert "limits.cancel" in complaint(venue(f'limits = {{ cancel = "{text}" }}'))


@given(st.text(max_size=12))
def test_a_limit_is_read_or_refused_but_never_raises_otherwise(text: str) -> None:
    try:
        budget = parse_budget(text)
    except ValueError:
        return
    assert budget is None or (budget.count >= 1 and budget.seconds > 0)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    try:
        read(text)
        return
    except SettingsError as error:
        words = str(error)
    assert "\n" not in words
    assert words.startswith(str(FILE))


# ---------------------------------------------------------------- the file itself


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such file"):
        load_settings(tmp_path / "none.toml")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(tmp_path)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="no UTF-8 text"):
        load_settings(path)


def test_a_path_that_no_system_takes() -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(Path("a\x00b"))


@pytest.mark.skipif(sys.platform == "win32" or not hasattr(os, "geteuid"), reason="POSIX permissions")
def test_a_file_without_permission() -> None:
    def denied(path: Path) -> str:
        raise PermissionError(13, "Permission denied")

    with pytest.raises(SettingsError, match="cannot be read: Permission denied"):
        load_settings(FILE, denied)


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xef\xbb\xbf" + venue().encode())
    assert load_settings(path).venues[0].name == "x"


# ---------------------------------------------------------------- derived values


def test_the_stream_is_public_unless_the_base_was_changed() -> None:
    assert read(venue()).venues[0].socket_url("/ws") == "wss://ws.roxom.com/ws"
    changed = read(venue('base_url = "https://h.example:8443/api"')).venues[0]
    assert changed.socket_url("/ws") == "wss://h.example:8443/ws"
    local = read(venue('base_url = "http://127.0.0.1:7"')).venues[0]
    assert local.socket_url("/ws") == "ws://127.0.0.1:7/ws"
    named = read(venue('ws_url = "wss://other/x"')).venues[0]
    assert named.socket_url("/ws") == "wss://other/x"


def test_a_p99_venue_of_another_host_is_live() -> None:
    (one,) = read(venue('base_url = "https://p99.example/api/v1"', kind="p99-spot")).venues
    assert one.mode == "LIVE"


@pytest.mark.parametrize(
    ("host", "wanted"),
    [
        *(
            ("127.0.0.1", True),
            ("::1", True),
            ("LOCALHOST", True),
            ("127.1", False),
            ("0.0.0.0", False),
            (None, False),
        ),
        *(
            ("localhost.", False),
            ("example.com", False),
            ("10.0.0.1", False),
        ),
    ],
)
def test_loopback(host: str | None, wanted: bool) -> None:
    assert is_loopback(host) is wanted


def test_the_names_of_paths_are_those_of_the_adapter() -> None:
    from cancel_tui.venues.b2trader import PATHS

    assert set(PATH_NAMES) == set(PATHS)


@pytest.mark.parametrize(
    ("written", "wanted"), [("", None), ("ascii = true", True), ("ascii = false", False)]
)
def test_ascii_is_decided_by_the_locale_unless_it_is_said(written: str, wanted: bool | None) -> None:
    assert parse_settings(f"[console]\n{written}", Path("c.toml")).console.ascii is wanted


def test_the_readme_tells_every_key_of_the_console_with_its_default() -> None:
    text = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    table = text.partition("`[console]` says")[2].partition("\n\n")[2].partition("\n\n")[0]
    for name in ConsoleSettings.__struct_fields__:
        assert f"`{name}`" in table, name
    default = ConsoleSettings()
    for told in (f'"{default.confirm_word}"', f'"{default.theme}"', f"{default.refresh_seconds:g}", "15"):
        assert told in table
