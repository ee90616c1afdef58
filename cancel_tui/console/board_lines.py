"""The lines of the kill board: per venue how far it is, the counts, the verdict, the latencies. Pure."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable
from math import ceil
from operator import attrgetter
from statistics import median
from typing import TYPE_CHECKING

import msgspec
from rich.cells import cell_len
from rich.text import Text

from cancel_tui.cancels import Ending, Stage
from cancel_tui.console.badges import age_text
from cancel_tui.console.lines import ALARM, BUSY, DOUBT, GOOD, fitting, plural
from cancel_tui.desk.actions import Verdict
from cancel_tui.desk.impasse import ALARM_AFTER
from cancel_tui.desk.report import ghosts, kept_words, uncovered, uncovered_words
from cancel_tui.desk.toll import fills, fills_words
from cancel_tui.text import literal

if TYPE_CHECKING:
    from cancel_tui.desk.engine import Engine
    from cancel_tui.desk.kill import Kill
    from cancel_tui.desk.track import Track
    from cancel_tui.orders import VenueName

_TOLD_AFTER = 3.0
"""Seconds after which the board tells of cancels that get nowhere."""
_MARKETS = 4
"""Markets of which the board tells what filled; the report has all."""
_SHORTEST_ERROR = 12
"""Cells below which a piece of an error says nothing."""


_FACTS = attrgetter("stage", "ending", "newcomer")


class Tally(msgspec.Struct, frozen=True):
    """How many orders are where, counted in one go: a board is drawn often, and may stand for many."""

    stages: Counter[Stage]
    ends: Counter[Ending]
    """How the settled ones ended."""
    newcomers: int

    @classmethod
    def of(cls, tracks: Iterable[Track]) -> Tally:
        """Of these orders."""
        stages, ends, newcomers = Counter[Stage](), Counter[Ending](), 0
        for (stage, ending, newcomer), count in Counter(map(_FACTS, tracks)).items():
            stages[stage] += count
            newcomers += count * newcomer
            if stage is Stage.GONE:
                ends[Ending.GONE] += count
            elif stage is Stage.ENDED and ending is not None:
                ends[ending] += count
        return cls(stages, ends, newcomers)

    @property
    def settled(self) -> int:
        """For how many nothing more is to be done."""
        return sum(count for stage, count in self.stages.items() if stage.settled)


def bar(done: int, total: int, width: int) -> str:
    """A progress bar; full only when everything has ended."""
    if total == 0:
        return "░" * width
    filled = min(width - 1, done * width // total) if done < total else width
    return "█" * filled + "░" * (width - filled)


def _dead_ends(engine: Engine, now: float) -> list[Text]:
    """Cancels that get nowhere: how many, why, for how long; old ones are alarms."""
    return [
        Text(
            f"{one.orders} {one.why.value.upper()} {age_text(one.age(now))}",
            ALARM if one.age(now) >= ALARM_AFTER else DOUBT,
        )
        for one in engine.impasses(now)
        if one.age(now) >= _TOLD_AFTER
    ]


def venue_line(kill: Kill, name: VenueName, width: int, now: float) -> Text:
    """One venue: bar, count, state; what does not fit is left out whole, and only an error is cut.

    `now` is in monotonic seconds.
    """
    size = max(8, min(40, width - 60))
    line = Text(f"{literal(name, 12):<12} ", no_wrap=True)
    run = kill.runs.get(name)
    if run is None:
        why = kill.locked.get(name)
        state = f"NOT ASKED: {literal(why, 200)}" if why else "opening …"
        line.append("░" * size + "  ").append(state, DOUBT)
        line.truncate(width, overflow="ellipsis")
        return line
    engine = run.engine
    tally = Tally.of(engine.tracks.values())
    done, total = tally.settled, len(engine.tracks)
    if engine.flat:
        line.append("█" * size, GOOD)
    else:
        line.append(bar(done, total, size), BUSY if kill.finished_wall is None else "red")
    line.append(f" {done:>5}/{total:<5} ")
    pieces = [(0, _state(kill, engine, done))]
    again = None if run.over else engine.next_try(now)
    pieces += [] if run.over else [(1, one) for one in _dead_ends(engine, now)]
    if again is not None:
        pieces.append((2, Text(f"next try in {ceil(again - now)} s", DOUBT)))
    for rank, count, word, style in (
        (1, tally.stages[Stage.UNKNOWN], "unknown", DOUBT),
        (2, tally.stages[Stage.REFUSED], "refused", DOUBT),
        (3, tally.ends[Ending.FILLED], "filled", "bold"),
        (4, tally.newcomers, "new", DOUBT),
        (5, len(engine.unreadable), "unreadable", DOUBT),
        (4, engine.failures["unreadable"], "unreadable answers", DOUBT),
        (4, sum(map(len, engine.odd_words.values())), f"in unknown words{_spelt(engine)}", DOUBT),
    ):
        if count:
            pieces.append((rank, Text(f"{count} {word}", style)))
    room = width - cell_len(line.plain)
    told = fitting(pieces, room)
    line.append_text(told)
    room -= cell_len(told.plain) + 2
    if engine.error and engine.verdict is not Verdict.FLAT and room >= _SHORTEST_ERROR:
        error = Text(literal(engine.error, 200), DOUBT)
        error.truncate(room, overflow="ellipsis")
        line.append("  ").append_text(error)
    return line


def venues(kill: Kill, width: int, now: float) -> Text:
    """Every venue's line, and under that of one whose part is over what its result has to add."""
    rows = []
    for name in kill.names:
        rows.append(venue_line(kill, name, width, now))
        if name in kill.runs and kill.runs[name].over:
            rows += note_lines(kill.result(name).notes, width)
    return Text("\n", no_wrap=True).join(rows)


def note_lines(notes: Iterable[str], width: int) -> list[Text]:
    """What a report of a venue does not hold, in its own words; two lines for each at most."""
    told = []
    for note in notes:
        first, *rest = textwrap.wrap(
            literal(note, 300), max(20, width - 2), max_lines=2, placeholder=" …"
        ) or [""]
        told += [Text(f"! {first}", DOUBT), *(Text(f"  {line}", DOUBT) for line in rest)]
    return told


def _spelt(engine: Engine) -> str:
    """The first unknown status word as the venue spells it."""
    return f" “{literal(next(iter(engine.odd_words)), 16)}”" if engine.odd_words else ""


def _state(kill: Kill, engine: Engine, done: int) -> Text:
    if engine.flat and engine.verdict is Verdict.FLAT:
        took = (engine.first_flat_at or engine.started) - engine.started
        held = ", holding" if engine.hold > 0 and kill.finished_wall is None else ""
        return Text(f"FLAT {took:.1f} s{held}", f"bold {GOOD}")
    if kill.finished_wall is not None:
        return Text("NOT FLAT" if engine.verdict is Verdict.NOT_FLAT else "NOT PROVEN", ALARM)
    if not engine.tracks and (not engine.passes or engine.error):
        return Text("listing …")
    if done < len(engine.tracks):
        return Text(f"{len(engine.tracks) - done} to go")
    past = sum(
        part.past and not engine.proof.past_proven(part.id, engine.last_cancel) for part in engine.parts
    )
    if past:
        return Text(f"proving: {plural(past, 'past list')} left")
    return Text(f"proving: list {min(len(engine.proof.streak) + 1, 2)} of 2")


def counts(kill: Kill, width: int) -> Text:
    """How many orders are where; the ends first, then what is under way."""
    tracks = kill.tracks()
    tally = Tally.of(tracks)
    ends, stages = tally.ends, tally.stages
    pieces = [
        (rank, Text(f"{word} {count}", style))
        for rank, word, count, style in (
            (1, "canceled", ends[Ending.CANCELED], "bold"),
            (1, "filled", ends[Ending.FILLED], "bold"),
            (3, "expired", ends[Ending.EXPIRED], ""),
            (3, "rejected", ends[Ending.REJECTED], ""),
            (3, "gone", ends[Ending.GONE], ""),
            (2, "sent", stages[Stage.SENT], ""),
            (2, "accepted", stages[Stage.ACCEPTED], ""),
            (0, "unknown", stages[Stage.UNKNOWN], DOUBT),
            (0, "refused", stages[Stage.REFUSED], DOUBT),
            (0, "waiting", stages[Stage.WANTED], "bold"),
        )
        if count or word == "canceled"
    ]
    left = len(tracks) - tally.settled
    pieces.append((0, Text(f"not ended {left}", "bold" if left else "dim")))
    return fitting(pieces, width)


def verdict(kill: Kill, seconds: float | None) -> Text:
    """The verdict, in large letters only when it is proven; on its line, what cannot be listed or was off."""
    text = _verdict(kill, seconds, uncovered_words(uncovered(kill)))
    left = kept_words(kill)
    if left and kill.finished_wall is not None:
        text.append(f"\n{left}", DOUBT)
    back = kill.came_back
    if back and kill.finished_wall is not None:
        text.append(f"\n{plural(back, 'order')} had come back after a flat: withdrawn, taken up again", DOUBT)
    return text


def _verdict(kill: Kill, seconds: float | None, off: str) -> Text:
    told = (f"   {off}" if off else "", DOUBT)
    took = "" if seconds is None else f"   {seconds:.1f} s"
    if kill.finished_wall is None:
        if kill.came_back and not kill.holding:
            text = _said(" F L A T   W I T H D R A W N ", ALARM, *told)
            return text.append(f"\n{plural(kill.came_back, 'order')} listed as live again", "bold")
        flat = bool(kill.runs) and not kill.locked and all(run.engine.flat for run in kill.runs.values())
        if kill.holding and flat:
            return _said("H O L D I N G   F L A T", f"bold {GOOD}", *told)
        return _said("N O T   F L A T   Y E T", "bold", *told)
    if kill.verdict is Verdict.FLAT:
        took = f"   {_flat_after(kill):.1f} s"
        spots = [f"{one.venue} {', '.join(one.blind_spots)}" for one in kill.results() if one.blind_spots]
        text = _said(f"F L A T{took}", f"bold {GOOD}", *told)
        if spots:
            text.append("   E X C E P T   ", f"bold {GOOD}").append(literal("; ".join(spots), 300), DOUBT)
        return text
    if kill.verdict is Verdict.NOT_FLAT:
        live = sum(track.outcome is Ending.OPEN for track in kill.tracks())
        where = [name for name, run in kill.runs.items() if run.engine.verdict is Verdict.NOT_FLAT]
        text = _said(f" N O T   F L A T   {live} still live ", ALARM, *told)
        return text.append("\non " + ", ".join(where), "bold")
    text = _said(" N O T   P R O V E N ", ALARM, *told)
    return text.append("\n" + literal("; ".join(_doubts(kill)), 400), DOUBT)


def _said(word: str, style: str, off: str, doubt: str) -> Text:
    """The large letters, and beside them the venues that were off."""
    return Text.assemble((word, style), (off, doubt), justify="center")


def _flat_after(kill: Kill) -> float:
    """Seconds until the last venue was flat; a hold does not count."""
    engines = [run.engine for run in kill.runs.values()]
    return max((one.first_flat_at or one.started) - one.started for one in engines)


def _doubts(kill: Kill) -> list[str]:
    why = [f"{one.venue}: {one.error}" for one in kill.results() if one.error]
    why += [f"nothing matched {word}" for word in kill.unmatched]
    for name, run in kill.runs.items():
        unknown = sum(track.outcome is Ending.UNKNOWN for track in run.engine.tracks.values())
        why += [f"{unknown} unknown on {name}"] if unknown else []
        why += [ghosts(run.engine, name)] if run.engine.ghosts else []
        why += [f"{len(run.engine.unreadable)} unreadable on {name}"] if run.engine.unreadable else []
    return why or ["the lists were not completed"]


def latencies(kill: Kill) -> str:
    """How long after the word the venues answered and the orders ended, once it is over; empty before."""
    if kill.finished_wall is None:
        return ""
    tracks = kill.tracks()
    words = []
    for word, walls in (
        ("answered", [track.acknowledged_wall for track in tracks]),
        ("ended", [track.confirmed_wall for track in tracks]),
    ):
        took = [wall - kill.started_wall for wall in walls if wall is not None]
        if took:
            words.append(f"{len(took)} {word}: half in {_span(median(took))}, all in {_span(max(took))}")
    return "\n".join([f"{plural(len(tracks), 'order')}, timed from Enter", *words])


def report(kill: Kill) -> str:
    """What filled while the kill ran, then the latencies; empty until it is over."""
    if kill.finished_wall is None:
        return ""
    found = fills_words(fills(kill.tracks()))
    more = f"; {len(found) - _MARKETS} more markets" if len(found) > _MARKETS else ""
    told = [f"filled meanwhile: {literal('; '.join(found[:_MARKETS]), 300)}{more}"] if found else []
    return "\n".join([*told, latencies(kill)])


def _span(seconds: float) -> str:
    return f"{max(0.0, seconds):.2f} s" if seconds >= 1 else f"{max(0.0, seconds) * 1000:.0f} ms"
