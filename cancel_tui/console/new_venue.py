"""The table that a new venue needs in the configuration file, as text to be copied. Pure."""

from __future__ import annotations

from collections.abc import Collection

from cancel_tui.settings import KINDS

_NAMES = {
    "coinswitch-spot": "cs-spot",
    "coinswitch-futures": "cs-fut",
    "roxom": "roxom",
    "p99-spot": "p99",
    "b2trader": "broker",
}


def table_name(kind: str, taken: Collection[str]) -> str:
    """A name for a table of this kind that is not taken yet."""
    used = {one.casefold() for one in taken}
    base = _NAMES.get(kind, kind)
    number = 1
    while (name := base if number == 1 else f"{base}-{number}") in used:
        number += 1
    return name


def toml_for(kind: str, taken: Collection[str] = ()) -> str:
    """A table for a venue of this kind, which the configuration accepts as it stands.

    `taken` are the names of tables that are there already.
    """
    facts = KINDS[kind]
    lines = [f"[venues.{table_name(kind, taken)}]", f'kind = "{kind}"']
    if facts.base_url is None:
        lines.append('base_url = "https://broker.example"   # put the host of your broker here')
    else:
        lines.append(f'# base_url = "{facts.base_url}"')
    lines.append(f'# environment = "{"live" if facts.test_host else "test"}"')
    if kind.startswith("coinswitch-"):
        lines.append('# credentials = "cs-spot"   # spot and futures share one key pair')
    if facts.streams:
        lines.append("# stream = false            # poll only")
    return "\n".join(lines) + "\n"
