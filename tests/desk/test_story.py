"""One kill told from its journal alone: every order from the decision to its end."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from math import inf
from pathlib import Path
from typing import Any

from cancel_tui.clock import SystemClock
from cancel_tui.desk.actions import Aim
from cancel_tui.desk.chain import Entry, read_journal
from cancel_tui.desk.engine import Engine
from cancel_tui.desk.journal import Journal
from cancel_tui.desk.kill import Kill
from cancel_tui.desk.preview import VenuePreview
from cancel_tui.desk.report import scope_json
from cancel_tui.desk.story import document, kill_ids, order_stories, state_of
from cancel_tui.desk.trail import PIECE, Trail
from cancel_tui.orders import Family, Order, OrderId, OrderKey, OrderStatus, VenueName, altered, plain
from cancel_tui.redaction import HIDDEN, Secret
from cancel_tui.scope import Scope
from cancel_tui.text import VenueText
from cancel_tui.venues.base import Capabilities, ClosedPage, PartList
from cancel_tui.venues.outcome import Answered, Reason, Refused, Unanswered
from tests.desk.drive import Stage, stage


async def told(at: Stage) -> list[Entry]:
    """Everything that stands in the journal once it is closed."""
    await asyncio.to_thread(at.desk.journal.close, 10)
    folder = at.desk.journal.path
    assert folder is not None
    return list(read_journal(folder.parent))


async def fired(at: Stage, scope: Scope | None = None, **plan: Any) -> Kill:
    kill = at.desk.plan_kill(scope or Scope(raw={}), deadline=300.0, **plan)
    await at.finish(at.desk.start(kill, scope_json(kill.scope)))
    return kill


def events(order: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [event for event in order["events"] if event["event"] == name]


async def test_every_order_can_be_followed_from_the_decision_to_its_proven_end(tmp_path: Path) -> None:
    async with stage(tmp_path, 90) as at:
        kill = await fired(at, reason="feed down")
        entries = await told(at)
    found = document(entries, kill.kill_id)
    assert json.loads(json.dumps(found)) == found
    assert (found["state"], found["verdict"], found["reason"]) == ("ended", "flat", "feed down")
    assert found["operator"]
    assert found["host"]
    assert found["version"]
    assert found["deadline"] == 300.0
    orders = {(one["venue"], one["account"], one["order"]): one for one in found["orders"]}
    tracks = {(str(one.key.venue), one.key.account, one.key.shown_id): one for one in kill.tracks()}
    assert orders.keys() == tracks.keys()
    for key, order in orders.items():
        track = tracks[key]
        assert (order["outcome"], order["filled"]) == (track.outcome.value, plain(track.filled)), key
        assert order["symbol"]
        assert order["side"] in ("buy", "sell")
        assert order["quantity"] == plain(track.order.quantity if track.order else None)
        assert found["started_at"] <= order["requested_at"] <= order["settled_at"] <= found["finished_at"]
        asked = [event for event in events(order, "request") if event["call"] in ("cancel", "cancel_all")]
        came = {event["no"] for event in events(order, "answer")}
        assert asked, key
        assert {event["no"] for event in asked} <= came
        assert events(order, "stage")[-1]["stage"] in ("ended", "gone")
        words = [event for event in events(order, "told") if event.get("status") in ("canceled", "filled")]
        # Only one venue cannot say how an order ended.
        assert words or (order["venue"] == "broker" and order["outcome"] == "gone")
        stamps = [event["at"] for event in order["events"]]
        assert stamps == sorted(stamps)


async def test_a_list_is_told_as_what_is_new_in_it_and_bounded(tmp_path: Path) -> None:
    async with stage(tmp_path, 1000, only="p99") as at:
        kill = await fired(at)
        entries = await told(at)
    lists = [one for _, one in entries if one.get("kind") == "told" and one["of"] == "list"]
    shown: set[str] = set()
    for record in lists:
        size = 0
        for group in record.get("changed", []):
            size += len(group["orders"])
            shown = shown - set(group["orders"]) if group.get("missing") else shown | set(group["orders"])
        assert size <= PIECE
    assert shown == set(), "what is shown last is nothing"
    mentions = sum(len(group["orders"]) for one in lists for group in one.get("changed", []))
    assert mentions <= 3 * len(kill.tracks()), "an order that stays is not told again"
    assert max(len(json.dumps(record)) for _, record in entries) < 200 * PIECE


async def test_a_list_that_shows_the_same_again_tells_only_that(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", SystemClock())
    key = OrderKey(VenueName("p99"), None, Family.ORDER, OrderId("7"))
    engine = Engine(VenueName("p99"), Capabilities(), Aim(Scope(keys=frozenset({key}), raw={})), 0.0)
    trail = Trail(journal, SystemClock(), "k1", engine)
    order = Order(key=key, symbol=VenueText("S"), status=OrderStatus.OPEN)
    part = altered(order, status=OrderStatus.PARTIALLY_FILLED, filled=Decimal("0.5"))
    for found in ((order,), (order,), (part,), (), ()):
        trail.listed({"all": Answered(PartList(found))}, {"all": [1]})
    trail.listed({"all": Answered(PartList((), complete=False))}, {})
    await asyncio.to_thread(journal.close, 5)
    told = [one for _, one in read_journal(tmp_path / "journal") if one["kind"] == "told"]
    assert [len(one["changed"]) for one in told] == [1, 0, 1, 1, 0, 0]
    assert [one["shown"] for one in told] == [1, 1, 1, 0, 0, 0]
    assert told[2]["changed"][0]["filled"] == {"7": "0.5"}
    assert told[3]["changed"][0]["missing"] is True


async def test_an_orders_account_is_part_of_its_story(tmp_path: Path) -> None:
    async with stage(tmp_path, 60, only="broker") as at:
        await fired(at)
        entries = await told(at)
    found = document(entries, kill_ids(entries)[-1])
    assert found["orders"]
    assert all(one["account"] for one in found["orders"])


async def test_the_preview_the_hold_and_the_choice_are_in_the_record(tmp_path: Path) -> None:
    async with stage(tmp_path, 20, only="p99") as at:
        first = min(one["order_id"] for one in at.cluster.live()["p99"])
        key = OrderKey(VenueName("p99"), None, Family.ORDER, OrderId(first))
        seen = [VenuePreview("p99", 1, 1, 0, 0, native=False, seconds=2.0)]
        scope = Scope(keys=frozenset({key}), raw={})
        kill = at.desk.plan_kill(scope, hold=inf, previews=seen)
        task = at.desk.start(kill, scope_json(scope))
        await at.until(lambda: bool(kill.runs) and all(run.engine.flat for run in kill.runs.values()))
        kill.release()
        await at.finish(task)
        entries = await told(at)
    found = document(entries, kill.kill_id)
    assert found["hold"] == "until released"
    assert [one["orders"] for one in found["preview"]] == [1]
    assert [one["kind"] for one in found["holds"]] == ["release"]
    assert [one["order"] for one in found["orders"]] == [key.shown_id]
    assert found["scope"]["order_id"] == [key.shown_id]


async def test_a_kill_that_was_cut_off_anywhere_can_be_told_and_claims_no_more_than_it_knew(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path, 40) as at:
        kill = await fired(at)
        entries = await told(at)
    mine = [one for one in entries if one[1].get("kill") == kill.kill_id]
    ends = {(one.key.venue, one.key.shown_id): one.outcome.value for one in kill.tracks()}
    for cut in range(1, len(mine)):
        found = document(mine[:cut], kill.kill_id)
        assert (found["state"], found["verdict"], found["finished_at"]) == ("open", None, None)
        for order in found["orders"]:
            if order["stage"] in ("ended", "gone"):
                assert order["outcome"] == ends[order["venue"], order["order"]]
            else:
                assert order["outcome"] in ("open", "unknown")
                assert order["settled_at"] is None


async def test_no_secret_is_in_an_export_even_where_a_venue_echoes_it(tmp_path: Path) -> None:
    canary = "canary0123456789abcdefcanary9876543210"
    Secret(canary)
    journal = Journal(tmp_path / "journal", SystemClock())
    key = OrderKey(VenueName("p99"), None, Family.ORDER, OrderId("7"))
    engine = Engine(VenueName("p99"), Capabilities(), Aim(Scope(keys=frozenset({key}), raw={})), 0.0)
    trail = Trail(journal, SystemClock(), "k1", engine)
    journal.note("kill_begin", kill="k1", reason=f"my key is {canary}")
    echo = Order(key=key, symbol=VenueText(canary), venue_status=VenueText(f"<{canary}>"))
    trail.cancel(key, Refused(Reason.ORDER, VenueText(f"bad signature {canary}")), [1])
    trail.read(key, Answered(echo), [2])
    engine.tracks[key].describe(echo)
    trail.listed({canary: Answered(PartList((echo,), note=canary))}, {})
    trail.native(canary, Unanswered(f"reset {canary}"), [3])
    trail.closed(Answered(ClosedPage((echo,))), [4])
    trail.describe()
    await asyncio.to_thread(journal.close, 5)
    entries = list(read_journal(tmp_path / "journal"))
    text = json.dumps(document(entries, "k1"))
    assert canary not in text
    assert text.count(HIDDEN) > 8


def test_states_follow_the_last_word() -> None:
    def left(*kinds: str) -> str:
        return state_of({"kind": kind} for kind in kinds)

    assert left("kill_begin", "request") == "open"
    assert left("kill_begin", "kill_interrupted") == "interrupted"
    assert left("kill_begin", "kill_end", "answer") == "ended"
    assert left("kill_begin", "kill_end", "kill_reopened") == "open"
    assert left("kill_begin", "kill_end", "kill_reopened", "kill_end") == "ended"


def test_records_that_make_no_sense_are_passed_over() -> None:
    nonsense: list[dict[str, Any]] = [
        {"kind": "told", "venue": "a", "of": "list", "changed": [7, {"orders": 3}, {"orders": [None, 4]}]},
        {"kind": "orders", "venue": "a", "groups": [{"orders": [{}]}, "x"]},
        {"kind": "orders", "venue": "a", "groups": [{"orders": ["1"], "filled": 9, "why": 3}]},
        {"kind": "request", "venue": "a", "call": "cancel", "order": []},
        {"kind": "described", "venue": "a", "orders": [{"order": "1", "price": "5"}, 8]},
        {"kind": "order", "venue": 5},
    ]
    (story,) = order_stories(nonsense)
    assert (story.order, story.facts["price"], story.settled) == ("1", "5", False)
