"""What can be found out about one venue without changing anything: for `doctor` and `keys test`."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from math import ceil
from pathlib import Path
from typing import Any, TypeVar

from cancel_tui.desk.desk import Desk
from cancel_tui.desk.gate import Urgency
from cancel_tui.desk.sends import SendMemory, key_name
from cancel_tui.desk.slot import Slot
from cancel_tui.records import dataclass
from cancel_tui.redaction import redact
from cancel_tui.settings import VenueSettings
from cancel_tui.venues.base import CallClass
from cancel_tui.venues.outcome import (
    Answered,
    NotSent,
    Outcome,
    Throttled,
    Unanswered,
    Unauthorised,
    describe,
)
from cancel_tui.venues.tls import prepare
from cancel_tui.venues.wire import Origin

T = TypeVar("T")

CLOCK_WARNS, CLOCK_FAILS = 2.0, 4.0
"""Seconds between this machine's clock and a venue's. Requests are signed with the corrected time, so a
clock that is off works for a while; venues refuse requests that are 5 to 60 s off."""
_NETWORK_SECONDS = 5.0
_REQUEST_SECONDS = 20.0
"""Long enough for one exchange with one fresh signature, and for the keyring's own limit."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    check: str
    venue: str | None
    """None for what concerns the whole machine."""
    ok: bool | None
    """True: good. False: something is wrong. None: worth knowing, or not to be found out."""
    detail: str
    remedy: str | None = None
    """What to do about it."""

    def json(self) -> dict[str, Any]:
        """The finding as `doctor --json` shows it."""
        return asdict(self)


async def check_venue(desk: Desk, slot: Slot, data_dir: Path) -> list[Finding]:
    """Everything about one venue; what cannot be reached is not asked for more."""
    settings = slot.settings
    findings = [
        Finding("environment", slot.name, True, f"{settings.mode}, {settings.kind}, {settings.base_url}")
    ]
    reach, stream = await asyncio.gather(
        _reach(settings, settings.base_url, "name", "connect"), _stream(settings)
    )
    findings += [*reach, *stream]
    if all(one.ok for one in reach):
        findings.append(await _clock(slot))
        findings.append(await check_credentials(desk, slot))
        findings += await _blind_spots(slot)
    else:
        unasked = "not asked: no connection"
        findings.append(Finding("clock", slot.name, None, unasked))
        locked = slot.venue is None
        findings.append(
            await check_credentials(desk, slot)
            if locked
            else Finding("credentials", slot.name, None, unasked)
        )
    findings.append(_budgets(desk, slot, data_dir))
    return findings


async def within(seconds: float, work: Awaitable[T]) -> T | None:
    """The result, or None once the time is up."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        return None


# ---------------------------------------------------------------------- the network


async def _reach(settings: VenueSettings, url: str, name_check: str, connect_check: str) -> list[Finding]:
    origin = Origin.of(url)
    named = await _resolved(settings, origin, name_check)
    if named.ok is False:
        return [named]
    return [named, await _connected(settings, origin, connect_check)]


async def _resolved(settings: VenueSettings, origin: Origin, check: str) -> Finding:
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        found = await within(_NETWORK_SECONDS, loop.getaddrinfo(origin.host, origin.port))
    except (OSError, UnicodeError):
        remedy = "check base_url, the network and the name server of this machine"
        return Finding(check, settings.name, False, f"{origin.host} could not be resolved", remedy)
    if found is None:
        detail = f"{origin.host} could not be resolved within {_NETWORK_SECONDS:g} s"
        return Finding(check, settings.name, False, detail, "check the name server of this machine")
    addresses = len({entry[4][0] for entry in found})
    took = _ms(loop.time() - began)
    return Finding(check, settings.name, True, f"{origin.host}: {addresses} address(es) in {took}")


async def _connected(settings: VenueSettings, origin: Origin, check: str) -> Finding:
    """TCP, then TLS, on a connection of its own that carries no request."""
    try:
        told = await within(_NETWORK_SECONDS, _handshakes(origin))
    except ssl.SSLCertVerificationError as error:
        detail = f"the certificate is not accepted: {error.verify_message or 'no reason given'}"
        remedy = "if a proxy inspects the traffic of this network, its authority must be trusted system-wide"
        return Finding(check, settings.name, False, detail, remedy)
    except (ssl.SSLError, ConnectionResetError):
        remedy = "check base_url: the port may not speak TLS, or something in between breaks it"
        return Finding(check, settings.name, False, "no TLS connection could be made", remedy)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else type(error).__name__
        remedy = "check base_url, firewall and proxy; the venue may be down"
        return Finding(check, settings.name, False, f"no connection to port {origin.port}: {why}", remedy)
    if told is None:
        detail = f"no connection to port {origin.port} within {_NETWORK_SECONDS:g} s"
        return Finding(check, settings.name, False, detail, "check firewall and proxy; the venue may be down")
    return Finding(check, settings.name, True, told)


async def _handshakes(origin: Origin) -> str:
    context = await prepare() if origin.tls else None
    loop = asyncio.get_running_loop()
    began = loop.time()
    _, writer = await asyncio.open_connection(origin.host, origin.port)
    try:
        told = f"TCP {_ms(loop.time() - began)}"
        if context is None:
            return f"{told}, no TLS (loopback)"
        began = loop.time()
        await writer.start_tls(context, server_hostname=origin.host)
        session = writer.get_extra_info("ssl_object")
        return f"{told}, TLS {_ms(loop.time() - began)} ({session.version() if session else '?'})"
    finally:
        writer.transport.abort()


async def _stream(settings: VenueSettings) -> list[Finding]:
    """The stream's host, where it is another one than that of the requests."""
    if not settings.stream:
        return [Finding("stream", settings.name, None, "switched off: polling only")]
    url = settings.socket_url("/")
    if Origin.of(url) == Origin.of(settings.base_url):
        return []
    return await _reach(settings, url, "stream_name", "stream_connect")


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


# ---------------------------------------------------------------------- requests


async def check_credentials(desk: Desk, slot: Slot) -> Finding:
    """Prove with one harmless request that the venue accepts the credentials."""
    if slot.venue is None:
        await within(_REQUEST_SECONDS, desk.open([slot.name]))
    if slot.venue is None or slot.lane is None:
        why = slot.error or "no credentials"
        # The keyring's own sentences hold the remedy already.
        remedy = None if "keyring" in why or "keys set" in why else _where_from(slot.settings)
        return Finding("credentials", slot.name, False, redact(why), remedy)
    outcome = await _asked(slot, slot.venue.check)
    if isinstance(outcome, Answered):
        return Finding("credentials", slot.name, True, redact(outcome.value))
    if isinstance(outcome, Throttled):
        # Said to a stranger as well: it tells nothing about the key, and is no fault of this machine.
        remedy = "the venue's budget is used up for the moment: try again in a minute"
        return Finding("credentials", slot.name, None, redact(describe(outcome)), remedy)
    remedy = "see `connect` and `clock` of `cancel-tui doctor`, then try again"
    if isinstance(outcome, Unauthorised):
        remedy = f"check the key's rights and IP list at the venue; {_where_from(slot.settings)}"
    return Finding("credentials", slot.name, False, redact(describe(outcome)), remedy)


def _where_from(settings: VenueSettings) -> str:
    if settings.practice:
        return "start the practice venues with `cancel-tui practice`"
    return f"store them again with `cancel-tui keys set {settings.name}`"


async def _asked(slot: Slot, ask: Callable[..., Awaitable[Outcome[T]]]) -> Outcome[T]:
    """Ask the adapter something within the limit; a fault in it is this venue's trouble only."""
    if slot.lane is None:
        return NotSent("the venue is locked")
    try:
        outcome = await within(_REQUEST_SECONDS, ask(slot.lane.port(Urgency.POLL)))
    except Exception as error:
        return Unanswered(f"internal fault ({type(error).__name__})")
    return outcome if outcome is not None else Unanswered(f"nothing within {_REQUEST_SECONDS:g} s")


async def _clock(slot: Slot) -> Finding:
    if slot.venue is None:
        return Finding("clock", slot.name, None, "not asked: no credentials")
    outcome = await _asked(slot, slot.venue.measure_clock)
    if not isinstance(outcome, Answered):
        return Finding("clock", slot.name, None, f"could not be measured: {redact(describe(outcome))}")
    return clock_finding(slot.name, outcome.value)


def clock_finding(venue: str, offset: float) -> Finding:
    """What an offset means; seconds that the venue's clock is ahead of this machine's."""
    detail = f"the venue's clock is {offset * 1000:+.0f} ms from ours"
    if abs(offset) <= CLOCK_WARNS:
        return Finding("clock", venue, True, detail)
    remedy = "set this machine's clock by NTP; a venue refuses requests whose time is off"
    return Finding("clock", venue, None if abs(offset) <= CLOCK_FAILS else False, detail, remedy)


async def _blind_spots(slot: Slot) -> list[Finding]:
    """What the venue cannot list: the fixed ones, and those that its configuration or answers make."""
    if slot.venue is None:
        return []
    spots = set(slot.venue.capabilities.blind_spots)
    outcome = await _asked(slot, slot.venue.parts)
    if isinstance(outcome, Answered):
        spots |= set(outcome.value.blind_spots)
    if not spots:
        return [Finding("blind_spots", slot.name, True, "none known")]
    detail = f"cannot be listed, so never proven flat: {', '.join(sorted(spots))}"
    return [Finding("blind_spots", slot.name, None, detail)]


# ---------------------------------------------------------------------- budgets


def _budgets(desk: Desk, slot: Slot, data_dir: Path) -> Finding:
    """The budget of each class of requests, less what any process of this machine sent lately."""
    if slot.venue is None:
        return Finding("budgets", slot.name, None, "not known without credentials")
    settings, now = slot.settings, desk.clock.wall()
    memory = SendMemory(data_dir / "sends", key_name(settings.kind, settings.base_url, settings.credentials))
    # Asked as of the epoch, it takes no file for an old one, and so removes none.
    sent = list(memory.others(0.0))
    told, spent = [], []
    for call in CallClass:
        budget = slot.venue.capabilities.budgets.get(call)
        if budget is None:
            continue
        recent = [wall for name, wall in sent if name is call and now - wall < budget.seconds]
        left = max(0, budget.count - len(recent))
        told.append(f"{call.value} {budget.count}/{budget.seconds:g} s ({left} left)")
        if not left:
            spent.append(f"{call.value} in {ceil(max(0.0, min(recent) + budget.seconds - now))} s")
    if spent:
        return Finding("budgets", slot.name, None, ", ".join(told), f"more may be sent: {', '.join(spent)}")
    return Finding("budgets", slot.name, True, ", ".join(told) or "no limits documented or configured")
