"""What a console leaves behind, read byte by byte for what nobody may see, with every stream on."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest

from cancel_tui.desk.feeds import FeedState
from cancel_tui.orders import VenueName
from cancel_tui.practice import p99_stream
from cancel_tui.practice.http import Answer, Request, Response, Socket, Upgrade
from cancel_tui.practice.market import State
from cancel_tui.practice.venue import PracticeVenue
from cancel_tui.redaction import _CHATTY
from cancel_tui.scope import Scope
from tests.console.ground import WIDE, Ground, ground

PUSHING = ("cs-spot", "roxom", "p99", "broker")
VENUES = (*PUSHING, "cs-fut")
HARMLESS = (
    "host",
    "content-",
    "accept",
    "connection",
    "upgrade",
    "user-agent",
    "sec-websocket-",
    "accountid",
)
"""How headers begin that say nothing secret."""
TELLING = ("key", "token", "sign", "secret")
"""Parts of a name under which a query, a body or a message carries what must stay unseen."""
SHORTEST = 16
"""Characters; less could stand anywhere by chance."""
TRAVELLED = {
    "cs-spot": {"x-auth-apikey", "x-auth-signature", "apikey", "own api_secret"},
    "cs-fut": {"x-auth-apikey", "x-auth-signature", "own api_secret"},
    "roxom": {"x-api-key", "x-api-signature", "own private_key"},
    "p99": {"x-mbx-apikey", "signature", "listenkey", "own api_secret"},
    "broker": {"own api_token", "token", "accesstoken", "authorization", "access_token"},
}
"""What must have been overheard for a silence to mean something."""


class Overheard:
    """What the practice servers were told, and what they gave away, by venue."""

    def __init__(self) -> None:
        self.secrets: dict[str, dict[str, set[str]]] = {name: {} for name in VENUES}
        """By venue and by the name under which they travelled."""

    def take(self, venue: str, name: str, value: str) -> None:
        """Something secret: whole, without what stands before it, and each line or part of it."""
        for piece in {value, *value.split(), *value.split(".")}:
            if len(piece) >= SHORTEST and not piece.startswith("-----"):
                self.secrets[venue].setdefault(name.lower(), set()).add(piece)

    def fields(self, venue: str, found: Any) -> None:
        """Whatever in a JSON value has a name that says that it is secret."""
        for name, value in found.items() if isinstance(found, dict) else ():
            if isinstance(value, str) and any(one in name.lower() for one in TELLING):
                self.take(venue, name, value)
        for value in found.values() if isinstance(found, dict) else found if isinstance(found, list) else ():
            self.fields(venue, value)

    def text(self, venue: str, text: str) -> None:
        """A body or a message; JSON may stand behind something, and something behind it."""
        for start in sorted({0, text.find("["), text.find("{")}):
            try:
                found, _ = json.JSONDecoder().raw_decode(text, max(start, 0))
            except ValueError:
                continue
            self.fields(venue, found)

    def request(self, venue: str, request: Request) -> None:
        """Headers, query and body."""
        for name, value in request.headers.items():
            if not name.startswith(HARMLESS):
                self.take(venue, name, value)
        self.fields(venue, dict(parse_qsl(request.query)))
        self.text(venue, request.body.decode())

    def found_in(self, told: str) -> list[str]:
        """What of it stands in a text: the names under which it travelled."""
        return [
            f"{venue}: {name}"
            for venue in VENUES
            for name, values in self.secrets[venue].items()
            for one in values
            if any(form in told for form in (one[:SHORTEST], one[-SHORTEST:], quote(one, safe="")))
        ]


class Tap(asyncio.Queue[str | None]):
    """The texts of a WebSocket's client, overheard."""

    def __init__(self, heard: Overheard, venue: str) -> None:
        super().__init__()
        self._heard, self._venue = heard, venue

    def put_nowait(self, item: str | None) -> None:
        self._heard.text(self._venue, item or "")
        super().put_nowait(item)


@pytest.fixture
def overheard(monkeypatch: pytest.MonkeyPatch) -> Overheard:
    """An ear at every practice server; P99's stream says back whatever secret it knows."""
    heard = Overheard()
    handle, send = PracticeVenue._handle, p99_stream._send

    async def listen(venue: PracticeVenue, request: Request) -> Answer:
        heard.request(venue.name, request)
        answer = await handle(venue, request)
        if isinstance(answer, Response):
            heard.text(venue.name, answer.body.decode())
        if not isinstance(answer, Upgrade):
            return answer
        session = answer.session

        async def tapped(socket: Socket) -> None:
            socket.incoming = Tap(heard, venue.name)
            await session(socket)

        return Upgrade(tapped)

    def echo(listener: Any, said: dict[str, object]) -> None:
        if said.get("success") is False:
            known = heard.secrets["p99"]
            said["message"] = f"who is {known['listenkey']} with {known['x-mbx-apikey']}?"
        send(listener, said)

    monkeypatch.setattr(PracticeVenue, "_handle", listen)
    monkeypatch.setattr(p99_stream, "_send", echo)
    return heard


def churn(here: Ground) -> None:
    """Something that every stream tells."""
    for name in PUSHING:
        venue = here.cluster.named(name)
        order = next(one for one in venue.book.live() if one.family == "order")
        venue.book.change(order, State.CANCELLED)


async def suffered(here: Ground) -> None:
    """Streams that say what nobody can read, break, and are refused; cancels in between."""
    feeds = {name: here.desk.slots[VenueName(name)].feed for name in PUSHING}
    await here.until(lambda: all(one.state is FeedState.LIVE for one in feeds.values()))
    await here.until(lambda: all(here.keys(name) for name in VENUES))
    keys = frozenset(here.keys(name)[-1] for name in VENUES)
    kill = here.desk.plan_kill(Scope(keys=keys, raw={}), by_id=True)
    here.desk.start(kill, {})
    for name in PUSHING:
        # A message that is spoilt ends what B2TRADER speaks, and with it the lists.
        here.cluster.named(name).faults.add("stream_noise" if name == "broker" else "stream_garbled")
    churn(here)
    await here.until(lambda: all(one.messages for one in feeds.values()))
    await here.over(kill)
    for name in PUSHING:
        here.cluster.named(name).faults -= {"stream_noise", "stream_garbled"}
        here.cluster.named(name).faults |= {"once:stream_drops", "stream_refused"}
    churn(here)
    await here.until(lambda: all("refused: credentials" in (one.why or "") for one in feeds.values()))


def unhurried(text: str) -> str:
    """No budget to wait for."""
    for name in ("roxom", "broker"):
        text = text.replace(f"[venues.{name}]\n", f'[venues.{name}]\nlimits = {{ list = "none" }}\n')
    return text


def written(folder: Path) -> str:
    """Names and contents of every file."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return "\n".join([*map(str, files), *(path.read_text("utf-8") for path in files)])


async def test_no_secret_is_in_anything_that_is_left_behind_or_shown(
    overheard: Overheard,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name in ("", "cancel_tui", *_CHATTY):
        caplog.set_level(logging.DEBUG, name)
    async with ground(
        tmp_path, orders=6, venues=VENUES, size=WIDE, listed=False, configure=unhurried, streams=True
    ) as here:
        for venue in here.cluster.venues:
            for field, value in venue.credentials().items():
                overheard.take(venue.name, f"own {field}", value)
        await suffered(here)
        for slot in here.desk.slots.values():
            here.app.say(f"{slot.name}: {slot.error} {slot.feed!r} {slot.venue!r}")
        shown = here.picture() + here.app.export_screenshot() + "\n".join(here.app.log_lines)
    assert "who is" in shown, "P99 says back what it was told, and that is shown"
    printed = "".join(capfd.readouterr())
    left = written(tmp_path)
    for expected in ("request", "answer", "cs-spot", "who is"):
        assert expected in left, "the journal and the log are among the files"
    for place in (left, shown, printed, caplog.text):
        assert overheard.found_in(place) == []
    for place, names in TRAVELLED.items():
        assert names <= overheard.secrets[place].keys()
