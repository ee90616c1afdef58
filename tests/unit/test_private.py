"""Files and folders for their owner alone; what others could change is known as such."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cancel_tui.practice.cluster import Cluster
from cancel_tui.private import (
    ExposedError,
    exposed_folder,
    make_folder,
    open_private,
    open_regular,
    ours,
)
from cancel_tui.settings import SettingsError, load_settings

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
STRANGER = 4321
CONFIG = '[venues.x]\nkind = "p99-spot"\n'


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture(params=[0o000, 0o022, 0o277])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.fixture
def give_away(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Let something belong to somebody else: really where the tests may, otherwise it is the user who is."""

    def give(path: Path) -> None:
        if os.geteuid() == 0:
            os.lchown(path, STRANGER, -1)
        else:
            monkeypatch.setattr(os, "geteuid", lambda: STRANGER)

    return give


# What is made.


def test_folders_and_files_are_for_the_owner_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    folder = tmp_path / "data" / "desk" / "journal"
    make_folder(folder)
    assert [mode(one) for one in (folder, folder.parent, folder.parent.parent)] == [0o700] * 3
    os.close(open_private(folder / "one"))
    assert mode(folder / "one") == 0o600


async def test_a_configuration_of_practice_venues_is_for_the_owner_whatever_the_umask(
    tmp_path: Path, umask: int
) -> None:
    cluster = Cluster(5)
    await cluster.start()
    try:
        cluster.write_configuration(tmp_path / "practice.toml")
    finally:
        await cluster.stop()
    assert mode(tmp_path / "practice.toml") == 0o600
    assert load_settings(tmp_path / "practice.toml").venues


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir(mode=0o755)
    make_folder(folder)
    assert mode(folder) == 0o755


def test_a_file_in_the_way_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(OSError, match="directory"):
        make_folder(tmp_path / "data")


def test_a_file_of_ours_that_was_too_open_is_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("")
    path.chmod(0o666)
    os.close(open_private(path))
    assert mode(path) == 0o600


# What is in the way.


@pytest.mark.parametrize("opening", [open_private, open_regular])
def test_a_link_is_not_followed(tmp_path: Path, opening: Callable[[Path], int]) -> None:
    aim = tmp_path / "aim"
    aim.write_text("precious")
    (tmp_path / "link").symlink_to(aim)
    with pytest.raises(OSError, match="symbolic links"):
        opening(tmp_path / "link")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    with pytest.raises(OSError, match="symbolic links"):
        opening(tmp_path / "dangling")
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("opening", [open_private, open_regular])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path, opening: Callable[[Path], int]) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=r"no regular file|No such device"):
        opening(tmp_path / "pipe")


def test_a_file_of_somebody_else_is_not_written_to(tmp_path: Path, give_away: Callable[[Path], None]) -> None:
    path = tmp_path / "log"
    path.write_text("theirs")
    path.chmod(0o666)
    give_away(path)
    with pytest.raises(ExposedError, match="another user"):
        open_private(path)


# Who else could change it.


@pytest.mark.parametrize("rights", [0o777, 0o757, 0o702])
def test_a_folder_that_others_can_write_to_is_told_with_a_command(tmp_path: Path, rights: int) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    assert exposed_folder(folder) is None
    folder.chmod(rights)
    assert exposed_folder(folder) == (
        f"{folder}: others can write to it (mode {rights:04o}): chmod go-w '{folder}'"
    )
    (folder / "journal").mkdir(mode=0o700)
    told = exposed_folder(folder / "journal")
    assert told is not None
    assert told.startswith(f"{folder}: others can write")


def test_a_folder_of_somebody_else_is_told(tmp_path: Path, give_away: Callable[[Path], None]) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    give_away(folder)
    told = exposed_folder(folder)
    assert told is not None
    assert "belongs to another user" in told


def test_a_link_of_somebody_else_is_told_and_one_of_the_owner_is_fine(
    tmp_path: Path, give_away: Callable[[Path], None]
) -> None:
    (tmp_path / "disk").mkdir(mode=0o700)
    link = tmp_path / "data"
    link.symlink_to(tmp_path / "disk")
    make_folder(link / "journal")
    assert exposed_folder(link / "journal") is None
    assert exposed_folder(link) is None
    give_away(link)
    told = exposed_folder(link / "journal")
    assert told is not None
    assert "another user" in told


def test_a_folder_for_everybody_around_it_is_fine_where_names_are_kept(tmp_path: Path) -> None:
    around = tmp_path / "tmp"
    around.mkdir()
    around.chmod(0o1777)
    (around / "data").mkdir(mode=0o700)
    assert exposed_folder(around / "data") is None
    assert exposed_folder(around) is not None
    around.chmod(0o777)
    assert exposed_folder(around / "data") is not None


def test_a_group_of_the_user_alone_is_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grp, pwd = pytest.importorskip("grp"), pytest.importorskip("pwd")
    me = pwd.getpwuid(os.geteuid())
    folder = tmp_path / "data"
    folder.mkdir()
    os.chown(folder, -1, me.pw_gid)
    folder.chmod(0o775)
    own = grp.struct_group((me.pw_name, "x", me.pw_gid, []))
    monkeypatch.setattr(grp, "getgrgid", lambda _: own)
    assert exposed_folder(folder) is None
    for other in (
        grp.struct_group((me.pw_name, "x", me.pw_gid, ["somebody"])),
        grp.struct_group(("desk", "x", me.pw_gid, [])),
    ):
        monkeypatch.setattr(grp, "getgrgid", lambda _, other=other: other)
        assert exposed_folder(folder) is not None


def test_what_is_not_there_is_nobodys(tmp_path: Path) -> None:
    assert exposed_folder(tmp_path / "data" / "journal") is None
    assert not ours(tmp_path / "nothing")


# The configuration.


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "etc" / "config.toml"
    path.parent.mkdir(mode=0o700)
    path.write_text(CONFIG)
    path.chmod(0o644)
    return path


def refused(path: Path) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    assert "where your keys are sent" in str(caught.value)
    return str(caught.value)


def test_a_configuration_of_the_users_own_is_read_also_through_a_link(config: Path, tmp_path: Path) -> None:
    (tmp_path / "link.toml").symlink_to(config)
    for path in (config, tmp_path / "link.toml"):
        assert [one.name for one in load_settings(path).venues] == ["x"]


@pytest.mark.parametrize("rights", [0o666, 0o646, 0o602])
def test_a_configuration_that_others_can_write_is_refused(config: Path, rights: int) -> None:
    config.chmod(rights)
    assert f"others can write to it (mode {rights:04o}): chmod go-w '{config}'" in refused(config)


def test_a_configuration_of_somebody_else_is_refused(config: Path, give_away: Callable[[Path], None]) -> None:
    give_away(config)
    assert "belongs to another user" in refused(config)


def test_a_configuration_that_others_could_replace_is_refused(config: Path) -> None:
    config.parent.chmod(0o777)
    assert "others could replace it, for of its folder others can write to it (mode 0777)" in refused(config)
    config.parent.chmod(0o1777)
    assert load_settings(config).venues
