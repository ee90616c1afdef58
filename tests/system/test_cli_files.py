"""Files of the whole program: their rights, folders that others can write to, two instances at once."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cancel_tui.desk.chain import verify_journal
from tests.console.test_tmux import LIMIT, PROGRAM, SHOWN, Terminal, arm_and_type, fire, journal, until
from tests.console.test_tmux import practice as venues
from tests.system.shell import Floor, practice

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    with practice(tmp_path_factory.mktemp("files"), "--orders", "15") as found:
        yield found


def test_a_configuration_that_others_can_write_ends_with_2_and_nothing_is_sent(
    floor: Floor, tmp_path: Path
) -> None:
    config = tmp_path / "shared.toml"
    config.write_text(floor.shell.config.read_text())
    config.chmod(0o666)
    before = floor.live("p99").keys()
    for command in ("kill --yes", "orders", "keys list", "doctor", "cancel p99 1"):
        done = floor.shell(*command.split(), "--config", str(config))
        assert (done.status, done.out) == (2, ""), command
        assert f"chmod go-w '{config}'" in done.err
    assert floor.live("p99").keys() == before
    assert not floor.shell.data.exists()


def test_a_shared_data_directory_is_shouted_about_and_stops_no_kill(floor: Floor, tmp_path: Path) -> None:
    data = tmp_path / "shared"
    data.mkdir()
    data.chmod(0o777)
    where = ("--data-dir", str(data))
    doctor = floor.shell("doctor", "--json", *where)
    assert doctor.status == 1
    (found,) = [one for one in doctor.json["findings"] if one["check"] == "data_dir"]
    assert found["ok"] is False
    assert f"chmod go-w '{data}'" in found["detail"]
    done = floor.shell("kill", "--yes", "--json", "--venue", "p99", *where)
    assert done.status == 0, done.err
    assert done.json["verdict"] == "flat"
    assert f"JOURNAL: {data}: others can write to it" in done.err
    assert done.err.count("JOURNAL") == 1
    assert floor.live("p99") == {}
    assert floor.shell("journal", "verify", *where).status == 0


def ends(data: Path) -> list[object]:
    return [record["verdict"] for record in journal(data) if record["kind"] == "kill_end"]


def test_a_console_and_a_kill_from_the_shell_work_beside_each_other(tmp_path: Path) -> None:
    """Without any umask, so that the rights of the files are the program's own doing."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    with venues(tmp_path) as config:
        terminal = Terminal(tmp_path, 80, 24, ["umask 0;", *PROGRAM, "--config", str(config)])
        data = terminal.data
        try:
            terminal.open_orders(SHOWN)
            killed = subprocess.run(
                [*PROGRAM, "kill", "--yes", "--json", "--config", str(config), "--data-dir", str(data)],
                capture_output=True,
                text=True,
                timeout=LIMIT,
                check=False,
                umask=0,
            )
            assert killed.returncode == 0, killed.stderr
            assert json.loads(killed.stdout)["verdict"] == "flat"
            # The console goes on, sees what the other one did, and kills by itself.
            terminal.open_orders(0)
            assert ends(data) == ["flat"]
            arm_and_type(terminal)
            fire(terminal)
            until(lambda: ends(data) == ["flat", "flat"], terminal.screen)
            files = list((data / "journal").iterdir())
            assert len({path.name.split("-")[1] for path in files}) == 2
            assert all(b'"kind":"kill_end"' in path.read_bytes() for path in files)
            assert [fault for fault in verify_journal(data / "journal")[1] if fault.broken] == []
            terminal.keys("C-q")
            assert terminal.status() == 0
            assert verify_journal(data / "journal")[1] == []
        finally:
            terminal.end()
        found = {path: stat.S_IMODE(path.lstat().st_mode) for path in (data, *data.rglob("*"))}
        assert {"journal", "sends", "logs", "console.log"} <= {path.name for path in found}
        for path, mode in found.items():
            assert mode == (0o700 if path.is_dir() else 0o600), path
