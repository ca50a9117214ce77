"""The values that a test is tried on: the first by default, all of them with `--all-adapters`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def widened(
    metafunc: pytest.Metafunc,
    name: str,
    values: Sequence[Any],
    first: int,
    *,
    scope: Any = None,
    ids: Callable[[Any], str] = str,
) -> None:
    """Parametrize a test with the first values. `--all-adapters` adds the others, marked as `widened`."""
    wide = metafunc.config.getoption("all_adapters")
    params = [
        pytest.param(value, id=ids(value), marks=pytest.mark.widened if at >= first else ())
        for at, value in enumerate(values)
        if at < first or wide
    ]
    metafunc.parametrize(name, params, indirect=True, scope=scope)


def reason_of(test: pytest.Item, name: str) -> str | None:
    """The reason that the test's mark of this name gives, None without such a mark."""
    mark = test.get_closest_marker(name)
    if mark is None:
        return None
    if not (mark.args and mark.args[0]):
        raise pytest.UsageError(f"{test.nodeid}: {name} says for which reason")
    return str(mark.args[0])
