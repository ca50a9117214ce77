"""Events that are stored and whose receipts may not have left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from evstore.cli.errors import InputOutputError
from evstore.errors import MOST_NAMED, listed
from evstore.port import Receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from evstore.appending.outcomes import Done
    from evstore.model.events import StoredEvent
    from evstore.port import Append

    LookUp = Callable[[], Iterator[StoredEvent]]

MOST_IDS: Final = 100


class _Run(NamedTuple):
    """Events of one stream at consecutive versions."""

    stream_id: str
    first_version: int
    version: int
    ids: list[str]

    def members(self, *, with_ids: bool) -> dict[str, Any]:
        found = {"streamId": self.stream_id, "firstVersion": self.first_version, "version": self.version}
        return {**found, "ids": self.ids} if with_ids else found

    def words(self, most_ids: int) -> str:
        many = self.version > self.first_version
        versions = f"versions {self.first_version} to {self.version}" if many else f"version {self.version}"
        ids = f" (id{'s' if many else ''} {listed(self.ids, most_ids)})" if most_ids > 0 else ""
        return f"{self.stream_id} {versions}{ids}"


class Unreceipted:
    """The appends since the last receipt that is known to have left."""

    def __init__(self) -> None:
        self._appends: list[tuple[Append, Done, LookUp]] = []

    def add(self, unit: Append, outcome: Done, stored: LookUp) -> None:
        """Keep a durable append in mind; `stored` looks its events up."""
        self._appends.append((unit, outcome, stored))

    def clear(self) -> None:
        self._appends.clear()

    def reported(self, error: InputOutputError) -> InputOutputError:
        """The error with the events that are stored though it happened."""
        runs = _joined(run for each in self._appends for run in _runs(*each))
        if not runs:
            return error
        with_ids = sum(len(run.ids) for run in runs) <= MOST_IDS
        return InputOutputError(
            f"{error}; stored all the same: {listed([*_sentences(runs, MOST_NAMED if with_ids else 0)])}",
            "the events are stored: appending them again without their ids stores them twice",
            {"stored": [run.members(with_ids=with_ids) for run in runs]},
        )


def _sentences(runs: Sequence[_Run], most_ids: int) -> Iterator[str]:
    """Each run in words, with the first ids of them all."""
    for run in runs:
        yield run.words(most_ids)
        most_ids -= len(run.ids)


def _runs(unit: Append, outcome: Done, stored: LookUp) -> Iterator[_Run]:
    """The events of an append: a run for each write, or for each event where its versions are looked up."""
    if isinstance(outcome, Receipt) and len(outcome.first_versions) == len(unit.writes):
        for write, first in zip(unit.writes, outcome.first_versions, strict=True):
            ids = [event.id for event in write.events]
            yield _Run(write.stream_id, first, first + len(ids) - 1, ids)
    else:
        for event in stored():
            yield _Run(event.stream_id, event.version, event.version, [event.id])


def _joined(runs: Iterator[_Run]) -> list[_Run]:
    joined: list[_Run] = []
    for run in runs:
        last = joined[-1] if joined else None
        if last and last.stream_id == run.stream_id and last.version + 1 == run.first_version:
            joined[-1] = last._replace(version=run.version, ids=last.ids + run.ids)
        else:
            joined.append(run)
    return joined
