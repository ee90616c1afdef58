"""The program with everything turned on that could make it talk: run as `-m tests.system.canary_child`.

Every logger writes to standard error at debug level. `CANARY_CRASH` names a place that fails with all secrets
of the process in its locals and in its text. What the practice venues of this process hear goes to the file
that `CANARY_HEARD` names.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

CRASHES = {
    "adapter": ("cancel_tui.venues.adapter", "HttpVenue", "classify"),
    "desk": ("cancel_tui.desk.desk", "Desk", "close"),
    "listing": ("cancel_tui.desk.desk", "Desk", "list_venue"),
    "console": ("cancel_tui.console.app", "CancelApp", "looking"),
    "screen": ("cancel_tui.console.grid", "OrderGrid", "render_lines"),
}
"""Where a fault is put: module, class, method."""


def _held() -> list[str]:
    """Keeps every secret that is made from now on."""
    from cancel_tui.redaction import Secret

    kept: list[str] = []
    make, around = Secret.__init__, Secret.around.__func__  # type: ignore[attr-defined]

    def noted(secret: Secret, value: str) -> None:
        kept.append(value)
        make(secret, value)

    def noted_around(kind: type[Secret], text: str) -> Any:
        kept.append(text)
        return around(kind, text)

    setattr(Secret, "__init__", noted)  # noqa: B010
    setattr(Secret, "around", classmethod(noted_around))  # noqa: B010
    return kept


def _crash(place: str, kept: list[str]) -> None:
    module, owner, method = CRASHES[place]
    cls = getattr(import_module(module), owner)
    real: Callable[..., Any] = getattr(cls, method)

    def fails(*arguments: Any, **named: Any) -> Any:
        locally_held = list(kept)
        if not locally_held:
            return real(*arguments, **named)
        raise RuntimeError(f"{place}: {locally_held}")

    setattr(cls, method, fails)


def main() -> None:
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr, force=True)
    kept = _held()
    if place := os.environ.get("CANARY_CRASH"):
        _crash(place, kept)
    heard = None
    if path := os.environ.get("CANARY_HEARD"):
        from tests.overheard import listen_in

        heard = listen_in(pytest.MonkeyPatch())
    from cancel_tui.__main__ import main as program

    try:
        program()
    finally:
        if heard is not None and path:
            own = {
                venue: {name: sorted(one) for name, one in names.items()}
                for venue, names in heard.secrets.items()
            }
            with open(path, "w", encoding="utf-8") as file:
                json.dump(own, file)


if __name__ == "__main__":
    main()
