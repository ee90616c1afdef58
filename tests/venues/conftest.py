"""Lets the assertions of the inheritable contract suite explain themselves as those of test files do."""

import pytest

for _part in ("", "_cancels", "_faults", "_ground", "_lists"):
    pytest.register_assert_rewrite(f"tests.venues.contract{_part}")
