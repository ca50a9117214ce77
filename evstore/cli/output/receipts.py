"""The receipts of an append: of all of it, of its retry, of each of its events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from evstore.cli import settings
from evstore.cli.errors import InputOutputError
from evstore.cli.output import events, forms, writer
from evstore.cli.output.unreceipted import MOST_IDS, Unreceipted
from evstore.port import Receipt, SourceTaken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from evstore.appending.outcomes import Done
    from evstore.model.events import StoredEvent
    from evstore.port import Append

T = TypeVar("T")


class ReceiptFacts(NamedTuple):
    """The facts of a receipt, of an append or of its retry."""

    size: int
    first_version: int
    version: int
    first_position: int
    position: int
    duplicate: bool
    taken: SourceTaken | None = None
    """If the source was taken so far before: nothing is stored, and the numbers are 0."""

    @classmethod
    def of(cls, outcome: Done) -> ReceiptFacts:
        if isinstance(outcome, SourceTaken):
            return cls(0, 0, 0, 0, 0, duplicate=True, taken=outcome)
        if isinstance(outcome, Receipt):
            first, size, version = outcome.first_position, outcome.size, outcome.first_versions[0]
            return cls(size, version, version + size - 1, first, first + size - 1, duplicate=False)
        begin, end = outcome.first, outcome.last
        return cls(
            outcome.size,
            begin.version,
            end.version,
            begin.global_position,
            end.global_position,
            outcome.by_earlier_append,
        )


class Result(NamedTuple):
    """An append that is durable."""

    unit: Append
    outcome: Done
    facts: ReceiptFacts
    stored: Callable[[], Iterator[StoredEvent]]
    """Its events as they are stored, looked up each time."""
    settled: int
    """Events of the input, in its order, of which none is left to store once this result is there."""
    count_streams: Callable[[], int] = lambda: 1
    """The number of its streams, counted each time."""


MOST_STREAMS_COUNTED: Final = 10_000
"""Streams that a sum counts."""


class Sums:
    """The sums of the sentences of a command."""

    def __init__(self) -> None:
        self.receipts = 0
        self.first_of_store = False
        self._appended = 0
        self._duplicates = 0
        self._position = 0
        self._streams: set[str] = set()

    def add(self, result: Result) -> None:
        facts = result.facts
        self.receipts += 1
        self.first_of_store |= facts.first_position == 1 and not facts.duplicate
        if len(self._streams) <= MOST_STREAMS_COUNTED:
            self._streams.update(write.stream_id for write in result.unit.writes)
        self._position = max(self._position, facts.position)
        if facts.duplicate:
            self._duplicates += facts.size
        else:
            self._appended += facts.size

    def sentence(self) -> str:
        """The sum as a sentence."""
        from evstore.cli.output.screen import counted

        known = f", {counted(self._duplicates, 'event')} already stored" if self._duplicates else ""
        many = len(self._streams) > MOST_STREAMS_COUNTED
        where = f"more than {MOST_STREAMS_COUNTED:,} streams" if many else counted(len(self._streams), "stream")
        return f"{where}: appended {counted(self._appended, 'event')}{known}, up to position {self._position:,}"


class Receipts:
    """The printer of results: a sentence or an object for each, or its stored events; in JSON one array.

    `stream` is None where the input names the streams.
    """

    def __init__(self, stream: str | None, *, each: bool, several: bool, echo: bool) -> None:
        self._stream = stream
        self._each = each
        self._echo = echo
        self._silent = settings.current.quiet and not echo
        self._as_table = settings.as_table()
        self._sums = Sums()
        self._unreceipted = Unreceipted()
        self._failure: InputOutputError | None = None
        self._array = forms.Array() if several and settings.current.format == "json" else None

    def flush_after_each(self, groups: Iterable[T]) -> Iterator[T]:
        """The groups; the receipts of each leave before the next group is waited for."""
        for group in groups:
            yield group
            if self._failure is not None:
                return
            self._flush()

    def _flush(self) -> None:
        writer.flush()
        self._unreceipted.clear()

    def print(self, results: Iterable[Result]) -> None:
        """Print each result as it comes. An error gets a note of the events stored earlier."""
        try:
            self._print_all(results)
            if not self._silent:
                self._end()
            self._flush()
        except InputOutputError as error:
            raise self._unreceipted.reported(error) from error

    def _end(self) -> None:
        """Close the array; print the sum of several sentences, and the next step after a store's first event."""
        if self._array is not None:
            self._array.close()
        elif self._as_table and not self._echo:
            if self._sums.receipts > 1:
                writer.line(self._sums.sentence())
            if self._sums.first_of_store:
                _print_next(self._stream)

    def _print_all(self, results: Iterable[Result]) -> None:
        from evstore.errors import AppendConditionError, EvstoreError

        settled = 0
        try:
            for result in results:
                if not self._silent:
                    self._unreceipted.add(result.unit, result.outcome, result.stored)
                    self._print_until_failure(result)
                settled += result.settled
        except EvstoreError as error:
            writer.flush()
            if settled:
                stored = "event before it is" if settled == 1 else f"{settled} events before it are"
                if isinstance(error, AppendConditionError):  # whose hint shows what violates it
                    writer.note(f"the {stored} stored")
                else:
                    error.add_note(f"the {stored} stored")
            raise
        if self._failure is not None:
            raise self._failure

    def _print_until_failure(self, result: Result) -> None:
        if self._failure is not None:
            return
        try:
            self._print(result)
            if not self._each:  # the events wait in a file that is gone with the last result
                self._flush()
        except InputOutputError as error:
            if not self._each:
                raise
            self._failure = error  # what shares a commit with this event is stored, and is still to come

    def _print(self, result: Result) -> None:
        if self._echo:
            self._print_stored(result.stored())
            if result.facts.taken:
                writer.note(f"{taken_so_far(result.facts.taken)}; nothing was stored")
            return
        sentence, members = self._receipt(result)
        if self._as_table:
            writer.line(sentence)
            self._sums.add(result)
        elif self._array is not None:
            self._array.add(writer.to_json(members))
        else:
            forms.one(members)

    def _print_stored(self, stored: Iterable[StoredEvent]) -> None:
        if self._array is None:
            events.show(stored, by_stream=self._stream is not None)
            return
        for event in stored:
            self._array.add(event.to_json())

    def _receipt(self, result: Result) -> tuple[str, dict[str, Any]]:
        """The receipt as a sentence and as an object."""
        if result.facts.taken:
            return _of_taken(self._stream, result.facts.taken)
        if self._each:
            ((stream_id, (event,), _),) = result.unit.writes
            return _of_event(stream_id, result.facts, event.id)
        if self._stream is None:
            return _of_many(result.count_streams(), result.facts)
        ids = [*result.unit.ids()] if result.facts.size <= MOST_IDS else None
        return _of_stream(self._stream, result.facts, ids)


def _print_next(stream: str | None) -> None:
    from shlex import quote

    writer.note(settings.again("streams" if stream is None else f"read {quote(stream)}"), "next")


def _of_stream(stream_id: str, facts: ReceiptFacts, ids: list[str] | None) -> tuple[str, dict[str, Any]]:
    done = f"{_events(facts.size)} already stored," if facts.duplicate else f"appended {_events(facts.size)}, now"
    members: dict[str, Any] = {
        "streamId": stream_id,
        "count": facts.size,
        "firstVersion": facts.first_version,
        "version": facts.version,
        "globalPosition": facts.position,
        **({} if ids is None else {"ids": ids}),
        "duplicate": facts.duplicate,
    }
    return f"{stream_id}: {done} at version {facts.version} (position {facts.position})", members


def _of_many(streams: int, facts: ReceiptFacts) -> tuple[str, dict[str, Any]]:
    done = f"{_events(facts.size)} already stored in" if facts.duplicate else f"appended {_events(facts.size)} to"
    where = "1 stream" if streams == 1 else f"{streams} streams"
    members = {
        "streams": streams,
        "count": facts.size,
        "firstGlobalPosition": facts.first_position,
        "globalPosition": facts.position,
        "duplicate": facts.duplicate,
    }
    return f"{done} {where}, position {facts.first_position} to {facts.position}", members


def _of_event(stream_id: str, facts: ReceiptFacts, event_id: str) -> tuple[str, dict[str, Any]]:
    done = "already stored" if facts.duplicate else "appended"
    members = {
        "streamId": stream_id,
        "version": facts.version,
        "globalPosition": facts.position,
        "id": event_id,
        "duplicate": facts.duplicate,
    }
    return f"{stream_id}: {done}, version {facts.version} (position {facts.position})", members


def taken_so_far(taken: SourceTaken) -> str:
    """The reason why an append stores nothing, as a clause."""
    return f'the source "{taken.name}" is taken up to position {taken.position} already'


def _of_taken(stream_id: str | None, taken: SourceTaken) -> tuple[str, dict[str, Any]]:
    """The receipt of an append that stored nothing: without the versions and positions that there are not."""
    where: dict[str, Any] = {"streams": 0} if stream_id is None else {"streamId": stream_id}
    ids: dict[str, Any] = {} if stream_id is None else {"ids": []}
    members = {**where, "count": 0, **ids, "duplicate": True, "source": taken._asdict()}
    what = "nothing stored" if stream_id is None else f"{stream_id}: nothing stored"
    return f"{what}, {taken_so_far(taken)}", members


def _events(count: int) -> str:
    return "1 event" if count == 1 else f"{count} events"
