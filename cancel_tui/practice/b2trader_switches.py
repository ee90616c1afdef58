"""Everything about the practice B2TRADER that can be switched: attributes, and names in a set of faults.

Both may change at any time. A boolean attribute is switched by its own name in `plan.faults`; a stream mode
by `stream_changed`, `stream_changed_final`, `stream_nothing_when_empty`; an error shape by `errors_list`,
`errors_empty`, `errors_html`. The set `faults` knows those of `catalogue`, and `OWN` below.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cancel_tui.practice.signalr import HubSwitches

_SHAPES = {"errors_list": "errors", "errors_empty": "empty", "errors_html": "html"}
_MODES = ("full", "changed", "changed_final", "nothing_when_empty")

OWN: Mapping[str, str] = {
    "throttle_503": "503 instead of 429",
    "throttle_mixed": "4 requests a second pass, others get 429 with or without `Retry-After`, or 503",
    "fill_race_completed": "the order fills just before its DELETE, which answers 200 with `Completed`",
    "stop_triggers_before": "a Stop triggers just before its DELETE, which finds it finished",
    "wrong_account": "a DELETE answers as for another account's order, and the order lives on",
    "expired_token": "access tokens are refused, and new ones last half a minute whatever they claim",
    "token_refused": "the token exchange answers 401",
    "upgrade_403": "WebSockets are forbidden",
    "reject_new": "created orders are answered 200 with status `Rejected`",
    "no_snapshot": "a subscription gets no first item",
    "stream_error": "a subscription fails at once",
    "stream_end": "a subscription ends after its first item",
    "stream_close": "the connection is closed by a message after a first item",
    "stream_drop": "the connection is cut after a first item",
    "stream_changed": "later items list only what changed and is still open",
    "stream_changed_final": "the same, and what ended with its last status",
    "stream_nothing_when_empty": "an empty list is not sent",
    "async_cancel": "every DELETE of an order answers `Working`, and the end comes later",
    "rest_lists": "GET of orders and Stop orders answers lists",
    "unknown_enum": "statuses, sources and reasons that no document has, a third of the orders each",
    "number_decimals": "amounts and prices are JSON numbers",
    "coalesce": "stream messages share frames, and are cut over two",
    "mute": "the stream sends no pings",
    "errors_list": "errors are a list",
    "errors_empty": "errors have no body",
    "errors_html": "errors are HTML pages",
}
"""What only this venue can do, by name."""


@dataclass(eq=False)
class Switches(HubSwitches):
    """The switches of one practice venue, those of its hub included."""

    faults: set[str] = field(default_factory=set)
    """Names of misbehaviours that are on, see the module's text."""
    throttle_pace: tuple[int, float] = (4, 1.0)
    """How many requests pass in how many seconds under `throttle_mixed`."""

    async_cancel: bool = False
    """Every DELETE of an order answers `Working` and the end comes later. Without it a third of the orders
    behaves so by the seed, if `plan.cancel_delay` is positive."""
    async_outcome: str = "seeded"
    """How such a cancel ends: `cancelled`, `completed`, or `seeded`: one in ten fills instead."""
    finished_cancel_code: int = 404
    """What a DELETE of a finished order answers: 400, 404, 409 or 422; the venue does not say."""
    wrong_account_code: int = 404
    """What a DELETE of another account's order answers."""
    rest_lists: bool = False
    """Whether GET of `v3/orders` and `v3/stop-orders` answers lists; no document says that it does."""
    public_account_ids: bool = True
    """Whether accounts carry `publicAccountId`, as newer deployments do."""
    exchange_field: str = "accessToken"
    """Under which name the exchange answers its token."""

    stream_mode: str = "full"
    """`full`: every item lists all open orders. `changed`: later items list changed orders that are still
    open. `changed_final`: also those that ended, with their final status. `nothing_when_empty`: as `full`,
    but an empty list is not sent."""
    push_spacing: float = 0.1
    """Least seconds between two items for the same account."""

    number_decimals: bool = False
    """Amounts and prices as JSON numbers instead of strings."""
    unknown_enum: bool = False
    """A third of the orders has a status that no list has, a third such a source, a third such a reason."""
    null_cancellation_date: bool = True
    """A cancelled order carries `cancellationDate: null`, as the documentation's own example does."""
    fractional_digits: tuple[int, ...] = (0, 2, 3, 7)
    """Digits behind the seconds; different times of one order use different ones."""
    error_shape: str = "problem"
    """`problem` (application/problem+json), `errors` (a list), `empty` or `html`."""

    def obey(self, names: Iterable[str]) -> None:
        """Set what the plan's fault names ask for, beyond being in `faults`."""
        for name in names:
            if isinstance(getattr(type(self), name, None), bool):
                setattr(self, name, True)
            elif name.removeprefix("stream_") in _MODES:
                self.stream_mode = name.removeprefix("stream_")
            self.error_shape = _SHAPES.get(name, self.error_shape)
