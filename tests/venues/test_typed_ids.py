"""Ids that somebody types: what no order can be called is told before anything is sent."""

from __future__ import annotations

import pytest

from cancel_tui.venues.registry import FIELDS, check_order_id

UUID = "0b0e7b52-1d3f-4a6c-9e0b-3c1f8d6a2b47"
ODD = ["", "..", "../cancel-all", "a/b", "a\\b", "a b", "a\n", "a\x00", "a?b", "a#b", "%2e"]
ODD += ["x" * 201, "\udc80", "\u202ea"]
UNHEARD = ["1", "no-such-order", "01K00000000000000000000000", "a:b", "a.b", "x" * 200]


@pytest.mark.parametrize("kind", FIELDS)
@pytest.mark.parametrize("typed", ODD, ids=ascii)
def test_what_no_order_can_be_called_is_refused(kind: str, typed: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        check_order_id(kind, typed)


@pytest.mark.parametrize("kind", FIELDS)
def test_what_may_be_an_order_is_left_to_the_venue(kind: str) -> None:
    check_order_id(kind, UUID)
    check_order_id(kind, UUID.upper())


@pytest.mark.parametrize("kind", sorted(FIELDS.keys() - {"p99-spot"}))
@pytest.mark.parametrize(
    "typed", ["1", "no-such-order", "01K00000000000000000000000", "a:b", "a.b", "x" * 200]
)
def test_an_id_that_nobody_knows_is_no_malformed_one(kind: str, typed: str) -> None:
    check_order_id(kind, typed)


def test_where_ids_are_uuids_nothing_else_is_one() -> None:
    with pytest.raises(ValueError, match="UUID"):
        check_order_id("p99-spot", "no-such-order")
