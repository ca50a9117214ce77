"""The recorder of dynamic consistency boundaries: all events in one stream, found by type and tag."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import eventsourcing.dcb.api as dcb
import eventsourcing.persistence as es
from eventsourcing.dcb.popo import SimpleDCBReadResponse

from evstore import AppendCondition, EventData, Query
from evstore_for_eventsourcing.words import POLL, bytes_of, errors, text_of, until_stopped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evstore import EventStore, StoredEvent

STREAM: Final = "dcb"


class EvstoreDCBRecorder(dcb.DCBRecorder):
    def __init__(self, store: EventStore) -> None:
        self._store = store

    def read(
        self, query: dcb.DCBQuery | None = None, *, after: int | None = None, limit: int | None = None
    ) -> dcb.DCBReadResponse:
        with errors():
            head = self._store.head()
            found = [
                sequenced(event)
                for event in self._store.replay(query=query_of(query), after=after or 0, to=head, limit=limit)
            ]
        if limit is not None:
            return SimpleDCBReadResponse(iter(found), found[-1].position if found else None)
        return SimpleDCBReadResponse(iter(found), head or None)

    def append(self, events: Sequence[dcb.DCBEvent], condition: dcb.DCBAppendCondition | None = None) -> int:
        if not events:
            raise es.ProgrammingError("no events")
        unless = condition and AppendCondition(query_of(condition.fail_if_events_match), condition.after or 0)
        with errors():
            appended = self._store.append(
                STREAM,
                [EventData(each.type, text_of(each.data), tags=each.tags) for each in events],
                unless=unless,
            )
        return appended[-1].global_position

    def subscribe(self, query: dcb.DCBQuery | None = None, *, after: int | None = None) -> EvstoreDCBSubscription:
        return EvstoreDCBSubscription(self, query, after)

    def follow(self, query: Query, after: int) -> Iterator[StoredEvent]:
        """Events after a position, until none comes for a while."""
        return self._store.subscribe(query=query, after=after, timeout=POLL)


class EvstoreDCBSubscription(dcb.DCBSubscription[EvstoreDCBRecorder]):
    def __init__(self, recorder: EvstoreDCBRecorder, query: dcb.DCBQuery | None, after: int | None) -> None:
        super().__init__(recorder, query, after)
        wanted = query_of(query)
        self._events = until_stopped(
            lambda position: recorder.follow(wanted, position), after or 0, lambda: self._has_been_stopped
        )

    def __next__(self) -> dcb.DCBSequencedEvent:
        with errors():
            return sequenced(next(self._events))


def query_of(query: dcb.DCBQuery | None) -> Query:
    items = query.items if query else []
    return Query.any_of(Query(each.types, each.tags) for each in items) if items else Query()


def sequenced(event: StoredEvent) -> dcb.DCBSequencedEvent:
    made = dcb.DCBEvent(event.type, bytes_of(event.data), [*event.tags])
    return dcb.DCBSequencedEvent(made, event.global_position)
