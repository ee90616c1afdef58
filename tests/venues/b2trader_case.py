"""What the tests of the B2TRADER adapter share: routes, keys, a port that answers."""

from __future__ import annotations

from typing import TypeVar

from cancel_tui.clock import ManualClock
from cancel_tui.orders import AccountId, Family, OrderId, OrderKey, VenueName
from cancel_tui.venues.base import Part, Raw
from cancel_tui.venues.outcome import Answered, Outcome
from tests.venues.support_b2trader import ACCOUNT, ORDER, FakePort, Handler

EXCHANGE = "POST /frontoffice/api/v4/access-token"
ACCOUNTS = "GET /frontoffice/api/v3/accounts"
DELETE = f"DELETE /frontoffice/api/v3/orders/{ORDER}"
DELETE_STOP = "DELETE /frontoffice/api/v3/stop-orders/01STOP"
NAME = VenueName("broker")
KEY = OrderKey(NAME, AccountId(ACCOUNT), Family.ORDER, OrderId(ORDER))
STOP_KEY = OrderKey(NAME, AccountId(ACCOUNT), Family.STOP, OrderId("01STOP"))
PART = Part(f"account:{ACCOUNT}", account=AccountId(ACCOUNT))
Answers = dict[str, "Handler | Raw | list[Raw]"]


T = TypeVar("T")


def value(outcome: Outcome[T]) -> T:
    assert isinstance(outcome, Answered), outcome
    return outcome.value


def port_with(answers: Answers, clock: ManualClock | None = None) -> FakePort:
    return FakePort(clock or ManualClock(), answers)
