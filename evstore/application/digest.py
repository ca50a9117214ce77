"""A digest of the code that makes the state of an aggregate, so that a snapshot of other code is not used."""

from __future__ import annotations

import sys
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from hashlib import blake2b
from types import CodeType, FunctionType, NoneType
from typing import TYPE_CHECKING, Any, Final, get_origin

from evstore.application.aggregate import Aggregate, appliers_of
from evstore.application.types import type_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PLAIN: Final = (int, str, float, bytes, Decimal, date, timedelta, Enum, NoneType)
"""Types of values whose `repr` is the value."""
PLACES: Final = frozenset({"__firstlineno__", "__static_attributes__", "__doc__", "__weakref__", "__dict__"})
"""Members of a class that tell of its text, and do nothing."""
WRAPS: Final = ("__func__", "fget", "func", "__wrapped__")
"""Attributes with the function within a method, a property, a partial or a decorated function."""


def code_of(cls: type[Aggregate], steps: Iterable[tuple[str, Any]] = ()) -> str:
    """A digest of the code that makes the state: the class and its bases, its events, and upcasters.

    Code and values of modules that these use are not in it.
    """
    digest = blake2b(digest_size=16)
    for part in _parts(cls, steps):
        digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()


def _parts(cls: type[Aggregate], steps: Iterable[tuple[str, Any]]) -> Iterator[str]:
    yield f"{sys.implementation.cache_tag} {cls.snapshot_version}"
    for base in cls.__mro__:
        if base not in (Aggregate, object):
            for name, value in sorted(vars(base).items()):
                if name not in PLACES:
                    yield from _of_member(name, value)
    for event in appliers_of(cls):
        yield str(type_of(event))
        for base in event.__mro__:
            for name, value in sorted(vars(base).items()):
                if name == "__annotations__" or (base.__module__ == event.__module__ and name not in PLACES):
                    yield from _of_member(name, value)
    for step, function in steps:
        yield from _of_member(step, function)


def _of_member(name: str, value: Any) -> Iterator[str]:
    for alias in WRAPS:
        inner = getattr(value, alias, None)
        if isinstance(inner, FunctionType):
            yield from _of_member(name, inner)
    if isinstance(value, FunctionType):
        yield name
        yield from _of_code(value.__code__)
        yield from _of_value("defaults", [value.__defaults__, value.__kwdefaults__])
    else:
        yield from _of_value(name, value)


def _of_value(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _of_member(f"{name} {key!r}" if isinstance(key, PLAIN) else name, each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _of_member(name, each)
    elif isinstance(value, set | frozenset):
        yield f"{name} {sorted(repr(each) for each in value if isinstance(each, PLAIN))}"
    elif isinstance(value, (*PLAIN, type)) or get_origin(value) is not None:
        yield f"{name} {value!r}"


def _of_code(code: CodeType) -> Iterator[str]:
    yield f"{code.co_code!r} {code.co_names} {code.co_varnames}"
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _of_code(each)
        else:
            yield repr(sorted(map(repr, each)) if isinstance(each, frozenset) else each)
