"""The store of these tests: what the core promises, it promises on every adapter."""

from __future__ import annotations

import shutil
from contextlib import contextmanager

import pytest

from evstore import connect
from tests.support.servers import newest_of

ADAPTERS = ["memory", "sqlite", "postgres"]


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """The file of an empty store. Making one waits for the disk several times, copying one does not."""
    path = tmp_path_factory.mktemp("made") / "events.db"
    with connect(f"sqlite:{path}") as store:
        store.initialize()
    return path


@contextmanager
def _place(adapter, folder, made, servers):
    """The URL of an empty store."""
    if adapter == "memory":
        yield "memory:"
    elif adapter == "sqlite":
        shutil.copy(made, folder / "events.db")
        yield f"sqlite:{folder}/events.db"
    else:
        with newest_of(servers).lent_place() as url:
            with connect(url) as store:
                store.initialize()
            yield url


@pytest.fixture(params=ADAPTERS)
def url(request, tmp_path, made_once, servers):
    """A place with an empty store."""
    with _place(request.param, tmp_path, made_once, servers) as url:
        yield url


@pytest.fixture
def store(url):
    """An empty store."""
    with connect(url) as store:
        yield store


@pytest.fixture(scope="module", params=ADAPTERS)
def shared_store(request, tmp_path_factory, made_once, servers):
    """One store for all the tests of a module that only read what a fixture has put there."""
    folder = tmp_path_factory.mktemp("shared")
    with _place(request.param, folder, made_once, servers) as url, connect(url) as store:
        yield store
