"""The asynchronous store of these tests: on PostgreSQL, natively, and on SQLite, by worker threads."""

from __future__ import annotations

import pytest

from tests.support.servers import newest_of
from tests.support.tasks import in_loop, with_store

ADAPTERS = ("postgres", "sqlite")


@pytest.fixture(params=ADAPTERS)
def url(request, tmp_path, servers):
    """A place for a store, where there is none yet."""
    if request.param == "sqlite":
        yield f"sqlite:{tmp_path}/events.db"
    else:
        with newest_of(servers).lent_place() as place:
            yield place


@pytest.fixture
def postgres_place(newest):
    """A place on PostgreSQL."""
    return newest.place()


@pytest.fixture
def run(url):
    """Runs a coroutine function with an empty store, which is closed after it."""

    def ran(main, **options):
        return in_loop(with_store(url, main, **options))

    return ran
