"""Pictures of the console over seeded practice venues: `python -m cancel_tui.console.shots [DIR] [NAME …]`.

Each picture is an SVG of the real console on real practice servers on 127.0.0.1. The calendar stands at one
fixed moment, the books come from fixed seeds and the faults are fixed, so that two runs differ by fractions
of seconds and ids only. Without names all are taken, into `screenshots`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
from pathlib import Path

from cancel_tui.console.app import CancelApp
from cancel_tui.console.scenes import SCENES
from cancel_tui.console.stage import NARROW, PictureClock, desk_of, door_of

__all__ = ["NARROW", "SCENES", "main", "take"]


async def take(name: str) -> str:
    """One picture as SVG text; raises KeyError for an unknown name, TimeoutError."""
    scene = SCENES[name]
    os.environ.pop("NO_COLOR", None)
    if not scene.colour:
        os.environ["NO_COLOR"] = "1"
    async with desk_of(scene, PictureClock()) as desk:
        app = CancelApp(desk, door=door_of(scene))
        app.operator = "alice@desk4"
        async with app.run_test(size=scene.size) as pilot:
            await scene.play(pilot)
            picture = _without_edges(app.export_screenshot(title="cancel-tui"))
            app.exit(0)
        os.environ.pop("NO_COLOR", None)
        return picture


_CELL = 12.2
"""Width of a cell in a picture."""
_TEXT = re.compile(
    r'x="([\d.]+)"( y="[\d.]+") textLength="([\d.]+)"([^>]*)>'
    r"((?:&#160;)*)(.*?)((?:&#160;)*)</text>"
)


def _without_edges(picture: str) -> str:
    """The same picture without blanks at the ends of its texts: not everything that draws SVG keeps them."""

    def cut(found: re.Match[str]) -> str:
        x, y, length, more, before, text, after = found.groups()
        left, right = before.count(";"), after.count(";")
        if not text:
            return found[0]
        start = round(float(x) + left * _CELL, 1)
        size = round(float(length) - (left + right) * _CELL, 1)
        return f'x="{start:g}"{y} textLength="{size:g}"{more}>{text}</text>'

    return _TEXT.sub(cut, picture)


def main(arguments: list[str]) -> int:
    """Write the pictures; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m cancel_tui.console.shots", description=__doc__)
    parser.add_argument("folder", nargs="?", default="screenshots", metavar="DIR")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SCENES))
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in SCENES]
    if unknown:
        parser.error(f"no such picture: {', '.join(unknown)}; there are {', '.join(SCENES)}")
    folder = Path(options.folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in options.names or SCENES:
        picture = asyncio.run(take(name))
        (folder / f"{name}.svg").write_text(picture, encoding="utf-8")
        sys.stderr.write(f"{folder / name}.svg\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
