"""Drills as data: which book, which faults, what the operator is told, and what counts as done.

A drill runs on the practice venues under a seed. What is really live, and how every order really ended, is
read from the venues' own books, which the desk never sees.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cancel_tui.practice.cluster import Cluster
from cancel_tui.practice.market import Activity, State


class DrillError(Exception):
    """A drill that nobody knows; the text names those that are known."""


@dataclass(frozen=True, slots=True)
class Drill:
    """One scenario."""

    name: str
    sentence: str
    """What happens, for the list of drills."""
    see: tuple[str, ...]
    """What the operator will see, a sentence each."""
    do: tuple[str, ...]
    """What the operator is to do, a sentence each."""
    done: str
    """What counts as done, for people; the next three fields say it for the judge."""
    proven: frozenset[str]
    """Venues that must be proven flat."""
    doubtful: frozenset[str] = frozenset()
    """Venues that must not be called flat, because nobody can know."""
    held: bool = False
    """Whether the flat has to be held."""
    orders: int = 60
    """Open orders at the start, over all venues."""
    faults: tuple[str, ...] = ()
    """As `--faults` takes them."""
    activity: Activity = field(default_factory=Activity)
    deadline: float = 120.0
    """Seconds that the kill has where no person is at the keys."""
    hold: float = 0.0
    """Seconds for which flat is held where no person is at the keys."""


_ALL = frozenset(("cs-spot", "cs-fut", "roxom", "p99", "broker"))
_FIRE = "Arm with ^K, read what would go, type KILL, press Enter."

DRILLS: Mapping[str, Drill] = {
    one.name: one
    for one in (
        Drill(
            "calm",
            "A calm book, every venue does as it is told: the whole way from the chord to a proven flat.",
            ("Five venues answer, nothing moves by itself.",),
            (_FIRE, "Watch the board until it says FLAT, then leave with ^Q."),
            "All five venues are proven flat; the broker's waiting Stop orders are named, because nobody can "
            "list them.",
            _ALL,
        ),
        Drill(
            "dead-venue",
            "One venue is dead: p99 takes connections and never answers; the others must not wait for it.",
            (
                "p99 stays DOWN and its orders are unknown; the other venues answer.",
                "The verdict will not be FLAT: nobody can know what is live at p99.",
            ),
            (
                _FIRE,
                "See that four venues come to their proof at once.",
                "Read why p99 is not proven. On a working day: call p99 now. Then leave with ^Q, "
                "which waits for the end of the kill, two minutes at the most.",
            ),
            "Four venues are proven flat, and p99 is not called flat.",
            _ALL - {"p99"},
            frozenset({"p99"}),
            faults=("p99:hang",),
            deadline=8.0,
        ),
        Drill(
            "lying-cancel-all",
            "A cancel-all that lies: p99 and roxom confirm that every order is going and do nothing.",
            (
                "p99 and roxom answer their cancel-all well, and their lists still show the orders.",
                "The desk does not believe the answer: it cancels one by one what the lists still hold.",
            ),
            (_FIRE, "Do not leave before the board says FLAT.", "Leave with ^Q."),
            "All five venues are proven flat, p99 and roxom in spite of their answers.",
            _ALL,
            faults=("p99:cancel_all_lies", "roxom:cancel_all_lies"),
        ),
        Drill(
            "throttled",
            "Throttled futures: cs-fut answers its cancel-all and half of its cancels with 429.",
            (
                "cs-fut allows ten cancels a minute, and those that it refuses count: expect about a minute.",
                "A request that was refused for haste proves nothing: its orders stay unknown until read.",
            ),
            (_FIRE, "Wait for cs-fut; pressing again makes nothing faster.", "Leave with ^Q."),
            "All five venues are proven flat, cs-fut last.",
            _ALL,
            faults=("cs-fut:throttle@cancel_all*3", "cs-fut:throttle@cancel%50"),
            orders=40,
        ),
        Drill(
            "fills",
            "Fills race the cancels: some orders fill, wholly or in part, before their cancel takes effect.",
            (
                "Orders move by themselves, and three cancels in ten come too late.",
                "An order that filled is reported as filled, with its quantity: that is a position now.",
            ),
            (
                _FIRE,
                "On the board press d and read what filled: those positions are open.",
                "Leave with ^Q.",
            ),
            "All five venues are proven flat, and every fill is reported with its quantity.",
            _ALL,
            faults=("fill_race%30", "part_fill_race%20"),
            activity=Activity(fills=0.05, partial_fills=0.1, expiries=0.02),
        ),
        Drill(
            "newcomers",
            "Newcomers: a program goes on placing orders while you cancel; the flat has to be held.",
            (
                "After every third cancel and after each cancel-all new orders appear.",
                "What was placed before the verdict goes with the rest; what comes later only with a hold.",
            ),
            (
                "Arm with ^K, press h to hold, type KILL, press Enter (or press h on the board later).",
                "On a working day: stop the program that places orders.",
                "When the board holds flat, release with r, then leave with ^Q.",
            ),
            "All five venues are proven flat, newcomers included, and the flat was held.",
            _ALL,
            held=True,
            faults=("newcomers",),
            hold=3.0,
        ),
    )
}
"""Every drill by its name."""


def drill_named(name: str) -> Drill:
    """The drill of that name; raises DrillError."""
    if name not in DRILLS:
        raise DrillError(f"{name}: no such drill; known are {', '.join(DRILLS)}")
    return DRILLS[name]


def overview() -> str:
    """Every drill with its sentence, for people."""
    width = max(map(len, DRILLS)) + 2
    return "\n".join(f"{one.name:<{width}}{one.sentence}" for one in DRILLS.values())


@dataclass(frozen=True, slots=True)
class Fact:
    """One order as its venue's own book has it. Times in seconds since the epoch, amounts as decimals."""

    venue: str
    order: str
    account: str
    family: str
    symbol: str
    side: str
    state: str
    """In the words of `market.State`."""
    live: bool
    filled: str
    quantity: str
    created: float
    updated: float


def truth(cluster: Cluster) -> list[Fact]:
    """Every order of every practice venue as it really is now, the finished ones included."""
    found = []
    for venue in cluster.venues:
        venue.book.settle()
        for order in venue.book.orders.values():
            found.append(
                Fact(
                    venue.name,
                    order.id,
                    order.account,
                    order.family,
                    order.symbol,
                    order.side,
                    _ENDS.get(order.state, order.state.value),
                    order.state.live,
                    format(order.filled, "f"),
                    format(order.quantity, "f"),
                    order.created,
                    order.updated,
                )
            )
    return found


_ENDS = {State.CANCELLED: "canceled"}
"""Ends whose usual spelling is another one."""
