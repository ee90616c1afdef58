"""What practice servers were told and gave away, overheard: what must be found nowhere else."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest

from cancel_tui.practice.http import Answer, Request, Response, Socket, Upgrade
from cancel_tui.practice.venue import PracticeVenue

VENUES = ("cs-spot", "roxom", "p99", "broker", "cs-fut")
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


def forms(value: str) -> Iterator[str]:
    """Its beginning and its end as they are; the whole in JSON, in an address, and in base64 anywhere."""
    yield value[:SHORTEST]
    yield value[-SHORTEST:]
    yield json.dumps(value)[1:-1]
    yield quote(value, safe="")
    for before in range(3):
        # Without what the neighbours decide: the first and the last characters.
        yield base64.b64encode(b" " * before + value.encode())[4:-4].decode()
        yield base64.urlsafe_b64encode(b" " * before + value.encode())[4:-4].decode()


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
        """What of it stands in a text, in whatever clothes: the names under which it travelled."""
        return [
            f"{venue}: {name}"
            for venue in VENUES
            for name, values in self.secrets[venue].items()
            for one in values
            if any(form in told for form in forms(one))
        ]


class Tap(asyncio.Queue[str | None]):
    """The texts of a WebSocket's client, overheard."""

    def __init__(self, heard: Overheard, venue: str) -> None:
        super().__init__()
        self._heard, self._venue = heard, venue

    def put_nowait(self, item: str | None) -> None:
        self._heard.text(self._venue, item or "")
        super().put_nowait(item)


def listen_in(monkeypatch: pytest.MonkeyPatch) -> Overheard:
    """An ear at every practice server of this process."""
    heard = Overheard()
    handle = PracticeVenue._handle

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

    monkeypatch.setattr(PracticeVenue, "_handle", listen)
    return heard
