"""What writers ask of a store under test: every kind of append, at random, and the same for the same seed."""

from __future__ import annotations

from json import dumps
from typing import TYPE_CHECKING, Final
from uuid import UUID

from evstore import ANY_VERSION, NO_STREAM, STREAM_EXISTS, ConcurrencyError
from tests.crashes.lab.history import Part, Sent

if TYPE_CHECKING:
    from random import Random

    from evstore import Appended, EvstoreError

ACCOUNTS: Final = 12
FRESH_STREAMS: Final = 40
MOST_IN_RUN: Final = 300
LONG: Final = 200_000
ENVELOPES: Final = 200


class Load:
    """Appends for one writer. `names` are the streams that it races for with the writers given the same."""

    def __init__(self, rng: Random, names: str) -> None:
        self._rng = rng
        self._names = names
        self._versions: dict[str, int] = {}  # as far as this writer knows

    def next(self) -> tuple[Part, ...]:
        kinds = (self._single, self._run, self._several, self._long, self._flood)
        (kind,) = self._rng.choices(kinds, weights=(70, 10, 19, 0.8, 0.2))
        return kind()

    def learn(self, parts: tuple[Part, ...], outcome: Appended | EvstoreError) -> None:
        if isinstance(outcome, ConcurrencyError):
            self._versions[outcome.stream_id] = outcome.actual
        elif isinstance(outcome, list):
            self._versions |= {event.stream_id: event.version for event in outcome}

    def envelopes(self, op: str) -> tuple[Part, ...]:
        """A batch for the command, over a stream of its own and those of all; one of eight is refused."""
        parts = [
            self._part(f"Batch-{op}", n // 4, 1) if n % 4 == 0 else self._part(self._account(), ANY_VERSION, 1)
            for n in range(ENVELOPES)
        ]
        if self._rng.random() < 1 / 8:
            parts[-1] = self._part(f"Batch-{op}", ENVELOPES, 1)
        return tuple(parts)

    def events(self, count: int) -> tuple[Sent, ...]:
        """So many events, for whoever appends in another way."""
        return tuple(self._event(0) for _ in range(count))

    def _single(self) -> tuple[Part, ...]:
        return (self._expecting(1, {}),)

    def _run(self) -> tuple[Part, ...]:
        return (self._expecting(1 + int(MOST_IN_RUN * self._rng.random() ** 3), {}),)

    def _several(self) -> tuple[Part, ...]:
        ahead: dict[str, int] = {}
        return tuple(self._expecting(self._rng.randint(1, 5), ahead) for _ in range(self._rng.randint(2, 4)))

    def _long(self) -> tuple[Part, ...]:
        return (self._part(self._account(), ANY_VERSION, 1, LONG),)

    def _flood(self) -> tuple[Part, ...]:
        """More than SQLite's page cache holds, so that it reaches the log file before it is committed."""
        return (self._part(self._account(), ANY_VERSION, 12, LONG),)

    def _expecting(self, count: int, ahead: dict[str, int]) -> Part:
        """A part that may expect something. `ahead`: the versions that earlier parts of the append lead to."""
        if self._rng.random() < 0.2:
            return self._part(f"Order-{self._names}-{self._rng.randrange(FRESH_STREAMS)}", NO_STREAM, count)
        stream_id = self._account()
        version = ahead.get(stream_id, self._versions.get(stream_id))
        if version is None:
            return self._part(stream_id, ANY_VERSION, count)
        ahead[stream_id] = version + count
        (expected,) = self._rng.choices((ANY_VERSION, version, STREAM_EXISTS), weights=(5, 4, 1))
        return self._part(stream_id, expected, count)

    def _account(self) -> str:
        return f"Account-{int(ACCOUNTS * self._rng.random() ** 2)}"

    def _part(self, stream_id: str, expected: int, count: int, size: int = 0) -> Part:
        return Part(stream_id, expected, tuple(self._event(size) for _ in range(count)))

    def _event(self, size: int) -> Sent:
        rng = self._rng
        note = "x" * size or "€" * rng.randrange(9)
        # Spellings that a detour through a number, or another encoder, would change.
        data = f'{{"amount":{rng.randrange(10**6) / 100:.2f},"note":"caf\\u00e9 {note}"}}'
        return Sent(str(UUID(int=rng.getrandbits(128), version=4)), rng.choice(("Credited", "Debited")), data)


def envelope(part: Part) -> bytes:
    """A part of one event as a line for `evstore append --many`."""
    (event,) = part.events
    members = {"streamId": part.stream_id, "expectedVersion": part.expected, "type": event.type, "id": event.id}
    return f'{dumps(members)[:-1]},"data":{event.data}}}\n'.encode()
