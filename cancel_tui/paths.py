"""Where things are: the platform's conventions, the two environment variables, the command line."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cancel_tui.settings_table import SettingsError

APP = "cancel-tui"


def config_path(given: str | None) -> Path:
    """The configuration file: the option, else `CANCEL_TUI_CONFIG`, else the platform's place.

    Raises SettingsError where there is no home directory.
    """
    chosen = given or os.environ.get("CANCEL_TUI_CONFIG")
    if chosen:
        return _expanded(chosen)
    from platformdirs import user_config_path

    return _known(user_config_path, "--config FILE") / "config.toml"


def data_path(given: str | None) -> Path:
    """The folder of journal and logs: the option, else `CANCEL_TUI_DATA_DIR`, else the platform's place.

    Raises SettingsError where there is no home directory.
    """
    chosen = given or os.environ.get("CANCEL_TUI_DATA_DIR")
    if chosen:
        return _expanded(chosen)
    from platformdirs import user_data_path

    return _known(user_data_path, "--data-dir DIR")


def _expanded(chosen: str) -> Path:
    try:
        return Path(chosen).expanduser()
    except RuntimeError:
        raise SettingsError(f"{chosen}: nobody knows whose home directory that is") from None


def _known(place: Callable[..., Path], instead: str) -> Path:
    """A place of the platform's; raises SettingsError where there is no home directory."""
    with suppress(RuntimeError):
        path = place(APP, appauthor=False)
        # Some versions of the library leave a `~` that they cannot expand.
        if path.is_absolute():
            return path
    raise SettingsError(f"this user has no home directory (HOME is not set): say {instead}")
