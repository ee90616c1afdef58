"""What a console leaves behind, read byte by byte for what nobody may see, with every stream on."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from cancel_tui.desk.feeds import FeedState
from cancel_tui.orders import VenueName
from cancel_tui.practice import p99_stream
from cancel_tui.practice.market import State
from cancel_tui.redaction import _CHATTY
from cancel_tui.scope import Scope
from tests.console.ground import WIDE, Ground, ground
from tests.overheard import VENUES, Overheard, listen_in

PUSHING = ("cs-spot", "roxom", "p99", "broker")
TRAVELLED = {
    "cs-spot": {"x-auth-apikey", "x-auth-signature", "apikey", "own api_secret"},
    "cs-fut": {"x-auth-apikey", "x-auth-signature", "own api_secret"},
    "roxom": {"x-api-key", "x-api-signature", "own private_key"},
    "p99": {"x-mbx-apikey", "signature", "listenkey", "own api_secret"},
    "broker": {"own api_token", "token", "accesstoken", "authorization", "access_token"},
}
"""What must have been overheard for a silence to mean something."""


@pytest.fixture
def overheard(monkeypatch: pytest.MonkeyPatch) -> Overheard:
    """An ear at every practice server; P99's stream says back whatever secret it knows."""
    heard, send = listen_in(monkeypatch), p99_stream._send

    def echo(listener: Any, said: dict[str, object]) -> None:
        if said.get("success") is False:
            known = heard.secrets["p99"]
            said["message"] = f"who is {known['listenkey']} with {known['x-mbx-apikey']}?"
        send(listener, said)

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
