"""Records behave as standard data classes do, and cost their methods only when one is made."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import re
from collections.abc import Callable
from dataclasses import field
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import pytest

from cancel_tui import records

PACKAGE = Path(__file__).resolve().parents[2] / "cancel_tui"
T = TypeVar("T")
Maker = Callable[..., Any]


def shapes(maker: Maker) -> dict[str, Any]:
    """The same classes, made by one decorator or the other."""

    @maker(frozen=True, slots=True)
    class Frozen:
        """With everything that a field can be."""

        kept: ClassVar[int] = 3
        a: int
        b: str = "b"
        c: list[int] = field(default_factory=list)
        d: int = field(default=4, compare=False)
        e: int = field(default=5, repr=False, hash=False)

        @property
        def double(self) -> int:
            return self.a * 2

    @maker(slots=True)
    class Open(Generic[T]):
        a: T
        b: int = field(init=False)
        c: int = field(default=7, init=False)
        d: dict[str, int] = field(default_factory=dict, init=False)

        def __post_init__(self) -> None:
            self.b = self.c + 1

    @maker(frozen=True, slots=True, kw_only=True)
    class Named:
        a: int = 1
        b: int

    @maker(slots=True, eq=False)
    class Same:
        a: int

    @maker(frozen=True, slots=True)
    class Single:
        a: Any

        def __repr__(self) -> str:
            return "a single one"

    @maker
    class Base:
        a: int

        def __post_init__(self) -> None:
            self.seen = ["base"]

    @maker
    class Derived(Base):
        b: int = 2

        def __post_init__(self) -> None:
            super().__post_init__()
            self.seen.append("derived")

    @maker(frozen=True, slots=True)
    class Own:
        a: int

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 1

    @maker(frozen=True, slots=True)
    class Nothing:
        pass

    @maker(slots=True)
    class Mixed:
        a: int
        b: int = field(default=2, kw_only=True)
        c: int = 3

    classes = (Frozen, Open, Named, Same, Single, Base, Derived, Own, Nothing, Mixed)
    return {one.__name__: one for one in classes}


STANDARD, OURS = shapes(dataclasses.dataclass), shapes(records.dataclass)
CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("Frozen", (1,), {}),
    ("Frozen", (1, "x", [2]), {"d": 9, "e": 8}),
    ("Frozen", (), {"a": 1, "c": []}),
    ("Frozen", (), {}),
    ("Frozen", (1,), {"z": 1}),
    ("Open", (1,), {}),
    ("Open", ("x",), {"b": 1}),
    ("Named", (), {"b": 2}),
    ("Named", (1, 2), {}),
    ("Same", (1,), {}),
    ("Single", ((1, 2),), {}),
    ("Base", (1,), {}),
    ("Derived", (1,), {}),
    ("Derived", (1,), {"b": 5}),
    ("Own", (1,), {}),
    ("Nothing", (), {}),
    ("Nothing", (1,), {}),
    ("Mixed", (1, 4), {"b": 3}),
    ("Mixed", (1, 4, 3), {}),
]


def told(make: Callable[[], Any]) -> object:
    """What comes of it, as something that two classes can agree on."""
    try:
        return make()
    except Exception as error:
        return type(error)


def portrait(cls: Any, given: tuple[Any, ...], named: dict[str, Any]) -> object:
    one: Any = told(lambda: cls(*given, **named))
    if isinstance(one, type):
        return one
    other = cls(*given, **named)
    changed = told(lambda: dataclasses.replace(one, a=99))
    text = re.sub(r" at 0x\w+|shapes\.<locals>\.", "", repr(one))
    hashed = told(lambda: hash(one) == hash(other))
    return (
        text,
        one == other,
        one != other,
        one == changed,
        hashed,
        cls.__hash__ is None,
        one == given,
        dataclasses.asdict(one),
        dataclasses.astuple(copy.copy(one)),
        [(part.name, part.type) for part in dataclasses.fields(one)],
        getattr(cls, "__match_args__", None),
        hasattr(one, "__dict__"),
        getattr(one, "seen", None),
        # Where there is no such field the standard one stumbles over itself, with another error.
        told(lambda: setattr(one, "a", 5)) is None,
        told(lambda: setattr(one, "other", 5)) is None,
        told(lambda: delattr(one, "a")) is None,
    )


@pytest.mark.parametrize(("name", "given", "named"), CALLS)
def test_a_record_is_what_a_standard_data_class_would_be(
    name: str, given: tuple[Any, ...], named: dict[str, Any]
) -> None:
    assert portrait(OURS[name], given, named) == portrait(STANDARD[name], given, named)


def test_hashes_leave_out_what_the_field_says() -> None:
    for shape in (STANDARD, OURS):
        cls = shape["Frozen"]
        one, other = cls(1, c=(), d=1, e=1), cls(1, c=(), d=2, e=2)
        assert hash(one) == hash(other)
        assert one != other
        assert cls(1, d=1) == cls(1, d=2)


def test_what_is_equal_to_itself_alone_is_compared_as_a_standard_data_class_does() -> None:
    strange = float("nan")
    for shape in (STANDARD, OURS):
        assert shape["Single"](strange) == shape["Single"](strange)


def test_nobody_changes_what_is_frozen() -> None:
    one = OURS["Frozen"](1)
    for name in ("a", "other"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(one, name, 5)
        with pytest.raises(dataclasses.FrozenInstanceError):
            delattr(one, name)


def test_each_record_has_its_own_list() -> None:
    cls = OURS["Frozen"]
    assert cls(1).c == []
    assert cls(1).c is not cls(1).c


def test_a_record_that_holds_itself_can_be_shown() -> None:
    one = OURS["Base"](1)
    one.a = one
    assert "..." in repr(one)


@records.dataclass(frozen=True, slots=True)
class Packed:
    a: int
    b: tuple[int, ...] = ()


def test_a_frozen_record_is_copied_and_packed() -> None:
    one = Packed(1, (2, 3))
    assert copy.deepcopy(one) == one == pickle.loads(pickle.dumps(one))


def test_methods_are_made_with_the_first_record_or_ahead_of_it() -> None:
    @records.dataclass(slots=True)
    class Late:
        a: int

    @records.dataclass(slots=True)
    class Ahead:
        a: int

    assert {Late, Ahead} <= set(records.waiting())
    Late(1)
    records.finish(Ahead)
    records.finish(Ahead)
    assert not {Late, Ahead} & set(records.waiting())
    assert Ahead(2).a == 2
    assert Ahead.__init__.__code__.co_argcount == 2


def test_a_class_that_a_plain_one_derives_from_is_made_too() -> None:
    @records.dataclass
    class Plain:
        a: int

    class Derived(Plain):
        def __init__(self) -> None:
            super().__init__(4)

    assert Derived().a == 4
    assert Derived() == Derived()


def test_no_class_of_the_program_pays_for_its_methods_while_it_is_loaded() -> None:
    costly = re.compile(r"from dataclasses import .*\bdataclass\b|dataclasses\.dataclass\(")
    found = [
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if costly.search(path.read_text(encoding="utf-8"))
    ]
    apart = [one for one in found if not one.startswith("practice/") and one != "records.py"]
    assert not apart, "practice shares nothing with what it tests; everything else takes `records.dataclass`"
