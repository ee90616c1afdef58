"""The check-up and the journal as processes: what they find, and that they change nothing."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cancel_tui.cli import machine
from tests.system.shell import Floor, Shell, practice

FINDING = {"check", "venue", "ok", "detail", "remedy", "ms"}

TIMED = {"name": "dns", "connect": "tcp", "http": "http", "credentials": "signed_read"}


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    with practice(tmp_path_factory.mktemp("floor"), "--orders", "15") as found:
        yield found
        assert found.shell.leaks() == []


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def by_check(document: dict[str, Any], venue: str | None) -> dict[str, dict[str, Any]]:
    return {one["check"]: one for one in document["findings"] if one["venue"] == venue}


# ---------------------------------------------------------------------- doctor


def test_a_healthy_desk_has_nothing_wrong_and_nothing_is_written(floor: Floor, tmp_path: Path) -> None:
    data = tmp_path / "data"
    done = floor.shell("doctor", "--json", "--data-dir", str(data))
    assert done.status == 0, done.out
    assert done.json["ok"] is True
    assert all(set(one) == FINDING for one in done.json["findings"])
    assert not data.exists()
    general = by_check(done.json, None)
    assert set(general) == {"configuration", "data_dir", "journal", "versions", "terminal", "keyring"}
    assert (general["configuration"]["ok"], general["data_dir"]["ok"]) == (True, True)
    assert general["data_dir"]["ms"]["fsync"] >= 0
    versions = (
        r"python 3\.\d+.*textual \d.*httpx \d.*cryptography \d.*keyring \d.*OpenSSL \d.*(Linux|Darwin) \d"
    )
    assert re.search(versions, general["versions"]["detail"])
    for name in floor.origins:
        found = by_check(done.json, name)
        good = ("name", "connect", "http", "clock", "credentials", "stream", "budgets")
        assert set(found) >= {*good, "environment", "rights", "blind_spots"}
        for check in good:
            assert found[check]["ok"] is True, found[check]
        for check, what in TIMED.items():
            assert found[check]["ms"][what] >= 0
        assert found["rights"]["ok"] is (True if name.startswith("cs-") else None)
        assert ("opened, subscribed and closed" in found["stream"]["detail"]) is (name != "cs-fut")
        assert re.search(r"[+-]\d+ ms", found["clock"]["detail"])
    assert "stop_orders" in by_check(done.json, "broker")["blind_spots"]["detail"]


def test_the_check_up_for_people_says_at_the_end_what_it_means(floor: Floor) -> None:
    done = floor.shell("doctor")
    assert done.status == 0
    assert done.out.splitlines()[0].split() == ["CHECK", "VENUE", "DETAIL"]
    assert done.out.splitlines()[-1] == "nothing is wrong"


def test_what_other_processes_sent_lately_is_taken_off_the_budget_and_stays_on_record(
    floor: Floor, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    config = tmp_path / "tight.toml"
    text, *_ = floor.shell.config.read_text().split("\n\n")
    config.write_text(text + '\nlimits = { cancel = "2/3600", list = "50/3600" }\n')
    where = ("--data-dir", str(data), "--config", str(config))
    for number in range(2):
        order_id = f"00000000-0000-4000-8000-00000000000{number}"
        assert floor.shell("cancel", "cs-spot", order_id, *where).status == 3
    before = files(data)
    done = floor.shell("doctor", "--json", *where)
    budgets = by_check(done.json, "cs-spot")["budgets"]
    assert "cancel 2/3600 s (0 left)" in budgets["detail"]
    assert budgets["ok"] is None
    assert "cancel in " in budgets["remedy"]
    assert files(data) == before


def test_every_trouble_is_found_at_once_and_says_what_to_do(floor: Floor, tmp_path: Path) -> None:
    config = tmp_path / "ill.toml"
    text, *_ = floor.shell.config.read_text().split("\n\n")
    config.write_text(
        text
        + '\n[venues.down]\nkind = "p99-spot"\nbase_url = "http://127.0.0.1:1/api/v1"\n'
        + '[venues.nameless]\nkind = "b2trader"\nbase_url = "https://no-such-host.invalid"\n'
        + f'[venues.bare]\nkind = "roxom"\nbase_url = "http://{floor.origins["roxom"]}"\n'
        + f'[venues.plain]\nkind = "roxom"\nbase_url = "https://{floor.origins["roxom"]}"\n'
    )
    (tmp_path / "data").write_text("a file where a directory should be")
    done = Shell(tmp_path, config)("doctor", "--json")
    assert done.status == 1
    assert done.json["ok"] is False
    general = by_check(done.json, None)
    assert general["configuration"]["ok"] is True
    assert general["data_dir"]["ok"] is False
    found = {name: by_check(done.json, name) for name in ("down", "nameless", "bare", "plain")}
    assert found["down"]["connect"]["ok"] is False
    assert found["nameless"]["name"]["ok"] is False
    assert "no TLS connection" in found["plain"]["connect"]["detail"]
    assert found["bare"]["connect"]["ok"] is True
    for one in found.values():
        assert one["credentials"]["ok"] is False
        assert "keys set" in one["credentials"]["detail"]
    assert by_check(done.json, "cs-spot")["credentials"]["ok"] is True
    assert all(one["ok"] is True or one["remedy"] for one in done.json["findings"])


def test_each_venue_tells_its_own_trouble_and_none_hides_that_of_another(tmp_path: Path) -> None:
    faults = "cs-spot:skew,cs-fut:unauthorized,roxom:stream_refused,p99:hang,broker:token_refused"
    with practice(tmp_path / "ill", "--orders", "5", "--faults", faults) as floor:
        text = floor.shell.config.read_text()
        floor.shell.config.write_text(
            re.sub(r"(?m)(venues.p99.*\n)", r"\1timeout_seconds = 0.3\n", text), encoding="utf-8"
        )
        done = floor.shell("doctor", "--json")
    assert done.status == 1
    assert all(one["ok"] is True or one["remedy"] for one in done.json["findings"])
    wrong = {
        name: {check for check, one in by_check(done.json, name).items() if one["ok"] is False}
        for name in floor.origins
    }
    assert wrong == {
        "cs-spot": {"clock"},
        "cs-fut": {"credentials"},
        "roxom": {"stream"},
        "p99": {"http", "credentials", "stream"},
        "broker": {"credentials", "stream"},
    }
    assert "NTP" in by_check(done.json, "cs-spot")["clock"]["remedy"]
    assert "rights" in by_check(done.json, "cs-fut")["credentials"]["remedy"]
    assert by_check(done.json, "p99")["connect"]["ok"] is True


@pytest.mark.parametrize(("fast", "ok"), [(0.5, True), (3.0, None), (-3.0, None), (6.0, False)], ids=str)
async def test_a_clock_that_is_off_is_noted_and_past_four_seconds_wrong(fast: float, ok: bool | None) -> None:
    from cancel_tui.cli.checkup import clock_finding

    found = clock_finding("cs-spot", fast)
    assert found.ok is ok
    assert f"{fast * 1000:+.0f} ms" in found.detail
    assert (found.remedy is None) is (ok is True)


# ---------------------------------------------------------------------- journal


@pytest.fixture(scope="module")
def drills(floor: Floor, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A data directory with the record of two kills that found nothing in their scope."""
    home = tmp_path_factory.mktemp("drills")
    shell = Shell(home, floor.shell.config, secrets=floor.shell.secrets)
    for _ in range(2):
        done = shell("kill", "--yes", "--venue", "cs-spot", "--symbol", "NOPE", "--reason", "drill")
        assert done.status == 3
    return shell


@pytest.fixture
def recorded(drills: Shell, tmp_path: Path) -> Shell:
    """The same in a copy that a test may spoil."""
    shutil.copytree(drills.data, tmp_path / "data")
    return Shell(tmp_path, drills.config, secrets=drills.secrets)


def journal_files(shell: Shell) -> list[Path]:
    return sorted(shell.data.glob("journal/*.jsonl"))


def test_the_record_is_shown_newest_last_and_by_kill(recorded: Shell) -> None:
    records = recorded("journal", "--json").json["records"]
    times = [record["at"] for record in records]
    assert times == sorted(times)
    kills = list(dict.fromkeys(record["kill"] for record in records if "kill" in record))
    assert len(kills) == 2
    done = recorded("journal", "show", "--kill", kills[0].upper())
    lines = done.out.splitlines()
    assert len(lines) == sum(record.get("kill") == kills[0] for record in records)
    assert all(kills[0] in line for line in lines)
    assert "kill_begin" in lines[0]
    assert "reason=drill" in lines[0]
    assert "verdict=unverified" in lines[-1]
    done = recorded("journal", "--last", "2", "--json")
    assert [record["kind"] for record in done.json["records"]] == ["kill_end", "closed"]
    assert done.json["records"][0]["kill"] == kills[1]


def test_the_newest_kill_is_exported_unless_another_is_named(recorded: Shell) -> None:
    newest = recorded("journal", "export").json
    records = recorded("journal", "--json").json["records"]
    kills = list(dict.fromkeys(record["kill"] for record in records if "kill" in record))
    assert newest["kill_id"] == kills[1]
    assert (newest["reason"], newest["verdict"], newest["unmatched"]) == ("drill", "unverified", ["NOPE"])
    assert newest["scope"]["symbol"] == ["NOPE"]
    older = recorded("journal", "export", "--json", "--kill", kills[0]).json
    assert older["kill_id"] == kills[0]
    assert [one["kind"] for one in older["records"]][:1] == ["kill_begin"]
    assert older["finished_at"] < newest["started_at"]
    for action in ("show", "export"):
        done = recorded("journal", action, "--kill", "feedfeedfeedfeed")
        assert done.status == 2
        assert "no such kill" in done.err


def alter(line: str) -> str:
    return line.replace('"drill"', '"quill"', 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: [alter(line) for line in lines],
        lambda lines: [lines[0], *lines[2:]],
        lambda lines: lines[1:],
        lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
        lambda lines: [lines[0], lines[1], *lines[1:]],
        lambda lines: [lines[0], lines[1][:-2], *lines[2:]],
        lambda lines: [lines[0], "{}", *lines[1:]],
        lambda lines: [lines[0], '{"seq": null, "at": 5, "hash": ["x"]}', *lines[1:]],
    ],
    ids=["altered", "removed", "beheaded", "swapped", "doubled", "cut in the middle", "foreign", "odd types"],
)
def test_a_changed_record_breaks_the_chain(recorded: Shell, change: Any) -> None:
    path = journal_files(recorded)[0]
    lines = path.read_text().splitlines()
    path.write_text("\n".join(change(lines)) + "\n")
    done = recorded("journal", "verify", "--json")
    assert done.status == 1
    assert done.json["intact"] is False
    (fault,) = done.json["faults"]
    assert fault["file"] == path.name
    done = recorded("journal", "verify")
    assert done.status == 1
    assert "BROKEN" in done.out
    assert path.name in recorded("journal", "show").err


def test_a_last_record_that_was_cut_short_is_a_warning_and_no_break(recorded: Shell) -> None:
    path = journal_files(recorded)[-1]
    *others, end, _closed = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*others, end[:-40]]))
    done = recorded("journal", "verify", "--json")
    assert done.status == 0
    assert done.json["intact"] is True
    (cut,) = done.json["unfinished"]
    assert cut["file"] == path.name
    assert len(done.json["kills_without_end"]) == 1
    assert "warning" in done.err
    exported = recorded("journal", "export")
    assert exported.status == 0
    assert exported.json["verdict"] is None


def test_reading_a_journal_that_is_not_there_makes_none(floor: Floor, tmp_path: Path) -> None:
    shell = Shell(tmp_path, floor.shell.config)
    assert shell("journal", "--json").json["records"] == []
    done = shell("journal", "verify", "--json")
    assert (done.status, done.json["records"], done.json["files"]) == (0, 0, 0)
    done = shell("journal", "export", "--json")
    assert done.status == 2
    assert "no kill on record" in done.err
    assert not shell.data.exists()


async def test_the_check_up_holds_the_journal_against_its_chains_and_names_kills_without_an_end(
    recorded: Shell,
) -> None:
    folder, now = recorded.data / "journal", time.time()
    (fine,) = await machine.journal(folder, now)
    assert (fine.ok, "every chain holds" in fine.detail) == (True, True)
    first, last = journal_files(recorded)
    lines = last.read_text().splitlines(keepends=True)
    end = next(number for number, line in enumerate(lines) if '"kind":"kill_end"' in line)
    last.write_text("".join(lines[:end]))
    _, lost = await machine.journal(folder, now)
    assert (lost.check, lost.ok) == ("unfinished_kill", False)
    assert "cancel-tui kill --resume " in (lost.remedy or "")
    first.write_text("".join(alter(line) for line in first.read_text().splitlines(keepends=True)))
    broken, *_ = await machine.journal(folder, now)
    assert broken.ok is False
    assert first.name in broken.detail
    assert "journal verify" in (broken.remedy or "")


def test_control_characters_in_a_record_reach_no_terminal(recorded: Shell) -> None:
    path = journal_files(recorded)[0]
    record = json.loads(path.read_text().splitlines()[0])
    record["reason"] = "\x1b[2Jgone\u202e"
    path.write_text(json.dumps(record) + "\n")
    done = recorded("journal", "show")
    assert "gone" in done.out
    assert "\x1b" not in done.out
    assert "\u202e" not in done.out
