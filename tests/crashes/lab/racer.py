"""A process that appends under conditions until its time is over or it is killed, and writes down what it asks for
and what is acknowledged: into a file of its own, apart from the store."""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias
from unittest.mock import patch

from msgspec import Struct
from msgspec.json import Decoder, Encoder

from evstore import ConflictError, EventData, NotFoundError, Query, UnavailableError, Write, connect
from evstore.adapters.sqlite import adapter as sqlite_adapter
from evstore.adapters.sqlite import lock as sqlite_lock
from evstore.adapters.sqlite import statements
from evstore.adapters.sqlite.matching import first_match
from evstore.model.conditions import AppendCondition, conditions_of, violation_of
from evstore.model.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from evstore import EventStore
    from evstore.port import Append, Outcome

EPOCH: Final = 1500
"""Events after which other tags are in use, so that no query matches ever more."""
COURSES: Final = 4
STUDENTS: Final = 8
NAMES: Final = 300
MANY: Final = 250
"""Events in a large append: PostgreSQL stages it."""


class AskedWrite(NamedTuple):
    stream_id: str
    expected_version: int
    ids: tuple[str, ...]


class Asked(Struct, tag=True, frozen=True):
    """Told before the append. `conditions` are pairs of a query's wire form and `after`."""

    op: str
    conditions: tuple[tuple[list[dict[str, list[str]]], int], ...]
    requirements: tuple[tuple[str, int], ...]
    writes: tuple[AskedWrite, ...]

    @property
    def ids(self) -> list[str]:
        return [each for write in self.writes for each in write.ids]


class Acknowledged(Struct, tag=True, frozen=True):
    """Told after the append: the positions of its events."""

    op: str
    positions: tuple[int, ...]


class Refused(Struct, tag=True, frozen=True):
    op: str
    error: str


class Unsure(Struct, tag=True, frozen=True):
    """The store was not available, and did not report what came of the append."""

    op: str
    error: str


Record: TypeAlias = Asked | Acknowledged | Refused | Unsure

_encoder, _decoder = Encoder(), Decoder(Record)


def records_of(path: Path) -> Iterator[Record]:
    """The records of one process. A line without its end was being written when the process was killed."""
    with path.open("rb") as lines:
        yield from (_decoder.decode(line) for line in lines if line.endswith(b"\n"))


class Wanted(NamedTuple):
    """An append, before it is made."""

    writes: Sequence[Write[EventData]]
    unless: Sequence[AppendCondition] = ()
    require: Sequence[tuple[str, int]] = ()


class Racer:
    """The appends of one process: decided on what it just read, while the others do the same."""

    def __init__(self, store: EventStore, rng: Random) -> None:
        self._store = store
        self._rng = rng
        self._course = self._student = self._name = ""

    def next(self) -> Wanted:
        rng, epoch = self._rng, self._store.head() // EPOCH
        self._course = f"course:{epoch}-{rng.randrange(COURSES)}"
        self._student = f"student:{epoch}-{rng.randrange(STUDENTS)}"
        self._name = f"name:{epoch}-{rng.randrange(NAMES)}"
        kinds = (
            self._decided,
            self._unique,
            self._versioned,
            self._requiring,
            self._several,
            self._large,
            self._free,
        )
        (kind,) = rng.choices(kinds, weights=(30, 20, 15, 15, 12, 1, 7))
        return kind()

    def _decided(self) -> Wanted:
        return Wanted([self._write()], [self._decision()])

    def _unique(self) -> Wanted:
        """A name that is given once in the whole log."""
        event = self._event("Named", self._name, self._student)
        return Wanted([Write(self._stream(), [event])], [AppendCondition(Query(tags=[self._name]))])

    def _versioned(self) -> Wanted:
        """A condition and an expected version together."""
        stream_id, version = self._standing()
        return Wanted([Write(stream_id, [self._event()], version)], [self._decision()])

    def _requiring(self) -> Wanted:
        conditions = [self._decision()] if self._rng.random() < 0.5 else []
        stream_id, version = self._standing()
        return Wanted(
            [Write(f"Other-{self._rng.randrange(9)}", [self._event()])], conditions, [(stream_id, version)]
        )

    def _several(self) -> Wanted:
        """Several writes under several conditions, and one stream that must stay as it is."""
        stream_id, version = self._standing()
        conditions = [self._decision(), AppendCondition(Query(tags=[self._name]))]
        writes = [self._write(), Write(f"Name-{self._rng.randrange(9)}", [self._event("Named", self._name)])]
        return Wanted(writes, conditions, [(stream_id, version)] if stream_id != writes[0].stream_id else ())

    def _large(self) -> Wanted:
        return Wanted([Write(self._stream(), [self._event() for _ in range(MANY)])], [self._decision()])

    def _free(self) -> Wanted:
        return Wanted([self._write()])

    def _decision(self) -> AppendCondition:
        """A query, and the head up to which it was read."""
        enrolled = Query(types=["Enrolled"], tags=[self._course])
        both = Query(tags=[self._course, self._student])
        query = self._rng.choice((
            enrolled,
            both,
            both | Query(types=["Left", "Closed"], tags=[self._student]),
            Query(types=["Closed", "Opened"], tags=[self._course]) | enrolled,
            Query(types=["Closed"]),
        ))  # fmt: skip
        if query.items[0].tags:
            (condition,) = conditions_of(self._store.decide(query))
            return condition
        return AppendCondition(query, self._store.head())

    def _standing(self) -> tuple[str, int]:
        """A stream, and the version that it has; 0 if there is none."""
        stream_id = self._stream()
        try:
            return stream_id, self._store.stream_info(stream_id).version
        except NotFoundError:
            return stream_id, 0

    def _stream(self) -> str:
        return f"Student-{self._rng.randrange(STUDENTS)}"

    def _write(self) -> Write[EventData]:
        return Write(self._stream(), [self._event() for _ in range(self._rng.choice((1, 1, 1, 3)))])

    def _event(self, kind: str = "", *tags: str) -> EventData:
        if not kind:
            (kind,) = self._rng.choices(("Enrolled", "Left", "Closed", "Opened"), weights=(6, 2, 1, 1))
        return EventData(kind, {}, id=new_id(), tags=tags or [self._course, self._student])


def race(url: str, path: str, who: str, seed: str, enough: str, *, too_early: bool = False) -> None:
    """Append until the file `enough` is there. `too_early`: SQLite judges conditions before it may write."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def tell(record: Record) -> None:
        line = _encoder.encode(record) + b"\n"
        while line:
            line = line[os.write(fd, line) :]

    with _judged_too_early(wanted=too_early), connect(url) as store:
        racer, number = Racer(store, Random(seed)), 0
        while not os.path.exists(enough):
            number += 1
            _append(store, racer.next(), f"{who}-{number}", tell)


def _append(store: EventStore, wanted: Wanted, op: str, tell: Any) -> None:
    conditions = tuple((query.members(), after) for query, after in wanted.unless)
    writes = tuple(
        AskedWrite(w.stream_id, w.expected_version, tuple(str(e.id) for e in w.events)) for w in wanted.writes
    )
    tell(Asked(op, conditions, tuple(wanted.require), writes))
    try:
        stored = store.append_many(wanted.writes, unless=wanted.unless or None, require=wanted.require)
    except (ConflictError, NotFoundError) as error:
        tell(Refused(op, type(error).__name__))
    except UnavailableError as error:
        tell(Unsure(op, type(error).__name__))
    else:
        tell(Acknowledged(op, tuple(event.global_position for event in stored)))


class _NoLock:
    """A lock that everybody holds."""

    def at_its_place(self) -> bool:
        return True

    def unmake(self) -> None:
        pass


@contextmanager
def _judged_too_early(*, wanted: bool) -> Iterator[None]:
    """For the block, SQLite has no side lock, and judges conditions in a read before BEGIN IMMEDIATE."""
    if not wanted:
        yield
        return
    append = sqlite_adapter.SqliteAdapter.append

    def judging(self: Any, units: Sequence[Append], **options: Any) -> list[Outcome]:
        (unit,) = units
        with self._reading() as connection:
            head, _ = connection.execute(statements.HEAD).fetchone()
            violation = violation_of(unit.conditions, partial(first_match, connection, head=head))
        return [violation] if violation else append(self, [unit._replace(conditions=())], **options)

    @contextmanager
    def unlocked(self: Any) -> Iterator[_NoLock]:
        yield _NoLock()

    with (
        patch.object(sqlite_adapter.SqliteAdapter, "append", judging),
        patch.object(sqlite_lock.SideLock, "held", unlocked),
    ):
        yield
