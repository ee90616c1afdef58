"""Secrets: shown by nothing, found everywhere."""

from __future__ import annotations

import copy
import io
import json
import logging
import pickle
import threading
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancel_tui.redaction import (
    HIDDEN,
    PASSING,
    RedactingFilter,
    Secret,
    _known,
    install_log_net,
    redact,
    redacted,
)

VALUE = "d5c1a9e07b3f4c2288aa41f09e6b7712"
PEM = (
    "-----BEGIN PRIVATE KEY-----\n"
    + "\n".join(
        chr(65 + line) + "Iabcdefgh0123456789ABCDEFGHabcdefgh0123456789ABCDEFGHabcdefgh01"
        for line in range(4)
    )
    + "\n-----END PRIVATE KEY-----\n"
)


def test_a_secret_shows_nothing_of_itself() -> None:
    secret = Secret(VALUE)
    for shown in (
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret!r:>40}",
        f"{secret:>40}",
        repr([secret]),
        repr({"key": secret}),
        json.dumps({"key": secret}, default=str),
        str(ValueError(secret)),
    ):
        assert VALUE not in shown
        assert "hidden" in shown
    assert secret.reveal() == VALUE


def test_a_secret_is_never_pickled_or_copied() -> None:
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="never pickled"):
            attempt(Secret(VALUE))


def test_a_secret_cannot_be_compared_by_value() -> None:
    one, other = Secret(VALUE), Secret(VALUE)
    assert one != other
    assert one.__eq__(one)
    assert len({one, other}) == 2


def test_length_and_emptiness_are_no_secret() -> None:
    assert len(Secret(VALUE)) == 32
    assert not Secret("")


def test_a_secret_has_no_attributes_that_a_dump_would_show() -> None:
    with pytest.raises(TypeError):
        vars(Secret(VALUE))


def test_of_secrets_that_follow_one_another_only_the_newest_are_looked_for() -> None:
    token = "a-token-that-lapses-soon"
    assert repr(Secret.passing(token)) == repr(Secret(VALUE))

    def others(count: int, first: int) -> None:
        for number in range(first, first + count):
            Secret.passing(f"token-number-{number:08}")

    others(PASSING - 1, 0)
    assert redact(token) == HIDDEN
    assert Secret.passing(token).reveal() == token
    others(PASSING - 1, PASSING)
    assert redact(token) == HIDDEN, "it was made anew"
    others(2 * PASSING, 2 * PASSING)
    assert redact(token) == token
    assert redact(VALUE) == HIDDEN, "what lasts is looked for as long as the process lives"
    assert redact(f"token-number-{4 * PASSING - 1:08}") == HIDDEN
    assert len(_known.forms) - len(_known._lasting) <= PASSING


def test_a_text_around_secrets_is_hidden_but_not_looked_for() -> None:
    frame = Secret.around('{"op":"pong","ts":1732000000000}')
    assert str(frame) == HIDDEN
    assert redact(frame.reveal()) == frame.reveal()


def test_a_value_is_found_inside_a_text() -> None:
    Secret(VALUE)
    assert redact(f"GET /x?key={VALUE}&y=1") == f"GET /x?key={HIDDEN}&y=1"


def test_a_value_is_found_in_json_and_in_an_address() -> None:
    value = 'p/q+r "s"\\=tü&u' + "x" * 8
    Secret(value)
    for text in (json.dumps({"a": value}), f"https://h/?k={quote(value, safe='')}", f"k={value}"):
        found = redact(text)
        assert HIDDEN in found
        assert "xxxxxxxx" not in found


def test_no_line_of_a_private_key_survives() -> None:
    Secret(PEM)
    lines = [line for line in PEM.splitlines() if not line.startswith("-----")]
    for text in (PEM, json.dumps({"key": PEM}), repr(PEM), PEM.replace("\n", "\r\n"), lines[2]):
        found = redact(text)
        assert not [line for line in lines if line in found]


def test_the_longer_of_two_secrets_leaves_no_tail() -> None:
    Secret("prefix-0123456789")
    Secret("prefix-0123456789-and-a-tail")
    assert redact("x prefix-0123456789-and-a-tail x") == f"x {HIDDEN} x"


def test_short_values_are_not_hunted() -> None:
    Secret("ab")
    assert redact("cab") == "cab"


@given(st.text(min_size=12, max_size=40), st.text(max_size=30), st.text(max_size=30))
def test_no_text_around_a_secret_saves_it(value: str, before: str, after: str) -> None:
    secret = f"<{value}>unique-7f3"
    Secret(secret)
    assert secret not in redact(before + secret + after)


def test_whole_records_are_redacted_keys_and_nested_values() -> None:
    Secret(VALUE)
    found = redacted({VALUE: [VALUE, (1, None, True, 2.5)], "deep": {"x": {"y": f"a{VALUE}b"}}, "s": {VALUE}})
    assert VALUE not in json.dumps(found)
    assert found["deep"] == {"x": {"y": f"a{HIDDEN}b"}}
    assert found[HIDDEN] == [HIDDEN, [1, None, True, 2.5]]


def test_secrets_can_be_made_while_another_thread_redacts() -> None:
    stop = threading.Event()
    faults: list[BaseException] = []

    def hunt() -> None:
        try:
            while not stop.is_set():
                redact("a text that holds no secret at all")
        except BaseException as error:
            faults.append(error)

    thread = threading.Thread(target=hunt)
    thread.start()
    for number in range(300):
        Secret(f"a-secret-that-is-long-{number}")
    stop.set()
    thread.join(5)
    assert not faults


@pytest.fixture
def lines() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactingFilter())
    logger = logging.getLogger("cancel_tui.test_redaction")
    logger.addHandler(handler)
    logger.propagate = False
    yield logger, stream
    logger.removeHandler(handler)
    logger.propagate = True


def test_log_lines_and_their_arguments_are_redacted(lines: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = lines
    Secret(VALUE)
    logger.warning("url %s %s", f"https://h/?k={VALUE}", Secret(VALUE))
    assert stream.getvalue() == f"url https://h/?k={HIDDEN} {HIDDEN}\n"


def test_a_traceback_is_cut_to_its_class(lines: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = lines
    Secret(VALUE)
    try:
        raise ValueError(f"bad key {VALUE}")
    except ValueError:
        logger.exception("it failed", stack_info=True)
    assert stream.getvalue() == "it failed (ValueError)\n"


def test_a_log_call_with_wrong_arguments_raises_nothing(lines: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = lines
    logger.warning("%d things", "no number")
    assert "cannot be rendered" in stream.getvalue()


def test_the_net_is_put_under_every_root_handler_once() -> None:
    root = logging.getLogger()
    handler = logging.StreamHandler(io.StringIO())
    before = {name: logging.getLogger(name).level for name in ("httpx", "websockets")}
    root.addHandler(handler)
    try:
        install_log_net()
        install_log_net()
        assert sum(isinstance(one, RedactingFilter) for one in handler.filters) == 1
        assert not logging.getLogger("httpx").isEnabledFor(logging.INFO)
    finally:
        root.removeHandler(handler)
        for one in root.handlers:
            for net in [net for net in one.filters if isinstance(net, RedactingFilter)]:
                one.removeFilter(net)
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
