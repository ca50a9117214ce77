"""What every test may use: the real command in a real process."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import pytest

from evstore import connect
from tests import servers as postgres
from tests import warm
from tests.servers import Servers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.servers import Kind, Server

pytest.register_assert_rewrite("evstore.testing")

BACKENDS: Final = ("sqlite", "postgres")
"""What the command is tried on, test by test."""


def pytest_report_header() -> list[str]:
    sqlite = f"SQLite {sqlite3.sqlite_version}, Typer {version('typer')}, msgspec {version('msgspec')}"
    return [sqlite, postgres.header()]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "sqlite_only(reason): the command is tried on SQLite alone, for this reason"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Whatever uses the command is tried on every database, unless it is marked and says why not."""
    if "backend" not in metafunc.fixturenames:
        return
    mark = metafunc.definition.get_closest_marker("sqlite_only")
    if mark is None:
        metafunc.parametrize("backend", BACKENDS, indirect=True, scope="module")
    elif not (mark.args and mark.args[0]):
        raise pytest.UsageError(f"{metafunc.definition.nodeid}: sqlite_only says for which reason")


@dataclass
class Ended:
    """A process that has ended."""

    code: int
    out: bytes
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.decode().splitlines()


@dataclass
class Command:
    """`evstore` as a process of its own, in a folder of its own, with an environment of its own."""

    folder: Path
    database: str = ""
    """The URL in EVSTORE_DB; without one the store is the default file in the folder."""

    @property
    def url(self) -> str:
        """What the library connects to."""
        return self.database or f"sqlite:{self.folder}/evstore.db"

    @property
    def place(self) -> str:
        """What messages call the store."""
        return self.database or f"{self.folder}/evstore.db"

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "evstore", *words]

    def env(self, **more: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if k in {"PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH"}}
        database = {"EVSTORE_DB": self.database} if self.database else {}
        return {**kept, "PYTHONWARNINGS": "error", **database, **more}

    def __call__(self, *words: str, stdin: bytes | None = None, env: dict[str, str] | None = None) -> Ended:
        given = self.env(**(env or {}))
        if warm.hears(given):
            code, out, err = warm.run([*words], self.folder, given, stdin or b"", timeout=60)
            return Ended(code, out, err.decode())
        done = subprocess.run(
            self.argv(*words),
            cwd=self.folder,
            env=given,
            input=stdin or b"",
            capture_output=True,
            timeout=60,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr.decode())

    def start(self, *words: str, **options: object) -> subprocess.Popen[bytes]:
        """A process that goes on; stdout and stderr are pipes unless said otherwise."""
        given = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.Popen(self.argv(*words), cwd=self.folder, env=self.env(), **given)

    def ok(self, *words: str, stdin: bytes | None = None) -> Ended:
        """Run what must succeed."""
        done = self(*words, stdin=stdin)
        assert done.code == 0, done
        return done


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    made = Servers()
    yield made
    made.close()


def running(servers: Servers, kind: Kind | None) -> Server:
    postgres.needs(postgres.NO_POSTGRES, kind)
    server = servers.of(kind)
    server.start()  # a test may have stopped it
    return server


@pytest.fixture(params=postgres.KINDS or [None], ids=lambda kind: kind.name if kind else "postgres")
def server(request: pytest.FixtureRequest, servers: Servers) -> Iterator[Server]:
    """Every PostgreSQL there is, one after the other; its places last for the test."""
    yield running(servers, request.param)
    running(servers, request.param).drop_places()


@pytest.fixture
def postgres_url(server: Server) -> str:
    """A place for a store, on every PostgreSQL there is."""
    return server.place()


@pytest.fixture
def newest(servers: Servers) -> Iterator[Server]:
    """One PostgreSQL, for what has no business with its version."""
    kind = next(iter(postgres.KINDS), None)
    yield running(servers, kind)
    running(servers, kind).drop_places()


@pytest.fixture(scope="module")
def backend(request: pytest.FixtureRequest) -> str:
    """What the command is tried on."""
    return getattr(request, "param", "sqlite")


@contextmanager
def _database(backend: str, servers: Servers) -> Iterator[str]:
    """The URL of a place for a store, or nothing where the command finds its default place itself."""
    if backend == "sqlite":
        yield ""
    else:
        with running(servers, next(iter(postgres.KINDS), None)).lent_place() as url:
            yield url


@pytest.fixture
def evstore(tmp_path: Path, backend: str, servers: Servers) -> Iterator[Command]:
    """The command, in a folder and with a place for a store, where there is none yet."""
    with _database(backend, servers) as database:
        yield Command(tmp_path, database)


@pytest.fixture
def store(evstore: Command) -> Command:
    """The command, where there is a store; made without a process of its own, since `init` has its own tests."""
    with connect(evstore.url) as made:
        made.initialize()
    return evstore


@pytest.fixture(scope="module")
def module_store(tmp_path_factory: pytest.TempPathFactory, backend: str, servers: Servers) -> Iterator[Command]:
    """The command with one empty store for all the tests of a module."""
    with _database(backend, servers) as database:
        command = Command(tmp_path_factory.mktemp("module"), database)
        with connect(command.url) as made:
            made.initialize()
        yield command


def files(folder: Path) -> Sequence[str]:
    return sorted(each.name for each in folder.iterdir())
