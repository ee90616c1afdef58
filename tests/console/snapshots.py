"""Every screen as text with its styles, from seeded practice venues: `python -m tests.console.snapshots`.

That command writes the files under `tests/console/snapshots` anew. What depends on time is masked: ages,
clocks, durations, the ids of orders and kills. Below the text of a screen stands, line by line, what is not
plain on it and in which style: attributes, hue of the letters, hue of the ground.
"""

from __future__ import annotations

import asyncio
import colorsys
import os
import re
import sys
from collections.abc import Awaitable, Callable, Mapping
from math import inf
from pathlib import Path
from time import monotonic
from unittest.mock import patch

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.pilot import Pilot

from cancel_tui.console import app as console_app
from cancel_tui.console.app import CancelApp
from cancel_tui.console.columns import Column
from cancel_tui.console.guard import SAME_READ
from cancel_tui.console.screens.board import BoardScreen
from cancel_tui.console.screens.confirm import ConfirmScreen
from cancel_tui.console.stage import PictureClock, Scene, app_of, calm, desk_of, until
from tests.console.hands import hit, resize, settle

FOLDER = Path(__file__).with_name("snapshots")
SIZES = ((80, 24), (140, 45))
LOOKS = {"colour": "cancel-tui", "mono": "mono"}
"""Name of a look → theme."""

_ROOMS = (("question_mark", "help"), ("c", "columns"), ("K", "keys"), ("V", "venues"), ("l", "log"))
_MASKS = (
    (re.compile(r"\d\d:\d\d:\d\d UTC"), "hh:mm:ss UTC"),
    (re.compile(r"\b\d\d:\d\d\.\d\b"), "mm:ss.s"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f-]*…?|\b01[0-9A-Z]{6,}…?"), "ID"),
    (re.compile(r"\bKILL [0-9a-f]{6}\b"), "KILL xxxxxx"),
    (re.compile(r"( +)(?:\d+\.\d+|\d+) (?:ms|s)\b"), " T"),
    (re.compile(r" +\d+(?:\.\d)?[smhdy]\b"), " t"),
    (re.compile(r" full(?: t| never)\b"), ""),
    (re.compile(r"…[0-9a-zA-Z-]{8}\b"), "…ID"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r"by \S+@\S+"), "by WHO"),
    (re.compile(r"[+-]\d+ ms"), "N ms"),
    (re.compile(r"\d+ of (?=\d+/)"), "N of "),
    (re.compile(r"(?<=\d)( +T| +–)(?=  …ID)"), " T"),
)


def masked(text: str) -> str:
    """The text with everything that depends on time replaced."""
    for pattern, word in _MASKS:
        text = pattern.sub(word, text)
    return text.rstrip()


def snapshot(app: CancelApp) -> str:
    """The screen in front: its lines, then what is not plain on each."""
    strips = app.screen._compositor.render_strips()
    ground = _frequent([one for strip in strips for one in strip])
    lines = [masked(strip.text) for strip in strips]
    styles = []
    for number, strip in enumerate(strips, 1):
        runs: list[tuple[str, str]] = []
        for segment in strip:
            name = (
                _named(segment.style or Style(), ground) if segment.text.strip() or _filled(segment) else ""
            )
            if runs and runs[-1][0] == name:
                runs[-1] = (name, runs[-1][1] + segment.text)
            else:
                runs.append((name, segment.text))
        told = "  ".join(f"{name}: {masked(' ' + text).strip()}" for name, text in runs if name)
        styles += [f"{number:>2} {told}"] if told else []
    return "\n".join([*lines, "-" * 20, *styles]) + "\n"


def _filled(segment: Segment) -> bool:
    return bool(segment.style and segment.style.reverse)


def _frequent(segments: list[Segment]) -> Color | None:
    """The ground of most cells."""
    grounds = [one.style.bgcolor for one in segments if one.style for _ in one.text]
    return max(set(grounds), key=grounds.count) if grounds else None


def _named(style: Style, ground: Color | None) -> str:
    words = [word for word in ("bold", "italic", "underline", "reverse", "dim") if getattr(style, word)]
    words += [hue] if (hue := _hue(style.color)) else []
    if style.bgcolor is not None and style.bgcolor != ground and not style.bgcolor.is_default:
        words.append(f"on {_hue(style.bgcolor) or 'grey'}")
    return " ".join(words)


def _hue(colour: Color | None) -> str:
    """What a person would call the colour; nothing for shades of grey."""
    if colour is None or colour.is_default:
        return ""
    hue, saturation, value = colorsys.rgb_to_hsv(*(part / 255 for part in colour.get_truecolor()))
    if saturation < 0.28 or value < 0.2:
        return ""
    names = ((0.04, "red"), (0.2, "amber"), (0.45, "green"), (0.53, "cyan"), (0.7, "blue"), (0.9, "violet"))
    return next((name for limit, name in names if hue < limit), "red")


# The way through the screens


class Tour:
    """One console that is led through every screen."""

    def __init__(self, pilot: Pilot[int], note: Callable[[str], Awaitable[None]]) -> None:
        self.pilot = pilot
        self.app = app_of(pilot)
        self.note = note

    async def press(self, *keys: str) -> None:
        """One by one, not in a burst."""
        for key in keys:
            await hit(self.pilot, key)
            begun = self.app.event_time()
            while self.app.event_time() <= begun + SAME_READ:
                await self.pilot.pause(0.005)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let frames pass until it holds."""
        await until(self.pilot, condition)

    async def walk(self) -> None:
        """Through all of them."""
        app, press, note = self.app, self.press, self.note
        grid = app._main.grid
        await note("grid")
        await press("slash", *"btc", "enter", "down", "space", "down", "space")
        grid.set_sort(Column.PRICE, reverse=True)
        await note("filtered")
        await press("X")
        screen = app.screen
        assert isinstance(screen, ConfirmScreen)
        await self.until(lambda: screen.ready)
        await note("confirm")
        await press("escape", "slash", "escape", "u")
        for key, name in _ROOMS:
            await press(key)
            await note(name)
            await press("escape")
        await press("ctrl+k")
        await self._beat()
        await press("K", "I")
        await note("armed")
        await press("L", "L")
        await self._beat()
        await press("enter")
        await self.until(lambda: isinstance(app.screen, BoardScreen))
        kill = app.desk.kills[-1]
        await self.until(lambda: kill.finished_wall is not None)
        await note("board")
        await press("d")
        await note("details")

    async def _beat(self) -> None:
        begun = monotonic()
        await self.until(lambda: monotonic() - begun > 0.2)


async def tour() -> Mapping[str, str]:
    """The snapshots by name, of one console that changes its size and its theme on every screen."""
    found: dict[str, str] = {}
    # A busy machine is told in the header; it is no part of any screen.
    with patch.dict(os.environ), patch.object(console_app, "LAGGING", inf):
        os.environ.pop("NO_COLOR", None)
        async with desk_of(
            Scene(SIZES[0], calm, orders=24, cancel_delay={"broker": 0.0}, lookback_days=14), PictureClock()
        ) as desk:
            app = CancelApp(desk)
            app.operator = "alice@desk4"
            async with app.run_test(size=SIZES[0]) as pilot:

                async def note(name: str) -> None:
                    for width, height in reversed(SIZES):
                        await resize(pilot, width, height)
                        for look, theme in LOOKS.items():
                            app.wear(theme)
                            app.notice = ""
                            for _ in range(2):
                                # What is told meanwhile, also of a slow disk, is no part of any screen.
                                app.look()
                                app.book.lines.clear()
                                app.look()
                                await settle(pilot)
                            found[f"{name}-{width}x{height}-{look}"] = snapshot(app)
                    app.wear(LOOKS["colour"])

                await calm(pilot)
                slot = next(iter(desk.slots.values()))
                await until(pilot, lambda: slot.venue is not None and slot.venue.clock_offset is not None)
                await Tour(pilot, note).walk()
                app.exit(0)
    return found


def main() -> int:
    """Write every snapshot."""
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.txt"):
        path.unlink()
    for name, text in asyncio.run(tour()).items():
        (FOLDER / f"{name}.txt").write_text(text, encoding="utf-8")
        sys.stderr.write(f"{name}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
