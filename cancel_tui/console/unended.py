"""Kills of earlier processes that have no end: what to say of them, and which one the command takes up."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cancel_tui.desk.desk import Desk
    from cancel_tui.desk.kill import Kill
    from cancel_tui.desk.unfinished import Unfinished


def _serves(case: Unfinished, kill: Kill) -> bool:
    """Whether a kill of this desk is at work on a case, or leaves nothing of it to finish."""
    if kill.about.get("resumes") != case.kill_id:
        return False
    if kill.finished_wall is None or case.began_over:
        return True
    from cancel_tui.desk.unfinished import proves

    return proves(kill.verdict, (one.verdict for one in kill.results()), resumes=True)


class Unended:
    """What was found when the console started; a case leaves once a kill of this desk has taken it up."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._cases: list[Unfinished] = []

    async def look(self) -> list[Unfinished]:
        """Read the journal beside the event loop; the cases, oldest first."""
        from cancel_tui.desk.unfinished import find

        path = self._desk.journal.path
        if path is not None:
            wall = self._desk.clock.wall()
            self._cases = await asyncio.get_running_loop().run_in_executor(None, find, path.parent, wall)
        return self._cases

    def left(self) -> list[Unfinished]:
        """The cases that nobody has taken up or finished, oldest first; the journal would say the same."""
        return [one for one in self._cases if not any(map(partial(_serves, one), self._desk.kills))]

    def newest(self) -> Unfinished | str:
        """The newest case that nobody has taken up, or why there is none that may be."""
        left = self.left()
        if not left:
            return "no kill of an earlier start is without an end"
        from cancel_tui.desk.decision import UnreadableError

        try:
            left[-1].scope(), left[-1].places()
        except UnreadableError as why:
            return f"kill {left[-1].kill_id[:6]} cannot be resumed: {why}"
        return left[-1]
