"""Orders, kill and cancel as processes, against practice venues in another process."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.system.shell import Done, Floor, practice

ORDER_KEYS = frozenset(
    {"venue", "account", "order_id", "client_order_id", "family", "symbol", "display_symbol", "exchange"}
    | {"side", "type", "time_in_force", "price", "trigger_price", "quantity", "filled", "remaining"}
    | {"average_price", "fee", "reduce_only", "status", "venue_status", "source", "created_at", "updated_at"}
)
VENUE_KEYS = {"venue", "kind", "state", "complete", "error", "blind_spots", "clock_offset_ms"}
KILL_KEYS = frozenset(
    {"kill_id", "scope", "unmatched", "reason", "started_at", "finished_at", "verdict", "venues", "orders"}
)
RESULT_KEYS = {"venue", "verdict", "requests", "throttled", "error", "blind_spots"}
ENDED_KEYS = frozenset(
    {"venue", "account", "order_id", "symbol", "outcome", "filled", "last_seen_filled", "newcomer"}
    | {"attempts", "requested_at", "acknowledged_at", "confirmed_at", "message"}
)
AMOUNTS = ("price", "trigger_price", "quantity", "filled", "remaining", "average_price", "fee")
TYPES = {"limit", "market", "stop", "stop_limit", "take_profit", "unknown"}
LIVE = {"pending_new", "open", "partially_filled", "pending_cancel", "unknown"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    """Venues that no test of this module takes an order from."""
    with practice(tmp_path_factory.mktemp("floor"), "--orders", "25") as found:
        yield found
        assert found.shell.leaks() == []


@pytest.fixture
def doomed(tmp_path: Path) -> Iterator[Floor]:
    """Venues of one test's own."""
    with practice(tmp_path / "doomed", "--orders", "25") as found:
        yield found
        assert found.shell.leaks() == []


def by_venue(rows: list[dict[str, Any]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row["venue"], set()).add(row["order_id"])
    return found


def listable(floor: Floor) -> dict[str, dict[str, dict[str, str]]]:
    """What is live and no Stop order: those cannot be listed."""
    return {
        name: {key: one for key, one in floor.live(name).items() if one["family"] != "stop"}
        for name in floor.origins
    }


# ---------------------------------------------------------------------- orders


def test_orders_json_has_every_key_of_the_contract_and_says_what_is_live(floor: Floor) -> None:
    done = floor.shell("orders", "--json")
    assert done.status == 0
    found = done.json
    assert set(found) == {"taken_at", "unmatched", "venues", "orders"}
    assert TIME.fullmatch(found["taken_at"])
    assert found["unmatched"] == []
    assert [one["venue"] for one in found["venues"]] == list(floor.origins)
    for venue in found["venues"]:
        assert set(venue) >= VENUE_KEYS
        assert (venue["state"], venue["complete"], venue["error"]) == ("live", True, None)
        assert isinstance(venue["clock_offset_ms"], int)
    spots = {one["venue"]: one["blind_spots"] for one in found["venues"]}
    assert spots["broker"] == ["stop_orders"]
    assert spots["cs-fut"] == ["hft", "older_than:91d"]
    truth = listable(floor)
    assert by_venue(found["orders"]) == {name: set(orders) for name, orders in truth.items() if orders}
    for order in found["orders"]:
        check_order(order, truth[order["venue"]][order["order_id"]])


def check_order(order: dict[str, Any], truth: dict[str, str]) -> None:
    assert set(order) >= ORDER_KEYS
    for name in AMOUNTS:
        assert order[name] is None or re.fullmatch(r"-?\d+(\.\d+)?", order[name]), (name, order[name])
    for name in ("created_at", "updated_at"):
        assert order[name] is None or TIME.fullmatch(order[name])
    assert order["type"] in TYPES
    assert order["status"] in LIVE
    assert order["side"] == truth["side"]
    assert order["symbol"] == truth["symbol"]
    assert order["family"] == "order"
    assert Decimal(order["quantity"]) == Decimal(truth["quantity"])
    assert Decimal(order["filled"]) == Decimal(truth["filled"])
    assert Decimal(order["remaining"]) == Decimal(truth["quantity"]) - Decimal(truth["filled"])


def test_a_scope_narrows_by_all_options_and_within_one_option_by_any(floor: Floor) -> None:
    truth = floor.live("cs-spot")
    symbols = {one["symbol"] for one in truth.values()}
    one, *_ = sorted(symbols)
    found = floor.shell("orders", "--json", "--venue", "CS-SPOT", "--symbol", one.lower()).json
    assert {order["order_id"] for order in found["orders"]} == {
        key for key, order in truth.items() if order["symbol"] == one
    }
    assert found["unmatched"] == []
    both = ("--side", "buy", "--side", "SELL")
    found = floor.shell("orders", "--json", "--venue", "cs-spot", *both).json
    assert {order["order_id"] for order in found["orders"]} == set(truth)
    found = floor.shell("orders", "--json", "--venue", "cs-spot", "--side", "sell", "--symbol", one).json
    assert {order["order_id"] for order in found["orders"]} == {
        key for key, order in truth.items() if order["symbol"] == one and order["side"] == "sell"
    }


def test_orders_for_people_go_to_standard_output_and_the_rest_to_standard_error(floor: Floor) -> None:
    done = floor.shell("orders", "--venue", "broker", "--venue", "cs-spot")
    assert done.status == 0
    lines = done.out.splitlines()
    assert lines[0].split()[:3] == ["VENUE", "ACCOUNT", "SYMBOL"]
    truth = listable(floor)
    assert len(lines) == 1 + len(truth["broker"]) + len(truth["cs-spot"])
    for order_id in (*truth["broker"], *truth["cs-spot"]):
        assert order_id in done.out
    assert "broker: cannot be listed: stop_orders" in done.err


def test_a_value_that_occurs_nowhere_is_named_and_the_list_is_complete_all_the_same(floor: Floor) -> None:
    done = floor.shell("orders", "--json", "--venue", "cs-spot", "--symbol", "NOPE/INR")
    assert done.status == 0
    assert done.json["unmatched"] == ["NOPE/INR"]
    assert done.json["orders"] == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("{globals}", "orders", "--json", "--venue", "p99"),
        ("orders", "{globals}", "--json", "--venue", "p99"),
        ("orders", "--json", "--venue", "p99", "{globals}"),
    ],
    ids=["before the command", "right after it", "at the end"],
)
def test_global_options_may_stand_before_and_after_the_command(
    floor: Floor, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """The environment names a file that is not there, so only the option can have been heard."""
    shell = floor.shell
    elsewhere = ["--config", str(shell.config), "--data-dir", str(tmp_path / "keys"), "--read-only"]
    words = [word for one in arguments for word in (elsewhere if one == "{globals}" else [one])]
    shell.environment = {"CANCEL_TUI_CONFIG": str(tmp_path / "missing.toml")}
    try:
        done = shell(*words)
    finally:
        shell.environment = {}
    assert done.status == 0, done.err
    assert len(done.json["orders"]) == len(floor.live("p99"))
    assert (tmp_path / "keys" / "journal").is_dir()


def test_a_configuration_that_is_called_like_a_command_is_no_command(floor: Floor) -> None:
    named = floor.shell.home / "kill"
    named.write_bytes(floor.shell.config.read_bytes())
    done = floor.shell("--config", "kill", "orders", "--json", "--venue", "roxom")
    assert done.status == 0, done.err
    assert len(done.json["orders"]) == len(floor.live("roxom"))


# ---------------------------------------------------------------------- usage and configuration


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("orders", "--venue", "nowhere"), "--venue nowhere: no such venue; configured are cs-spot"),
        (("kill", "--yes", "--venue", "nowhere"), "--venue nowhere: no such venue"),
        (("cancel", "nowhere", "1"), "nowhere: no such venue"),
        (("kill", "--yes", "--read-only"), "--read-only"),
        (("--read-only", "kill", "--yes"), "--read-only"),
        (("cancel", "cs-spot", NOBODY, "--read-only"), "--read-only"),
        (("kill",), "without a terminal say --yes"),
        (("kill", "--yes", "--side", "both"), "--side"),
        (("kill", "--yes", "--older-than", "soon"), "--older-than"),
        (("cancel", "cs-spot", "stop:1"), "stop:ID is for b2trader"),
        (("cancel", "cs-spot", ""), "must not be empty"),
        (("cancel", "cs-spot", NOBODY, "../x"), "../x: no order id of cs-spot"),
        (("cancel", "p99", NOBODY, "17"), "17: no order id of p99"),
        (("cancel", "cs-spot"), "ORDER_ID"),
        (("kill", "--yes", "--ven", "cs-spot"), "--ven"),
        (("--config", "/nonexistent/file.toml", "orders"), "no such file"),
        (("frobnicate",), "frobnicate"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, tuple) else "",
)
def test_what_cannot_be_meant_ends_with_2_and_nothing_is_sent(
    floor: Floor, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    before = {name: set(floor.live(name)) for name in ("cs-spot", "broker")}
    done = floor.shell(*arguments, "--data-dir", str(tmp_path / "data"))
    assert done.status == 2
    assert done.out == ""
    assert says in done.err
    assert not (tmp_path / "data").exists()
    assert {name: set(floor.live(name)) for name in before} == before


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[venues.a\nkind =", "no valid TOML"),
        ('[venues.a]\nkind = "roxom"\ncolour = "red"\n', "[venues.a] colour: unknown key"),
        ('[venues.a]\nkind = "roxom"\napi_secret = "abcdefgh12345678"\n', "cancel-tui keys set"),
        ('[venues.a]\nkind = "kraken"\n', "[venues.a] kind: must be one of"),
        ('[venues.a]\nkind = "b2trader"\n', "[venues.a] base_url: required"),
        ('[venues.a]\nkind = "roxom"\nbase_url = "http://roxom.example"\n', "loopback"),
        ('[venues.a]\nkind = "roxom"\ncredentials = "practice"\n', "loopback"),
        ('[venues.a]\nkind = "roxom"\n[venues.a.limits]\ncancel = "0/1"\n', "limits.cancel"),
        ("[surprise]\n", "surprise"),
        ("", "no venue is configured"),
    ],
)
def test_a_configuration_that_cannot_be_used_ends_with_2_and_names_the_place(
    floor: Floor, tmp_path: Path, text: str, says: str
) -> None:
    config = tmp_path / "broken.toml"
    config.write_text(text)
    done = floor.shell("kill", "--yes", "--config", str(config), "--data-dir", str(tmp_path / "data"))
    assert done.status == 2
    assert done.out == ""
    assert says in done.err
    assert str(config) in done.err
    assert "abcdefgh12345678" not in done.err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "command", ["orders", "cancel a 1", "doctor", "keys list", "keys set a", "keys test"]
)
def test_every_command_that_reads_the_configuration_refuses_a_wrong_one(
    floor: Floor, tmp_path: Path, command: str
) -> None:
    config = tmp_path / "broken.toml"
    config.write_text('[venues.a]\nkind = "roxom"\ncolour = "red"\n')
    done = floor.shell(*command.split(), "--config", str(config))
    assert (done.status, done.out) == (2, "")
    assert "[venues.a] colour: unknown key" in done.err


def test_an_account_that_is_not_configured_is_a_slip(floor: Floor, tmp_path: Path) -> None:
    config = tmp_path / "one.toml"
    config.write_text(floor.shell.config.read_text() + 'accounts = ["66f06ba36080956bf802361c"]\n')
    for command in (("orders",), ("kill", "--yes"), ("cancel", "broker", "1")):
        done = floor.shell(*command, "--account", "nobody", "--config", str(config))
        assert done.status == 2
        assert "--account nobody" in done.err


# ---------------------------------------------------------------------- not provable


@pytest.fixture
def half_locked(floor: Floor, tmp_path: Path) -> Path:
    """A configuration with one venue that has no credentials and one that works."""
    config = tmp_path / "locked.toml"
    text = floor.shell.config.read_text().split("\n\n", 1)[0]
    config.write_text(
        text + f'\n[venues.shut]\nkind = "roxom"\nbase_url = "http://{floor.origins["roxom"]}"\n'
    )
    return config


def test_a_venue_without_credentials_is_locked_and_its_list_not_proven(
    floor: Floor, half_locked: Path
) -> None:
    done = floor.shell("orders", "--json", "--config", str(half_locked))
    assert done.status == 3
    states = {one["venue"]: (one["state"], one["complete"]) for one in done.json["venues"]}
    assert states == {"cs-spot": ("live", True), "shut": ("locked", False)}
    assert {one["order_id"] for one in done.json["orders"]} == set(floor.live("cs-spot"))


def test_a_kill_of_a_locked_venue_is_unverified(floor: Floor, half_locked: Path) -> None:
    done = floor.shell("kill", "--yes", "--json", "--venue", "shut", "--config", str(half_locked))
    assert done.status == 3
    assert done.json["verdict"] == "unverified"
    (venue,) = done.json["venues"]
    assert (venue["venue"], venue["verdict"]) == ("shut", "unverified")
    assert "keys set" in venue["error"]
    assert set(venue["requests"].values()) == {0}


def test_a_cancel_at_a_locked_venue_names_the_order_as_unknown(floor: Floor, half_locked: Path) -> None:
    done = floor.shell("cancel", "shut", NOBODY, "--json", "--config", str(half_locked))
    assert done.status == 3
    (order,) = done.json["orders"]
    assert (order["order_id"], order["outcome"]) == (NOBODY, "unknown")


@pytest.mark.parametrize("venue", ["cs-spot", "cs-fut", "roxom", "p99", "broker"])
def test_an_order_that_nobody_knows_is_unknown(floor: Floor, venue: str) -> None:
    unknown = "01K00000000000000000000000" if venue == "broker" else NOBODY
    done = floor.shell("cancel", venue, unknown, "--json", "--deadline", "10")
    assert done.status == 3, done.err
    (order,) = done.json["orders"]
    assert set(order) >= ENDED_KEYS
    assert (order["order_id"], order["outcome"], order["filled"]) == (unknown, "unknown", None)
    assert done.json["verdict"] == "unverified"
    assert [one["venue"] for one in done.json["venues"]] == [venue]


@pytest.mark.parametrize("option", ["--symbol", "--exchange", "--account"])
def test_a_slip_of_the_pen_never_reads_as_flat(floor: Floor, option: str) -> None:
    before = set(floor.live("cs-spot"))
    done = floor.shell("kill", "--yes", "--json", "--venue", "cs-spot", option, "NOPE")
    assert done.status == 3
    assert done.json["unmatched"] == ["NOPE"]
    assert done.json["verdict"] == "unverified"
    assert done.json["orders"] == []
    assert set(floor.live("cs-spot")) == before


# ---------------------------------------------------------------------- the kill


def test_a_kill_of_everything_is_flat_and_nothing_but_stop_orders_is_left(doomed: Floor) -> None:
    truth = listable(doomed)
    done = doomed.shell("kill", "--yes", "--json", "--reason", "end of the day")
    assert done.status == 0, done.out + done.err
    found = done.json
    assert set(found) >= KILL_KEYS
    assert (found["verdict"], found["reason"], found["unmatched"]) == ("flat", "end of the day", [])
    assert found["scope"] == {"venue": [], "account": [], "symbol": [], "side": [], "exchange": []}
    assert TIME.fullmatch(found["started_at"])
    assert TIME.fullmatch(found["finished_at"])
    assert [one["venue"] for one in found["venues"]] == list(doomed.origins)
    for venue in found["venues"]:
        assert set(venue) >= RESULT_KEYS
        assert (venue["verdict"], venue["error"]) == ("flat", None)
        assert set(venue["requests"]) >= {"cancel_all", "cancel", "list", "status", "closed"}
        assert venue["requests"]["list"] >= 2
    left = {one["family"] for name in doomed.origins for one in doomed.live(name).values()}
    assert left <= {"stop"}
    assert by_venue(found["orders"]) == {name: set(orders) for name, orders in truth.items() if orders}
    for order in found["orders"]:
        check_end(order, doomed.endings(order["venue"])[order["order_id"]])
    check_journal(doomed, found["kill_id"])


def check_end(order: dict[str, Any], truth: dict[str, str]) -> None:
    assert set(order) >= ENDED_KEYS
    assert order["newcomer"] is False
    for name in ("requested_at", "acknowledged_at", "confirmed_at"):
        assert order[name] is None or TIME.fullmatch(order[name])
    if order["outcome"] == "gone":
        # Only this venue cannot say how an order ended.
        assert order["venue"] == "broker"
        assert truth["state"] in {"cancelled", "filled"}
        assert order["filled"] is None
        assert order["last_seen_filled"] is not None
    else:
        assert (order["outcome"], truth["state"]) in {("canceled", "cancelled"), ("filled", "filled")}
        assert Decimal(order["filled"]) == Decimal(truth["filled"])
        assert order["confirmed_at"] is not None


def check_journal(floor: Floor, kill_id: str) -> None:
    """The record of the kill that just ended is whole, readable and exportable."""
    verified = floor.shell("journal", "verify", "--json")
    assert (verified.status, verified.json["intact"], verified.json["faults"]) == (0, True, [])
    assert verified.json["kills_without_end"] == []
    exported = floor.shell("journal", "export", "--kill", kill_id, "--json").json
    assert (exported["kill_id"], exported["verdict"]) == (kill_id, "flat")
    kinds = [record["kind"] for record in exported["records"]]
    assert (kinds[0], kinds[-1]) == ("kill_begin", "kill_end")
    assert "request" in kinds
    assert all(one["intact"] for one in exported["files"])


def test_a_scoped_kill_touches_nothing_beside_its_scope(doomed: Floor) -> None:
    truth = doomed.live("cs-spot")
    symbol = sorted(one["symbol"] for one in truth.values())[0]
    inside = {key for key, one in truth.items() if one["symbol"] == symbol}
    done = doomed.shell("kill", "--yes", "--json", "--venue", "cs-spot", "--symbol", symbol)
    assert done.status == 0, done.err
    assert done.json["scope"]["symbol"] == [symbol]
    assert {one["order_id"] for one in done.json["orders"]} == inside
    assert set(doomed.live("cs-spot")) == set(truth) - inside
    assert {"cs-spot"} == {one["venue"] for one in done.json["venues"]}


def test_the_typed_word_fires_and_another_word_does_not(doomed: Floor) -> None:
    before = set(doomed.live("p99"))
    assert before
    done, _ = doomed.shell.typed("kill", "--venue", "p99", answers=[("Type KILL", "kill\n")])
    assert done.status == 2
    assert "nothing was sent" in done.err
    assert set(doomed.live("p99")) == before
    done, _ = doomed.shell.typed("kill", "--venue", "p99", "--json", answers=[("Type KILL", "KILL\n")])
    assert done.status == 0, done.err
    assert done.json["verdict"] == "flat"
    assert doomed.live("p99") == {}


def test_a_preview_tells_what_would_go_before_the_word_is_asked_for(doomed: Floor) -> None:
    before = set(doomed.live("broker"))
    done, _ = doomed.shell.typed("kill", "--preview", "--side", "buy", answers=[("Type KILL", "no\n")])
    assert done.status == 2
    lines = {line.split()[0]: line.split() for line in done.err.splitlines() if line.split()}
    buys = sum(one["side"].lower() == "buy" for one in doomed.live("p99").values())
    assert lines["p99"][1:4] == [str(buys), str(buys), "0"]
    assert lines["p99"][5:8] == ["one", "by", "one"]
    done, _ = doomed.shell.typed("kill", "--preview", answers=[("Type KILL", "no\n")])
    assert "stop or take-profit orders go too" in done.err
    assert "--keep-protective leaves them: one by one, about" in done.err
    assert "stop_orders" in done.err
    assert set(doomed.live("broker")) == before


def test_one_named_order_per_venue_ends_and_no_other(doomed: Floor) -> None:
    truth = listable(doomed)
    running = {}
    for name, orders in truth.items():
        wanted = sorted(orders)[0]
        running[name] = (wanted, doomed.shell.start("cancel", name, wanted, "--json"))
    for name, (wanted, process) in running.items():
        done: Done = doomed.shell.ended(process)
        assert done.status == 0, (name, done.out, done.err)
        assert set(done.json) >= KILL_KEYS
        assert done.json["verdict"] == "flat"
        (order,) = done.json["orders"]
        assert (order["venue"], order["order_id"]) == (name, wanted)
        check_end(order, doomed.endings(name)[wanted])
        left = {key for key, one in doomed.live(name).items() if one["family"] != "stop"}
        assert left == set(truth[name]) - {wanted}


def test_a_venue_that_ignores_cancels_is_known_to_be_not_flat(tmp_path: Path) -> None:
    faults = ("--faults", "cancel_noop,cancel_all_noop")
    with practice(tmp_path / "deaf", "--orders", "25", *faults) as floor:
        before = set(floor.live("roxom"))
        assert before
        done = floor.shell("kill", "--yes", "--json", "--venue", "roxom", "--deadline", "2")
        assert done.status == 1, done.err
        assert done.json["verdict"] == "not_flat"
        assert {one["order_id"] for one in done.json["orders"] if one["outcome"] == "open"} == before
        done = floor.shell("cancel", "roxom", min(before), "--deadline", "2")
        assert done.status == 1, done.out
        assert "NOT FLAT" in done.out


def test_a_stop_order_is_cancelled_where_its_account_is_named_and_looked_for_nowhere_else(
    doomed: Floor,
) -> None:
    stop = next(one for one in doomed.live("broker").values() if one["family"] == "stop")
    named = f"stop:{stop['order_id']}"
    done = doomed.shell("cancel", "broker", named, "--json")
    assert done.status == 3
    assert "--account" in done.json["venues"][0]["error"]
    assert stop["order_id"] in doomed.live("broker")
    done = doomed.shell("cancel", "broker", named, "--account", stop["account"], "--json")
    assert done.status == 0, done.out
    assert [one["outcome"] for one in done.json["orders"]] == ["canceled"]
    assert stop["order_id"] not in doomed.live("broker")


def test_a_dead_venue_is_down_and_holds_up_no_other(floor: Floor, tmp_path: Path) -> None:
    config = tmp_path / "dead.toml"
    text = floor.shell.config.read_text().split("\n\n", 1)[0]
    config.write_text(text + '\n[venues.gone]\nkind = "p99-spot"\nbase_url = "http://127.0.0.1:1/api/v1"\n')
    keys = {"jwt": "eyJh.eyJz.c2ln"}
    assert floor.shell("keys", "set", "gone", "--from-stdin", "--config", str(config), stdin=json.dumps(keys))
    done = floor.shell("orders", "--json", "--config", str(config))
    assert done.status == 3
    states = {one["venue"]: (one["state"], one["complete"]) for one in done.json["venues"]}
    assert states == {"cs-spot": ("live", True), "gone": ("down", False)}
    assert len(done.json["orders"]) == len(floor.live("cs-spot"))
