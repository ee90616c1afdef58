"""A scope by account, or of named orders, is proven by the lists of those accounts alone."""

from __future__ import annotations

from cancel_tui.desk.engine import Aim, Engine
from cancel_tui.orders import AccountId, Family, OrderId, OrderKey, VenueName
from cancel_tui.scope import Scope, fold
from cancel_tui.venues.base import Capabilities, Part, Parts

VENUE = VenueName("broker")
A, B = AccountId("acc-A"), AccountId("acc-B")
PARTS = Parts((Part("account:acc-A", account=A), Part("account:acc-B", account=B)), accounts=(A, B))


def listed(scope: Scope) -> list[str]:
    engine = Engine(VENUE, Capabilities(lacks=frozenset({"exchange"})), Aim(scope), 0.0)
    wanted = engine.took_parts(PARTS)
    assert {"acc-a", "acc-b"} <= engine.seen_accounts
    return [part.id for part in wanted]


def test_everything_needs_every_account() -> None:
    assert listed(Scope(raw={})) == ["account:acc-A", "account:acc-B"]


def test_a_scope_by_account_needs_that_account_only() -> None:
    assert listed(Scope(accounts=fold(["ACC-a"]), raw={"account": ["ACC-a"]})) == ["account:acc-A"]


def test_named_orders_need_their_own_accounts_only() -> None:
    key = OrderKey(VENUE, B, Family.ORDER, OrderId("x"))
    assert listed(Scope(keys=frozenset({key}), raw={})) == ["account:acc-B"]


def test_a_named_order_without_an_account_may_be_in_any() -> None:
    key = OrderKey(VENUE, None, Family.ORDER, OrderId("x"))
    assert listed(Scope(keys=frozenset({key}), raw={})) == ["account:acc-A", "account:acc-B"]
