"""Annotations that are text, with names that only a function or a class body knows."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, get_args

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


def names_at(body: FrameType) -> dict[str, Any]:
    """The names that are known in a function, a module, or a class body and what is around it."""
    names = body.f_locals
    while "__qualname__" in body.f_locals and body.f_back is not None:  # a class body
        body = body.f_back
        names = {**body.f_locals, **names}
    return names


def resolve(cls: type, body: FrameType) -> None:
    """Evaluate the annotations of a class that is made within a function or another class.

    Decoding looks names up in the module alone. What has no meaning yet stays text.
    """
    module = sys.modules.get(cls.__module__)
    if module is None or body.f_locals is not vars(module):
        _resolve(cls, body.f_globals, names_at(body), set())


def _resolve(cls: type, known: dict[str, Any], names: dict[str, Any], seen: set[type]) -> None:
    seen.add(cls)
    for base in cls.__mro__:
        if base.__module__ != cls.__module__:
            continue
        annotations = vars(base).get("__annotations__", {})
        for name, annotation in annotations.items():
            if isinstance(annotation, str):
                try:
                    annotations[name] = eval(annotation, known, names)  # noqa: S307 - the program's own text
                except Exception:  # noqa: BLE001, S112 - whatever it is, it may be known later
                    continue
            for inner in _classes_in(annotations[name]):
                if inner.__module__ == cls.__module__ and inner not in seen:
                    _resolve(inner, known, names, seen)


def _classes_in(annotation: Any) -> Iterator[type]:
    if isinstance(annotation, type):
        yield annotation
    for each in get_args(annotation):
        yield from _classes_in(each)
