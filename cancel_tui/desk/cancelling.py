"""The cancels of one venue: the native cancel-all, the singles, and what came of them. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import islice
from math import inf

from cancel_tui.cancels import Event, Stage
from cancel_tui.desk.actions import (
    ANSWERING,
    BLIND_TRIES,
    FEW,
    NATIVE_TRIES,
    NATIVE_WAIT,
    READ_AFTER,
    RUSH,
    STANDING_BACK,
    STUCK,
    Action,
    SendCancel,
    SendNative,
    definite,
    event_of,
    pause,
)
from cancel_tui.desk.impasse import blocked
from cancel_tui.desk.pacing import jitter
from cancel_tui.desk.state import KillState, Native
from cancel_tui.desk.track import Track, plan
from cancel_tui.orders import Family, Order, OrderId, OrderKey, OrderStatus
from cancel_tui.scope import Match
from cancel_tui.venues.base import CallClass, CancelAck, CancelAllAck
from cancel_tui.venues.outcome import (
    Answered,
    NotSent,
    Outcome,
    Throttled,
    Unanswered,
    describe,
)


class Cancelling(KillState):
    """Sends cancels and takes their answers."""

    def _want_natives(self) -> None:
        if not self.native_usable:
            return
        scope = self.aim.scope
        for symbol in sorted(scope.raw.get("symbol", [])) if scope.symbols else [None]:
            self._natives[symbol] = Native(symbol)

    def start_from(self, orders: Iterable[tuple[Order, float]]) -> None:
        """Orders of lists made shortly before, with the time at which each was begun.

        Their cancels need not wait for the first list of the kill. They prove nothing.
        """
        match, lacks, now = self.aim.scope.match, self.capabilities.lacks, self.started
        for order, begun in orders:
            if order.status.live and match(order, lacks) is Match.YES:
                if order.key in self.tracks or order.status is OrderStatus.PENDING_CANCEL:
                    self._track(order.key, now).see(order, begun, now)
                else:
                    self.tracks[order.key] = Track.listed(order, now)
                    self.changes.note(order.key)

    def learn_spelling(self, symbols: Iterable[str]) -> None:
        """Take the venue's exact spelling of symbols, from lists made before."""
        for symbol in symbols:
            self._spellings.setdefault(symbol.casefold(), set()).add(symbol)
        if not self.aim.scope.symbols or not self.native_usable:
            return
        for wanted in self.aim.scope.symbols:
            same = [one for name, one in self._natives.items() if name and name.casefold() == wanted]
            if any(one.flying or one.named for one in same):
                # As it was typed it may do, or does already: one cancel-all is enough.
                continue
            for exact in self._spellings.get(wanted, ()):
                if exact not in self._natives:
                    self._natives[exact] = Native(exact)
            # A spelling that the venue never showed is dropped before it was ever sent.
            if self._spellings.get(wanted):
                for typed in [one for one in self._natives if one and one.casefold() == wanted]:
                    if typed not in self._spellings[wanted] and not self._natives[typed].attempts:
                        del self._natives[typed]

    def _observe(self, order: Order) -> None:
        self._odd(order)
        if order.symbol is not None:
            self.seen_symbols.add(order.symbol.raw.casefold())
            if self.aim.scope.symbols and order.symbol.raw.casefold() in self.aim.scope.symbols:
                self.learn_spelling([order.symbol.raw])
        if order.account is not None:
            self.seen_accounts.add(order.account.casefold())
        if order.exchange is not None:
            self.seen_exchanges.add(order.exchange.raw.casefold())

    def _natives_due(self, now: float) -> list[Action]:
        due: list[Action] = []
        ready = self.ready(CallClass.CANCEL_ALL, now)
        for native in self._natives.values():
            if native.wanted and not native.flying and native.next_try <= now and ready > now + NATIVE_WAIT:
                # It would only wait for its budget; singles need not wait with it.
                native.next_try = min(ready, now + 5.0)
            if native.wanted and not native.flying and native.next_try <= now and self._unauthorised < 3:
                native.wanted, native.flying = False, True
                native.attempts += 1
                native.sent_at = now
                native.blind = not (self.complete_passes or self.informed)
                native.reach = self._in_reach(native.symbol)
                for key in native.reach:
                    self._sent(self.tracks[key], now)
                due.append(SendNative(native.symbol))
        return due

    def _in_reach(self, symbol: str | None) -> tuple[OrderKey, ...]:
        return tuple(
            key
            for key, track in self.tracks.items()
            if track.stage in (Stage.WANTED, Stage.UNKNOWN, Stage.REFUSED)
            and key not in self._cancels_flying
            and (symbol is None or (track.order and track.order.symbol and track.order.symbol.same(symbol)))
        )

    def reach_of(self, symbol: str | None) -> tuple[OrderKey, ...]:
        """Orders that were known when the cancel-all for a symbol, or (None) for everything, left last."""
        return self._natives[symbol].reach

    def _sent(self, track: Track, now: float) -> None:
        track.attempts += 1
        track.sent_at = now
        track.apply(Event.SEND, now)
        self.changes.note(track.key)

    def _natives_first(self, now: float) -> bool:
        """Whether singles wait for a cancel-all: in flight, or due so soon that they would gain nothing."""
        return any(
            one.flying or (one.wanted and one.next_try <= now + NATIVE_WAIT) for one in self._natives.values()
        )

    def _singles_due(self, now: float) -> list[Action]:
        if self._natives_first(now) or self._unauthorised >= 3:
            return []
        room = self.capabilities.connections - len(self._cancels_flying)
        if room <= 0:
            return []
        if self._survey:
            due = [track for track in self.tracks.values() if self._single_due(track, now)]
            self._queue = deque(track.key for track in plan(due))
        actions: list[Action] = []
        while self._queue and len(actions) < room:
            track = self.tracks[self._queue.popleft()]
            if not self._single_due(track, now):
                continue
            self._leaves(track, now)
            actions.append(SendCancel(track.key))
        return actions

    def one_more(self, now: float) -> OrderKey | None:
        """One more cancel that leaves at this moment, while cancels leave as fast as they can.

        The runner must send it, like an action; how many are in flight is limited by its connections.
        """
        if not self._rushing(now) or self._natives_first(now) or self._unauthorised:
            return None
        while self._queue:
            track = self.tracks[self._queue.popleft()]
            if self._single_due(track, now):
                self._leaves(track, now)
                return track.key
        return None

    def answered(self, now: float) -> None:
        """A cancel was answered; what the answer means is told later, through `took_cancel`."""
        self.last_cancel = max(self.last_cancel, now)

    def _leaves(self, track: Track, now: float) -> None:
        self._cancels_flying.add(track.key)
        self._sent(track, now)
        track.sighted = track.lingering = False
        self._resend.discard(track.key)
        self._pressed.discard(track.key)

    @property
    def queued(self) -> int:
        """How many cancels wait for a free connection."""
        return len(self._queue)

    def coming(self, count: int, now: float) -> list[OrderKey]:
        """Orders whose cancels leave next, the most urgent first, while cancels leave as fast as they can."""
        return list(islice(self._queue, count)) if self._rushing(now) else []

    def _rushing(self, now: float) -> bool:
        """Whether cancels leave as fast as they can: for a short while nothing is read beside them."""
        if not self._queue or self.expired(now) or now - self.started > RUSH:
            return False
        return self.ready(CallClass.CANCEL, now) <= now

    def leaving(self, now: float) -> bool:
        """Whether cancels leave as fast as they can, and are answered: a dead venue delays nobody."""
        return self._rushing(now) and now - self.last_cancel < ANSWERING

    def _stands_back(self, now: float) -> bool:
        """Whether reading can wait a moment, because it would only delay the cancels of other venues."""
        if self.expired(now) or now - self.started > RUSH or not self.crowded(now):
            return False
        return now - max(self.started, self.last_cancel) < STANDING_BACK

    def retry(self, key: OrderKey, now: float) -> bool:
        """Ask again at once, because a person wants it; whether one more cancel is going to leave.

        Only where the last one was refused, blocked or left in doubt, and nothing is in flight for the order:
        pressing a key again and again adds nothing.
        """
        track = self.tracks.get(key)
        if track is None or track.stage.settled or track.stage.flying or key in self._pressed:
            return False
        if track.stage is Stage.WANTED and track.blocked is None:
            return False
        if self.elsewhere(key) or self.expired(now):
            return False
        self._pressed.add(key)
        track.next_try = now
        self._surveyed = -inf
        return True

    def _single_due(self, track: Track, now: float) -> bool:
        if track.key in self._cancels_flying or track.next_try > now or self.elsewhere(track.key):
            return False
        if track.key in self._pressed:
            return not (track.stage.settled or track.stage.flying)
        if track.stage is Stage.WANTED:
            return track.sighted
        if self._asks_again(track):
            return True
        # A cancel that the venue has been "raising" for long is asked for again; at worst it is refused.
        return track.stage is Stage.ACCEPTED and track.lingering and now - track.since > STUCK

    def took_cancel(self, key: OrderKey, outcome: Outcome[CancelAck], now: float, wall: float) -> None:
        """What came of one single cancel."""
        self._cancels_flying.discard(key)
        self.changes.note(key)
        track = self.tracks[key]
        track.unsent = track.unsent + 1 if isinstance(outcome, NotSent) else 0
        if not isinstance(outcome, NotSent):
            self.last_cancel = max(self.last_cancel, now)
            track.ended_at = now
            # A list that was begun while the cancel was on its way says nothing of how it stands now.
            track.sighted = track.lingering = False
            track.requested_wall = track.requested_wall or _asked(track.sent_at, now, wall)
        self._note(outcome)
        if isinstance(outcome, Answered):
            track.acknowledged_wall = track.acknowledged_wall or wall
            track.message = track.blocked = None
            self._took_order(track, outcome.value.order, now, wall)
        else:
            if not (isinstance(outcome, NotSent) and outcome.late and track.message):
                track.message = describe(outcome)
            track.apply(event_of(outcome), now)
            track.blocked = blocked(track.blocked, outcome, now)
            track.disputed = track.revivals > 0
            if isinstance(outcome, NotSent):
                track.attempts -= 1
                track.sighted = True
        tries = track.unsent or track.attempts
        track.next_try = now + jitter(pause(outcome, tries), key.order_id, tries)
        if isinstance(outcome, NotSent) and outcome.hopeless:
            track.next_try, track.sighted = inf, False
        if isinstance(outcome, Unanswered | Throttled) and track.attempts < BLIND_TRIES:
            self._resend.add(key)
        track.next_read = now + READ_AFTER
        self._closed_at = max(self._closed_at, now + READ_AFTER)
        self._soon(now)

    def _took_order(self, track: Track, order: Order | None, now: float, wall: float) -> None:
        if order is not None and order.status.terminal:
            track.end(order, now, wall)
            return
        if order is not None:
            self._odd(order)
            track.describe(order)
        if order is not None and order.venue_status is not None and order.venue_status.same("activated"):
            # A Stop that triggered: the cancel came too late, and what it placed is live under another id.
            track.apply(Event.REFUSE, now)
            track.sighted = True
            track.message = "the Stop triggered before the cancel: it has placed a new order"
            return
        track.apply(Event.TOOK, now)

    def took_native(
        self, symbol: str | None, outcome: Outcome[CancelAllAck], now: float, wall: float
    ) -> None:
        """What came of the venue's own cancel-all."""
        native = self._natives[symbol]
        native.flying = False
        self.changes.note_all()
        native.unsent = native.unsent + 1 if isinstance(outcome, NotSent) else 0
        if native.unsent:
            native.attempts -= 1
        if not isinstance(outcome, NotSent):
            self.last_cancel = max(self.last_cancel, now)
        self._note(outcome)
        named: set[OrderId] = set()
        if isinstance(outcome, Answered):
            native.answered = True
            native.named = native.named or bool(outcome.value.orders or outcome.value.ids)
            named = self._named(outcome.value, native.sent_at, now, wall)
        self._silent(native, outcome, named)
        for key in native.reach:
            track = self.tracks[key]
            if track.stage is not Stage.SENT or key in self._cancels_flying:
                continue
            if not isinstance(outcome, NotSent):
                track.ended_at = now
                track.sighted = track.lingering = False
                track.requested_wall = track.requested_wall or _asked(track.sent_at, now, wall)
            if isinstance(outcome, Answered):
                if key.order_id not in named:
                    track.apply(Event.SILENCE, now)
            else:
                track.attempts -= isinstance(outcome, NotSent)
                track.message = describe(outcome)
                track.apply(event_of(outcome), now)
            track.next_read = now + READ_AFTER
        # Singles need evidence from after the cancel-all: it may have done its work without saying so.
        for track in self.tracks.values():
            if track.stage is Stage.WANTED and not isinstance(outcome, NotSent):
                track.sighted = False
        if not isinstance(outcome, Answered):
            # Without a list there is no order to cancel one by one: then it is all that can be done.
            native.wanted = not definite(outcome) and (native.attempts < NATIVE_TRIES or not self.whole)
            tries = native.unsent or native.attempts
            native.next_try = now + jitter(pause(outcome, tries), self.venue, tries)
        self.learn_spelling(())
        # Where reads are scarce, a first page at once tells whether lists need not be spared any longer.
        self._closed_at = max(self._closed_at, now + (0.0 if self._scarce else READ_AFTER))
        self._soon(now)

    def _silent(self, native: Native, outcome: Outcome[CancelAllAck], named: set[OrderId]) -> None:
        """Remember a cancel-all whose answer does not say what it ended, where no list can have said it."""
        refused = not isinstance(outcome, Answered) and definite(outcome)
        if not native.blind or named or refused or isinstance(outcome, NotSent):
            return
        self.silent_at = native.sent_at if self.silent_at is None else self.silent_at
        # An answer without a name says that there was nothing; a lost one says nothing at all.
        self.untold = self.untold or not isinstance(outcome, Answered)

    def _named(self, ack: CancelAllAck, sent_at: float | None, now: float, wall: float) -> set[OrderId]:
        for order in ack.orders:
            self._observe(order)
            track = self._track(order.key, now)
            self._acknowledged(track, sent_at, now, wall)
            self._took_order(track, order, now, wall)
        for order_id in ack.ids:
            track = self._track(OrderKey(self.venue, None, Family.ORDER, order_id), now)
            self._acknowledged(track, sent_at, now, wall)
            if track.stage is not Stage.ENDED:
                track.apply(Event.TOOK, now)
        return {order.key.order_id for order in ack.orders} | set(ack.ids)

    def _acknowledged(self, track: Track, sent_at: float | None, now: float, wall: float) -> None:
        track.attempts = max(track.attempts, 1)
        track.ended_at = now
        track.sighted = track.lingering = False
        track.message = None
        track.requested_wall = track.requested_wall or _asked(sent_at, now, wall)
        track.acknowledged_wall = track.acknowledged_wall or wall
        track.next_read = now + READ_AFTER

    def _asks_again(self, track: Track) -> bool:
        """No list will ever tell how an unanswered cancel ended: another one is the only question left."""
        return track.stage is Stage.UNKNOWN and track.key in self._resend and self._unlisted(track.key)

    def _again_natively(self, now: float) -> None:
        """Many orders are live after an answered cancel-all: ask once more rather than one by one."""
        if not self._natives or any(one.wanted or one.flying for one in self._natives.values()):
            return
        left = [one for one in self.tracks.values() if one.stage is Stage.WANTED and one.sighted]
        if len(left) <= FEW:
            return
        for native in self._natives.values():
            if native.answered and native.attempts < NATIVE_TRIES:
                native.wanted, native.next_try = True, now

    def _unlisted(self, key: OrderKey) -> bool:
        """Whether the order belongs to a family that the venue does not list: its absence says nothing."""
        spots = {*self.capabilities.blind_spots, *self.blind_spots}
        return key.family is Family.STOP and "stop_orders" in spots


def _asked(sent_at: float | None, now: float, wall: float) -> float:
    """The wall time of a request from its monotonic one."""
    return wall if sent_at is None else wall - (now - sent_at)
