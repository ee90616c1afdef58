"""Stands in the place of the desktop's prompter: `no` closes every prompt of the keyring, `never` lets it be.

Asked by gnome-keyring itself, over the bus, as it asks the program that shows its dialogs.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

jeepney: Any = import_module("jeepney")
blocking: Any = import_module("jeepney.io.blocking")
NAME = "org.gnome.keyring.SystemPrompter"
CALLBACK = "org.gnome.keyring.internal.Prompter.Callback"


def main(answer: str) -> None:
    bus = blocking.open_dbus_connection(bus="SESSION")
    bus.send_and_get_reply(jeepney.message_bus.RequestName(NAME))
    while True:
        asked = bus.receive()
        if asked.header.message_type is not jeepney.MessageType.method_call:
            continue
        fields = asked.header.fields
        member, sender = fields[jeepney.HeaderFields.member], fields[jeepney.HeaderFields.sender]
        bus.send(jeepney.new_method_return(asked))
        back = jeepney.DBusAddress(asked.body[0], bus_name=sender, interface=CALLBACK)
        if member == "BeginPrompting":
            bus.send(jeepney.new_method_call(back, "PromptReady", "sa{sv}s", ("", {}, "")))
        elif member == "PerformPrompt" and answer == "no":
            bus.send(jeepney.new_method_call(back, "PromptReady", "sa{sv}s", ("no", {}, "")))
        elif member == "StopPrompting":
            bus.send(jeepney.new_method_call(back, "PromptDone"))


if __name__ == "__main__":
    main(sys.argv[1])
