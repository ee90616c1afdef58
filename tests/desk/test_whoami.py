"""Who acts is recorded as far as the system tells, and never stands in the way."""

from __future__ import annotations

import getpass

import pytest

from cancel_tui.desk.process import whoami


def test_an_account_without_a_name_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise OSError("no user name")

    monkeypatch.setattr(getpass, "getuser", nameless)
    asked = whoami.__wrapped__()
    assert asked["operator"] == "unknown"
    assert asked["host"]
