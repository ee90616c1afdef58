"""What can be found out about one venue without changing anything: for `doctor` and `keys test`."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable
from math import ceil
from pathlib import Path
from socket import SOCK_STREAM, getaddrinfo
from typing import TypeVar

from cancel_tui.cli.finding import Finding, aside, within
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.gate import Urgency
from cancel_tui.desk.sends import SendMemory, key_name
from cancel_tui.desk.slot import Slot, VenueState
from cancel_tui.orders import iso
from cancel_tui.redaction import redact
from cancel_tui.settings import VenueSettings
from cancel_tui.venues.base import CallClass, TellsExpiry
from cancel_tui.venues.feed import Listens
from cancel_tui.venues.outcome import (
    Answered,
    NotSent,
    Outcome,
    Throttled,
    Unanswered,
    Unauthorised,
    describe,
)
from cancel_tui.venues.registry import RIGHTS
from cancel_tui.venues.tls import prepare
from cancel_tui.venues.wire import Origin, QuietError, quiet_get

T = TypeVar("T")

CLOCK_WARNS, CLOCK_FAILS = 2.0, 4.0
"""Seconds between this machine's clock and a venue's. Requests are signed with the corrected time, so a
clock that is off works for a while; venues refuse requests that are 5 to 60 s off."""
_NETWORK_SECONDS = 5.0
_REQUEST_SECONDS = 20.0
"""Long enough for one exchange with one fresh signature, and for the keyring's own limit."""
_STREAM_SECONDS = 10.0
_ENDS_SOON = 3600.0
"""Seconds of life left to credentials below which that is worth knowing."""


async def check_venue(desk: Desk, slot: Slot, data_dir: Path, found: list[Finding]) -> None:
    """Everything about one venue, into `found` as it comes; what cannot be reached is not asked for more."""
    settings = slot.settings
    mode = f"{settings.mode}, {settings.kind}, {settings.base_url}"
    found.append(Finding("environment", slot.name, True, mode))
    reach, stream, _ = await asyncio.gather(
        _reach(settings, settings.base_url, "name", "connect"),
        _stream_host(settings),
        within(_REQUEST_SECONDS, desk.open([slot.name])),
    )
    found += [*reach, *stream, _budgets(desk, slot, data_dir)]
    if not all(one.ok for one in reach):
        again = "first see to `name` and `connect`, then run it again"
        unasked = ("http", "clock", "stream", *(() if slot.venue is None else ("credentials", "rights")))
        found += [Finding(one, slot.name, None, "not asked: no connection", again) for one in unasked]
        if slot.venue is None:
            found.append(await check_credentials(desk, slot))
        return
    found += await _first_request(slot)
    every = await asyncio.gather(
        check_credentials(desk, slot), _blind_spots(slot), _handshake(slot, all(one.ok for one in stream))
    )
    found += [*every, *_rights(desk, slot, every[0])]


# ---------------------------------------------------------------------- the network


async def _reach(settings: VenueSettings, url: str, name_check: str, connect_check: str) -> list[Finding]:
    origin = Origin.of(url)
    named = await _resolved(settings, origin, name_check)
    if named.ok is False:
        return [named]
    return [named, await _connected(settings, origin, connect_check)]


async def _resolved(settings: VenueSettings, origin: Origin, check: str) -> Finding:
    began = asyncio.get_running_loop().time()
    try:
        found = await aside(lambda: getaddrinfo(origin.host, origin.port, type=SOCK_STREAM), _NETWORK_SECONDS)
    except (OSError, UnicodeError):
        remedy = "check base_url, the network and the name server of this machine"
        return Finding(check, settings.name, False, f"{origin.host} could not be resolved", remedy)
    if found is None:
        detail = f"{origin.host} could not be resolved within {_NETWORK_SECONDS:g} s"
        return Finding(check, settings.name, False, detail, "check the name server of this machine")
    addresses = len({entry[4][0] for entry in found})
    took = _since(began)
    detail = f"{origin.host}: {addresses} address(es) in {took} ms"
    return Finding(check, settings.name, True, detail, ms={"dns": took})


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
    return Finding(check, settings.name, True, told[0], ms=told[1])


async def _handshakes(origin: Origin) -> tuple[str, dict[str, int]]:
    context = await prepare() if origin.tls else None
    loop = asyncio.get_running_loop()
    began = loop.time()
    _, writer = await asyncio.open_connection(origin.host, origin.port)
    try:
        ms = {"tcp": _since(began)}
        told = f"TCP {ms['tcp']} ms"
        if context is None:
            return f"{told}, no TLS (loopback)", ms
        began = loop.time()
        await writer.start_tls(context, server_hostname=origin.host)
        ms["tls"] = _since(began)
        session = writer.get_extra_info("ssl_object")
        return f"{told}, TLS {ms['tls']} ms ({session.version() if session else '?'})", ms
    finally:
        writer.transport.abort()


async def _stream_host(settings: VenueSettings) -> list[Finding]:
    """The stream's host, where it is another one than that of the requests."""
    if not settings.stream:
        return []
    url = settings.socket_url("/")
    if Origin.of(url) == Origin.of(settings.base_url):
        return []
    return await _reach(settings, url, "stream_name", "stream_connect")


def _since(began: float) -> int:
    """Milliseconds by the clock of the event loop."""
    return round((asyncio.get_running_loop().time() - began) * 1000)


# ---------------------------------------------------------------------- requests


async def check_credentials(desk: Desk, slot: Slot) -> Finding:
    """Prove with one harmless request that the venue accepts the credentials."""
    if slot.venue is None and slot.state is not VenueState.LOCKED:
        await within(_REQUEST_SECONDS, desk.open([slot.name]))
    if slot.venue is None or slot.lane is None:
        why = slot.error or "no credentials"
        # The keyring's own sentences say already what to do.
        remedy = _where_from(slot.settings)
        if "keyring" in why or "keys set" in why:
            remedy = f"do what it says, then `cancel-tui keys test {slot.name}`"
        return Finding("credentials", slot.name, False, redact(why), remedy)
    began = asyncio.get_running_loop().time()
    outcome = await _asked(slot, slot.venue.check)
    if isinstance(outcome, Answered):
        return Finding(
            "credentials", slot.name, True, redact(outcome.value), ms={"signed_read": _since(began)}
        )
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
    return f"store credentials with `cancel-tui keys set {settings.name}`"


async def _asked(slot: Slot, ask: Callable[..., Awaitable[Outcome[T]]]) -> Outcome[T]:
    """Ask the adapter something within the limit; a fault in it is this venue's trouble only."""
    if slot.lane is None:
        return NotSent("the venue is locked")
    try:
        outcome = await within(_REQUEST_SECONDS, ask(slot.lane.port(Urgency.POLL)))
    except Exception as error:
        return Unanswered(f"internal fault ({type(error).__name__})")
    return outcome if outcome is not None else Unanswered(f"nothing within {_REQUEST_SECONDS:g} s")


async def _first_request(slot: Slot) -> list[Finding]:
    """The first request of all: how long an answer takes, and the venue's clock."""
    if slot.venue is None:
        remedy = _where_from(slot.settings)
        clock = Finding("clock", slot.name, None, "not asked: no credentials", remedy)
        return [await _any_answer(slot), clock]
    began = asyncio.get_running_loop().time()
    outcome = await _asked(slot, slot.venue.measure_clock)
    ms = {"http": _since(began)}
    if isinstance(outcome, Answered):
        told = f"first answer in {ms['http']} ms, connecting included"
        return [Finding("http", slot.name, True, told, ms=ms), clock_finding(slot.name, outcome.value)]
    words = redact(describe(outcome))
    http = Finding("http", slot.name, True, f"{words} after {ms['http']} ms", ms=ms)
    if isinstance(outcome, NotSent | Unanswered):
        remedy = "the port is open, but requests are not answered: see the venue's status page"
        http = Finding("http", slot.name, False, http.detail, remedy, ms)
    clock = Finding("clock", slot.name, None, f"could not be measured: {words}", "run it again later")
    return [http, clock]


async def _any_answer(slot: Slot) -> Finding:
    """Whether anybody speaks HTTP there, for a venue that cannot be asked anything yet."""
    began = asyncio.get_running_loop().time()
    try:
        status, _ = await quiet_get(slot.settings.base_url)
    except QuietError as why:
        remedy = "the port is open, but what listens there gives no HTTP answer: check base_url"
        return Finding("http", slot.name, False, f"no answer: {why}", remedy)
    ms = {"http": _since(began)}
    return Finding("http", slot.name, True, f"an answer (status {status}) in {ms['http']} ms", ms=ms)


def clock_finding(venue: str, offset: float) -> Finding:
    """What an offset means; seconds that the venue's clock is ahead of this machine's."""
    detail = f"the venue's clock is {offset * 1000:+.0f} ms from ours"
    if abs(offset) <= CLOCK_WARNS:
        return Finding("clock", venue, True, detail)
    remedy = "set this machine's clock by NTP; a venue refuses requests whose time is off"
    return Finding("clock", venue, None if abs(offset) <= CLOCK_FAILS else False, detail, remedy)


async def _blind_spots(slot: Slot) -> Finding:
    """What the venue cannot list: the fixed ones, and those that its configuration or answers make."""
    if slot.venue is None:
        remedy = _where_from(slot.settings)
        return Finding("blind_spots", slot.name, None, "not known without credentials", remedy)
    spots = set(slot.venue.capabilities.blind_spots)
    outcome = await _asked(slot, slot.venue.parts)
    if isinstance(outcome, Answered):
        spots |= set(outcome.value.blind_spots)
    if not spots:
        return Finding("blind_spots", slot.name, True, "none known")
    detail = f"cannot be listed, so never proven flat: {', '.join(sorted(spots))}"
    return Finding(
        "blind_spots", slot.name, None, detail, "after a kill, look for such orders at the venue itself"
    )


async def _handshake(slot: Slot, reachable: bool) -> Finding:
    """Open the stream, subscribe, and close it again."""
    check, venue = "stream", slot.venue
    if not slot.settings.stream:
        return Finding(check, slot.name, None, "switched off: polling only", "take `stream = false` out")
    if venue is None or slot.lane is None:
        remedy = _where_from(slot.settings)
        return Finding(check, slot.name, None, "not asked: no credentials", remedy)
    if not isinstance(venue, Listens):
        return Finding(check, slot.name, True, "this kind has none: its lists are polled")
    polled = "orders are polled meanwhile; `stream = false` does so for good"
    if not reachable:
        return Finding(check, slot.name, None, "not asked: no connection", f"see `stream_connect`; {polled}")
    began = asyncio.get_running_loop().time()
    ready = asyncio.Event()
    listening = asyncio.create_task(
        venue.listen(slot.lane.port(Urgency.POLL), lambda heard: ready.set() if heard.ready else None)
    )
    subscribed = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait(
            {listening, subscribed}, timeout=_STREAM_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        if ready.is_set():
            ms = {"stream": _since(began)}
            told = f"opened, subscribed and closed; ready in {ms['stream']} ms"
            return Finding(check, slot.name, True, told, ms=ms)
        why = f"no subscription within {_STREAM_SECONDS:g} s"
        if listening.done():
            fault = listening.exception()
            why = f"internal fault ({type(fault).__name__})" if fault else describe(listening.result())
        return Finding(check, slot.name, False, redact(why), f"check ws_url and the key's rights; {polled}")
    finally:
        listening.cancel()
        subscribed.cancel()
        await asyncio.gather(listening, subscribed, return_exceptions=True)


def _rights(desk: Desk, slot: Slot, credentials: Finding) -> list[Finding]:
    """What the credentials may do and how long they last, as far as the venue or they themselves tell."""
    if slot.venue is None or credentials.ok is not True:
        remedy = "first see to `credentials`"
        return [Finding("rights", slot.name, None, "not known: the credentials are not accepted", remedy)]
    sure, words = RIGHTS[slot.settings.kind]
    found = [Finding("rights", slot.name, True, words)]
    if not sure:
        remedy = "cancel one small order with it once, before you rely on it"
        found = [Finding("rights", slot.name, None, words, remedy)]
    ends = slot.venue.credentials_expire_at if isinstance(slot.venue, TellsExpiry) else None
    if ends is not None:
        left = ends - desk.clock.wall()
        detail = f"the credentials end at {iso(ends)}, in {max(0.0, left) / 60:.0f} min"
        ok = True if left > _ENDS_SOON else (None if left > 0 else False)
        renew = None if ok else f"get new ones, then `cancel-tui keys set {slot.name}`"
        found.append(Finding("expiry", slot.name, ok, detail, renew))
    return found


# ---------------------------------------------------------------------- budgets


def _budgets(desk: Desk, slot: Slot, data_dir: Path) -> Finding:
    """The budget of each class of requests, less what any process of this machine sent lately."""
    if slot.venue is None:
        remedy = _where_from(slot.settings)
        return Finding("budgets", slot.name, None, "not known without credentials", remedy)
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
