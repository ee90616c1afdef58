"""Everything about the practice B2TRADER that can be switched: attributes, and names in a set of faults.

Both may change at any time. A boolean attribute is switched by its own name in `plan.faults`; a stream mode
by `stream_changed`, `stream_changed_final`, `stream_nothing_when_empty`; an error shape by `errors_list`,
`errors_empty`, `errors_html`. The set `faults` knows those of `mischief` (`hang`, `effect_then_drop`,
`throttle` …) and the following, all with the same `@ROUTE`, `*COUNT` and `once:`. Routes are `exchange`,
`accounts`, `upgrade`, `stream`, `list`, `cancel`, `cancel_stop`, `create`, `negotiate`, `unknown`.

- `throttle_plain`, `throttle_503`: 429 without `Retry-After`, or 503; `throttle_mixed`: only `throttle_pace`
  requests pass, the others get 429 with `Retry-After`, 429 without, and 503 in turn;
- `fill_race`: the order fills just before its DELETE, which then finds it finished; `fill_race_completed`:
  the DELETE answers 200 with `Completed`;
- `stop_activates`: a Stop triggers while it is cancelled, the answer says `Activated`, and there is a new
  order; `stop_activates_before`: the same just before, so that the DELETE finds the Stop finished;
- `wrong_account`: a DELETE answers as for another account's order, and the order lives on;
- `expired_token`: access tokens issued so far are refused (401, 401 at the upgrade, type 7 on open sockets);
  those issued while it is on last half a minute, whatever expiry they claim;
- `token_refused`: the exchange answers 401; `upgrade_403`: sockets are forbidden;
- `reject_new`: created orders are answered 200 with status `Rejected`;
- `wrong_id`: the answer to a DELETE names another order;
- `null_list`, `missing_list`: an item without orders is null, or carries no list at all;
- `no_snapshot`: a subscription gets no first item; `stream_error`: it fails at once; `stream_end`,
  `stream_close`, `stream_drop`: after the first item it ends, or the connection is closed by type 7, or cut;
  `stream_silent`: no item follows the first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from cancel_tui.practice.signalr import HubSwitches

_SHAPES = {"errors_list": "errors", "errors_empty": "empty", "errors_html": "html"}
_MODES = ("full", "changed", "changed_final", "nothing_when_empty")


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
        """Set what the plan's fault names ask for."""
        self.faults = set(names)
        for name in self.faults:
            if isinstance(getattr(type(self), name, None), bool):
                setattr(self, name, True)
            elif name.removeprefix("stream_") in _MODES:
                self.stream_mode = name.removeprefix("stream_")
            self.error_shape = _SHAPES.get(name, self.error_shape)
