"""What commands that talk to venues share: settings, credentials, the desk, the scope of the options."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cancel_tui.cli.streams import on_terminal
from cancel_tui.clock import Clock, SystemClock
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.slot import LockedError
from cancel_tui.orders import Side
from cancel_tui.paths import config_path, data_path
from cancel_tui.redaction import Secret
from cancel_tui.scope import Scope, fold
from cancel_tui.settings import Settings, SettingsError, VenueSettings, load_settings

if TYPE_CHECKING:
    import argparse

    from cancel_tui.vault import BackendInfo, Vault


class UsageError(Exception):
    """A command that cannot be carried out as given; exit status 2, nothing was sent."""


def settings_of(options: argparse.Namespace) -> Settings:
    """The configuration; raises SettingsError."""
    return load_settings(config_path(options.config))


def needs_terminal() -> None:
    """Raise UsageError where nobody could type or see anything."""
    if not on_terminal():
        raise UsageError(
            "the console needs a terminal; without one use `cancel-tui orders`, `cancel-tui cancel`, "
            "or `cancel-tui kill --yes`"
        )


async def practice_credentials(settings: VenueSettings) -> Mapping[str, Secret]:
    """Throw-away keys from the practice server itself; raises LockedError."""
    import json

    from cancel_tui.venues.wire import QuietError, quiet_get

    parts = urlsplit(settings.base_url)
    try:
        status, body = await quiet_get(f"{parts.scheme}://{parts.netloc}/_practice/credentials")
        found = json.loads(body) if status == 200 else None
    except (QuietError, ValueError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
        raise LockedError("no practice keys: the practice server does not answer")
    return {name: Secret(value) for name, value in found.items()}


class LateVault:
    """The keyring, loaded when it is first asked: the console's first picture asks it nothing."""

    def __init__(self, accept: Iterable[str], limit_seconds: float = 5.0) -> None:
        self._accept = accept
        self._limit = limit_seconds
        self._made: Vault | None = None

    def __call__(self) -> Vault:
        """The keyring itself."""
        if self._made is None:
            from cancel_tui.vault import Vault

            self._made = Vault(limit_seconds=self._limit, accept=self._accept)
        return self._made

    @property
    def seen(self) -> BackendInfo | None:
        """The backend, as far as it is known without asking."""
        return self._made.seen if self._made is not None else None

    def close(self) -> None:
        """Let its threads end, where there are any."""
        if self._made is not None:
            self._made.close()


class KeyringCredentials:
    """Credentials from the OS keyring, from the practice server for practice venues."""

    def __init__(self, settings: Settings) -> None:
        self.vault = LateVault(settings.weak_keyrings)
        self._found: dict[str, Mapping[str, Secret]] = {}
        """Read once: a kill that follows a preview must not wait for the keyring again."""

    async def __call__(self, settings: VenueSettings) -> Mapping[str, Secret]:
        """Fetch them; raises LockedError."""
        if settings.practice:
            return await practice_credentials(settings)
        from cancel_tui.vault import VaultError

        try:
            if settings.credentials not in self._found:
                self._found[settings.credentials] = await self.vault().get(settings.credentials)
            return self._found[settings.credentials]
        except VaultError as why:
            raise LockedError(str(why)) from why

    def begin(self, venues: Iterable[VenueSettings]) -> None:
        """Begin to read what these venues need, so that it is there when a kill wants it."""
        self.vault().begin(dict.fromkeys(one.credentials for one in venues if not one.practice))

    def hold(self, entry: str, fields: Mapping[str, Secret]) -> None:
        """Give these for an entry from now on: they were just stored, or read by somebody else."""
        self._found[entry] = fields

    def drop(self, entry: str) -> None:
        """Forget an entry; the keyring is asked for it again."""
        self._found.pop(entry, None)


def make_desk(
    options: argparse.Namespace,
    settings: Settings,
    clock: Clock | None = None,
    credentials: KeyringCredentials | None = None,
) -> Desk:
    """The desk for one command; a second one of the same process may share the credentials of the first."""
    found = credentials or KeyringCredentials(settings)
    return Desk(settings, clock or SystemClock(), data_path(options.data_dir), found)


_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def duration(text: str) -> float:
    """`90`, `90s`, `5m`, `2h`, `1d` as seconds."""
    found = re.fullmatch(r"(\d{1,9}(?:\.\d+)?)([smhd]?)", text.strip())
    if not found:
        from argparse import ArgumentTypeError

        raise ArgumentTypeError(f"{text!r} is no duration; write 90s, 5m, 2h or 1d")
    return float(found[1]) * _UNITS[found[2] or "s"]


def typed(text: str) -> str:
    """Words of the command line as they were meant: in a locale without UTF-8 its bytes come in undecoded."""
    return os.fsencode(text).decode("utf-8", "replace")


def add_scope(parser: argparse.ArgumentParser) -> None:
    """The scope options."""
    group = parser.add_argument_group("scope", "AND between different options, OR within one; none means all")
    for name in ("venue", "account", "symbol", "exchange"):
        group.add_argument(f"--{name}", action="append", default=[], type=typed, metavar=name.upper())
    group.add_argument("--side", action="append", default=[], choices=["buy", "sell"], type=str.lower)
    group.add_argument("--older-than", type=duration, metavar="DURATION", help="such as 90s, 5m, 2h, 1d")


def scope_of(
    options: argparse.Namespace, settings: Settings, clock: Clock, *, keep_protective: bool = False
) -> Scope:
    """The scope that the options name; raises UsageError for a venue or account that cannot be meant."""
    venues = fold(options.venue)
    known = {one.name.casefold(): one for one in settings.enabled}
    check_venues(options.venue, settings)
    lists = [one.accounts for name, one in known.items() if one.accounts and (not venues or name in venues)]
    configured = fold(account for accounts in lists for account in accounts)
    for account in options.account:
        if not account or (configured and account.casefold() not in configured):
            raise UsageError(f"--account {account}: not among the configured accounts")
    for name in ("symbol", "exchange"):
        if any(not value.strip() for value in getattr(options, name)):
            raise UsageError(f"--{name}: must not be empty")
    raw = {name: list(getattr(options, name)) for name in ("venue", "account", "symbol", "side", "exchange")}
    return Scope(
        venues=venues,
        accounts=fold(options.account),
        symbols=fold(options.symbol),
        sides=frozenset(Side(side) for side in options.side),
        exchanges=fold(options.exchange),
        older_than=None if options.older_than is None else clock.wall() - options.older_than,
        keep_protective=keep_protective,
        raw=raw,
    )


def check_venues(names: Sequence[str], settings: Settings) -> None:
    """Raise UsageError for a venue that is not configured or is switched off."""
    enabled = [one.name for one in settings.enabled]
    for name in names:
        if name.casefold() not in {one.casefold() for one in enabled}:
            raise UsageError(f"--venue {name}: no such venue; configured are {', '.join(enabled) or 'none'}")
    if not enabled:
        raise SettingsError(f"{settings.path}: no venue is configured and enabled")
