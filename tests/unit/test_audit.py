"""The audit of the locked packages: a finding fails the run, a silent service is said and does not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

AUDIT = Path(__file__).parents[2] / ".ci" / "audit"

pytestmark = pytest.mark.skipif(not AUDIT.exists(), reason="no source checkout")
CLEAN = {"name": "h11", "version": "0.16.0", "vulns": []}
UNKNOWN = {"name": "keyring", "skip_reason": "Dependency not found on PyPI and could not be audited"}
BAD = {"name": "httpx", "version": "0.1", "vulns": [{"id": "PYSEC-0", "fix_versions": []}]}


@pytest.mark.parametrize(
    ("report", "status", "words"),
    [
        ([CLEAN], 0, "audited 1 packages: no known vulnerability"),
        ([UNKNOWN], 0, "NOT AUDITED: the service knows nothing of 1 of 1: keyring\n"),
        ([CLEAN, UNKNOWN], 0, "NOT AUDITED: the service knows nothing of 1 of 2: keyring"),
        ([CLEAN, BAD, UNKNOWN], 1, "VULNERABLE: httpx 0.1: PYSEC-0"),
        (None, 0, "NOT AUDITED: the vulnerability service could not be reached"),
    ],
)
def test_a_finding_fails_and_a_silence_is_said(
    report: list[object] | None, status: int, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "audit.json"
    path.write_text("" if report is None else json.dumps({"dependencies": report}))
    answer = subprocess.run(
        [sys.executable, str(AUDIT), str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.returncode == status
    assert words in answer.stdout
    assert ("no known vulnerability" in answer.stdout) is (CLEAN in (report or []) and status == 0)
