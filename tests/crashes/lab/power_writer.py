"""A process whose system calls are watched: with others it works on a new store, and tells what it does.

What it tells is one write each to its standard output, so that each has its place among the other calls.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from functools import partial
from pathlib import Path
from random import Random
from time import monotonic_ns
from typing import TYPE_CHECKING, Final, NoReturn
from unittest.mock import patch

import msgspec

from evstore import ANY_VERSION, connect
from evstore.adapters.sqlite.session import Session
from evstore.cli.exits import CODES
from tests.crashes.lab import history, recorded
from tests.crashes.lab.history import Invoked, Part, Refused, Sent
from tests.crashes.lab.load import Load, envelope
from tests.support.command import Command

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from typing import Any

    from evstore import EventStore
    from tests.crashes.lab.recorded import Tell

COMMAND: Final = "command"
"""The beginning of the names of the appends by command, of which one at a time is at work."""
COPY: Final = "copy.db"
CONSUMER: Final = "mailer"
LINES: Final = 12
"""Events of a command."""


class Made(msgspec.Struct, frozen=True, tag=True):
    """The store was said to be made."""


class Copied(msgspec.Struct, frozen=True, tag=True):
    """A backup was said to be complete, up to this head."""

    head: int


class Redacting(msgspec.Struct, frozen=True, tag=True):
    """The data of these events is about to be taken."""

    ids: tuple[str, ...]


class Redacted(msgspec.Struct, frozen=True, tag=True):
    """It was said to be gone, by an event at this position."""

    ids: tuple[str, ...]
    position: int


class Handled(msgspec.Struct, frozen=True, tag=True):
    """The consumer was said to have come to this position."""

    position: int


Deed = Made | Copied | Redacting | Redacted | Handled
"""What is told beside appends."""


class Work:
    """The work of the process that makes the store, and is alone on it at times."""

    def __init__(self, url: str, random: Random, tell: Callable[[Any], None], long: int) -> None:
        self._url, self._random, self._tell, self._long = url, random, tell, long
        self._load = Load(random, "0")
        self._appends = 0
        self._copies = 0
        self._ids: list[str] = []

    def append(self, store: EventStore, times: int) -> None:
        for _ in range(times):
            self._append(store, self._load.next())

    def flood(self, store: EventStore) -> None:
        """Append much at once: from 200,000 characters an event on, it is more than SQLite keeps in memory and than
        it lets its log hold before a checkpoint."""
        long = f'"{"x" * self._long}"'
        ids = (f"{self._random.getrandbits(128):032x}" for _ in range(25))
        sent = [Sent(f"{i[:8]}-{i[8:12]}-4{i[13:16]}-8{i[17:20]}-{i[20:]}", "Flooded", long) for i in ids]
        self._append(store, (Part("Flood-1", ANY_VERSION, tuple(sent)),))

    def _append(self, store: EventStore, parts: tuple[Part, ...]) -> None:
        self._appends += 1
        outcome = recorded.append(store, self._tell, f"main-{self._appends}", parts)
        self._load.learn(parts, outcome)
        if isinstance(outcome, list):
            self._ids += [event.id for event in outcome]

    def redact(self, store: EventStore) -> None:
        ids = tuple(self._random.sample(self._ids, min(3, len(self._ids))))
        self._tell(Redacting(ids))
        self._tell(Redacted(ids, store.redact(ids, "asked for").global_position))

    def consume(self, store: EventStore) -> None:
        store.consumer(CONSUMER).run(lambda _: None, once=True)
        self._tell(Handled(store.consumers.get(CONSUMER).global_position))

    def back_up(self, store: EventStore) -> None:
        path = Path(self._url.removeprefix("sqlite:")).with_name(COPY)
        self._tell(Copied(store.backup(path, force=self._copies > 0).head))
        self._copies += 1

    def run(self, appends: int) -> None:
        """Do each deed at least once, some of them before the store is closed, and some on a store that others
        use."""
        deeds: list[Callable[[EventStore], None]] = [self.consume, self.back_up, self.redact, self.flood]
        self._random.shuffle(deeds)
        for each in deeds:
            with connect(self._url) as store:
                self.append(store, max(1, appends // len(deeds)))
                each(store)


def _append(url: str, who: str, seed: str, appends: int, tell: Tell) -> None:
    load = Load(Random(seed), "0")
    with connect(url) as store:
        for number in range(appends):
            parts = load.next()
            load.learn(parts, recorded.append(store, tell, f"{who}-{number}", parts))


def _command(url: str, seed: str, times: int, tell: Tell) -> None:
    """`evstore append --many -`. Its receipt is a write of its own, so only what is refused is told here."""
    random = Random(seed)
    load = Load(random, "0")
    command = Command(Path(url.removeprefix("sqlite:")).parent)
    for number in range(times):
        op = f"{COMMAND}-{number}"
        parts = load.envelopes(op)
        parts = parts[: LINES - 1] + parts[-1:]
        tell(Invoked(op, monotonic_ns(), parts))
        with command.start("append", "--many", "-", "--db", url, stdin=-1) as process:
            _, err = process.communicate(b"".join(map(envelope, parts)))
        if process.returncode == CODES["conflict"]:
            tell(Refused(op, monotonic_ns(), err.decode()))
        elif process.returncode:
            raise ChildProcessError(f"evstore append ended with {process.returncode}: {err.decode()}")


def _fork(work: Callable[[], None]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    finally:
        if code:
            sys.excepthook(*sys.exc_info())
        os._exit(code)


def _relaxed() -> AbstractContextManager[object]:
    """A store that does not wait for the disk at each commit."""
    opened = Session._open_writer

    def open_writer(session: Session) -> Any:
        connection = opened(session)
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    return patch.object(Session, "_open_writer", open_writer)


WITHOUT: Final[dict[str, Callable[[], AbstractContextManager[object]]]] = {
    "flushes": _relaxed,
    "names": lambda: patch("os.fsync", lambda _: None),
}
"""What can be left out, as a store would do it that promises too much: the flush of each commit, and that of files
made under another name and of their names."""


def main() -> NoReturn:
    parser = ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--appends", type=int, required=True)
    parser.add_argument("--commands", type=int, required=True)
    parser.add_argument("--long", type=int, required=True)
    parser.add_argument("--tamper-evident", action="store_true")
    parser.add_argument("--without", choices=WITHOUT)
    asked = parser.parse_args()
    tell = partial(history.tell, sys.stdout.fileno())
    if asked.without:
        WITHOUT[asked.without]().__enter__()
    with connect(asked.url) as store:
        store.initialize(tamper_evident=asked.tamper_evident)
        tell(Made())
    others: list[Callable[[], None]] = [
        partial(_append, asked.url, "other", f"{asked.seed} other", asked.appends, tell),
        partial(_command, asked.url, f"{asked.seed} command", asked.commands, tell),
    ]
    children = [_fork(each) for each in others]
    work = Work(asked.url, Random(asked.seed), tell, asked.long)
    work.run(asked.appends)
    codes = [os.waitstatus_to_exitcode(os.waitpid(each, 0)[1]) for each in children]
    work.run(asked.appends // 2)  # alone, so that each close is a checkpoint
    sys.exit(max(map(abs, codes)))


if __name__ == "__main__":
    main()
