"""What the tests of the CoinSwitch futures adapter share: rows, lists, a server with pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cancel_tui.clock import ManualClock
from cancel_tui.venues.base import CallClass, Message, Part, PartList, Raw
from cancel_tui.venues.coinswitch_futures import CoinSwitchFutures, make
from cancel_tui.venues.coinswitch_windows import NEWEST
from cancel_tui.venues.outcome import Outcome
from tests.venues.support_coinswitch import (
    DAY_MS,
    NOW_MS,
    FakePort,
    answered,
    body_of,
    clock,
    credentials,
    headers_of,
    reply,
    run,
    settings,
)

ID = "01940000-0000-7000-8000-00000000b001"
CANCEL_EXAMPLE = (
    b'{"data":{"order_id":"01940000-0000-7000-8000-00000000b001","exchange":"EXCHANGE_2","symbol":"ETHUSDT",'
    b'"side":"SELL","order_type":"LIMIT","status":"CANCELLATION_RAISED","quantity":"0.25",'
    b'"exec_quantity":"0.1","price":"4100.5","avg_exec_price":"4100.5","exec_fee":"0.24","reduce_only":false,'
    b'"created_at":1732000002345,"updated_at":1732000007777}}'
)
NEW = Part(NEWEST)


def venue(time: ManualClock | None = None, **changes: Any) -> CoinSwitchFutures:
    return make(settings("coinswitch-futures", **changes), credentials(), time or clock())


def row(order_id: str = ID, **changes: Any) -> dict[str, Any]:
    base = {
        "order_id": order_id,
        "exchange": "EXCHANGE_2",
        "symbol": "DOGEUSDT",
        "side": "BUY",
        "status": "RAISED",
        "order_type": "LIMIT",
        "quantity": "100",
        "exec_quantity": "0",
        "price": "0.25",
        "avg_execution_price": "0",
        "execution_fee": "0.02",
        "realised_pnl": "0",
        "reduce_only": False,
        "created_at": NOW_MS,
        "updated_at": NOW_MS,
    }
    return {**base, **changes}


def listed(*rows: object, cursor: object = None) -> Raw:
    return reply({"data": {"orders": list(rows), "cursor": cursor}})


def parts_of(adapter: CoinSwitchFutures) -> tuple[Part, ...]:
    return answered(run(adapter.parts(FakePort([])))).parts


def list_newest(port: FakePort, adapter: CoinSwitchFutures | None = None) -> Outcome[PartList]:
    return run((adapter or venue()).list_part(NEW, port))


@dataclass
class Server:
    """The venue's two lists as documented: at most seven days and 50 rows, newest first, cursor."""

    rows: list[dict[str, Any]]
    clock: Callable[[], int] | None = None
    """The true time in milliseconds; with it, signatures that are more than 60 s off are refused."""
    cursor: Callable[[int | None], object] = field(default=lambda oldest: oldest)

    def __call__(self, call: CallClass, message: Message) -> Raw:
        if self.clock is not None:
            if message.target.endswith(b"/time"):
                return reply({"serverTime": self.clock()})
            if abs(int(headers_of(message)["X-AUTH-EPOCH"]) - self.clock()) > 60_000:
                return reply({"message": "Invalid Access"}, 401)
        assert message.target.startswith(b"/trade/api/v2/futures/orders/")
        body = body_of(message)
        assert body["exchange"] == "EXCHANGE_2"
        begin, end, limit = body["from_time"], body["to_time"], body["limit"]
        if limit > 50 or not 0 <= end - begin <= 7 * DAY_MS:
            return reply({"message": "window"}, 422)
        kept = sorted(
            (one for one in self.rows if begin <= one["created_at"] <= end),
            key=lambda one: -one["created_at"],
        )[:limit]
        return listed(*kept, cursor=self.cursor(kept[-1]["created_at"] if kept else None))
