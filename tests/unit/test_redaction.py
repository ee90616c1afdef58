"""Secrets: shown by nothing, found everywhere."""

from __future__ import annotations

import asyncio
import copy
import gc
import io
import json
import logging
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.pretty import pretty_repr

from cancel_tui.redaction import (
    _CHATTY,
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
    for attempt in (
        pickle.dumps,
        copy.copy,
        copy.deepcopy,
        Secret.__getstate__,
        lambda one: one.__reduce_ex__(4),
    ):
        with pytest.raises(TypeError, match="never pickled"):
            attempt(Secret(VALUE))


@dataclass(frozen=True)
class Holder:
    key: Secret
    several: tuple[Secret, ...]


ENCODERS: dict[str, Callable[[Any], object]] = {
    "json": json.dumps,
    "msgspec json": msgspec.json.encode,
    "msgspec msgpack": msgspec.msgpack.encode,
    "msgspec builtins": msgspec.to_builtins,
    "bytes": bytes,
    "asdict": asdict,
}


@pytest.mark.parametrize("encode", ENCODERS.values(), ids=ENCODERS)
def test_no_encoder_takes_a_secret_nor_what_holds_one(encode: Callable[[Any], object]) -> None:
    secret = Secret(VALUE)
    holders: tuple[object, ...] = (secret, [secret], {"key": secret}, Holder(secret, (secret,)))
    for held in holders:
        with pytest.raises(TypeError) as fault:
            encode(held)
        assert VALUE not in str(fault.value)


def test_no_operator_takes_a_secret_apart() -> None:
    secret: Any = Secret(VALUE)
    attempts: tuple[Callable[[], object], ...] = (
        lambda: secret[0],
        lambda: list(secret),
        lambda: "d5" in secret,
        lambda: "x" + secret,
        lambda: "".join([secret]),
        lambda: secret < VALUE,
        lambda: sorted([secret, Secret(VALUE)]),
    )
    for attempt in attempts:
        with pytest.raises(TypeError):
            attempt()
    assert VALUE not in repr(Holder(secret, (secret,))) + pretty_repr(Holder(secret, (secret,)))
    assert "%s %r" % (secret, {secret}) == f"{HIDDEN} {{Secret({HIDDEN})}}"  # noqa: UP031


def test_a_secret_cannot_be_compared_by_value() -> None:
    one, other = Secret(VALUE), Secret(VALUE)
    assert one != other
    assert one != VALUE
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


@pytest.fixture
def net() -> Iterator[None]:
    """The net of a process, taken away again."""
    root, make = logging.getLogger(), logging.getLogRecordFactory()
    before = {name: logging.getLogger(name).level for name in (*_CHATTY, "")}
    install_log_net()
    yield
    logging.setLogRecordFactory(make)
    for handler in root.handlers:
        for one in [one for one in handler.filters if isinstance(one, RedactingFilter)]:
            handler.removeFilter(one)
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


def test_the_net_is_put_under_every_root_handler_once(net: None) -> None:
    handler = logging.StreamHandler(io.StringIO())
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        made = logging.getLogRecordFactory()
        install_log_net()
        install_log_net()
        assert sum(isinstance(one, RedactingFilter) for one in handler.filters) == 1
        assert logging.getLogRecordFactory() is made
    finally:
        root.removeHandler(handler)


def test_a_handler_that_comes_later_and_elsewhere_is_above_the_net_too(net: None) -> None:
    Secret(VALUE)
    stream = io.StringIO()
    logger = logging.getLogger("cancel_tui.somewhere.deep")
    handler = logging.StreamHandler(stream)
    logger.addHandler(handler)
    logger.propagate = False
    try:
        try:
            raise ValueError(VALUE)
        except ValueError:
            logger.exception("with %s", VALUE)
    finally:
        logger.removeHandler(handler)
        logger.propagate = True
    assert stream.getvalue() == f"with {HIDDEN} (ValueError)\n"


@pytest.mark.parametrize(
    "name", ["asyncio", "websockets.client", "httpx", "keyring.backend", "socketio.client"]
)
def test_libraries_are_quiet_also_where_the_root_is_at_debug_level(net: None, name: str) -> None:
    logging.getLogger().setLevel(logging.DEBUG)
    assert not logging.getLogger(name).isEnabledFor(logging.INFO)


def test_every_library_that_logs_is_known() -> None:
    probe = (
        "import pkgutil, importlib, logging, cancel_tui, httpx, keyring.backends.SecretService\n"
        "for one in pkgutil.walk_packages(cancel_tui.__path__, 'cancel_tui.'):\n"
        "    if not one.name.endswith('__main__'): importlib.import_module(one.name)\n"
        "print(*{name.partition('.')[0] for name in logging.root.manager.loggerDict})\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=60
    )
    assert set(answer.stdout.split()) - {"cancel_tui"} <= set(_CHATTY)


def test_of_what_asyncio_says_the_first_line_is_enough(net: None) -> None:
    async def fails() -> None:
        raise ValueError(VALUE.upper())

    stream = io.StringIO()
    logger, handler = logging.getLogger("asyncio"), logging.StreamHandler(stream)
    logger.addHandler(handler)
    logger.propagate = False
    try:
        loop = asyncio.new_event_loop()
        task = loop.create_task(fails())
        loop.run_until_complete(asyncio.wait({task}))
        del task
        gc.collect()
        loop.close()
    finally:
        logger.removeHandler(handler)
        logger.propagate = True
    assert stream.getvalue() == "Task exception was never retrieved (ValueError)\n"
