"""Nothing is acknowledged before it is flushed: the order of system calls, on both databases.

    python -m tests.crashes.lab.flushed --appends 1000 --seed 7

On SQLite strace watches writers, threads that share commits and the command `append --each`: of each id that they
print, the whole commit must have been written to the log of the store, and flushed, before. On PostgreSQL strace
watches the server: of each id that a session has received, the record of the commit must have been written and
flushed before the session answers. `--without flushes` shows that it finds an answer that comes too early.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from struct import unpack_from
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from evstore import EventData, connect
from tests.crashes.lab.flush_writer import MARK, ids
from tests.crashes.lab.result import Counts
from tests.crashes.lab.traced import QUICK, argv, calls_in, watched
from tests.support import changed_procedures, long_runs
from tests.support.command import Command
from tests.support.servers import another

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.crashes.lab.traced import Call
    from tests.support.servers import OwnServer, Server

ROOT: Final = Path(__file__).parents[3]
MARKED: Final = re.compile(rf"{MARK}-[0-9a-f-]{{22}}".encode())
STORED: Final = re.compile(re.escape(bytes.fromhex(MARK.replace("-", ""))) + b".{10}", re.DOTALL)
FRAME_HEADER: Final = 24
"""Bytes before each page of SQLite's log, https://sqlite.org/fileformat2.html#the_write_ahead_log."""
BLOCK, RECORD_HEADER, SHORT, LONG = 8192, 24, 24, 40
"""Bytes of a page of PostgreSQL's log, of the header of a record, of that of a page, and of the first of a file."""
COMMIT: Final = re.compile(rb"[\x00\x80]\x01\x00\x00")
"""The kind of a record that commits, and the padding after it, at byte 16 of the record."""
LONGEST_COMMIT: Final = 4096


class Profile(NamedTuple):
    appends: int
    """Those of each writer."""
    seed: int
    threads: int = 3
    without: str = ""


@dataclass
class Audit:
    """When each id was completely written and when it was acknowledged, by lines of the log of calls."""

    title: str
    written: dict[str, int] = field(default_factory=dict)
    flushes: list[tuple[int, int]] = field(default_factory=list)
    acknowledged: dict[str, int] = field(default_factory=dict)
    wanted: int = 0
    seconds: float = 0.0

    @property
    def early(self) -> list[str]:
        """The ids that were acknowledged before they were flushed."""
        return [each for each, at in self.acknowledged.items() if not self._is_flushed(each, at)]

    def _is_flushed(self, each: str, at: int) -> bool:
        written = self.written.get(each, at)
        return any(written < begin and end < at for begin, end in self.flushes)

    @property
    def ok(self) -> bool:
        return not self.early and len(self.acknowledged) == self.wanted

    @property
    def counts(self) -> Counts:
        said = [f"{each} was acknowledged before it was flushed" for each in self.early]
        if len(self.acknowledged) != self.wanted:
            said.append(f"{len(self.acknowledged)} of {self.wanted} appends were acknowledged")
        return Counts(len(self.acknowledged), faults=tuple(said))

    def __str__(self) -> str:
        return (
            f"{self.title}: acknowledged {len(self.acknowledged)} of {self.wanted}, flushes {len(self.flushes)}, "
            f"acknowledged before they were flushed {len(self.early)}, {self.seconds:.1f} s"
        )


# --- SQLite ---


def of_sqlite(folder: Path, profile: Profile) -> Audit:
    """Threads of one process and two commands append at the same time."""
    start = time.monotonic()
    url = f"sqlite:{folder}/events.db"
    with connect(url) as store:
        store.initialize()
    script = f"""
{sys.executable} -m tests.crashes.lab.flush_writer {url} --threads {profile.threads} --appends {profile.appends} \\
    {"--without " + profile.without if profile.without else ""} > {folder}/printed &
{sys.executable} -m evstore append --each --many - --db {url} < {folder}/0 > {folder}/printed.0 &
{sys.executable} -m evstore append --each --many - --db {url} < {folder}/1 > {folder}/printed.1 &
wait %1 && wait %2 && wait %3
"""
    for number in range(2):
        lines = [
            f'{{"streamId":"Line-{number}","type":"Placed","id":"{each}","data":{{}}}}\n'
            for each in ids(profile.threads + number, profile.appends)
        ]
        (folder / str(number)).write_text("".join(lines))
    log = folder / "log"
    names = ("write", "pwrite64", "fdatasync", "fsync")
    words = argv(log, names, QUICK, "sh", "-c", script)
    env = Command(folder).env()
    done = subprocess.run(words, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        raise ChildProcessError(f"the writers ended with {done.returncode}: {done.stderr.decode()}")
    audit = Audit(
        f"SQLite, {profile.threads} threads and 2 commands", wanted=profile.appends * (profile.threads + 2)
    )
    Commits(audit).take(calls_in(log))
    audit.seconds = time.monotonic() - start
    return audit


class Commits:
    """The commits that threads write to the log of a SQLite store, frame by frame."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit
        self._open: dict[int, set[str]] = defaultdict(set)
        """By thread, the ids in a commit that has begun."""
        self._is_last: dict[int, bool] = {}
        """By thread, whether the frame that has begun is the last one of its commit."""

    def take(self, calls: Sequence[Call]) -> None:
        for call in calls:
            if call.path.endswith("-wal"):
                if call.name == "pwrite64":
                    self._write(call)
                else:
                    self._audit.flushes.append((call.begin, call.end))
            elif call.name == "write" and call.fd == 1:
                for each in MARKED.findall(call.texts[0]):
                    self._audit.acknowledged[each.decode()] = call.begin

    def _write(self, call: Call) -> None:
        (data,) = call.texts
        if len(data) == FRAME_HEADER:  # the number of the page, and the pages of the database if this commits
            self._is_last[call.thread] = unpack_from(">I", data, 4) != (0,)
            return
        found = self._open[call.thread]
        found |= {str(UUID(bytes=each)) for each in STORED.findall(data)}
        if self._is_last.get(call.thread):
            for each in found:
                self._audit.written.setdefault(each, call.end)
            found.clear()


# --- PostgreSQL ---


def of_postgres(server: Server, folder: Path, profile: Profile) -> Audit:
    """Threads append one event, or a few, at a time, on connections of their own."""
    start = time.monotonic()
    # Nobody flushes by himself: an answer must not be right by luck.
    with another(server, wal_writer_delay=10_000) as own:
        schema = own.schema()
        with connect(own.url(schema), pool_size=profile.threads) as store:
            store.initialize()
        if profile.without:
            changed_procedures.without_the_barrier_of_writers(own, schema)
        audit = Audit(
            f"PostgreSQL {own.version}, {profile.threads} threads", wanted=profile.threads * profile.appends
        )
        log = folder / "log-of-the-server"
        with watched(_pids(own), log, ("recvfrom", "sendto", "pwrite64", "fdatasync", "fsync")):
            _append(own.url(schema), profile)
        with own.connect() as connection:
            rows = connection.execute(
                f"SELECT xmin::text::bigint, id::text FROM {schema}.events".encode()
            ).fetchall()
        transactions: dict[int, set[str]] = defaultdict(set)
        for transaction, each in rows:
            transactions[transaction].add(each)
        Sessions(audit, transactions).take(calls_in(log))
    audit.seconds = time.monotonic() - start
    return audit


def _pids(server: OwnServer) -> list[int]:
    leader = server.daemon.pid
    children = Path(f"/proc/{leader}/task/{leader}/children").read_text().split()
    return [leader, *map(int, children)]


def _append(url: str, profile: Profile) -> None:
    def write(who: int) -> None:
        random = Random(f"{profile.seed} {who}")
        left = [*ids(who, profile.appends)]
        with connect(url, pool_size=1) as store:
            while left:
                size = random.choice((1, 1, 1, 5))
                store.append(f"Order-{who}", [EventData("Placed", {}, id=each) for each in left[:size]])
                del left[:size]

    with ThreadPoolExecutor(profile.threads) as threads:
        for done in [threads.submit(write, who) for who in range(profile.threads)]:
            done.result()


class Sessions:
    """What sessions of the server have received and answered, and what anybody has written to the server's log."""

    def __init__(self, audit: Audit, transactions: Mapping[int, set[str]]) -> None:
        self._audit = audit
        self._transactions = transactions
        """By number, the ids that a transaction has stored."""
        self._asked: dict[int, bytes] = defaultdict(bytes)
        """By session, what it has received since its last answer."""
        self._files: dict[str, bytearray] = defaultdict(bytearray)

    def take(self, calls: Sequence[Call]) -> None:
        for call in calls:
            if call.name == "recvfrom":
                self._asked[call.thread] += b"".join(call.texts[:1])
            elif call.name == "sendto":
                for each in MARKED.findall(self._asked.pop(call.thread, b"")):
                    self._audit.acknowledged.setdefault(each.decode(), call.begin)
            elif "/pg_wal/" in call.path:
                if call.name == "pwrite64":
                    self._write(call)
                else:
                    self._audit.flushes.append((call.begin, call.end))

    def _write(self, call: Call) -> None:
        (data,) = call.texts
        at, file = call.numbers[-1], self._files[call.path]
        file += bytes(max(0, at - len(file)))
        file[at : at + len(data)] = data
        # A record may have begun on the page before.
        for transaction in _committed(file, max(0, at // BLOCK - 1), at + len(data)):
            for each in self._transactions.get(transaction, ()):
                self._audit.written.setdefault(each, call.end)


def _committed(file: bytearray, first_page: int, end: int) -> Iterator[int]:
    """The transactions whose commit is recorded on these pages of a file, with their subtransactions."""
    text = b"".join(
        file[at + (SHORT if at else LONG) : min(at + BLOCK, end)] for at in range(first_page * BLOCK, end, BLOCK)
    )
    for kind in COMMIT.finditer(text):
        begin = kind.start() - 16
        if begin < 0 or begin % 8:
            continue
        (length,) = unpack_from("<I", text, begin)
        if RECORD_HEADER < length < LONGEST_COMMIT and begin + length <= len(text):
            body = text[begin + RECORD_HEADER : begin + length]
            yield unpack_from("<I", text, begin + 4)[0]
            yield from (unpack_from("<I", body, at)[0] for at in range(2, len(body) - 3, 4))


def main() -> int:
    asked = long_runs.arguments(__doc__, appends=500, without="")
    profile = Profile(asked.appends, asked.seed, without=asked.without)
    with TemporaryDirectory(prefix="evstore-flushed-") as folder, long_runs.server_of(asked.on) as server:
        audits = [of_sqlite(Path(folder), profile), of_postgres(server, Path(folder), profile)]
    for each in audits:
        print(each)
    return 0 if all(each.ok for each in audits) else 1


if __name__ == "__main__":
    sys.exit(main())
