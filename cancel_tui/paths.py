"""Where things are: the platform's conventions, the two environment variables, the command line."""

from __future__ import annotations

import os
from pathlib import Path

APP = "cancel-tui"


def config_path(given: str | None) -> Path:
    """The configuration file: the option, else `CANCEL_TUI_CONFIG`, else the platform's place."""
    chosen = given or os.environ.get("CANCEL_TUI_CONFIG")
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_config_path

    return user_config_path(APP, appauthor=False) / "config.toml"


def data_path(given: str | None) -> Path:
    """The folder of journal and logs: the option, else `CANCEL_TUI_DATA_DIR`, else the platform's place."""
    chosen = given or os.environ.get("CANCEL_TUI_DATA_DIR")
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_data_path

    return user_data_path(APP, appauthor=False)
