"""What every test may use: the real command in a real process."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import pytest

from tests.support import servers as postgres
from tests.support.command import Command
from tests.support.servers import Servers, newest_of, running
from tests.support.sqlite_files import EmptyStore
from tests.support.widening import reason_of, widened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.mongo_servers import MongoServer
    from tests.support.nats_servers import NatsCluster, NatsServer
    from tests.support.servers import Server

pytest.register_assert_rewrite("evstore.testing")

collect_ignore = ["examples/evstore-lines"]  # a package of others, which a test installs and tries

BACKENDS: Final = ("sqlite", "postgres")
"""What the command is tried on, test by test."""


def pytest_report_header() -> list[str]:
    sqlite = f"SQLite {sqlite3.sqlite_version}, Typer {version('typer')}, msgspec {version('msgspec')}"
    return [sqlite, postgres.header()]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--all-adapters",
        action="store_true",
        help="try tests/store on every adapter, PostgreSQL in every version there is, and what takes long;"
        " -m widened alone runs what this adds",
    )


def pytest_configure(config: pytest.Config) -> None:
    # A shell without job control has what it starts with & ignore Ctrl-C, and so do the commands that are tried.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for line in (
        "long(reason, by_hand=False): it is tried with --all-adapters alone, for this reason; by hand: it is `seldom`",
        "sqlite_only(reason): the command is tried on SQLite alone, for this reason",
        "sqlite_first(reason): the command is tried on SQLite, and on other databases with --all-adapters",
        "sqlite_too(reason): the store is tried on SQLite too, where it is otherwise tried on memory alone",
        "widened: a test that --all-adapters adds",
        "seldom: one of those, of a rule that another store seldom breaks alone; for a run by hand",
    ):
        config.addinivalue_line("markers", line)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Whatever uses the command is tried on every database, unless it is marked and says why not.

    Whatever asks for a server is tried on the newest PostgreSQL there is, or with --all-adapters on every one.
    """
    if "server" in metafunc.fixturenames:
        kinds = postgres.KINDS or [None]
        widened(metafunc, "server", kinds, 1, ids=lambda kind: kind.name if kind else "postgres")
    if "backend" in metafunc.fixturenames and not reason_of(metafunc.definition, "sqlite_only"):
        first = 1 if reason_of(metafunc.definition, "sqlite_first") else len(BACKENDS)
        widened(metafunc, "backend", BACKENDS, first, scope="module")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes long, unless everything is asked for."""
    long = [item for item in items if reason_of(item, "long")]
    if config.getoption("all_adapters"):
        for item in long:
            item.add_marker("widened")
        for item in items:
            if item.get_closest_marker("widened") and _is_seldom(item):
                item.add_marker("seldom")
    elif long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if not reason_of(item, "long")]


ON_EACH_STORE: Final = (
    "test_aggregates",
    "test_consumers",
    "test_mirroring",
    "test_projections",
    "test_snapshots",
    "test_sources",
)
"""The tests of the library that find what only one of the databases does."""


ON_EACH_SERVER: Final = ("test_postgres", "test_plans")
"""The tests that find what only one version of PostgreSQL does: the contract, and how statements are planned."""


def _is_seldom(item: pytest.Item) -> bool:
    """True for what is marked so, for the words of the command on PostgreSQL, for another version of it where neither
    the contract nor a plan is tried, and for the library on SQLite, between the other two stores."""
    long = item.get_closest_marker("long")
    if reason_of(item, "sqlite_first") or (long and long.kwargs.get("by_hand")):
        return True
    params = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    if params.get("server") in postgres.KINDS[1:]:
        return item.path.stem not in ON_EACH_SERVER
    return params.get("adapter") == "sqlite" and item.path.stem not in ON_EACH_STORE


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    made = Servers()
    yield made
    made.close()


@pytest.fixture
def server(request: pytest.FixtureRequest, servers: Servers) -> Iterator[Server]:
    """The newest PostgreSQL there is, with --all-adapters every one in turn; its places last for the test."""
    yield running(servers, request.param)
    running(servers, request.param).drop_places()


@pytest.fixture(scope="session")
def nats_server() -> Iterator[NatsServer | NatsCluster]:
    """One node of NATS with JetStream, for large units too; with EVSTORE_TEST_NATS_NODES=3 a cluster."""
    from tests.support.nats_servers import WIDE, NatsCluster, NatsServer

    several = os.environ.get("EVSTORE_TEST_NATS_NODES") == "3"
    made = NatsCluster(**WIDE, quick=True) if several else NatsServer(**WIDE)
    yield made
    made.close()


@pytest.fixture(scope="session")
def mongo_server(servers: Servers) -> Iterator[MongoServer]:
    """A server that speaks MongoDB's protocol: the given one, or FerretDB; with EVSTORE_TEST_FERRETDB_ON=postgresql
    before the newest PostgreSQL there is."""
    from tests.support.mongo_servers import ON_POSTGRES, a_server

    made = a_server(newest_of(servers).url(tcp=True) if ON_POSTGRES else "")
    yield made
    made.close()


@pytest.fixture
def postgres_url(server: Server) -> str:
    """A place for a store, on every PostgreSQL there is."""
    return server.place()


@pytest.fixture
def newest(servers: Servers) -> Iterator[Server]:
    """One PostgreSQL, for what has no business with its version."""
    yield newest_of(servers)
    newest_of(servers).drop_places()


@pytest.fixture(scope="module")
def backend(request: pytest.FixtureRequest) -> str:
    """What the command is tried on."""
    return getattr(request, "param", "sqlite")


@pytest.fixture
def evstore(tmp_path: Path, backend: str, servers: Servers) -> Iterator[Command]:
    """The command, in a folder and with a place for a store, where there is none yet."""
    if backend == "sqlite":
        yield Command(tmp_path)
        return
    with newest_of(servers).lent_place() as url:
        yield Command(tmp_path, url)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> EmptyStore:
    return EmptyStore(tmp_path_factory.mktemp("empty"))


@contextmanager
def _with_a_store(command: Command, backend: str, servers: Servers, empty_store: EmptyStore) -> Iterator[Command]:
    """Without a process of its own, since `init` has its own tests."""
    if backend == "sqlite":
        empty_store.copy_to(command.folder / "evstore.db")
        yield command
        return
    with newest_of(servers).lent_store() as command.database:
        yield command


@pytest.fixture
def store(evstore: Command, backend: str, servers: Servers, empty_store: EmptyStore) -> Iterator[Command]:
    """The command, where there is a store."""
    with _with_a_store(evstore, backend, servers, empty_store) as command:
        yield command


@pytest.fixture(scope="module")
def module_store(
    tmp_path_factory: pytest.TempPathFactory, backend: str, servers: Servers, empty_store: EmptyStore
) -> Iterator[Command]:
    """The command with one empty store for all the tests of a module."""
    folder = tmp_path_factory.mktemp("module")
    with _with_a_store(Command(folder), backend, servers, empty_store) as command:
        yield command
