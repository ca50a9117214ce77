"""Tests of an application's domain, and the adapter contract as tests, for authors of adapters.

`given` needs nothing else. The rest needs pytest; `evstore.testing.machine`, which tries random histories, needs
Hypothesis too.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from evstore.testing.builders import a_stream_id, a_write, an_append, an_event, an_id
    from evstore.testing.clauses.living import LifeClauses
    from evstore.testing.clauses.racing import RaceClauses
    from evstore.testing.contract import AdapterContract, ReadClauses, WriteClauses
    from evstore.testing.given import Given, When, given
    from evstore.testing.harness import REASONS
    from evstore.testing.truth import TRUTH_TABLE

if "pytest" in sys.modules:
    import pytest

    # Before they are imported, so that a failing assert shows its values also in an installed package.
    pytest.register_assert_rewrite(*(module.name for module in iter_modules(__path__, f"{__name__}.")))

CONTRACT_VERSION: Final = 13
"""Counts up when a clause is added, so that an adapter can say what it has passed."""

__all__ = [
    "CONTRACT_VERSION",
    "REASONS",
    "TRUTH_TABLE",
    "AdapterContract",
    "Given",
    "LifeClauses",
    "RaceClauses",
    "ReadClauses",
    "When",
    "WriteClauses",
    "a_stream_id",
    "a_write",
    "an_append",
    "an_event",
    "an_id",
    "given",
]

_HOMES: Final = {
    "builders": ("a_stream_id", "a_write", "an_append", "an_event", "an_id"),
    "clauses.living": ("LifeClauses",),
    "clauses.racing": ("RaceClauses",),
    "contract": ("AdapterContract", "ReadClauses", "WriteClauses"),
    "given": ("Given", "When", "given"),
    "harness": ("REASONS",),
    "truth": ("TRUTH_TABLE",),
}
_HOME_OF: Final = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    """A name, loaded when it is first asked for: `given` loads no pytest."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = found
    return found
