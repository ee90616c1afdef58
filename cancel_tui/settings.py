"""The configuration file: TOML in, frozen settings out. An unknown key, kind or value is an error.

Every message names the file, the table and the key, and says what is allowed. Nothing is sent before the
whole file has been found good.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from cancel_tui.private import ExposedError, read_own
from cancel_tui.settings_table import (
    LIMIT_NAMES,
    Budget,
    SettingsError,
    Table,
    address,
    header_name,
    is_loopback,
    limits,
    parse_budget,
    plain_path,
)

__all__ = [
    "KINDS",
    "LIMIT_NAMES",
    "PATH_NAMES",
    "PRACTICE",
    "Budget",
    "ConsoleSettings",
    "KindFacts",
    "Settings",
    "SettingsError",
    "VenueSettings",
    "is_loopback",
    "load_settings",
    "parse_budget",
    "parse_settings",
]

PRACTICE = "practice"
"""The value of `credentials` that fetches throw-away keys from a practice server."""


class KindFacts(msgspec.Struct, frozen=True):
    """What the settings need to know of a venue kind, without loading its adapter."""

    base_url: str | None
    """The venue's public address; None where every broker has its own host."""
    ws_url: str | None
    """The public address of its stream; None without one, or where it follows from the base URL."""
    streams: bool
    test_host: str | None = None
    """A public host that is known to be a test environment."""
    own_keys: frozenset[str] = frozenset()


KINDS: Mapping[str, KindFacts] = {
    "coinswitch-spot": KindFacts("https://coinswitch.co", "wss://ws.coinswitch.co", True),
    "coinswitch-futures": KindFacts(
        "https://coinswitch.co", None, False, own_keys=frozenset({"lookback_days"})
    ),
    "roxom": KindFacts(
        "https://api.roxom.com",
        "wss://ws.roxom.com/ws",
        True,
        own_keys=frozenset(
            [
                "api_prefix",
                "rsa_padding",
                "sign_cancel_all",
                "unit",
                "cancel_path",
                "cancel_all_path",
                "key_header",
                "signature_header",
                "inst_types",
            ]
        ),
    ),
    "p99-spot": KindFacts(
        "https://api-sepolia.p99.world/api/v1",
        "wss://api-sepolia.p99.world/ws",
        True,
        test_host="api-sepolia.p99.world",
    ),
    "b2trader": KindFacts(None, None, True, own_keys=frozenset({"accounts", "paths", "probe_rest_lists"})),
}
"""The venue kinds, in the order in which they are offered."""

_COMMON = frozenset(
    [
        "kind",
        "base_url",
        "enabled",
        "environment",
        "credentials",
        "limits",
        "settle_seconds",
        "timeout_seconds",
    ]
)
_STREAM = frozenset({"ws_url", "stream"})
PATH_NAMES = ("access_token", "accounts", "orders", "stop_orders", "stream")
"""What `paths` of a b2trader table may replace."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")


class VenueSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One `[venues.NAME]` table, defaults filled in."""

    name: str
    kind: str
    base_url: str
    """With the API prefix where the kind has one in its base; no trailing slash."""
    enabled: bool = True
    environment: str = "live"
    """`live` or `test`; practice is told by `credentials`."""
    credentials: str = ""
    """Name of the keyring entry, or `practice`."""
    limits: Mapping[str, Budget | None] = msgspec.field(default_factory=dict)
    """Budgets that replace the venue's documented ones; None is `"none"`, no limit."""
    settle_seconds: float = 1.0
    timeout_seconds: float | None = None
    ws_url: str | None = None
    """As configured; None where it is to be derived."""
    stream: bool = True
    lookback_days: int = 91
    api_prefix: str = "/api/v1"
    rsa_padding: str = "pkcs1v15"
    sign_cancel_all: bool = True
    unit: str = "btc"
    cancel_path: str = "/orders/{orderId}/cancel"
    cancel_all_path: str = "/orders/cancel-all"
    key_header: str = "X-API-Key"
    signature_header: str = "X-API-Signature"
    inst_types: tuple[str, ...] | None = None
    accounts: tuple[str, ...] = ()
    """Empty: every account that the token can see."""
    paths: Mapping[str, str] = msgspec.field(default_factory=dict)
    probe_rest_lists: bool = False

    @property
    def practice(self) -> bool:
        """Whether this is a practice venue."""
        return self.credentials == PRACTICE

    @property
    def mode(self) -> str:
        """`PRACTICE`, `TEST` or `LIVE`, as the screen shows it."""
        if self.practice:
            return "PRACTICE"
        return "TEST" if self.environment == "test" else "LIVE"

    @property
    def base_is_default(self) -> bool:
        """Whether the base URL is the kind's public one."""
        return self.base_url == KINDS[self.kind].base_url

    def socket_url(self, path: str) -> str:
        """Where the stream is: as configured, else the public one, else `path` on the base URL's host."""
        if self.ws_url is not None:
            return self.ws_url
        public = KINDS[self.kind].ws_url
        if public is not None and self.base_is_default:
            return public
        parts = urlsplit(self.base_url)
        return f"{'wss' if parts.scheme == 'https' else 'ws'}://{parts.netloc}{path}"


COLUMN_NAMES = (
    "venue",
    "account",
    "symbol",
    "display_symbol",
    "exchange",
    "side",
    "type",
    "time_in_force",
    "price",
    "trigger_price",
    "quantity",
    "filled",
    "remaining",
    "average_price",
    "notional",
    "fee",
    "reduce_only",
    "age",
    "status",
    "venue_status",
    "source",
    "created_at",
    "updated_at",
    "family",
    "order_id",
    "client_order_id",
)
"""What a column of the grid may show: the fields of an order, its age and its notional."""


class ConsoleSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `[console]` table."""

    refresh_seconds: float = 2.0
    """How often venues are asked at the most, where their budgets allow it."""
    confirm_word: str = "KILL"
    """The word that fires the cancel-all; 3 to 12 letters."""
    theme: str = "cancel-tui"
    ascii: bool | None = None
    """Whether borders and signs are ASCII; None where the locale decides."""
    bell: bool = True
    """Whether an alarm sounds the terminal's bell."""
    alarm_repeat_seconds: float = 15.0
    """Seconds between two bells while nobody has acknowledged it."""
    keys: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Command id → key, where the default is not wanted."""
    columns: tuple[str, ...] | None = None
    """The grid's columns from left to right, of `COLUMN_NAMES`; None for the default ones."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file."""

    path: Path | None
    venues: tuple[VenueSettings, ...] = ()
    console: ConsoleSettings = msgspec.field(default_factory=ConsoleSettings)
    weak_keyrings: tuple[str, ...] = ()
    """`accept` of `[keyring]`: keyring backends, as module and class, that may serve although they keep
    credentials as plain text or keep nothing."""

    @property
    def enabled(self) -> tuple[VenueSettings, ...]:
        """The venues that take part."""
        return tuple(venue for venue in self.venues if venue.enabled)


def _venue(path: Path, name: str, values: object) -> VenueSettings:
    table = Table(path, f"venues.{name}", values)
    if not _NAME.fullmatch(name):
        raise SettingsError(
            f"{table.where}: a venue's name has 1 to 32 letters, digits, dots, dashes or underscores"
        )
    if "kind" not in table.values:
        raise table.fail("kind", f"missing; one of {', '.join(KINDS)}")
    kind = table.choice("kind", "", tuple(KINDS))
    facts = KINDS[kind]
    table.only(_COMMON | facts.own_keys | (_STREAM if facts.streams else frozenset()), f"kind {kind}")
    if facts.base_url is None and "base_url" not in table.values:
        raise table.fail("base_url", f"required for {kind}: every broker has a host of its own")
    base_url = address(table, "base_url", table.text("base_url", facts.base_url or ""), ("https", "http"))
    host = urlsplit(base_url).hostname
    credentials = table.text("credentials", name)
    if credentials == PRACTICE and not is_loopback(host):
        raise table.fail("credentials", '"practice" is accepted for loopback addresses only')
    ws_url = table.text("ws_url", "") if "ws_url" in table.values else None
    return VenueSettings(
        name=name,
        kind=kind,
        base_url=base_url,
        enabled=table.flag("enabled", True),
        environment=table.choice(
            "environment", "test" if facts.test_host and host == facts.test_host else "live", ("live", "test")
        ),
        credentials=credentials,
        limits=limits(table),
        settle_seconds=table.number("settle_seconds", 1.0, 0.0, 600.0) or 0.0,
        timeout_seconds=table.number("timeout_seconds", None, 0.05, 120.0),
        ws_url=address(table, "ws_url", ws_url, ("wss", "ws")) if ws_url is not None else None,
        stream=table.flag("stream", True),
        lookback_days=table.whole("lookback_days", 91, 1, 3650),
        api_prefix=plain_path(table, "api_prefix", "/api/v1", empty=True),
        rsa_padding=table.choice("rsa_padding", "pkcs1v15", ("pkcs1v15", "pss")),
        sign_cancel_all=table.flag("sign_cancel_all", True),
        unit=table.choice("unit", "btc", ("btc", "sats")),
        cancel_path=plain_path(table, "cancel_path", "/orders/{orderId}/cancel", placeholder="{orderId}"),
        cancel_all_path=plain_path(table, "cancel_all_path", "/orders/cancel-all"),
        key_header=header_name(table, "key_header", "X-API-Key"),
        signature_header=header_name(table, "signature_header", "X-API-Signature"),
        inst_types=table.texts("inst_types"),
        accounts=table.texts("accounts") or (),
        paths=_paths(table),
        probe_rest_lists=table.flag("probe_rest_lists", False),
    )


def _paths(table: Table) -> dict[str, str]:
    names = table.strings("paths")
    for name in names:
        if name not in PATH_NAMES:
            raise table.fail(f"paths.{name}", f"unknown key; allowed are {', '.join(PATH_NAMES)}")
    return {name: plain_path(table, "paths", "", entry=name) for name in names}


def _console(path: Path, values: object) -> ConsoleSettings:
    table = Table(path, "console", values)
    table.only(frozenset(ConsoleSettings.__struct_fields__), "[console]")
    word = table.text("confirm_word", "KILL")
    if not re.fullmatch(r"[A-Za-z]{3,12}", word):
        raise table.fail("confirm_word", "must be 3 to 12 letters")
    columns = table.texts("columns")
    for name in columns or ():
        if name not in COLUMN_NAMES:
            raise table.fail("columns", f"there is no column {name!r}; there are {', '.join(COLUMN_NAMES)}")
    return ConsoleSettings(
        columns=columns,
        refresh_seconds=table.number("refresh_seconds", 2.0, 0.2, 3600.0) or 2.0,
        confirm_word=word,
        theme=table.text("theme", "cancel-tui"),
        ascii=table.flag("ascii", False) if "ascii" in table.values else None,
        bell=table.flag("bell", True),
        alarm_repeat_seconds=table.number("alarm_repeat_seconds", 15.0, 1.0, 3600.0) or 15.0,
        keys=table.strings("keys"),
    )


def _weak_keyrings(path: Path, values: object) -> tuple[str, ...]:
    table = Table(path, "keyring", values)
    table.only(frozenset({"accept"}), "[keyring]")
    accept = table.texts("accept") or ()
    for name in accept:
        if not re.fullmatch(r"\w+(\.\w+)+", name):
            raise table.fail("accept", "must be backends by module and class, as `keys list` names them")
    return accept


def parse_settings(text: str, path: Path) -> Settings:
    """Read a configuration's text; raises SettingsError."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: no valid TOML: {error}") from error
    except (ValueError, RecursionError) as error:
        # A number of thousands of digits, or brackets nested as deep.
        raise SettingsError(f"{path}: no usable TOML ({type(error).__name__})") from error
    root = Table(path, "top level", document)
    root.only(frozenset({"venues", "console", "keyring"}), "the top level")
    venues = Table(path, "venues", document.get("venues", {}))
    folded: dict[str, str] = {}
    for name in venues.values:
        if name.casefold() in folded:
            raise SettingsError(
                f"{path}: [venues.{name}] and [venues.{folded[name.casefold()]}] differ in case only"
            )
        folded[name.casefold()] = name
    return Settings(
        path=path,
        venues=tuple(_venue(path, name, values) for name, values in venues.values.items()),
        console=_console(path, document.get("console", {})),
        weak_keyrings=_weak_keyrings(path, document.get("keyring", {})),
    )


def load_settings(path: Path, read: Callable[[Path], str] | None = None) -> Settings:
    """Read a configuration file; raises SettingsError, also for a file that cannot be read.

    One that others could change or replace is refused: it says where credentials are sent.
    """
    try:
        text = (read or read_own)(path)
    except FileNotFoundError as error:
        raise SettingsError(
            f"{path}: no such file; `cancel-tui demo` needs none, the README shows one"
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: cannot be read: it is no UTF-8 text") from error
    except ExposedError as error:
        raise SettingsError(
            f"{path}: {error.strerror}; it says where your keys are sent, so look it through as well"
        ) from error
    except (OSError, ValueError) as error:
        why = (isinstance(error, OSError) and error.strerror) or type(error).__name__
        raise SettingsError(f"{path}: cannot be read: {why}") from error
    return parse_settings(text, path)
