"""One profile for every property: no deadline and no speed check, because a busy machine is no fault.

Also lets the assertions of the inheritable contract suite explain themselves as those of test files do:
before whichever test imports it first.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

for _part in ("", "_cancels", "_faults", "_ground", "_lists"):
    pytest.register_assert_rewrite(f"tests.venues.contract{_part}")

settings.register_profile(
    "house",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    print_blob=True,
)
settings.load_profile("house")
