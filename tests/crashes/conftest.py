"""A server to be stopped, and what a test may do here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.crashes.lab.full_disks import NO_MOUNT, may_mount
from tests.crashes.lab.stops import SETTINGS
from tests.crashes.lab.traced import NO_STRACE, may_trace
from tests.support import long_runs
from tests.support.servers import another, newest_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.servers import OwnServer, Servers


@pytest.fixture(scope="session")
def stopped_at_will(servers: Servers) -> Iterator[OwnServer]:
    with another(newest_of(servers), **SETTINGS) as made:
        yield made


@pytest.fixture
def own(stopped_at_will: OwnServer) -> Iterator[OwnServer]:
    """A server that a test may stop, which writes and flushes nothing of its log by itself."""
    stopped_at_will.start()
    yield stopped_at_will
    stopped_at_will.start()
    stopped_at_will.drop_places()


@pytest.fixture(scope="session")
def strace() -> None:
    """Skip where nobody may watch system calls."""
    if not may_trace():
        pytest.skip(NO_STRACE)


@pytest.fixture(scope="session")
def a_mount() -> None:
    """Skip where no small disk can be made."""
    if not may_mount():
        pytest.skip(NO_MOUNT)


@pytest.fixture
def seed() -> int:
    """Another one each time; the report of a failure has it."""
    seed = long_runs.a_seed()
    print(f"seed {seed}")
    return seed
