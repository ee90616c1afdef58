"""Lets the assertions of the inheritable contract suite explain themselves as those of test files do."""

import pytest

pytest.register_assert_rewrite("tests.venues.contract", "tests.venues.contract_lists")
