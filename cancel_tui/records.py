"""Data classes that cost little to load: making their methods takes a third of a start.

`dataclass` here does what the standard one does. That one makes each method from source text while the class
is loaded, which takes a third to half of a millisecond for each class. Here `__init__` is made from source
text when the first record is, and the others need none.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass", "finish", "waiting"]

_waiting: dict[type[Any], Callable[[], None]] = {}
"""Classes without their own `__init__`, in the order in which they were loaded, and what makes it."""
_NOT_GIVEN: Any = object()


def waiting() -> list[type[Any]]:
    """Classes of which no record was made so far."""
    return list(_waiting)


def finish(cls: type[Any]) -> None:
    """Make the `__init__` of a class ahead of its first record; nothing where it is there."""
    make = _waiting.get(cls)
    if make is not None:
        make()
        # Only now: another thread that comes here meanwhile makes the same once more.
        _waiting.pop(cls, None)


if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(
        cls: type[Any] | None = None,
        /,
        *,
        eq: bool = True,
        frozen: bool = False,
        slots: bool = False,
        kw_only: bool = False,
    ) -> Any:
        """The standard decorator, as far as it is used here."""

        def wrap(cls: type[Any]) -> type[Any]:
            return _record(cls, eq=eq, frozen=frozen, slots=slots, kw_only=kw_only)

        return wrap if cls is None else wrap(cls)


def _record(cls: type[Any], *, eq: bool, frozen: bool, slots: bool, kw_only: bool) -> type[Any]:
    own = dict(cls.__dict__)
    # A class without a text gets its signature as one, which takes long to make.
    cls.__doc__ = cls.__doc__ or cls.__name__
    # Fields and slots only: nothing of this is made from source text.
    fields_only: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots, kw_only=kw_only)
    made: type[Any] = fields_only(cls)
    fields = dataclasses.fields(made)
    if "__repr__" not in own:
        made.__repr__ = _repr([one.name for one in fields if one.repr])
    if eq and "__eq__" not in own:
        made.__eq__ = _eq(_values([one.name for one in fields if one.compare]))
    # A class with its own `__eq__` and nothing else has a `__hash__` of None by the language's rule.
    hashed = "__hash__" in own and not (own["__hash__"] is None and "__eq__" in own)
    if eq and not hashed:
        hashes = [one.name for one in fields if (one.compare if one.hash is None else one.hash)]
        made.__hash__ = _hash(_values(hashes)) if frozen else None  # type: ignore[assignment]
    if frozen:
        _freeze(made, slots=slots)

    def make() -> None:
        made.__init__ = _init(made, frozen=frozen)

    def first(self: Any, /, *given: Any, **named: Any) -> None:
        finish(made)
        made.__init__(self, *given, **named)

    made.__init__ = first
    _waiting[made] = make
    return made


def _values(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    """What takes those fields of a record as a tuple."""
    if not names:
        return lambda record: ()
    # One name alone would give the bare value; two give a tuple, which compares as a tuple does.
    getter: Any = attrgetter(*(names if len(names) > 1 else names * 2))
    return getter  # type: ignore[no-any-return]


def _eq(values: Callable[[Any], tuple[Any, ...]]) -> Any:
    def __eq__(self: Any, other: object) -> Any:  # noqa: N807
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    return __eq__


def _hash(values: Callable[[Any], tuple[Any, ...]]) -> Any:
    def __hash__(self: Any) -> int:  # noqa: N807
        return hash(values(self))

    return __hash__


def _repr(names: list[str]) -> Any:
    @recursive_repr()
    def __repr__(self: Any) -> str:  # noqa: N807
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{self.__class__.__qualname__}({shown})"

    return __repr__


def _freeze(made: type[Any], *, slots: bool) -> None:
    """Nobody sets or deletes a field of it; with slots it can be copied all the same."""
    names = frozenset(one.name for one in dataclasses.fields(made))

    def __setattr__(self: Any, name: str, value: Any) -> None:  # noqa: N807
        if type(self) is made or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
        super(made, self).__setattr__(name, value)

    def __delattr__(self: Any, name: str) -> None:  # noqa: N807
        if type(self) is made or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
        super(made, self).__delattr__(name)

    given: Any = made
    given.__setattr__, given.__delattr__ = __setattr__, __delattr__
    if slots:
        given.__getstate__, given.__setstate__ = _state, _restore


def _state(self: Any) -> list[Any]:
    return [getattr(self, one.name) for one in dataclasses.fields(self)]


def _restore(self: Any, state: list[Any]) -> None:
    for one, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, one.name, value)


def _init(made: type[Any], *, frozen: bool) -> Any:
    """`__init__` by the fields: those without a keyword first, defaults, then `__post_init__`."""
    known: dict[str, Any] = {"_not_given": _NOT_GIVEN, "_set": object.__setattr__}
    given: dict[bool, list[str]] = {False: [], True: []}
    body: list[str] = []
    for one in dataclasses.fields(made):
        name, value = one.name, one.name
        if one.default_factory is not dataclasses.MISSING:
            known[f"_new_{name}"] = one.default_factory
            default = "_not_given"
            value = f"_new_{name}() if {name} is _not_given else {name}" if one.init else f"_new_{name}()"
        elif one.default is not dataclasses.MISSING:
            default = f"_value_{name}"
            known[default] = one.default
            value = name if one.init else default
        elif one.init:
            default = ""
        else:
            continue
        if one.init:
            given[one.kw_only is True].append(f"{name}={default}" if default else name)
        body.append(f"_set(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    if hasattr(made, "__post_init__"):
        body.append("self.__post_init__()")
    parameters = ", ".join(["self", *given[False], *(["*"] if given[True] else []), *given[True]])
    lines = "\n  ".join(body or ["pass"])
    exec(f"def __init__({parameters}):\n  {lines}", known)  # noqa: S102  names of fields, and nothing else
    function = known["__init__"]
    function.__qualname__ = f"{made.__qualname__}.__init__"
    return function
