"""Appends in bulk: units in, ranges out. The façade, the command line and imports append through it."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, cast

from evstore.appending.context import with_context
from evstore.appending.outcomes import (
    Done,
    Duplicate,
    append_in_order,
    first_stored,
    judge,
    look_up,
    split_stored,
    stored_events,
)
from evstore.appending.preparing import Preparing, check_fits, unit_of
from evstore.errors import EvstoreError, StoreBusyError, UnsupportedError
from evstore.model.filters import Filter
from evstore.model.versions import check_version
from evstore.port import NamePage, Page, Receipt, SourceTaken, limits_of, source_taken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from evstore.appending.redaction import Redaction
    from evstore.appending.together import Together
    from evstore.model.conditions import Query
    from evstore.model.events import EventData, NewWrite, StoredEvent
    from evstore.model.metadata import Metadata
    from evstore.port import Adapter, Append, Joined, Joins, Outcome, PreparedWrite

WAITS_FOR_ITSELF: Final = (
    "this thread has appended with a connection: until that transaction is over, "
    "an append without it waits for itself"
)


class Appender:
    """Appends to one store. `max_data_bytes` bounds one event's data; `encode` makes EventData of objects."""

    def __init__(
        self,
        adapter: Adapter,
        max_data_bytes: int | None = None,
        encode: Callable[[Any], EventData] | None = None,
    ) -> None:
        self._adapter = adapter
        self._max_data_bytes = max_data_bytes
        self._encode = encode
        self._joined = threading.local()  # `any`: the thread has appended in a transaction of the application

    def preparing(self, default: Metadata | None = None, tags: Iterable[str] = ()) -> Preparing:
        """A Preparing for events whose gaps in metadata `default` fills, and that get these tags as well."""
        return Preparing(default, self._max_data_bytes, tags)

    def unit(
        self,
        writes: Iterable[NewWrite],
        metadata: Metadata | None = None,
        **options: Any,
    ) -> Append:
        """Check and complete an append without making it, by the options of `unit_of`.

        Gaps in the metadata are filled from the block that the program is in.
        """
        limits = {"max_data_bytes": self._max_data_bytes, "encode": self._encode}
        return unit_of(writes, with_context(metadata), **limits, **options)  # type: ignore[arg-type]

    def most_at_once(self, events: int) -> int:
        """So many events, or as many as the store takes in one unit if those are fewer."""
        return limits_of(self._adapter).most_at_once(events)

    def submit(self, units: Sequence[Append]) -> list[Done | EvstoreError]:
        """Append the units, each judged as if alone, in one durable commit, and answer each.

        Raises if no unit is known to be stored.
        """
        check_fits(units, self._adapter)
        outcomes = self._adapter.append(units)
        return [self.judged(unit, each) for unit, each in zip(units, outcomes, strict=True)]

    def _submit_one(self, unit: Append) -> Done | EvstoreError:
        """Append a unit, in one durable commit with those of other threads where the adapter gains by that."""
        if not self._adapter.capabilities.shares_commits:
            (outcome,) = self.submit([unit])
            return outcome
        check_fits([unit], self._adapter)
        return self.judged(unit, self._together.append(unit))

    @cached_property
    def _together(self) -> Together:
        from evstore.appending.together import Together

        # Two threads that append first at the same time must queue in the same place.
        made: Together = vars(self).setdefault("_together", Together(self._adapter.append))
        return made

    def append(self, unit: Append, connection: Any = None) -> tuple[Done, Iterable[StoredEvent]]:
        """Append a unit, in the transaction of the connection if there is one; its outcome, and its events as they
        are stored. Raises its refusal."""
        if connection is not None:
            return self._append_joined(unit, connection)
        try:
            outcome = self._submit_one(unit)
            if isinstance(outcome, EvstoreError):
                raise outcome
        except StoreBusyError as error:
            if hasattr(self._joined, "any"):
                error.add_note(WAITS_FOR_ITSELF)
            raise
        return outcome, self.stored_of(unit, outcome)

    def _append_joined(self, unit: Append, connection: Any) -> tuple[Done, list[StoredEvent]]:
        capabilities = self._adapter.capabilities
        if not capabilities.can_join:
            raise UnsupportedError(
                f"{capabilities.name} has no transactions of an application, in which an append could take part: "
                "append without connection"
            )
        with cast("Joins", self._adapter).joined(connection) as joined:
            self._joined.any = True
            return self.append_within(joined, unit)

    def append_within(self, joined: Joined, unit: Append) -> tuple[Done, list[StoredEvent]]:
        """The same in a transaction that is not over."""
        check_fits([unit], self._adapter)
        outcome = judge(joined, unit, joined.append(unit))
        if isinstance(outcome, EvstoreError):
            raise outcome
        if isinstance(outcome, Receipt) and len(outcome.first_versions) < len(unit.writes):
            return outcome, [*first_stored(joined, unit, next(unit.ids()))]  # the log shows them after the commit
        if isinstance(outcome, Duplicate):
            return outcome, [*first_stored(joined, unit, outcome.first.id)]
        return outcome, [*self.stored_of(unit, outcome)]

    def submit_in_order(self, units: Sequence[Append]) -> Iterator[Done]:
        """Append units of one event each, as if one after the other, though they share commits.

        Yields the outcomes of durable units. The first refusal is raised, and no later unit is appended.
        """
        check_fits(units, self._adapter)
        return append_in_order(self._adapter, units)

    def redact(self, redaction: Redaction) -> Done:
        """Redact, and report the outcome of the event that tells of it."""
        outcome = self._adapter.redact(redaction.ids, redaction.unit, metadata=redaction.metadata)
        judged = self.judged(redaction.unit, outcome)
        if isinstance(judged, EvstoreError):
            raise judged
        return judged

    def judged(self, unit: Append, outcome: Outcome) -> Done | EvstoreError:
        """The meaning of the adapter's answer to a unit."""
        return judge(self._adapter, unit, outcome)

    def split_stored(self, writes: Iterable[PreparedWrite]) -> Iterator[tuple[PreparedWrite, StoredEvent | None]]:
        """Each write of one event, with the event as first stored if it is stored and the same."""
        return split_stored(self._adapter, writes)

    def stored_of(self, unit: Append, outcome: Done) -> Iterator[StoredEvent]:
        """The events of a unit as they are stored, after it was submitted."""
        if isinstance(outcome, Receipt):
            return stored_events(self._adapter, unit, outcome)
        if isinstance(outcome, SourceTaken):
            return iter(())
        return first_stored(self._adapter, unit, outcome.first.id)

    def source_position(self, name: str) -> int | None:
        """The last position of the source, None if no append has named it."""
        found = self._adapter.sources(NamePage(1, prefix=name))  # it stands before every name that begins with it
        return found[0].position if found and found[0].source == name else None

    def found_stored(self, unit: Append) -> StoredEvent | SourceTaken | None:
        """The reason to store nothing of the unit: a stored event of it, or how far its source is taken.

        None if it would be stored. Raises what appending would raise now; writes nothing.
        """
        check_fits([unit], self._adapter)
        held = next((found for _, _, found in look_up(self._adapter, unit.writes) if found), None)
        if held is not None:
            for _ in first_stored(self._adapter, unit, held.id):
                continue
            return held
        if unit.source is not None:
            taken = source_taken(unit.source, self.source_position(unit.source.name))
            if taken is not None:
                return taken
        versions: dict[str, int] = {}
        for stream_id, events, expected in unit.writes:
            if stream_id not in versions:
                info = self._adapter.stream(stream_id)
                versions[stream_id] = info.version if info else 0
            check_version(stream_id, expected, versions[stream_id])
            versions[stream_id] += len(events)
        for stream_id, expected in unit.requirements:
            info = self._adapter.stream(stream_id)
            check_version(stream_id, expected, info.version if info else 0)
        self._check_conditions(unit)
        return None

    def _check_conditions(self, unit: Append) -> None:
        if not unit.conditions:
            return
        from evstore.model.conditions import violation_of

        violation = violation_of(unit.conditions, self._first_match)
        if violation is not None:
            raise violation

    def _first_match(self, query: Query, after: int) -> int | None:
        found = self._adapter.read_all(Page(1, after=after), Filter(query=query))
        return found[0].global_position if found else None
