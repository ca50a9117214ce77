"""What was asked of a store and what it answered: the evidence that the checker judges.

Every process tells its own part as it goes, one JSON line a record, and each line is one write: into a pipe
that another process reads, or into a file opened to append. So it survives the death of its teller, and lies
nowhere near the store. Times are of the monotonic clock, which all processes of one machine share.
"""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from evstore import StoredEvent


class Sent(Struct, frozen=True, array_like=True):
    """An event as it was given to the store; `data` is its exact text."""

    id: str
    type: str
    data: str


class Part(Struct, frozen=True, array_like=True):
    """What an append asked of one stream."""

    stream_id: str
    expected: int
    events: tuple[Sent, ...]


class Seen(Struct, frozen=True, array_like=True):
    """An event as a reader got it; `print` stands for all of it."""

    position: int
    print: str


class Level(Struct, frozen=True, array_like=True):
    """How far something was said to have come: a stream, a category, or (by the name "") the log."""

    name: str
    number: int
    wall_us: int
    """When it was said, by the clock that also gives events their time."""


class _Record(Struct, frozen=True, tag=True):
    pass


class Invoked(_Record):
    """An append begins. `op` is its name in the history; attempts at the same append share its ids."""

    op: str
    at: int
    parts: tuple[Part, ...]


class Stored(_Record):
    """It was acknowledged: the position of its first event, and where told the version of each part's, and the
    prints of its events."""

    op: str
    at: int
    first: int
    versions: tuple[int, ...] = ()
    duplicate: bool = False
    prints: tuple[str, ...] = ()


class Refused(_Record):
    """It failed, with the promise that nothing was stored, because a stream stood at this level."""

    op: str
    at: int
    reason: str
    level: Level | None = None


class Withdrawn(_Record):
    """Who made it took it back before anybody could see it."""

    op: str
    at: int


class Unsure(_Record):
    """It failed without a promise."""

    op: str
    at: int
    error: str


class Read(_Record):
    """The log was read, from behind a position to its end or to a limit."""

    at: int
    until: int
    after: int
    limit: int | None
    seen: tuple[Seen, ...]


class Shown(_Record):
    """Events were shown by another read than one of the log."""

    seen: tuple[Seen, ...]


class Said(_Record):
    """A list, or a number, said how far things had come."""

    levels: tuple[Level, ...]


class Started(_Record):
    """A follower starts, or starts again, behind a position."""

    who: str
    after: int


class Followed(_Record):
    """It was handed an event."""

    who: str
    seen: Seen


Answer: TypeAlias = Stored | Refused | Withdrawn
Record: TypeAlias = Invoked | Answer | Unsure | Read | Shown | Said | Started | Followed

_decoder: Final = msgspec.json.Decoder(Record)


def tell(fd: int, record: Record) -> None:
    """Hand the record to the system, which keeps it whatever becomes of this process."""
    line = msgspec.json.encode(record) + b"\n"
    while line:  # once, but that a signal can cut a long one
        line = line[os.write(fd, line) :]


def records_in(lines: Iterable[bytes]) -> Iterator[Record]:
    """The records of one teller. A line without its end was being written when it died, so that what it
    announced never began, and what it answered was never acknowledged."""
    return (_decoder.decode(line) for line in lines if line.endswith(b"\n"))


def seen(events: Iterable[StoredEvent]) -> tuple[Seen, ...]:
    return tuple(Seen(event.global_position, print_of(event)) for event in events)


def print_of(event: StoredEvent) -> str:
    """A short text that differs as soon as anything in the event does."""
    return print_of_line(event.to_json().encode())


def print_of_line(line: bytes) -> str:
    """The print of the event that a command shows as this line."""
    return blake2b(line, digest_size=8).hexdigest()


@dataclass
class Attempt:
    """An append and what came of it; without an answer that is unknown."""

    invoked: Invoked
    answer: Answer | None = None


@dataclass
class History:
    attempts: list[Attempt] = field(default_factory=list)
    unsure: list[Unsure] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)
    levels: list[Level] = field(default_factory=list)
    followers: dict[str, list[Started | Followed]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, records: Iterable[Record]) -> History:
        """The records of all tellers, those of each in its order."""
        history = cls()
        begun: dict[str, Attempt] = {}
        for record in records:
            match record:
                case Invoked():
                    begun[record.op] = Attempt(record)
                    history.attempts.append(begun[record.op])
                case Stored() | Refused() | Withdrawn():
                    begun[record.op].answer = record
                case Unsure():
                    history.unsure.append(record)
                case Read():
                    history.reads.append(record)
                case Shown():
                    history.shown.append(record)
                case Said():
                    history.levels += record.levels
                case Started() | Followed():
                    history.followers[record.who].append(record)
            if isinstance(record, Refused) and record.level:
                history.levels.append(record.level)
        return history
