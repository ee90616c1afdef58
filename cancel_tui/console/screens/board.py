"""The kill board: per venue how far it is, and the verdict in large letters only when it is proven."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import Static

from cancel_tui.cancels import Ending, Stage
from cancel_tui.console import lines
from cancel_tui.console.commands import Where
from cancel_tui.console.screens.base import DeskScreen
from cancel_tui.desk.engine import Verdict
from cancel_tui.desk.kill import Kill
from cancel_tui.orders import VenueName
from cancel_tui.text import literal


def bar(done: int, total: int, width: int) -> str:
    """A progress bar; full only when everything has ended."""
    if total == 0:
        return "░" * width
    filled = min(width - 1, done * width // total) if done < total else width
    return "█" * filled + "░" * (width - filled)


class BoardScreen(DeskScreen):
    """Watches one kill; leaving it ends nothing."""

    WHERE: ClassVar[Where] = Where.BOARD

    def __init__(self, kill: Kill) -> None:
        super().__init__()
        self.kill = kill

    def compose(self) -> ComposeResult:
        """Title, venues, counts, verdict, log, keys."""
        yield Static(id="title", markup=False)
        yield Static(id="venues", markup=False)
        yield Static(id="counts", markup=False)
        yield Static(id="verdict", markup=False)
        yield Static(id="log", markup=False)
        yield Static(id="footer", markup=False)

    def on_mount(self) -> None:
        """First frame."""
        self.tick()

    def tick(self) -> None:
        """Paint the state of the kill."""
        app, kill, width = self.console_app, self.kill, self.size.width
        seconds = (kill.finished_wall or app.desk.clock.wall()) - kill.started_wall
        title = Text(f"KILL {kill.kill_id[:6]}  {app.scope_words(kill.scope)}   by {app.operator}", "bold")
        mode = lines.mode_of(app.desk)
        title = Text.assemble((f" {mode} ", lines.MODES[mode]), " ", title)
        elapsed = Text(f"{int(seconds) // 60:02d}:{seconds % 60:04.1f}")
        self._show("#title", lines.spread(title, elapsed, width))
        venues = Text(no_wrap=True)
        for name in kill.names:
            venues.append_text(self._venue(name, width))
            venues.append("\n")
        self._show("#venues", venues)
        self._show("#counts", self._counts())
        self._show("#verdict", self._verdict(seconds))
        self._show("#log", Text("\n".join(app.log_lines[-3:]), "dim", no_wrap=True, overflow="ellipsis"))
        self._show("#footer", lines.hints(app.keymap.hints(Where.BOARD), width))

    def run_command(self, command_id: str) -> bool:
        """Back, hold, release."""
        if command_id == "back":
            self.dismiss()
        elif command_id == "hold":
            self.kill.hold()
        elif command_id == "release":
            self.kill.release()
        else:
            return False
        return True

    def _show(self, selector: str, text: Text) -> None:
        self.query_one(selector, Static).update(text)

    def _venue(self, name: VenueName, width: int) -> Text:
        line = Text(f"{literal(name, 12):<12} ", no_wrap=True)
        run = self.kill.runs.get(name)
        if run is None:
            line.append(f"{'░' * 24}  {literal(self.kill.locked.get(name, 'opening …'), 60)}", "bold yellow")
            return line
        engine = run.engine
        tracks = list(engine.tracks.values())
        done = sum(track.stage.settled for track in tracks)
        line.append(bar(done, len(tracks), 24) if not engine.flat else "█" * 24)
        line.append(f"  {done:>4}/{len(tracks):<5}")
        if engine.verdict is Verdict.FLAT:
            took = (engine.first_flat_at or engine.started) - engine.started
            line.append(f"FLAT {took:.1f} s", "bold green")
        elif self.kill.finished_wall is not None:
            line.append(engine.verdict.value.replace("_", " ").upper(), "bold red")
        elif not engine.passes:
            line.append("listing …")
        elif tracks and done == len(tracks):
            line.append(f"proving: list {min(len(engine.proof.streak) + 1, 2)} of 2")
        for word, ending in (("filled", Ending.FILLED),):
            count = sum(track.outcome is ending for track in tracks)
            if count:
                line.append(f"   {count} {word}", "bold")
        unknown = sum(track.stage is Stage.UNKNOWN for track in tracks)
        if unknown:
            line.append(f"   {unknown} unknown", "bold yellow")
        newcomers = sum(track.newcomer for track in tracks)
        if newcomers:
            line.append(f"   +{newcomers} newcomers", "bold yellow")
        if engine.error and engine.verdict is not Verdict.FLAT:
            line.append(f"   {literal(engine.error, 60)}", "yellow")
        line.truncate(width, overflow="ellipsis")
        return line

    def _counts(self) -> Text:
        outcomes = [track.outcome for track in self.kill.tracks()]
        live = sum(one in (Ending.OPEN, Ending.UNKNOWN) for one in outcomes)
        words = [
            f"{ending.value} {outcomes.count(ending)}"
            for ending in (Ending.CANCELED, Ending.FILLED, Ending.EXPIRED, Ending.REJECTED, Ending.GONE)
            if outcomes.count(ending)
        ]
        return Text("   ".join([*words, f"not ended {live}"]), "bold" if live else "")

    def _verdict(self, seconds: float) -> Text:
        kill = self.kill
        if kill.finished_wall is None:
            if kill.holding and all(run.engine.flat for run in kill.runs.values()):
                return Text("H O L D I N G   F L A T", "bold green", justify="center")
            return Text("N O T   F L A T   Y E T", "bold", justify="center")
        if kill.verdict is Verdict.FLAT:
            spots = [f"{one.venue}: {code}" for one in kill.results() for code in one.blind_spots]
            words = "F L A T   E X C E P T" if spots else "F L A T"
            text = Text(f"{words}   {seconds:.1f} s", "bold green", justify="center")
            if spots:
                text.append("\ncannot be listed: " + literal(", ".join(spots), 300), "bold yellow")
            return text
        if kill.verdict is Verdict.NOT_FLAT:
            live = sum(track.outcome is Ending.OPEN for track in kill.tracks())
            return Text(f"N O T   F L A T   {live} still live", "bold white on red", justify="center")
        why = [f"{one.venue}: {one.error}" for one in kill.results() if one.error]
        why += [f"{word} matched nothing" for word in kill.unmatched]
        text = Text("N O T   P R O V E N", "bold white on red", justify="center")
        text.append("\n" + literal("; ".join(why), 400), "yellow")
        return text
