"""Alarms in the real console: the line on every screen, the bell, the acknowledgement, keys and focus."""

from __future__ import annotations

import json
from pathlib import Path
from unittest import mock

from msgspec.structs import replace

from cancel_tui.console import lines
from cancel_tui.console.alarm_facts import NEW_WITHIN
from cancel_tui.console.screens.arm import ArmScreen
from cancel_tui.console.screens.board import BoardScreen
from cancel_tui.console.screens.help import HelpScreen
from cancel_tui.console.screens.log import LogScreen
from cancel_tui.console.widgets import Line
from cancel_tui.desk.alarms import alarms
from cancel_tui.desk.engine import Verdict
from cancel_tui.desk.slot import VenueState
from cancel_tui.orders import Side, VenueName
from cancel_tui.practice.market import SimOrder
from cancel_tui.scope import Scope, fold
from tests.console.ground import Ground, ground
from tests.console.hands import resize
from tests.console.test_resume_keys import left_behind

P99 = VenueName("p99")


def painted(here: Ground, name: str = "alarm") -> str:
    """What a line of the screen in front shows; empty while it is hidden."""
    line = here.app.screen.query_one(f"#{name}", Line)
    return line.said if line.display else ""


def bells(here: Ground) -> mock.Mock:
    """Counts the bells from now on."""
    ring = here.app.alarms.ring = mock.Mock()
    return ring


def lose(here: Ground, venue: str = "p99") -> None:
    """The venue's lists fail from now on, and the last good one is half a minute old."""
    slot = next(slot for slot in here.desk.slots.values() if slot.name == venue)
    here.desk._polls[slot.name].cancel()
    assert slot.listed_at is not None
    slot.state, slot.error, slot.listed_at = VenueState.DOWN, "no answer", slot.listed_at - 30.0
    here.desk.changed()


async def lost(here: Ground) -> None:
    lose(here)
    await here.until(lambda: "p99 is DOWN with 6 live orders" in painted(here))


def newcomer(here: Ground, side: str) -> SimOrder:
    """A fresh order of one side on roxom."""
    venue = here.cluster.named("roxom")
    return next(one for one in iter(venue.newcomer, None) if one.side == side)


def full(here: Ground) -> None:
    """The disk takes no record any more."""
    mock.patch.object(here.desk.journal, "_append", side_effect=OSError(28, "No space left")).start()
    here.desk.journal.note("anything")


def notes(here: Ground) -> list[dict[str, object]]:
    path = here.desk.journal.path
    if path is None or not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if '"kind":"alarm' in line]


async def test_an_alarm_stands_on_every_screen_and_takes_no_key_and_no_focus(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        ring = bells(here)
        await here.press("slash", *"BTC")
        focused = here.app.focused
        assert focused is here.filter
        assert painted(here) == ""
        await lost(here)
        assert ring.call_count == 1
        assert here.app.focused is focused
        await here.press("a")
        assert here.filter.value == "BTCa", "a letter of the filter is no acknowledgement"
        assert here.app.alarms.book.unseen is not None
        await here.press("escape", "question_mark")
        assert isinstance(here.app.screen, HelpScreen)
        assert "p99 is DOWN" in painted(here)
        await here.press("escape", "l")
        assert isinstance(here.app.screen, LogScreen)
        assert "p99 is DOWN" in painted(here)


async def test_armed_the_alarm_hides_nothing_and_the_word_goes_on(tmp_path: Path) -> None:
    names = ("cs-spot", "cs-fut", "roxom", "p99", "broker")
    async with ground(tmp_path, venues=names, listed=False) as here:
        await here.complete()
        await here.until(lambda: here.grid.model.total == 6 * len(names))
        await here.arm()
        await here.press("K")
        lose(here)
        await here.until(lambda: "p99 is DOWN" in painted(here))
        picture = here.picture()
        for name in (*names, "notional", "scope", "KILL", "Esc back"):
            assert name in picture, picture
        screen = here.app.screen
        assert isinstance(screen, ArmScreen)
        assert screen._guard is not None
        assert screen._guard.typed == "K", "what was typed stays"
        await here.press(*"ILL", "enter")
        await here.until(lambda: isinstance(here.app.screen, BoardScreen))
        await here.until(lambda: "p99 is DOWN" in painted(here) or here.kills[0].finished_wall is not None)


async def test_a_is_a_scope_key_while_armed(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await lost(here)
        screen = await here.arm()
        await here.press("b")
        assert screen.scope.sides
        await here.press("a")
        assert not screen.scope.sides
        assert here.app.alarms.book.unseen is not None


async def test_seen_it_is_quiet_and_worse_it_is_loud_again(tmp_path: Path) -> None:
    async with ground(tmp_path, console="alarm_repeat_seconds = 1") as here:
        ring = bells(here)
        await lost(here)
        line = here.app.screen.query_one("#alarm", Line)
        assert "a seen" in line.said
        await here.until(lambda: ring.call_count >= 2)
        await here.press("a")
        await here.until(lambda: painted(here).startswith(" seen"))
        quiet = ring.call_count
        assert line._said is not None
        assert lines.ALARM not in {str(line._said.style), *(str(span.style) for span in line._said.spans)}
        await here.press("a")
        assert "no alarm that has not been seen" in here.line("banner")
        slot = next(iter(here.desk.slots.values()))
        slot.state = VenueState.LIVE
        here.desk.changed()
        await here.until(lambda: "p99 is STALE" in painted(here))
        slot.state = VenueState.DOWN
        here.desk.changed()
        await here.until(lambda: "p99 is DOWN" in painted(here))
        assert painted(here).startswith(" seen"), "no worse than what was seen"
        assert ring.call_count == quiet
        slot.listed_at, slot.state = here.desk.clock.monotonic(), VenueState.LIVE
        here.desk.changed()
        await here.until(lambda: painted(here) == "")


async def test_what_is_painted_is_what_is_acknowledged(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        full(here)
        await here.until(lambda: "records are being lost" in painted(here))
        here.app.alarms._rest_until = float("inf")
        lose(here)
        found = alarms(here.app.alarms._collector.facts({}), here.desk.clock.monotonic())
        here.app.alarms.book.take(found, here.desk.clock.monotonic())
        unseen = here.app.alarms.book.unseen
        assert unseen is not None
        assert unseen.alarm.id == "lost p99", "graver, and painted on no frame yet"
        assert here.app.alarms.acknowledge("alice")
        assert here.app.alarms.book.unseen is unseen


async def test_several_alarms_are_counted_on_a_small_screen_too(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await lost(here)
        full(here)
        await here.until(lambda: "+1 more" in painted(here))
        assert "p99 is DOWN" in painted(here)
        assert len(painted(here)) == 80
        await resize(here.pilot, 40, 10)
        await here.until(lambda: "ALARM" in painted(here, "cramped"))
        await here.press("a")
        await here.until(lambda: "records are being lost" in painted(here, "cramped"))


async def test_alarms_and_who_saw_them_are_in_log_and_journal(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        here.app.operator = "alice@desk4"
        await lost(here)
        assert any("ALARM: p99 is DOWN with 6 live orders" in line for line in here.app.log_lines)
        await here.press("a")
        assert any("seen by alice@desk4: p99 is DOWN" in line for line in here.app.log_lines)
        await here.until(lambda: len(notes(here)) == 2)
        raised, seen = notes(here)
        assert (raised["kind"], raised["about"], raised["severity"]) == ("alarm", "lost", "grave")
        assert (seen["kind"], seen["by"], seen["alarm"]) == ("alarm_seen", "alice@desk4", raised["alarm"])
    here.app.book.file.close()
    text = (tmp_path / "logs" / "console.log").read_text()
    assert "ALARM: p99 is DOWN with 6 live orders" in text
    assert "seen by alice@desk4" in text


async def test_the_bell_can_be_switched_off(tmp_path: Path) -> None:
    async with ground(tmp_path, console="bell = false\nalarm_repeat_seconds = 1") as here:
        ring = bells(here)
        await lost(here)
        assert ring.call_count == 0


async def test_what_appears_after_the_verdict_is_told_until_somebody_cancels_it(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        kill = await here.kill()
        await here.over(kill)
        await here.press("escape")
        assert painted(here) == ""
        # The venue tells creation times in whole seconds: an earlier one could be from before the verdict.
        ended = kill.finished_wall or 0.0
        await here.until(lambda: here.desk.clock.wall() > ended + 1.5)
        for _ in range(2):
            here.cluster.named("p99").book.add(here.cluster.named("p99").newcomer())
        await here.until(lambda: "p99: 2 orders placed since the verdict of KILL" in painted(here))
        await here.until(lambda: len(here.keys()) >= 2)
        # The cancels change nothing: that somebody looks after the orders is enough.
        here.cluster.named("p99").faults.add("cancel_noop")
        for key in here.app.ledger.venue(next(iter(here.desk.slots))).live:
            here.app.cancel_one(key)
        await here.until(lambda: painted(here) == "")


async def test_what_is_new_outside_the_scope_or_long_after_is_no_newcomer(tmp_path: Path) -> None:
    async with ground(tmp_path, venues=("p99", "roxom")) as here:
        scope = Scope(venues=fold(["roxom"]), sides=frozenset({Side.BUY}), raw={"venue": ["roxom"]})
        kill = here.desk.plan_kill(scope)
        here.desk.start(kill, {})
        await here.over(kill)
        p99, roxom = here.cluster.named("p99").book, here.cluster.named("roxom").book
        live = here.app.ledger.venue(VenueName("roxom")).live
        p99.add(here.cluster.named("p99").newcomer())
        roxom.add(newcomer(here, "sell"))
        held = len(live)
        await here.until(lambda: len(here.keys()) == 7 and len(live) > held)
        assert kill.finished_wall is not None
        kill.finished_wall -= NEW_WITHIN + 10.0
        roxom.add(newcomer(here, "buy"))
        await here.until(lambda: any(order.side is Side.BUY for order in live.values()))
        here.app.alarms._rest_until = 0.0
        here.app.look()
        assert painted(here) == ""


async def test_a_kill_that_is_not_flat_is_an_alarm_until_a_later_one_covers_it(tmp_path: Path) -> None:
    lies = ("cancel_noop", "cancel_all_noop")
    async with ground(tmp_path, faults={"p99": lies}) as here:
        kill = here.desk.plan_kill(Scope(raw={}), deadline=0.4)
        here.desk.start(kill, {})
        await here.over(kill)
        await here.until(lambda: f"KILL {kill.kill_id[:6]}: NOT FLAT, 6 still live on p99" in painted(here))
        await here.press("a")
        await here.until(lambda: painted(here).startswith(" seen"))
        here.cluster.named("p99").faults.clear()
        narrow = here.desk.plan_kill(Scope(sides=frozenset({Side.BUY}), raw={"side": ["buy"]}))
        here.desk.start(narrow, {})
        await here.over(narrow)
        await here.until(lambda: "still live on p99" in painted(here))
        wide = here.desk.plan_kill(Scope(raw={}))
        here.desk.start(wide, {})
        await here.over(wide)
        assert wide.verdict is Verdict.FLAT
        await here.until(lambda: painted(here) == "")


async def test_past_its_deadline_a_kill_that_runs_is_an_alarm(tmp_path: Path) -> None:
    async with ground(tmp_path, faults={"p99": ("cancel_noop", "cancel_all_noop")}) as here:
        kill = await here.kill()
        await here.until(lambda: kill.runs[P99].engine.tracks != {})
        # What is read once more at the end takes its time.
        here.cluster.named("p99").faults.add("slow@list")
        kill.runs[P99].engine.deadline = here.desk.clock.monotonic()
        await here.until(lambda: "is past its deadline and not flat: p99" in painted(here))
        assert isinstance(here.app.screen, BoardScreen), "on the board as well"
        await here.press("a")
        assert here.app.alarms.book.unseen is None


async def test_a_flat_that_is_withdrawn_is_an_alarm_until_it_is_flat_again(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        kill = await here.kill()
        await here.over(kill)
        back = here.cluster.named("p99").book.finished()[0]
        back.state = type(back.state)("resting")
        await here.until(lambda: "FLAT WITHDRAWN, 1 order listed as live again" in painted(here))
        await here.over(kill)
        await here.until(lambda: kill.verdict is Verdict.FLAT and painted(here) == "")


async def test_an_order_that_lives_again_after_its_cancel_is_an_alarm(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await here.press("down", "x")
        await here.over(here.desk.kills[0])
        back = here.cluster.named("p99").book.finished()[0]
        back.state = type(back.state)("resting")
        track = here.desk.kills[0].tracks()[0]
        track.since -= 30.0
        with mock.patch.object(here.desk, "review"):
            await here.until(lambda: "p99: LIVE AGAIN, 1 order listed although ended" in painted(here))


async def test_a_cancel_whose_order_comes_back_is_an_alarm(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await here.press("down", "x")
        kill = here.desk.kills[0]
        await here.over(kill)
        market = here.cluster.named("p99")
        back = market.book.finished()[0]
        back.state = type(back.state)("resting")
        market.faults.add("cancel_noop")
        kill.tracks()[0].since -= 30.0
        await here.until(lambda: "cancel WITHDRAWN, 1 order listed as live again" in painted(here))
        market.faults.clear()
        await here.over(kill)
        await here.until(lambda: painted(here) == "")


async def test_cancels_that_get_nowhere_and_then_an_end_that_nobody_knows(tmp_path: Path) -> None:
    async with ground(tmp_path, faults={"p99": ("drop@cancel", "drop@status")}) as here:
        await here.press("down", "x")
        kill = here.desk.kills[0]
        await here.until(lambda: bool(kill.tracks()) and kill.tracks()[0].blocked is not None)
        track = kill.tracks()[0]
        assert track.blocked is not None
        track.blocked = replace(track.blocked, since=track.blocked.since - 20.0)
        await here.until(lambda: "p99: 1 cancel SILENT, asking on" in painted(here))
        for poll in here.desk._polls.values():
            poll.cancel()
        kill.stop(here.desk.clock.monotonic())
        await here.over(kill)
        track.since -= 20.0
        await here.until(lambda: "p99: what became of 1 order is UNKNOWN" in painted(here))


async def test_credentials_that_are_about_to_end(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        venue = here.desk.slots[P99].venue
        ends = mock.PropertyMock(return_value=here.desk.clock.wall() + 300.0)
        with mock.patch.object(type(venue), "credentials_expire_at", ends):
            await here.until(lambda: "p99: its credentials are about to expire" in painted(here))
            await here.press("a")
            await here.until(lambda: painted(here).startswith(" seen"))
            ends.return_value = here.desk.clock.wall() - 1.0
            await here.until(lambda: "p99: its credentials have expired" in painted(here))
            assert painted(here).startswith(" ALARM")


async def test_a_kill_of_an_earlier_start_stays_an_alarm_until_it_is_taken_up(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await left_behind(here, tmp_path, Scope(raw={}))
        await here.until(lambda: "has no end; R resumes it" in painted(here))
        await here.press("R")
        await here.until(lambda: isinstance(here.app.screen, ArmScreen) and here.app.screen.ready)
        await here.later()
        await here.press(*"KILL", "enter")
        await here.until(lambda: bool(here.kills))
        await here.over(here.kills[-1])
        await here.until(lambda: painted(here) == "")


class TestRed:
    def test_the_mark_of_live_and_the_chips_are_not_red(self) -> None:
        styles = [*lines.MODES.values(), *(style for _, style in lines._SHAPES.values())]
        assert not [one for one in styles if "red" in one]

    async def test_a_chip_is_red_for_an_alarm_that_nobody_has_seen(self, tmp_path: Path) -> None:
        async with ground(tmp_path) as here:

            def style() -> str:
                return str(lines._chip(here.app.ledger, slot, now(), here.app.alarms.lost()).spans[0].style)

            slot, now = next(iter(here.desk.slots.values())), here.desk.clock.monotonic
            await lost(here)
            assert style() == lines.ALARM
            await here.press("a")
            assert style() == lines.DOUBT


class TestLog:
    async def test_it_follows_scrolls_and_filters(self, tmp_path: Path) -> None:
        async with ground(tmp_path) as here:
            for number in range(100):
                here.app.say(f"event {number}{'' if number % 3 else ' ZEBRA'}")
            await here.press("l")
            screen = here.app.screen
            assert isinstance(screen, LogScreen)
            await here.until(lambda: "event 99 ZEBRA" in here.line("lines"))
            here.app.say("the newest")
            await here.until(lambda: "the newest" in here.line("lines"))
            await here.press("up", "up")
            before = here.line("lines")
            assert before.endswith("event 98")
            here.app.say("another")
            await here.until(lambda: "3 newer lines below" in here.line("title"))
            assert here.line("lines") == before, "it stays where it was scrolled to"
            await here.press("end")
            await here.until(lambda: "another" in here.line("lines"))
            await here.press("slash", *"even zebr")
            await here.until(lambda: here.line("lines").endswith("event 99 ZEBRA"))
            assert all(line.endswith(" ZEBRA") for line in here.line("lines").splitlines())
            assert "shown; Enter keeps it" in here.line("filtercount")
            await here.press("enter", "home")
            assert here.line("lines").splitlines()[0].endswith("event 0 ZEBRA")
            await here.press("slash", "escape")
            await here.until(lambda: "event 56\n" in here.line("lines"))
            await here.press("escape")
            assert here.app.screen is here.app._main

    async def test_the_wheel_scrolls_and_the_chord_arms(self, tmp_path: Path) -> None:
        async with ground(tmp_path) as here:
            for number in range(100):
                here.app.say(f"event {number}")
            await here.press("l")
            screen = here.app.screen
            assert isinstance(screen, LogScreen)
            screen.scroll_by(-3)
            assert here.line("lines").endswith("event 96")
            await here.press("slash", "x", "ctrl+k")
            await here.until(lambda: isinstance(here.app.screen, ArmScreen))
            await here.press("escape")
            assert here.app.screen is here.app._main
