"""The report of a drill for people: Markdown, which is also what the console shows. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cancel_tui.text import literal, table

Row = Mapping[str, Any]
LONGEST = 200
"""Rows of a table of orders; the JSON has all of them."""
_STEERING = str.maketrans({char: f"\\{char}" for char in "\\`*_[]<>|#"})
_VERDICTS = {"flat": "FLAT", "not_flat": "NOT FLAT", "unverified": "NOT PROVEN", "not_tried": "not tried"}


def markdown(report: Row) -> str:
    """The whole report as Markdown, with a line feed at its end."""
    lines = [f"# Drill {_safe(report['drill'])}: {'done' if report['done']['met'] else 'NOT done'}", ""]
    if not report["final"]:
        lines += ["**Taken while the drill went on.**", ""]
    lines += [
        "**PRACTICE: every venue below was simulated on this machine.** " + _safe(report["about"]),
        "",
        *_table(("", ""), _head(report)),
        "",
        "## What counts as done",
        "",
        _safe(report["done"]["what"]),
        "",
        *([f"- missing: {_safe(one)}" for one in report["done"]["missing"]] or ["All of it was met."]),
        "",
        "## Venue by venue",
        "",
        "Seconds count from Enter (without an operator: from the beginning of the kill).",
        "",
        *_table(
            (
                "Venue",
                "Live at start",
                "Verdict",
                "Cannot be listed",
                "First request",
                "Last cancel answered",
                "Proven",
                "Really live at end",
                "Contradicted",
            ),
            [_venue(one) for one in report["venues"]],
        ),
        "",
    ]
    lines += [f"- {_safe(one['venue'])}: {_safe(one['error'])}" for one in report["venues"] if one["error"]]
    lines += ["", *_times(report), *_left(report), *_truth(report), *_journal(report)]
    return "\n".join(_squeezed(lines)) + "\n"


def plain_report(report: Row, width: int) -> str:
    """The report for a terminal, without the orders that are as they were said to be."""
    lines = textwrap.wrap(summary(report), width)
    wanted = [f"missing: {one}" for one in report["done"]["missing"]] or [
        "everything that counts as done was met"
    ]
    lines += ["", *(row for one in wanted for row in textwrap.wrap(literal(one, 300), width))]
    head = ("VENUE", "START", "VERDICT", "FIRST", "ANSWERED", "PROVEN", "LEFT", "WRONG")
    rows = [
        (
            one["venue"],
            str(one["live_at_start"]),
            _VERDICTS[one["verdict"]],
            _seconds(one["first_request_seconds"]),
            _seconds(one["last_cancel_answered_seconds"]),
            _seconds(one["proven_seconds"]),
            str(one["live_at_end"]),
            str(one["truth"]["contradict"]),
        )
        for one in report["venues"]
    ]
    lines += ["", *table(head, rows, frozenset({1, 3, 4, 5, 6, 7})), ""]
    did = [f"{name.replace('_', ' ')} {count}" for name, count in report["operator_did"].items() if count]
    lines += [*textwrap.wrap(f"you: {', '.join(did) or 'nothing yet'}", width), ""]
    lines += [
        f"{_seconds(one['seconds']):>10}  {literal(one['step'], width - 12)}" for one in report["steps"]
    ]
    wrong = [one for one in report["orders"] if one["judgement"] == "contradict" or one["live_at_end"]]
    if wrong:
        lines += ["", "left, or not as it was said to be:"]
    lines += [literal(f"  {one['venue']} {one['order']}: {one['why']}", 300) for one in wrong[:LONGEST]]
    return "\n".join(lines)


def summary(report: Row) -> str:
    """The report in one line."""
    took = (report["times"] or {}).get("verdict_seconds")
    words = [f"drill {report['drill']}: {'done' if report['done']['met'] else 'NOT done'}"]
    words.append(_VERDICTS[report["verdict"]] + (f" in {took:.1f} s" if took is not None else ""))
    words.append(
        f"{report['live_at_start']} orders at the start, {report['live_at_end']} really live at the end"
    )
    truth = report["truth"]
    words.append(f"{truth['agree']} as they were said to be, {truth['contradict']} not")
    return literal("; ".join(words), 400)


def _head(report: Row) -> list[tuple[str, str]]:
    ground = report["ground"]
    lively = [f"{name} {rate}/s" for name, rate in ground["activity_per_second"].items() if rate]
    return [
        ("Verdict", _VERDICTS[report["verdict"]]),
        ("Began, ended", f"{report['started_at']}, {report['ended_at']}"),
        ("Operator, host", f"{_safe(report['operator'])}, {_safe(report['host'])}"),
        ("At the keys", "a person" if report["mode"] == "console" else "nobody: fired automatically"),
        ("Version", f"cancel-tui {_safe(report['version'])}"),
        ("Book", f"{ground['orders']} orders, seed {ground['seed']}, {ground['latency_ms']:g} ms per answer"),
        ("Faults", _safe(", ".join(ground["faults"])) or "none"),
        ("Moving by itself", ", ".join(lively) or "nothing"),
        ("Live at the start", str(report["live_at_start"])),
        ("Really live at the end", str(report["live_at_end"])),
    ]


def _venue(one: Row) -> tuple[str, ...]:
    return (
        _safe(one["venue"]),
        str(one["live_at_start"]),
        _VERDICTS[one["verdict"]],
        _safe(", ".join(one["blind_spots"])) or "–",
        _seconds(one["first_request_seconds"]),
        _seconds(one["last_cancel_answered_seconds"]),
        _seconds(one["proven_seconds"]),
        str(one["live_at_end"]),
        str(one["truth"]["contradict"]),
    )


def _times(report: Row) -> list[str]:
    lines = ["## How long it took", ""]
    times = report["times"]
    if times is None:
        lines += ["No kill was fired.", ""]
    else:
        names = (
            ("start_to_armed_seconds", "from the brief to the chord"),
            ("armed_to_word_seconds", "from the chord to the whole word"),
            ("word_to_enter_seconds", "from the word to Enter"),
            ("enter_to_begun_seconds", "from Enter to the decision on record"),
            ("first_request_seconds", "from Enter to the first request"),
            ("last_cancel_answered_seconds", "from Enter to the answer to the last cancel"),
            ("verdict_seconds", "from Enter to the verdict"),
        )
        told = [(words, _seconds(times[name])) for name, words in names if times[name] is not None]
        lines += [*_table(("Step", "Took"), told), ""]
    did = [f"{name.replace('_', ' ')} {count}" for name, count in report["operator_did"].items() if count]
    lines += [f"What the operator did: {', '.join(did) or 'nothing'}.", "", "### Step by step", ""]
    rows = [
        (_seconds(one["seconds"]), _seconds(one["took"]), _safe(one["step"]), one["at"])
        for one in report["steps"]
    ]
    return [*lines, *_table(("Since the start", "Since the step before", "Step", "At"), rows[:LONGEST]), ""]


def _left(report: Row) -> list[str]:
    lines = ["## What was left", ""]
    if not report["left"]:
        return [*lines, "By the venues' own books nothing is live.", ""]
    head = ("Venue", "Order", "Symbol", "Side", "Said", "Judged", "Why")
    rows = [
        tuple(_safe(one[name]) for name in ("venue", "order", "symbol", "side", "said", "judgement", "why"))
        for one in report["left"]
    ]
    return [*lines, *_table(head, rows[:LONGEST]), *_more(rows), ""]


def _truth(report: Row) -> list[str]:
    truth, orders = report["truth"], report["orders"]
    lines = [
        "## What was said, held against the venues' own books",
        "",
        f"{truth['agree']} orders agree, **{truth['contradict']} contradict**, {truth['named']} live where "
        f"the verdict says that nobody can list, {truth['since']} changed or were placed afterwards, "
        f"nothing was claimed of {truth['unclaimed']}.",
        "",
    ]
    head = ("Venue", "Order", "Symbol", "Side", "Said", "Filled", "Really", "Filled", "Judged", "Why")
    names = (
        "venue",
        "order",
        "symbol",
        "side",
        "said",
        "said_filled",
        "really",
        "really_filled",
        "judgement",
        "why",
    )
    first = ("contradict", "unclaimed", "since", "named", "agree")
    ordered = sorted(orders, key=lambda one: first.index(one["judgement"]))
    rows = [tuple(_safe(one[name]) for name in names) for one in ordered]
    return [*lines, *_table(head, rows[:LONGEST]), *_more(rows), ""]


def _journal(report: Row) -> list[str]:
    journal = report["journal"]
    if journal["hash"] is None:
        return ["## The record", "", "The journal could not be read: this report stands alone.", ""]
    whole = "its chain holds" if journal["intact"] else "**ITS CHAIN IS BROKEN**"
    return [
        "## The record",
        "",
        f"Journal file `{journal['file']}`, {journal['records']} records, {whole}; the hash of the last one "
        f"is `{journal['hash']}`.",
        "",
    ]


def _more(rows: Sequence[object]) -> list[str]:
    return [f"\n… and {len(rows) - LONGEST} more; the JSON has all of them."] if len(rows) > LONGEST else []


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def _safe(value: object) -> str:
    """Foreign text as text, whatever it holds."""
    return "–" if value is None else literal(str(value), 300).translate(_STEERING)


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f} s" if value < 10 else f"{value:.1f} s"


def _squeezed(lines: Iterable[str]) -> list[str]:
    """No two empty lines in a row, none at the end."""
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(line)
    while kept and not kept[-1]:
        kept.pop()
    return kept
