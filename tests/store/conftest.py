"""The store of these tests: on memory, for the contract's tests hold the adapters to the same.

What memory cannot show (transactions, connections, pages that come from a database) is marked `sqlite_too`, and tried
on SQLite as well. `--all-adapters` tries everything on every adapter.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier

import pytest

from evstore import connect
from tests.support.servers import newest_of
from tests.support.widening import reason_of, widened

ADAPTERS = ("memory", "sqlite", "postgres")


def pytest_generate_tests(metafunc):
    if "adapter" not in metafunc.fixturenames:
        return
    if reason_of(metafunc.definition, "sqlite_first"):
        widened(metafunc, "adapter", ADAPTERS[1:], 1, scope="module")
        return
    first = 2 if reason_of(metafunc.definition, "sqlite_too") else 1
    widened(metafunc, "adapter", ADAPTERS, first, scope="module")


@pytest.fixture(scope="module")
def adapter(request):
    """The adapter that a test is tried on."""
    return request.param


@pytest.fixture(scope="session")
def place(empty_store, servers):
    """A function: the URL of an empty store, which lasts for a block."""

    @contextmanager
    def made(adapter, folder):
        if adapter == "memory":
            yield "memory:"
        elif adapter == "sqlite":
            empty_store.copy_to(folder / "events.db")
            yield f"sqlite:{folder}/events.db"
        else:
            with newest_of(servers).lent_store() as url:
                yield url

    return made


@pytest.fixture
def url(adapter, tmp_path, place):
    """A place with an empty store."""
    with place(adapter, tmp_path) as url:
        yield url


@pytest.fixture
def store(url):
    """An empty store."""
    with connect(url) as store:
        yield store


@pytest.fixture(scope="module")
def shared_store(adapter, tmp_path_factory, place):
    """One store for all the tests of a module that only read what a fixture has put there."""
    with place(adapter, tmp_path_factory.mktemp("shared")) as url, connect(url) as store:
        yield store


@pytest.fixture
def racing():
    """A function that lets threads begin `work(n)` at the same time, and returns what each returned."""

    def race(threads, work):
        start = Barrier(threads)

        def run(number):
            start.wait(60)
            return work(number)

        with ThreadPoolExecutor(threads) as pool:
            return [each.result(60) for each in [pool.submit(run, number) for number in range(threads)]]

    return race
