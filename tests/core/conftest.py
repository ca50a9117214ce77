"""The store of these tests: what the core promises, it promises on every adapter."""

from __future__ import annotations

import shutil

import pytest

from evstore import connect

ADAPTERS = ["memory", "sqlite"]


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """The file of an empty store. Making one waits for the disk several times, copying one does not."""
    path = tmp_path_factory.mktemp("made") / "events.db"
    with connect(f"sqlite:{path}") as store:
        store.initialize()
    return path


def _place(adapter, folder, made):
    if adapter == "memory":
        return "memory:"
    shutil.copy(made, folder / "events.db")
    return f"sqlite:{folder}/events.db"


@pytest.fixture(params=ADAPTERS)
def url(request, tmp_path, made_once):
    """A place with an empty store."""
    return _place(request.param, tmp_path, made_once)


@pytest.fixture
def store(url):
    """An empty store."""
    with connect(url) as store:
        yield store


@pytest.fixture(scope="module", params=ADAPTERS)
def shared_store(request, tmp_path_factory, made_once):
    """One store for all the tests of a module that only read what a fixture has put there."""
    with connect(_place(request.param, tmp_path_factory.mktemp("shared"), made_once)) as store:
        yield store
