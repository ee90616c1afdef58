"""Single lines of the screens as literal text with styles: environment, chips, details, footers. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from rich.cells import cell_len
from rich.text import Text

from cancel_tui.cancels import Ending, Stage
from cancel_tui.console.badges import age_text
from cancel_tui.desk.desk import Desk, Slot, VenueState
from cancel_tui.desk.kill import Kill
from cancel_tui.orders import Order, Side, iso, plain
from cancel_tui.text import literal

MODES = {"PRACTICE": "bold black on cyan", "TEST": "bold black on yellow", "LIVE": "bold white on dark_red"}
"""Practice, test and live cannot be confused: another word, another ground."""
_SHAPES = {
    VenueState.LIVE: ("●", "green"),
    VenueState.STALE: ("▲", "bold yellow"),
    VenueState.DOWN: ("✖", "bold red"),
    VenueState.LOCKED: ("◌", "bold yellow"),
    VenueState.REFUSED: ("⊘", "bold red"),
}


def mode_of(desk: Desk) -> str:
    """The environment of all venues together: live if any of them is."""
    modes = {slot.settings.mode for slot in desk.slots.values()}
    return next((mode for mode in ("LIVE", "TEST", "PRACTICE") if mode in modes), "LIVE")


def header(desk: Desk, read_only: bool, width: int) -> Text:
    """Environment, time and totals."""
    mode = mode_of(desk)
    orders = [order for slot in desk.slots.values() for order in slot.book.orders()]
    flying = unknown = 0
    for kill in desk.kills:
        for track in kill.tracks():
            flying += track.stage.flying
            unknown += track.stage is Stage.UNKNOWN
    doubt = "" if all(slot.complete for slot in desk.slots.values()) else "?"
    line = Text("cancel-tui ", "bold", no_wrap=True)
    line.append(f" {mode} ", MODES[mode])
    if read_only:
        line.append(" READ-ONLY ", "bold reverse")
    line.append(f"  {(iso(desk.clock.wall()) or '')[11:19]} UTC")
    buys = sum(order.side is Side.BUY for order in orders)
    sells = sum(order.side is Side.SELL for order in orders)
    right = Text(f"OPEN {len(orders)}{doubt}", "bold")
    right.append(f"  BUY {buys}  SELL {sells}", "not bold")
    right.append(f"  FLYING {flying}", "bold" if flying else "dim")
    if unknown:
        right.append(f"  UNKNOWN {unknown}", "bold yellow")
    if desk.journal.trouble:
        right.append("  JOURNAL!", "bold red")
    return spread(line, right, width)


def spread(left: Text, right: Text, width: int) -> Text:
    """Two texts at the two ends of a line."""
    gap = max(1, width - cell_len(left.plain) - cell_len(right.plain))
    return left + Text(" " * gap) + right


def chips(desk: Desk, now: float, width: int) -> Text:
    """One chip per venue: state, orders, age of the newest list."""
    line = Text(no_wrap=True)
    for slot in desk.slots.values():
        chip = _chip(slot, now)
        if line.plain and cell_len(line.plain) + cell_len(chip.plain) + 2 > width:
            line.append(" …")
            break
        if line.plain:
            line.append("  ")
        line.append_text(chip)
    return line


def _chip(slot: Slot, now: float) -> Text:
    state = slot.state_at(now)
    shape, style = _SHAPES[state]
    chip = Text(no_wrap=True)
    chip.append(shape, style)
    chip.append(f" {literal(slot.name, 12)} ", "bold" if state is not VenueState.LIVE else "")
    if state is VenueState.LOCKED:
        chip.append("LOCKED", style)
        return chip
    waiting = slot.listed_at is None and state is VenueState.DOWN and slot.error == "not asked yet"
    count = "…" if waiting else str(len(slot.book.live()))
    chip.append(count + ("" if slot.complete or waiting else "?"))
    if state is not VenueState.LIVE and not waiting:
        chip.append(f" {state.value.upper()}", style)
    if slot.listed_at is not None:
        chip.append(f" {age_text(now - slot.listed_at)}", "dim")
    return chip


def detail(order: Order | None, message: str | None, width: int) -> Text:
    """One line about the order under the cursor."""
    if order is None:
        return Text("no order under the cursor: press an arrow key", "dim", no_wrap=True)
    words = [order.venue, str(order.symbol or "?"), order.side.value.upper() if order.side else "?"]
    words.append(f"{plain(order.quantity) or '?'} @ {plain(order.price or order.trigger_price) or 'market'}")
    line = Text(literal(" ".join(words)), no_wrap=True)
    line.append(f"   id {literal(order.key.shown_id, 40)}", "dim")
    if order.venue_status is not None:
        line.append(f"   {literal(order.venue_status.raw, 30)} at the venue", "dim")
    if message:
        line.append(f"   {literal(message, 200)}", "yellow")
    line.truncate(width, overflow="ellipsis")
    return line


def hints(pairs: Iterable[tuple[str, str]], width: int) -> Text:
    """Keys and labels; what does not fit is left out whole."""
    line = Text(no_wrap=True)
    for key, label in pairs:
        loud = label == "KILL"
        piece = Text.assemble((key, "bold"), " ", (label, "bold reverse" if loud else ""))
        if cell_len(line.plain) + cell_len(piece.plain) + 2 > width:
            break
        if line.plain:
            line.append("  ")
        line.append_text(piece)
    return line


def kill_line(kill: Kill, now_wall: float) -> Text:
    """The one-line banner of a kill, on every screen until it is over."""
    seconds = (kill.finished_wall or now_wall) - kill.started_wall
    tracks = kill.tracks()
    live = sum(track.outcome in (Ending.OPEN, Ending.UNKNOWN) for track in tracks)
    if kill.finished_wall is None:
        words = "HOLDING FLAT" if kill.holding and not live else "KILL RUNNING"
        ended = f"{len(tracks) - live} of {len(tracks)} ended"
        return Text(f" {words}  {ended}  {seconds:.0f} s   b board ", "reverse")
    verdict = kill.verdict.value.replace("_", " ").upper()
    return Text(f" last kill: {verdict}  {seconds:.1f} s   b board ", "dim")
