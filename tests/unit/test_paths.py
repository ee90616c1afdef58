"""Where files are looked for when the environment is a bare one."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from pathlib import Path

import pytest

from cancel_tui.paths import config_path, data_path
from cancel_tui.settings import SettingsError


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user of whom the system knows no home directory, as in a container."""

    def nobody(_: object) -> pwd.struct_passwd:
        raise KeyError

    for name in [name for name in os.environ if name == "HOME" or name.startswith(("XDG_", "CANCEL_TUI"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    monkeypatch.setattr(pwd, "getpwnam", nobody)


@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize(("where", "says"), [(config_path, "--config FILE"), (data_path, "--data-dir DIR")])
def test_without_a_home_directory_nothing_is_put_beside_us(
    where: Callable[[str | None], Path], says: str
) -> None:
    with pytest.raises(SettingsError, match="no home directory") as complaint:
        where(None)
    assert says in str(complaint.value)
    assert where("/srv/desk") == Path("/srv/desk")
    with pytest.raises(SettingsError, match="home directory"):
        where("~nobody/desk")
