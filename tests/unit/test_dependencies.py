"""What is installed with the product is what the product imports, and the README tells of each."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODULES = {"python-socketio": {"socketio", "engineio"}, "textual": {"textual", "rich"}}
"""Where a package is imported under other names; Rich comes with Textual, Engine.IO with Socket.IO."""


def _declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {re.split(r"[~<>=]", one)[0] for one in project["dependencies"]}


def _imported() -> set[str]:
    found: set[str] = set()
    for path in (ROOT / "cancel_tui").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module)
    return {name.partition(".")[0] for name in found} - sys.stdlib_module_names - {"cancel_tui"}


def test_every_dependency_is_imported_and_nothing_else_is() -> None:
    expected = {name: MODULES.get(name, {name}) for name in _declared()}
    imported = _imported()
    assert imported == set().union(*expected.values())


def test_the_readme_tells_of_every_dependency_and_of_no_other() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text[text.index("## Dependencies") : text.index("Why no ready-made transport")]
    assert set(re.findall(r"(?m)^\| ([a-z0-9-]+) \|", table)) == _declared()
