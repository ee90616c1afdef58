"""`cancel-tui support`: one file for whoever helps, shown before it is written. Nothing is sent anywhere."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from pathlib import Path

from cancel_tui.cli import render
from cancel_tui.cli.bundle import SECTIONS, Bundle, collected, without_ids
from cancel_tui.cli.session import UsageError, settings_of
from cancel_tui.orders import iso
from cancel_tui.paths import data_path
from cancel_tui.private import make_folder, open_private
from cancel_tui.settings import Settings, SettingsError

_LAST = 200
_ASKED = (
    "Write it? [y]es, [s]how all of it first, [h]ide the ids of orders and accounts, anything else is no: "
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of this command."""
    parser.add_argument("--output", metavar="FILE", help="where to write it; a file that is there stays")
    parser.add_argument(
        "--hide-ids", action="store_true", help="put stand-ins for ids of orders and accounts"
    )
    parser.add_argument("--last", type=_count, default=_LAST, metavar="N", help="lines of log and journal")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 10_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no count; 1 to 10000")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Collect, show what it is, ask, write."""
    if not options.yes and not sys.stdin.isatty():
        raise UsageError("support asks before it writes; without a terminal say --yes")
    settings = _settings(options)
    folder = data_path(options.data_dir)
    bundle = asyncio.run(collected(settings, folder, options.last))
    if options.hide_ids:
        bundle = without_ids(bundle)
    path = Path(options.output).expanduser() if options.output else _place(folder)
    _describe(bundle, path)
    if not options.yes:
        bundle = _reviewed(bundle)
    try:
        _write(path, _text(bundle), ours=not options.output)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or type(error).__name__}") from error
    render.say(f"written: {path} (for your eyes only; nothing was sent anywhere)")
    return 0


def _settings(options: argparse.Namespace) -> Settings | SettingsError:
    """The configuration; one that is not valid is what somebody may need help with."""
    try:
        return settings_of(options)
    except SettingsError as why:
        return why


def _place(folder: Path) -> Path:
    stamp = (iso(time.time()) or "").replace(":", "").replace("-", "").replace(".", "")
    return folder / "support" / f"support-{stamp}.json"


def _text(bundle: Bundle) -> str:
    return json.dumps(bundle, ensure_ascii=True, indent=1) + "\n"


def _describe(bundle: Bundle, path: Path) -> None:
    rows = [(name, str(len(json.dumps(bundle[name]))), words) for name, words in SECTIONS.items()]
    for line in render.table(("SECTION", "BYTES", "WHAT"), rows, frozenset({1})):
        render.say(line)
    unknown = bundle["about"]["not_known_by_value"]
    if unknown:
        render.say(
            f"the credentials of {', '.join(unknown)} could not be read: what looks like a secret is hidden, "
            "look it through yourself"
        )
    render.say(f"ids of orders and accounts: {bundle['about']['ids']}")
    render.say(f"to be written to {path}")


def _reviewed(bundle: Bundle) -> Bundle:
    """Ask until it may be written; raises UsageError where it may not."""
    while True:
        answer = render.ask(_ASKED).lower()
        if answer in ("y", "yes"):
            return bundle
        if answer in ("s", "show"):
            render.say(_text(bundle).rstrip())
        elif answer in ("h", "hide"):
            bundle = without_ids(bundle)
            render.say(f"ids of orders and accounts: {bundle['about']['ids']}")
        else:
            raise UsageError("nothing was written")


def _write(path: Path, text: str, *, ours: bool) -> None:
    """Write a new file for the owner alone; raises OSError, also where one is there already."""
    if ours:
        make_folder(path.parent)
    with os.fdopen(open_private(path, os.O_EXCL), "w", encoding="ascii") as file:
        file.write(text)
