"""The adapter contract as tests, for authors of adapters, and builders of test data, for everybody.

Needs pytest; `evstore.testing.machine`, which tries random histories, needs Hypothesis too.
"""

from pkgutil import iter_modules

import pytest

# Before they are imported, so that a failing assert shows its values also in an installed package.
pytest.register_assert_rewrite(*(module.name for module in iter_modules(__path__, f"{__name__}.")))

from evstore.testing.builders import a_stream_id, a_write, an_append, an_event, an_id
from evstore.testing.clauses.living import LifeClauses
from evstore.testing.clauses.racing import RaceClauses
from evstore.testing.contract import AdapterContract, ReadClauses, WriteClauses
from evstore.testing.harness import REASONS
from evstore.testing.truth import TRUTH_TABLE

CONTRACT_VERSION = 9
"""Counts up when a clause is added, so that an adapter can say what it has passed."""

__all__ = [
    "CONTRACT_VERSION",
    "REASONS",
    "TRUTH_TABLE",
    "AdapterContract",
    "LifeClauses",
    "RaceClauses",
    "ReadClauses",
    "WriteClauses",
    "a_stream_id",
    "a_write",
    "an_append",
    "an_event",
    "an_id",
]
