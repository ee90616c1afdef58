"""Nothing is looked for while modules are loaded; afterwards it is, and by every command."""

from __future__ import annotations

import subprocess
import sys

PROBE = """
import gc, sys
from cancel_tui import __main__
from cancel_tui.cli import main, {module}
seen = []
import cancel_tui.cli.main as main
real = main.import_module
def spy(name):
    seen.append(gc.isenabled())
    return real(name)
main.import_module = spy
import cancel_tui.cli.parser as parser
parser.import_module = spy
def body(options):
    seen.append((gc.isenabled(), gc.get_freeze_count() > 1000, gc.get_threshold()[2]))
    return 0
{module}.run = body
sys.argv = ["cancel-tui", {arguments}]
try:
    __main__.main()
except SystemExit as left:
    print(left.code, seen)
"""


def test_commands_are_loaded_without_and_run_with_a_look_for_garbage() -> None:
    probe = PROBE.format(module="orders", arguments='"orders"')
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "0 [False, False, (True, True, 2500)]\n", done.stderr


YOUNG = """
import gc
from cancel_tui import garbage
garbage.hold()
garbage.settle()
seen = []
def looked(phase, about):
    if phase == "start" and about["generation"] < 2:
        seen.append(sum(len(gc.get_objects(generation=one)) for one in range(about["generation"] + 1)))
gc.callbacks.append(looked)
kept = [[] for _ in range(200_000)]
print(len(seen) > 10, max(seen) < 6_000)
"""


def test_no_look_at_the_young_goes_through_many_objects_even_where_all_of_them_last() -> None:
    done = subprocess.run(
        [sys.executable, "-c", YOUNG], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "True True\n", done.stderr
