"""Single lines of the screens as literal text with styles: environment, chips, details, footers. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from cancel_tui.console.badges import age_text
from cancel_tui.console.totals import Sum, money
from cancel_tui.desk.actions import Verdict
from cancel_tui.desk.feeds import FeedState
from cancel_tui.desk.report import verdict_line
from cancel_tui.desk.slot import NOT_ASKED, READING, Slot, VenueState
from cancel_tui.orders import Order, VenueName, iso, plain
from cancel_tui.text import literal

if TYPE_CHECKING:
    from cancel_tui.console.ledger import Ledger
    from cancel_tui.desk.desk import Desk
    from cancel_tui.desk.kill import Kill
    from cancel_tui.desk.preview import VenuePreview
    from cancel_tui.desk.track import Track

MODES = {
    "PRACTICE": "bold black on cyan",
    "TEST": "bold black on magenta",
    "LIVE": "bold #000000 on #ffffff",
}
"""Practice, test and live cannot be confused: another word, another ground."""
GOOD, DOUBT, BUSY = "#63b97f", "bold #e2b04a", "#4f9dde"
"""Proven, doubtful, under way."""
ALARM = "bold #ffffff on #c4262e"
"""What needs a hand now."""
CALLING = "bold #c4262e on #ffffff"
"""The other face of an alarm that nobody has acknowledged: it goes from one to the other and back."""
CLOCK_TOLD = 1.0
"""Seconds from which a venue's clock is told to be off: it may begin to refuse what we sign."""
_SHAPES = {
    VenueState.LIVE: ("●", GOOD),
    VenueState.STALE: ("▲", DOUBT),
    VenueState.DOWN: ("✖", DOUBT),
    VenueState.LOCKED: ("◌", DOUBT),
    VenueState.REFUSED: ("⊘", DOUBT),
}
_WAITING = ("○", "dim")
_FEEDS = {FeedState.SILENT: "stream STALE, polling", FeedState.DOWN: "polling"}
"""What is said of a push stream that should be live and is not; the lists go on."""


def mode_of(desk: Desk) -> str:
    """The environment of all venues together: live if any of them is, also one that is switched off."""
    modes = {slot.settings.mode for slot in (*desk.slots.values(), *desk.off.values())}
    nothing = "LIVE" if desk.settings.venues else "NO VENUES"
    return next((mode for mode in ("LIVE", "TEST", "PRACTICE") if mode in modes), nothing)


def mode_mark(desk: Desk, room: int | None = None) -> Text:
    """The environment as a mark that cannot be overlooked, and what it is run for, cut to `room` columns."""
    mode = mode_of(desk)
    style = MODES.get(mode, "bold reverse")
    mark = Text(f" {mode} ", style)
    if desk.occasion:
        mark.append(f"{literal(desk.occasion, 40)} ", style)
        if room is not None and cell_len(mark.plain) > room:
            mark.truncate(max(room, len(f" {mode} DRILL")), overflow="ellipsis")
    return mark


def off_mark(desk: Desk) -> Text:
    """The venues that are switched off for this run, which no kill reaches; empty where there is none."""
    names = ", ".join(literal(name, 14) for name in desk.off)
    if not names:
        return Text()
    return Text(f" OFF: {names if len(names) <= 24 else plural(len(desk.off), 'venue')} ", f"{DOUBT} reverse")


def plural(count: int, word: str) -> str:
    """A count with its noun."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def header(ledger: Ledger, width: int, *, read_only: bool, lag: float, keyring: str = "") -> Text:
    """Environment, time and totals; what does not fit is left out whole, the least important first.

    `keyring` is what is to be said of a keyring that protects nothing.
    """
    desk = ledger.desk
    counts = [ledger.venue(name) for name in desk.slots]
    doubt = "" if all(slot.complete for slot in desk.slots.values()) else "?"
    total = sum(len(count.live) for count in counts)
    left = Text.assemble(("cancel-tui ", "bold"), mode_mark(desk))
    if read_only:
        left.append(" READ-ONLY ", "bold reverse")
    left.append_text(off_mark(desk))
    if keyring:
        left.append(f" {keyring} ", f"{DOUBT} reverse")
    pieces = [(1, Text(f"OPEN {total}{doubt}", "bold"))]
    sides = f"BUY {sum(count.buys for count in counts)}  SELL {sum(count.sells for count in counts)}"
    pieces.append((5, Text(sides)))
    pieces.append((4, Text(f"FLYING {ledger.flying}", "bold" if ledger.flying else "dim")))
    if ledger.unknown:
        pieces.append((2, Text(f"UNKNOWN {ledger.unknown}", DOUBT)))
    if desk.journal.trouble:
        pieces.append((2, Text("JOURNAL!", DOUBT)))
    off = clock_off(desk)
    if off:
        pieces.append((3, Text(off, DOUBT)))
    if lag:
        pieces.append((3, Text(f"LAG {lag:.1f}s", DOUBT)))
    room = width - cell_len(left.plain) - 1
    right = fitting(pieces, room)
    clock = Text(f"  {(iso(desk.clock.wall()) or '')[11:19]} UTC")
    if cell_len(right.plain) + cell_len(clock.plain) < room:
        left.append_text(clock)
    return spread(left, right, width)


def clock_off(desk: Desk) -> str:
    """The venue whose clock differs most from ours, where that is worth a look; empty where none does."""
    offsets = {
        slot.name: (slot.venue.clock_offset or 0.0) if slot.venue else 0.0 for slot in desk.slots.values()
    }
    name = max(offsets, key=lambda one: abs(offsets[one]), default=None)
    if name is None or abs(offsets[name]) < CLOCK_TOLD:
        return ""
    return f"CLOCK {literal(name, 12)} {offsets[name]:+.1f}s"


def fitting(pieces: Sequence[tuple[int, Text]], width: int) -> Text:
    """The pieces in their order, as many as fit; those with the largest number go first."""
    kept = list(pieces)
    while kept and sum(cell_len(text.plain) + 2 for _, text in kept) - 2 > width:
        kept.remove(max(kept, key=lambda one: one[0]))
    return Text("  ").join(text for _, text in kept)


def spread(left: Text, right: Text, width: int) -> Text:
    """Two texts at the two ends of a line; the left one gives way, with an ellipsis."""
    room = width - cell_len(right.plain) - (1 if right.plain else 0)
    shown = left.copy()
    if cell_len(shown.plain) > max(room, 0):
        shown.truncate(max(room, 0), overflow="ellipsis")
    gap = width - cell_len(shown.plain) - cell_len(right.plain)
    line = Text.assemble(shown, " " * max(gap, 0), right)
    line.no_wrap = True
    return line


def chips(
    ledger: Ledger, now: float, width: int, rows: int, lost: Container[VenueName] = frozenset()
) -> Text:
    """One chip per venue: state, orders, age of the newest list, of the last full one where it differs.

    They flow over as many as `rows` lines; venues that do not fit even then are counted, and those in
    trouble come first. Those of `lost` are alarms that nobody has acknowledged.
    """
    slots = list(ledger.desk.slots.values())
    lines, left = _flow([_chip(ledger, slot, now, lost) for slot in slots], width, rows)
    if left:
        slots.sort(key=lambda slot: slot.state_at(now) is VenueState.LIVE)
        lines, left = _flow([_chip(ledger, slot, now, lost) for slot in slots], width - 10, rows)
    if left:
        lines[-1].append(f"  +{left} more", "bold")
    return Text("\n", no_wrap=True).join(lines)


def _flow(pieces: Iterable[Text], width: int, rows: int) -> tuple[list[Text], int]:
    lines = [Text()]
    left = 0
    for piece in pieces:
        used = cell_len(lines[-1].plain)
        if left or (used and used + 2 + cell_len(piece.plain) > width and len(lines) == rows):
            left += 1
        elif used and used + 2 + cell_len(piece.plain) > width:
            lines.append(piece)
        else:
            lines[-1] = Text.assemble(lines[-1], "  " if used else "", piece)
    return lines, left


def waiting(slot: Slot) -> bool:
    """Whether the venue has not been asked yet, so that nothing can be said of it."""
    return slot.listed_at is None and slot.state is VenueState.DOWN and slot.error in (NOT_ASKED, READING)


def _chip(ledger: Ledger, slot: Slot, now: float, lost: Container[VenueName]) -> Text:
    state = slot.state_at(now)
    shape, style = _WAITING if waiting(slot) else _SHAPES[state]
    style = ALARM if slot.name in lost else style
    chip = Text.assemble((shape, style), (f" {literal(slot.name, 14)} ", "" if style != "dim" else "dim"))
    if state is VenueState.LOCKED:
        return chip.append("LOCKED", style)
    if waiting(slot):
        return chip.append("…", "dim")
    chip.append(f"{len(ledger.venue(slot.name).live)}" + ("" if slot.complete else "?"))
    if state is not VenueState.LIVE:
        chip.append(f" {state.value.upper()}", style)
    if slot.listed_at is not None:
        chip.append(f" {age_text(now - slot.listed_at)}", "dim" if state is VenueState.LIVE else style)
        if any(part.past for part in slot.parts) and not _full_is_new(slot):
            full = "never" if slot.full_at is None else age_text(now - slot.full_at)
            chip.append(f" full {full}", "dim")
    if slot.feed.state in _FEEDS:
        chip.append(f" {_FEEDS[slot.feed.state]}", DOUBT)
    return chip


def _full_is_new(slot: Slot) -> bool:
    """Whether the last full list is about as young as the newest one, so that one age says both."""
    return slot.listed_at is not None and slot.full_at is not None and slot.listed_at - slot.full_at < 5


def detail(order: Order | None, message: str | None, width: int) -> Text:
    """One line about the order under the cursor."""
    if order is None:
        return Text("no order under the cursor: press an arrow key", "dim", no_wrap=True)
    words = [order.venue, str(order.symbol or "?"), order.side.value.upper() if order.side else "?"]
    words.append(f"{plain(order.quantity) or '?'} @ {plain(order.price or order.trigger_price) or 'market'}")
    line = Text(literal(" ".join(words)), no_wrap=True)
    if message:
        line.append(f"   {literal(message, 200)}", DOUBT)
    line.append(f"   id {literal(order.key.shown_id, 40)}", "dim")
    if order.venue_status is not None:
        line.append(f"   {literal(order.venue_status.raw, 30)} at the venue", "dim")
    line.truncate(width, overflow="ellipsis")
    return line


def marks_line(total: Sum, hidden: int, cancels: str, unmarks: str) -> Text:
    """What is marked: how many, how many of them unseen, what they are worth, and the keys for them."""
    text = Text.assemble((f"✓ {total.count} marked", "bold"), no_wrap=True, overflow="ellipsis")
    if hidden:
        text.append(f", {hidden} hidden by the filter", DOUBT)
    text.append(f"  buy {total.buys} sell {total.sells}  {'  '.join(total.words())}")
    return text.append(f"   {cancels} cancels them, {unmarks} unmarks", "dim")


def notional(found: Sequence[VenuePreview], width: int) -> Text:
    """Notional per quote currency, never summed across them, in whole pieces over at most two lines."""
    totals: dict[str, Decimal] = {}
    for one in found:
        for quote, value in (one.notional or {}).items():
            totals[quote] = totals.get(quote, Decimal(0)) + value
    words = [f"{literal(quote, 12)} {money(value)}" for quote, value in sorted(totals.items())]
    unpriced = sum(one.unpriced for one in found)
    if unpriced:
        words.append(f"{unpriced} without a price")
    rows, left = _flow([Text(f" {word}") for word in words or ["none"]], width - 9, 2)
    text = Text("\n         ", "bold").join(rows)
    if left:
        text.append(f"  +{left} more")
    return Text.assemble(("notional", "bold"), text)


def preview_row(ledger: Ledger, one: VenuePreview) -> tuple[str, ...]:
    """One venue of the armed preview."""
    slot = next(slot for slot in ledger.desk.slots.values() if slot.name == one.venue)
    now = ledger.desk.clock.monotonic()
    state = slot.state_at(now)
    doubt = "" if slot.complete and state is VenueState.LIVE else "?"
    if slot.venue is None:
        how = "LOCKED" if state is VenueState.LOCKED else "not open yet"
        return (one.venue, "?", "?", "?", "?", "never", how, "?")
    never = slot.listed_at is None
    age = "never" if slot.listed_at is None else age_text(now - slot.listed_at)
    how = "cancel-all" if one.native else "one by one"
    if state in (VenueState.DOWN, VenueState.REFUSED):
        how += f", {state.value.upper()}"
    took = "?" if one.seconds is None or state is not VenueState.LIVE else f"{one.seconds:.0f} s"
    protective = f"{one.protective} go" if one.protective else f"{one.kept} kept" if one.kept else "–"
    counts = ("?", "?", "?") if never else (f"{one.orders}{doubt}", str(one.buys), str(one.sells))
    return (one.venue, *counts, "?" if never else protective, age, how, took)


LOUD = "KILL"
"""The label of the one key that no footer leaves out."""


def hints(pairs: Iterable[tuple[str, str]], width: int) -> Text:
    """Keys and labels; what does not fit is left out whole, but never the kill. A click finds its key.

    Not to be changed: the same keys at the same width are the same text each time.
    """
    return _hints(tuple(pairs), width)


@lru_cache(64)
def _hints(pairs: tuple[tuple[str, str], ...], width: int) -> Text:
    pieces = [(_hint(key, label), label == LOUD) for key, label in pairs]
    room = width - sum(cell_len(piece.plain) + 2 for piece, loud in pieces if loud) + 2
    line = Text(no_wrap=True)
    for piece, loud in pieces:
        need = cell_len(piece.plain) + 2
        if not loud:
            if room < need:
                continue
            room -= need
        if line.plain:
            line.append("  ")
        line.append_text(piece)
    return line


@lru_cache(256)
def _hint(key: str, label: str) -> Text:
    """One key of a footer; not to be changed, it is the same text each time."""
    piece = Text.assemble((key, "bold"), " ", (label, "bold reverse" if label == LOUD else ""))
    piece.stylize(Style(meta={"hint": key}))
    return piece


def hint_rows(pairs: Iterable[tuple[str, str]], width: int, indent: int) -> Text:
    """The same over two lines, the second one indented."""
    rows, _ = _flow([_hint(key, label) for key, label in pairs], width, 2)
    return Text("\n" + " " * indent).join(rows)


def kill_line(kill: Kill, now_wall: float) -> Text:
    """The one-line banner of a kill, on every screen until it is over."""
    if kill.finished_wall is None:
        seconds = now_wall - kill.started_wall
        tracks = kill.tracks()
        left = sum(not track.stage.settled for track in tracks)
        words = "HOLDING FLAT" if kill.holding and not left else "KILL RUNNING"
        ended = f"{len(tracks) - left} of {len(tracks)} ended"
        if kill.came_back:
            words = f" FLAT WITHDRAWN: {plural(kill.came_back, 'order')} came back, taken up again   b board "
            return Text(words, "bold reverse", no_wrap=True)
        return Text(f" {words}  {ended}  {seconds:.0f} s   b board ", "reverse", no_wrap=True)
    style = "dim" if kill.verdict is Verdict.FLAT else DOUBT
    return Text(f" last kill: {verdict_line(kill)} ", style, no_wrap=True, overflow="ellipsis")


def took(track: Track) -> str:
    """The time from the last request to the venue's word; empty while there is none."""
    if track.sent_at is None or not track.stage.settled:
        return ""
    seconds = max(0.0, track.since - track.sent_at)
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
