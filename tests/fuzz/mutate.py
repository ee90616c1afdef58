"""Makes something else of what a venue once answered: bytes, JSON structure, or nothing like it at all."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

LARGEST = 48 * 1024
"""Bytes of one input: bounded, so that slowness is a fault and not a matter of size."""
TOKENS = (
    *(b"\x00", b"\x1e", b"\xff", b"\xed\xa0\x80", b"\xe2\x80\xae", b"\r\n", b"\r\n\r\n", b"\n"),
    *(b"{", b"}", b"[", b"]", b'"', b"\\", b"\\u0000", b"\\ud800", b"null", b"true", b"NaN", b"-0"),
    *(b"1e309", b"1e-400", b"9" * 400, b",", b":", b"[" * 2000, b'{"a":' * 500, b"0x10", b"<html>"),
    *(b"42[", b"4", b"0{", b'{"type":', b"Content-Length: ", b"chunked"),
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63, 10**30, -(10**30), 1e300, -1e-300, 0.1, 1.0),
    *("", " ", "0", "NaN", "Infinity", "-1", "1e5000", "1e60", "9" * 100, "0." + "0" * 100 + "1", "1_000"),
    *("١٢", "null", "x" * 5000, "\x00", "\x1b[2J", "\u202e", "😀" * 50, "open", "OPEN", "cancelled"),
    *("Working", "../..", [], {}, [[]], [None], [{}], {"orders": None}, {"data": {}}, {"error": True}),
    *({"code": 500, "message": "no"}, "2026-02-30T25:61:00Z", 1e18, 253402300800000, -62135596800),
    *("9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", 1732000000000),
)


def mutated(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One input, made from one or two of the seeds, or from nothing."""
    if not seeds or rng.random() < 0.05:
        return bytes(rng.randrange(256) for _ in range(rng.randrange(300)))
    data = rng.choice(seeds)
    if rng.random() < 0.6:
        data = _structure(rng, data)
    if rng.random() < 0.5:
        for _ in range(rng.randint(1, 4)):
            data = rng.choice(_BYTES)(rng, data, seeds)
    return data[:LARGEST]


def _flip(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]


def _drop(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + data[at + rng.randrange(1, 40) :]


def _cut(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _again(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + data[at : at + rng.randrange(1, 200)] * rng.randrange(2, 20) + data[at:]


def _token(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice(TOKENS) + data[at:]


def _splice(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    other = rng.choice(seeds)
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]


_BYTES: tuple[Callable[[random.Random, bytes, Sequence[bytes]], bytes], ...] = (
    *(_flip, _drop, _cut, _again, _token, _splice),
)


def _structure(rng: random.Random, data: bytes) -> bytes:
    """The JSON in the data with a few of its values, names or rows replaced; other data as it is."""
    start = min((at for at in (data.find(b"{"), data.find(b"[")) if at >= 0), default=-1)
    if start < 0:
        return data
    try:
        value, end = json.JSONDecoder().raw_decode(data[start:].decode("utf-8"))
    except ValueError:
        return data
    for _ in range(rng.randint(1, 3)):
        value = _replaced(rng, value)
    tail = data[start:].decode("utf-8")[end:].encode()
    return data[:start] + json.dumps(value, separators=(",", ":")).encode() + tail


def _replaced(rng: random.Random, value: Any) -> Any:
    """Somewhere inside, something else."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        name = rng.choice(list(value))
        fate = rng.random()
        if fate < 0.1:
            return {key: one for key, one in value.items() if key != name}
        if fate < 0.2:
            return {
                (rng.choice(("x", "id", "data", "error", "status")) if key == name else key): one
                for key, one in value.items()
            }
        return {**value, name: _replaced(rng, value[name])}
    if isinstance(value, list) and value and rng.random() < 0.85:
        at = rng.randrange(len(value))
        if rng.random() < 0.2:
            return (value * rng.randrange(1, 60))[:600]
        return [*value[:at], _replaced(rng, value[at]), *value[at + 1 :]]
    return rng.choice(VALUES)
