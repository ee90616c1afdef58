"""Whether a person could have been asked: the Secret Service says "locked" for a prompt that was closed, too.

Where nobody can be asked (no desktop, a bare shell) the keyring is locked, and has to be unlocked by other
means. Where a prompt was shown and the keyring is locked still, somebody has said no.
"""

from __future__ import annotations

from contextlib import closing
from importlib import import_module
from typing import Any

_PROMPTER = "org.gnome.keyring.SystemPrompter"
_SECONDS = 1.0


def shown() -> bool:
    """Whether the program that shows the prompts of a GNOME keyring is there. Blocking, for a second at most.

    A library below keyring's own backend is asked; without it, or without a bus, nobody was.
    """
    try:
        jeepney: Any = import_module("jeepney")
        blocking: Any = import_module("jeepney.io.blocking")
        with closing(blocking.open_dbus_connection(bus="SESSION")) as bus:
            question = jeepney.message_bus.NameHasOwner(_PROMPTER)
            return bool(bus.send_and_get_reply(question, timeout=_SECONDS).body[0])
    except Exception:
        return False
