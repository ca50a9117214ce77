"""A server to be stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import servers as postgres
from tests.faults import standalone
from tests.faults.stops import SETTINGS
from tests.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import OwnServer, Servers


@pytest.fixture(scope="session")
def stopped_at_will(servers: Servers) -> Iterator[OwnServer]:
    kind = next(iter(KINDS), None)
    postgres.needs(postgres.NO_POSTGRES, kind)
    with postgres.another(servers.of(kind), **SETTINGS) as made:
        yield made


@pytest.fixture
def own(stopped_at_will: OwnServer) -> Iterator[OwnServer]:
    """A server that a test may stop, which writes and flushes nothing of its log by itself."""
    stopped_at_will.start()
    yield stopped_at_will
    stopped_at_will.start()
    stopped_at_will.drop_places()


@pytest.fixture
def seed() -> int:
    """Another one each time; the report of a failure has it."""
    seed = standalone.a_seed()
    print(f"seed {seed}")
    return seed
