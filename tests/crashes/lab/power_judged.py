"""What a power cut left, judged by what had been told before it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from evstore import EventData, EvstoreError, NotInitializedError, connect
from tests.crashes.lab.checker import check
from tests.crashes.lab.history import History, Invoked, Record, Refused, Stored
from tests.crashes.lab.power_writer import (
    COMMAND,
    CONSUMER,
    COPY,
    Copied,
    Deed,
    Handled,
    Made,
    Redacted,
    Redacting,
)
from tests.crashes.lab.result import Counts
from tests.crashes.lab.unredacted import appends_of_redactions, misfits, restored
from tests.crashes.lab.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from evstore import EventStore, StoredEvent
    from tests.crashes.lab.disk import Image
    from tests.crashes.lab.traced import Call

STORE: Final = "events.db"
INDEX: Final = 32_768
"""Bytes of the smallest index that SQLite makes for its log."""
_STDOUT: Final = 1
_decoder: Final = msgspec.json.Decoder(Record | Deed)


class Told:
    """What the processes have told so far, by the order in which they did."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.deeds: list[Deed] = []
        self._command = ""
        """The append of the command that is at work, or was last."""

    def take(self, call: Call) -> str:
        """Let a call begin. The kind of what it tells, nothing if it tells nothing."""
        if call.name != "write" or call.fd != _STDOUT:
            return ""
        (data,) = call.texts
        told = _decoder.decode(data) if data.startswith(b'{"type":') else self._receipt(data)
        if isinstance(told, Deed):
            self.deeds.append(told)
        else:
            self.records.append(self._at(told, call.begin))
        return type(told).__name__

    def _receipt(self, data: bytes) -> Stored:
        """What a command prints when it has appended."""
        members = json.loads(data)
        return Stored(self._command, 0, members["firstGlobalPosition"], duplicate=members["duplicate"])

    def _at(self, record: Record, line: int) -> Record:
        """The record with its place in the log of calls for its time."""
        if isinstance(record, Invoked) and record.op.startswith(COMMAND):
            self._command = record.op
        return (
            msgspec.structs.replace(record, at=line) if isinstance(record, Invoked | Stored | Refused) else record
        )

    @property
    def made(self) -> bool:
        return any(isinstance(each, Made) for each in self.deeds)

    def all(self, kind: type[Any]) -> list[Any]:
        return [each for each in self.deeds if isinstance(each, kind)]


class Judgement(NamedTuple):
    faults: list[str]
    found: Counts = Counts(0, 0, 0, 0, None, 0)
    """The counts of the log, if there is one."""
    is_there: bool = True
    """False if there is no store, and nobody was told that there is."""


def judged(image: Image, told: Told, folder: Path) -> Judgement:
    """Open the image in an empty folder, and compare it with what was told."""
    for name, content in image.items():
        (folder / name).write_bytes(content)
        if name.endswith("-wal"):  # nobody syncs the index of the log, which may hold anything then
            (folder / name.replace("-wal", "-shm")).write_bytes(b"\x5a" * INDEX)
    try:
        with connect(f"sqlite:{folder / STORE}") as store:
            log = list(store.replay())
            faults = [*_of_the_store(store, told, log)]
            found = _of_the_log(told, log)._replace(skipped=None)
            faults += [*found.faults, *_of_the_copy(image, told, log, folder), *_going_on(store, log)]
    except NotInitializedError as error:
        if told.made:
            return Judgement([f"no store: {error}"])
        with connect(f"sqlite:{folder / STORE}") as store:
            store.initialize()
            return Judgement([*_going_on(store, [])], is_there=False)
    except EvstoreError as error:
        return Judgement([f"{type(error).__name__}: {error}"])
    return Judgement(faults, found)


def _of_the_store(store: EventStore, told: Told, log: list[StoredEvent]) -> Iterator[str]:
    yield from (f"verify: {each.message}" for each in store.verify(engine=True))
    if handled := told.all(Handled):
        position = store.consumers.get(CONSUMER).global_position
        if position < handled[-1].position:
            yield f"the consumer was said to be at {handled[-1].position}, and is at {position}"
    yield from misfits(log)
    taken = {event.id for event in log if event.redacted}
    for each in told.all(Redacted):
        if not taken.issuperset(each.ids):
            yield f"{each} was said to be done, and data is still there"


def _of_the_log(told: Told, log: list[StoredEvent]) -> Counts:
    history = History.of([*told.records, *appends_of_redactions(log)])
    whole = restored(told.records, {each for redacting in told.all(Redacting) for each in redacting.ids}, log)
    verdict = Verdict(history=history, log=whole, findings=check(history, whole), damage=[])
    damage = [f"lost {verdict.lost}, partial {verdict.partial}"] if verdict.lost or verdict.partial else []
    return replace(verdict, damage=damage).counts


def _of_the_copy(image: Image, told: Told, log: list[StoredEvent], folder: Path) -> Iterator[str]:
    """A backup is whole from the moment at which it has its name."""
    copies = told.all(Copied)
    if COPY not in image:
        if copies:
            yield "a backup was said to be complete, and is not there"
        return
    with connect(f"sqlite:{folder / COPY}") as copy:
        held = list(copy.replay())
        yield from (f"verify of the backup: {each.message}" for each in copy.verify(engine=True))
    if copies and len(held) < copies[-1].head:
        yield f"the backup was said to end at {copies[-1].head}, and ends at {len(held)}"
    if [event.id for event in held] != [event.id for event in log[: len(held)]]:
        yield "the backup is not the beginning of the log"


def _going_on(store: EventStore, log: list[StoredEvent]) -> Iterator[str]:
    (event,) = store.append("After-1", [EventData("Continued", {})])
    if event.global_position != len(log) + 1:
        yield f"the next append after {len(log)} events got position {event.global_position}"
