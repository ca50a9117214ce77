"""Recorders of aggregates, applications, positions and processes.

An originator is a stream of the category that the recorder is for. Its versions need not be contiguous (snapshots are
not), so they stand in the data, and an event's id is made of originator and version: evstore stores an id once.
"""

from __future__ import annotations

from itertools import groupby, islice
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

import eventsourcing.persistence as es

from evstore import EventData, Write
from evstore_for_eventsourcing.words import POLL, bytes_of, errors, text_of, until_stopped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evstore import EventStore, StoredEvent

IDS: Final = UUID("1f1c4a52-6a0b-5f0e-9b8e-2c7f6f0d9a51")


class _OnStore:
    def __init__(self, store: EventStore) -> None:
        self._store = store


class EvstoreAggregateRecorder(_OnStore, es.AggregateRecorder):
    def __init__(self, store: EventStore, purpose: str = "events") -> None:
        super().__init__(store)
        self._category = purpose

    def insert_events(self, stored_events: Sequence[es.StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        self._insert(stored_events, [])
        return None

    def _insert(self, stored_events: Sequence[es.StoredEvent], more: list[Write[EventData]]) -> list[int]:
        """Store the events and more writes, all or none. The positions of the events."""
        writes = [
            Write(stream_id, [self._event(stream_id, each) for each in events])
            for stream_id, events in groupby(stored_events, self._stream_of)
        ]
        if not writes and not more:
            return []
        ids = [event.id for write in writes for event in write.events]
        if len({*ids}) < len(ids):
            raise es.IntegrityError("the same version of an originator twice")
        with errors():
            appended = self._store.append_many([*writes, *more])
        if appended.duplicate:
            raise es.IntegrityError("already recorded")
        return [event.global_position for event in appended[: len(ids)]]

    def _stream_of(self, event: es.StoredEvent) -> str:
        return self._stream(event.originator_id)

    def _stream(self, originator_id: UUID | str) -> str:
        kind = "uuid" if isinstance(originator_id, UUID) else "text"
        return f"{self._category}-{kind}:{originator_id}"

    @staticmethod
    def _event(stream_id: str, event: es.StoredEvent) -> EventData:
        version = event.originator_version
        data = {"version": version, "state": text_of(event.state)}
        return EventData(event.topic, data, id=uuid5(IDS, f"{stream_id}@{version}"))

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[es.StoredEvent]:
        with errors():
            every = (
                es.StoredEvent(**_fields(event))
                for event in self._store.read(self._stream(originator_id), backward=desc)
            )
            within = (
                event
                for event in every
                if (gt is None or event.originator_version > gt)
                and (lte is None or event.originator_version <= lte)
            )
            return [*islice(within, limit)]


class EvstoreApplicationRecorder(EvstoreAggregateRecorder, es.ApplicationRecorder):
    def insert_events(self, stored_events: Sequence[es.StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        return self._insert(stored_events, [])

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[es.Notification]:
        after = max((start or 0) - (1 if start is not None and inclusive_of_start else 0), 0)
        if stop is not None and stop <= after:
            return []
        with errors():
            found = self._store.replay([self._category], after=after, to=stop, limit=limit, types=topics or None)
            return [notification_of(event) for event in found]

    def max_notification_id(self) -> int | None:
        with errors():
            last = next(self._store.replay([self._category], backward=True, limit=1), None)
        return last and last.global_position

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> EvstoreSubscription:
        return EvstoreSubscription(self, gt, topics)

    def follow(self, after: int, topics: Sequence[str]) -> Iterator[StoredEvent]:
        """Events after a position, until none comes for a while."""
        return self._store.subscribe([self._category], after=after, types=topics or None, timeout=POLL)


class EvstoreSubscription(es.Subscription[EvstoreApplicationRecorder]):
    def __init__(self, recorder: EvstoreApplicationRecorder, gt: int | None, topics: Sequence[str]) -> None:
        super().__init__(recorder, gt, topics)
        self._events = until_stopped(
            lambda after: recorder.follow(after, topics), gt or 0, lambda: self._has_been_stopped
        )

    def __next__(self) -> es.Notification:
        with errors():
            return notification_of(next(self._events))


class EvstoreTrackingRecorder(_OnStore, es.TrackingRecorder):
    """The last position of an upstream application is the last event of a stream."""

    def insert_tracking(self, tracking: es.Tracking) -> None:
        with errors():
            self._store.append_many([self._tracked(tracking)])

    def max_tracking_id(self, application_name: str) -> int | None:
        with errors():
            return self._last(application_name)[1]

    def _last(self, application_name: str) -> tuple[int, int | None]:
        """The version of the stream, and the position that was tracked last."""
        last = next(self._store.read(f"tracking-{application_name}", backward=True, limit=1), None)
        return (last.version, last.data["id"]) if last else (0, None)

    def _tracked(self, tracking: es.Tracking) -> Write[EventData]:
        """The write that moves the position on. Whoever else moved it meanwhile makes the append fail."""
        version, last = self._last(tracking.application_name)
        if last is not None and last >= tracking.notification_id:
            raise es.IntegrityError(f"{tracking} is not greater than {last}")
        events = [EventData("Tracked", {"id": tracking.notification_id})]
        return Write(f"tracking-{tracking.application_name}", events, version)


class EvstoreProcessRecorder(EvstoreTrackingRecorder, EvstoreApplicationRecorder, es.ProcessRecorder):
    def __init__(self, store: EventStore, purpose: str = "events") -> None:
        EvstoreApplicationRecorder.__init__(self, store, purpose)

    def insert_events(
        self, stored_events: Sequence[es.StoredEvent], *, tracking: es.Tracking | None = None, **kwargs: Any
    ) -> Sequence[int] | None:
        return self._insert(stored_events, [self._tracked(tracking)] if tracking else [])


def notification_of(event: StoredEvent) -> es.Notification:
    return es.Notification(id=event.global_position, **_fields(event))


def _fields(event: StoredEvent) -> dict[str, Any]:
    kind, _, name = event.stream_id.partition("-")[2].partition(":")
    data = event.data
    return {
        "originator_id": UUID(name) if kind == "uuid" else name,
        "originator_version": data["version"],
        "topic": event.type,
        "state": bytes_of(data["state"]),
    }
