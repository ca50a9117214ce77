"""Real servers that speak MongoDB's protocol: the one that `EVSTORE_TEST_MONGODB_URL` gives, or FerretDB.

`.ci/ferretdb` builds it where Go is, `EVSTORE_TEST_FERRETDB=build .ci/run` while other tests run; the tests find it in Go's folder of programs, or in the PATH.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import pytest
from pymongo import MongoClient

from tests.support.daemons import Daemon, free_port, freeze

if TYPE_CHECKING:
    from collections.abc import Sequence

GIVEN: Final = os.environ.get("EVSTORE_TEST_MONGODB_URL", "")
ON_POSTGRES: Final = os.environ.get("EVSTORE_TEST_FERRETDB_ON") == "postgresql"
"""FerretDB keeps what it is given in a PostgreSQL of the tests; but where it is killed, in its own files."""
NO_MONGODB: Final = "no_mongodb"
NOT_OWNED: Final = "not_owned"
REASONS: Final = {
    NO_MONGODB: "no MongoDB here: neither FerretDB, which `.ci/run` builds where Go is, nor EVSTORE_TEST_MONGODB_URL",
    NOT_OWNED: "EVSTORE_TEST_MONGODB_URL gives a server that is not the tests' to kill",
}
READY: Final = "Listening on TCP"
BUILD_SECONDS: Final = 240.0


def binary() -> str | None:
    """FerretDB's program, where it is installed; what is just being built is waited for."""
    ended = os.environ.get("EVSTORE_TEST_FERRETDB_BUILT")
    end = time.monotonic() + BUILD_SECONDS
    while ended and not Path(ended).exists() and time.monotonic() < end:
        time.sleep(0.2)
    places = [os.environ.get("GOBIN", ""), f"{os.environ.get('GOPATH') or Path.home() / 'go'}/bin"]
    return shutil.which("ferretdb", path=os.pathsep.join([*places, os.environ["PATH"]]))


class _Own:
    """Servers that run as this user does."""

    def popen(self, argv: Sequence[object]) -> Any:
        return subprocess.Popen(
            [str(each) for each in argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


class MongoServer:
    """A server that is reached by URL, and the places for stores on it."""

    url = ""

    def __init__(self) -> None:
        self._made: set[str] = set()

    def place(self, name: str | None = None) -> str:
        """The URL of a place for a store, with nothing there yet."""
        name = name or f"T{uuid4().hex}"
        self._made.add(name)
        return f"{self.url}/{name}"

    def client(self) -> MongoClient[dict[str, Any]]:
        """A client of the test's own."""
        return MongoClient(self.url)

    def drop_places(self) -> None:
        """Drop what the last test made."""
        with self.client() as client:
            while self._made:
                client.drop_database(self._made.pop())

    def close(self) -> None:
        """End it, if it is the tests'."""


class GivenServer(MongoServer):
    """The server that the environment names."""

    url = GIVEN.rstrip("/")


class FerretServer(MongoServer):
    """FerretDB with its own files in SQLite, or with a database of PostgreSQL."""

    def __init__(self, postgres_url: str = "") -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="evs-ferret-"))
        self.port = free_port()
        self.url = f"mongodb://127.0.0.1:{self.port}"
        kept = f"--postgresql-url={postgres_url}" if postgres_url else f"--sqlite-url=file:{self.folder}/"
        argv = [
            binary(),
            f"--handler={'postgresql' if postgres_url else 'sqlite'}",
            kept,
            f"--listen-addr=127.0.0.1:{self.port}",
            f"--state-dir={self.folder}",
            "--debug-addr=-",
            "--telemetry=disable",
            "--log-level=info",
        ]
        self._daemon = Daemon(_Own(), argv, READY)
        self._daemon.start()

    @property
    def pid(self) -> int:
        return self._daemon.pid

    def kill(self) -> None:
        """Kill it, as a crash would."""
        self._daemon.end(signal.SIGKILL)

    def start(self) -> None:
        """Start it again, on the same port with what it kept."""
        self._daemon.start()

    def pause(self) -> None:
        freeze(self.pid)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        if self._daemon.running:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def a_server(postgres_url: str = "") -> MongoServer:
    """The given server, or FerretDB, with this PostgreSQL if one is named. Skips the test where there is neither."""
    if GIVEN:
        return GivenServer()
    if binary() is None:
        pytest.skip(REASONS[NO_MONGODB])
    return FerretServer(postgres_url)


def an_own_server() -> FerretServer:
    """FerretDB, to be killed. Skips the test where there is none."""
    if binary() is None:
        pytest.skip(REASONS[NOT_OWNED if GIVEN else NO_MONGODB])
    return FerretServer()


class Proxy:
    """A way to a server that is cut when an insert has got there, so that its answer is lost."""

    def __init__(self, server: FerretServer, marked: bytes) -> None:
        self._server, self._marked = server, marked
        self.port = free_port()
        self._sockets: list[socket.socket] = []
        self.cuts = 0
        """So many answers are still to be lost."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        Thread(target=self._accept, daemon=True).start()

    def place(self) -> str:
        """The URL of a place for a store, reached this way."""
        return self._server.place().replace(f":{self._server.port}/", f":{self.port}/")

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server.port))
                self._sockets += (client, server)
                is_lost = Event()
                Thread(target=self._ask, args=(client, server, is_lost), daemon=True).start()
                Thread(target=self._answer, args=(server, client, is_lost), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket, is_lost: Event) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 20):
                if self.cuts and self._marked in data:
                    self.cuts -= 1
                    is_lost.set()
                server.sendall(data)
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)

    def _answer(self, server: socket.socket, client: socket.socket, is_lost: Event) -> None:
        with suppress(OSError):
            while (data := server.recv(1 << 20)) and not is_lost.is_set():
                client.sendall(data)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for each in (self._listener, *self._sockets):
            each.close()
