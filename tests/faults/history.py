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


class _Record(Struct, frozen=True, tag=True):
    pass


class Invoked(_Record):
    """An append begins. `op` is its name in the history; attempts at the same append share its ids."""

    op: str
    at: int
    parts: tuple[Part, ...]


class Stored(_Record):
    """It was acknowledged: the position of its first event, and where told the version of each part's."""

    op: str
    at: int
    first: int
    versions: tuple[int, ...] = ()
    duplicate: bool = False


class Refused(_Record):
    """It failed, with the promise that nothing was stored."""

    op: str
    at: int
    reason: str


class Read(_Record):
    """The log was read, from behind a position to its end or to a limit."""

    at: int
    until: int
    after: int
    limit: int | None
    seen: tuple[Seen, ...]


class Started(_Record):
    """A follower starts, or starts again, behind a position."""

    who: str
    after: int


class Followed(_Record):
    """It was handed an event."""

    who: str
    seen: Seen


Record: TypeAlias = Invoked | Stored | Refused | Read | Started | Followed

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


def print_of(event: StoredEvent) -> str:
    """A short text that differs as soon as anything in the event does."""
    return blake2b(event.to_json().encode(), digest_size=8).hexdigest()


@dataclass
class Attempt:
    """An append and what came of it; without an answer that is unknown."""

    invoked: Invoked
    answer: Stored | Refused | None = None


@dataclass
class History:
    attempts: list[Attempt] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
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
                case Stored() | Refused():
                    begun[record.op].answer = record
                case Read():
                    history.reads.append(record)
                case Started() | Followed():
                    history.followers[record.who].append(record)
        return history
