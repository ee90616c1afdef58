"""A practice B2TRADER: front-office REST v3/v4 and the SignalR stream of open orders.

What it models: https://api-docs.b2trader.b2broker.com/rest-api and
https://api-docs.b2trader.b2broker.com/websocket-api. Where those pages are silent (error bodies, what a
second cancel answers, whether stream items are full lists) every reading is a switch: all attributes of
`Switches` are attributes of the venue, and the module `b2trader_switches` explains them and the names that
the set `faults` knows. The pages document no rate limits for this interface, so `plan.enforce_limits` has
nothing to enforce; `throttle` is a fault.

Stop orders are extra to `plan.orders`, since the venue has no documented way to list them; `truth` has them
with family `stop`.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Mapping
from urllib.parse import unquote

from cancel_tui.clock import Clock
from cancel_tui.practice.b2trader_book import Account, Dealer
from cancel_tui.practice.b2trader_feed import Feed
from cancel_tui.practice.b2trader_requests import CREATE, BadOrderError, create
from cancel_tui.practice.b2trader_switches import OWN, Switches
from cancel_tui.practice.b2trader_tokens import Tokens
from cancel_tui.practice.b2trader_wire import Wire
from cancel_tui.practice.http import Answer, Request, Response, Upgrade
from cancel_tui.practice.market import Motion, SimOrder, State
from cancel_tui.practice.mischief import dated, planned, strikes, wire_fault
from cancel_tui.practice.pushes import FAULTS as STREAM_FAULTS
from cancel_tui.practice.venue import Plan, PracticeVenue, RateLimit

EXCHANGE_PATH = "/frontoffice/api/v4/access-token"
ACCOUNTS_PATH = "/frontoffice/api/v3/accounts"
ORDERS_PATH = "/frontoffice/api/v3/orders"
STOP_ORDERS_PATH = "/frontoffice/api/v3/stop-orders"
SOCKET_PATH = "/frontoffice/ws/v4/account"

_TICK = 0.1
_ASYNC_SHARE = 1 / 3
_ASYNC_FILL_SHARE = 0.1
_ASYNC_DELAY = 0.3
_EARLY = 30.0


class B2Trader(PracticeVenue, Switches):
    """One practice B2TRADER with three accounts."""

    kind = "b2trader"
    name = "broker"
    shared_faults = frozenset(("stop_triggers", *STREAM_FAULTS)) - {"stream_garbled"}
    own_faults = OWN
    routes_known = frozenset(
        ("exchange", "accounts", "upgrade", "stream", "list", "cancel", "cancel_stop", "create")
    ) | {"negotiate", "unknown"}

    def __init__(self, clock: Clock, plan: Plan) -> None:
        Switches.__init__(self)
        PracticeVenue.__init__(self, clock, plan)
        self.obey(plan.faults)
        self.tokens = Tokens(clock)
        self.dealer = Dealer(self.book)
        self.wire = Wire(self)
        self.feed = Feed(self.book, self.wire, (account.id for account in self.accounts), self, self.shown)
        self.stop_orders = 0 if plan.orders == 0 else max(2, plan.orders // 20)
        """How many waiting Stops `populate` adds."""
        self._chance = random.Random(f"faults/{plan.seed}")
        self._newcomers = random.Random(f"newcomers/{plan.seed}")
        self._pace: tuple[tuple[int, float], RateLimit] | None = None
        self._refusals = 0
        self._expiring = False
        self._populated = False
        self._ticker: asyncio.Task[None] | None = None

    @property
    def base_url(self) -> str:
        """The origin; paths are the venue's own below it."""
        return self.server.origin

    @property
    def accounts(self) -> list[Account]:
        """The accounts that the token sees."""
        return self.dealer.accounts

    def credentials(self) -> Mapping[str, str]:
        """The long-lived API token."""
        return {"api_token": self.tokens.offline}

    def populate(self) -> None:
        """Fill the book by the seed and let it move; a restarted venue keeps the book it has."""
        if self._populated:
            return
        self._populated = True
        self.dealer.populate(self.plan.orders, self.stop_orders)
        Motion(self.book, self.plan.activity, self.newcomer).start()

    async def start(self) -> None:
        """Fill the book, listen, and let time-driven changes reach the stream."""
        await super().start()
        self._ticker = asyncio.create_task(self._tick())

    async def stop(self) -> None:
        """Stop listening and drop every connection."""
        await super().stop()
        if self._ticker is not None:
            self._ticker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticker
            self._ticker = None

    def newcomer(self) -> SimOrder:
        """A fresh order, as its owner might place it now."""
        return self.dealer.random_order(self._newcomers, age=0.0)

    def expire_credentials(self) -> None:
        """Access tokens expire; the API token stays good."""
        self.expire_tokens()

    def expire_tokens(self) -> None:
        """Refuse every access token issued so far; open sockets are told by type 7."""
        self.tokens.revoke_all()
        self._close_unauthorised()

    def route_name(self, request: Request) -> str:
        """By which name faults know what this request asks for."""
        return _route_of(request)

    async def answer(self, request: Request) -> Answer:
        """Answer one request, or misbehave as the faults say."""
        self._notice()
        route = _route_of(request)
        answer = wire_fault(self.faults, route) or self._throttle(route)
        if answer is None:
            answer = self._carry_out(request, route)
            answer = wire_fault(self.faults, route, "effect_then_") or answer
        return dated(answer, self.wall())

    def _carry_out(self, request: Request, route: str) -> Answer:
        if route == "upgrade":
            return self._upgrade(request)
        if route == "exchange":
            return self._exchange(request)
        if route == "negotiate":
            return self._negotiate(request)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        good = scheme.lower() == "bearer" and self.tokens.verify(token.strip()) is not None
        if not good or strikes(self.faults, "unauthorized", route):
            return self._unauthorised()
        if route == "accounts":
            return self.wire.ok([self._account(account) for account in self.accounts])
        return self._for_account(request, route)

    def _for_account(self, request: Request, route: str) -> Response:
        wanted = request.headers.get("accountid", "")
        account = next((account for account in self.accounts if account.id == wanted), None)
        if not wanted:
            return self.wire.error(400, "The accountId header is required.")
        if account is None:
            return self.wire.error(403, "The account is not available to this user.")
        if route == "create":
            return self._create(request, account)
        if route == "list" and self.rest_lists:
            return self._list(account, stops=request.path == STOP_ORDERS_PATH)
        last = unquote(request.path.rpartition("/")[2])
        if route == "cancel":
            return self._cancel(last, account, route, self._cancel_order)
        if route == "cancel_stop":
            return self._cancel(last, account, route, self._cancel_stop)
        return self.wire.error(404, "The resource was not found.")

    def _exchange(self, request: Request) -> Response:
        body = request.json()
        given = body.get("token") if isinstance(body, dict) else None
        if not isinstance(given, str):
            return self.wire.error(400, "The token field is required.")
        if given != self.tokens.offline or strikes(self.faults, "token_refused", "exchange"):
            return self._unauthorised()
        return self.wire.ok({self.exchange_field: self.tokens.issue()})

    def _unauthorised(self) -> Response:
        header = ("www-authenticate", 'Bearer error="invalid_token"')
        return self.wire.error(401, "The token is missing, invalid or expired.", header)

    def _socket_refusal(self, request: Request) -> Response | None:
        good = self.tokens.verify(request.params.get("access_token", "")) is not None
        if not good or strikes(self.faults, "stream_refused", "upgrade"):
            return self._unauthorised()
        if strikes(self.faults, "upgrade_403", "upgrade"):
            return self.wire.error(403, "The operation is not permitted.")
        return None

    def _upgrade(self, request: Request) -> Answer:
        refusal = self._socket_refusal(request)
        if refusal is not None:
            return refusal
        if request.headers.get("upgrade", "").lower() != "websocket":
            return self.wire.error(400, "Connection ID required.")
        token = request.params["access_token"]
        return Upgrade(lambda socket: self.feed.hub.session(socket, token))

    def _negotiate(self, request: Request) -> Response:
        return self._socket_refusal(request) or self.wire.ok(
            {
                "negotiateVersion": 1,
                "connectionId": f"c{self._chance.getrandbits(64):016x}",
                "connectionToken": f"t{self._chance.getrandbits(64):016x}",
                "availableTransports": [{"transport": "WebSockets", "transferFormats": ["Text", "Binary"]}],
            }
        )

    def _account(self, account: Account) -> dict[str, object]:
        number = {"publicAccountId": account.public_id} if self.public_account_ids else {}
        return {
            "accountId": account.id,
            **number,
            "accountName": account.name,
            "accountType": account.type,
            "totalBalanceInRAT": self.wire.amount(account.balance),
            "isCopyTradingAccount": account.copies,
        }

    def _create(self, request: Request, account: Account) -> Response:
        kind = CREATE[request.path]
        reject = strikes(self.faults, "reject_new", "create")
        try:
            order = create(self.book, self.dealer, kind, account.id, request.json(), reject=reject)
        except BadOrderError as bad:
            return self.wire.error(400, str(bad))
        return self.wire.ok({"order": self._written(order)})

    def _list(self, account: Account, *, stops: bool) -> Response:
        family = "stop" if stops else "order"
        mine = [o for o in self.shown.orders() if o.account == account.id and o.family == family]
        return self.wire.ok([self._written(order) for order in mine])

    def _written(self, order: SimOrder) -> dict[str, object]:
        return self.wire.stop_order(order) if order.family == "stop" else self.wire.rest_order(order)

    def _cancel(
        self, order_id: str, account: Account, route: str, act: Callable[[SimOrder], bool]
    ) -> Response:
        family = "order" if route == "cancel" else "stop"
        order = self.book.orders.get(order_id)
        if order is None or order.family != family:
            return self.wire.error(404, "The order was not found.")
        if order.account != account.id or strikes(self.faults, "wrong_account", route):
            return self.wire.error(self.wrong_account_code, "The order was not found.")
        if order.state.live and self.puts_off(order):
            return self.wire.error(409, "The order is being processed.")
        if not order.state.live or not act(order):
            return self.wire.error(self.finished_cancel_code, "The order was not found or is finished.")
        row = self._written(order)
        if strikes(self.faults, "wrong_id", route):
            row["orderId"] = order.id[::-1]
        return self.wire.ok({"order": row})

    def _cancel_order(self, order: SimOrder) -> bool:
        """Cancel a live order; False when it turned out to be finished."""
        if strikes(self.faults, "cancel_noop", "cancel"):
            return True
        part = self.raced(order, "cancel")
        if part is not None:
            self.book.fill(order, part)
            if not order.state.live:
                return False
        if strikes(self.faults, "fill_race_completed", "cancel"):
            self.book.fill(order)
            return True
        if order.state is State.LEAVING:
            return True
        draw = random.Random(f"{self.plan.seed}/async/{order.id}")
        slow, fills = draw.random() < _ASYNC_SHARE, draw.random() < _ASYNC_FILL_SHARE
        if not (self.async_cancel or (slow and self.plan.cancel_delay > 0)):
            self.book.cancel(order, 0)
            return True
        delay = self.plan.cancel_delay or _ASYNC_DELAY
        self.book.cancel(order, delay)
        if self.async_outcome == "completed" or (self.async_outcome == "seeded" and fills):
            self.dealer.fill_later(order, delay / 2)
        return True

    def _cancel_stop(self, stop: SimOrder) -> bool:
        """Cancel a waiting Stop; False when it turned out to be finished."""
        if strikes(self.faults, "stop_triggers_before", "cancel_stop"):
            self.dealer.trigger(stop)
            return False
        if strikes(self.faults, "stop_triggers", "cancel_stop"):
            self.dealer.trigger(stop)
        else:
            self.book.cancel(stop, 0)
        return True

    def _throttle(self, route: str) -> Response | None:
        refusals = (
            self.wire.error(429, "Too many requests.", ("retry-after", "1")),
            self.wire.error(429, "Too many requests."),
            self.wire.error(503, "The service is overloaded."),
        )
        if strikes(self.faults, "throttle_503", route):
            return refusals[2]
        if not planned(self.faults, "throttle_mixed", route):
            return None
        if self._pace is None or self._pace[0] != self.throttle_pace:
            self._pace = (self.throttle_pace, RateLimit(self.clock, *self.throttle_pace))
        if self._pace[1].admit():
            return None
        self._refusals += 1
        return refusals[(self._refusals - 1) % len(refusals)]

    def _notice(self) -> None:
        """Carry out what the fault `expired_token` means once it is switched on."""
        on = planned(self.faults, "expired_token") is not None
        self.tokens.early = _EARLY if on else None
        if on and not self._expiring:
            strikes(self.faults, "expired_token", "")
            self.expire_tokens()
        self._expiring = on
        self.tokens.ahead = self.wall() - self.clock.wall()

    def _close_unauthorised(self) -> None:
        for connection in list(self.feed.hub.connections):
            if self.tokens.verify(connection.tag) is None:
                connection.close("The access token has expired.")

    async def _tick(self) -> None:
        """Let time-driven changes, pings and expiries happen while nobody calls."""
        while True:
            await self.clock.sleep(_TICK)
            self._notice()
            self._close_unauthorised()
            self.book.settle()
            self.feed.flush()
            self.feed.hub.tick()


def _route_of(request: Request) -> str:
    """By which name of a route faults know this request."""
    method, path = request.method, request.path
    if path == SOCKET_PATH:
        return "upgrade"
    if method == "POST" and path in CREATE:
        return "create"
    if method == "GET" and path in (ORDERS_PATH, STOP_ORDERS_PATH):
        return "list"
    folder = path.rpartition("/")[0]
    if method == "DELETE" and folder in (ORDERS_PATH, STOP_ORDERS_PATH):
        return "cancel" if folder == ORDERS_PATH else "cancel_stop"
    return {
        ("POST", EXCHANGE_PATH): "exchange",
        ("POST", f"{SOCKET_PATH}/negotiate"): "negotiate",
        ("GET", ACCOUNTS_PATH): "accounts",
    }.get((method, path), "unknown")
