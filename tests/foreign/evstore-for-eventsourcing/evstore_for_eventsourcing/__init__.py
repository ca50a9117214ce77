"""The persistence module: `PERSISTENCE_MODULE=evstore_for_eventsourcing` and `EVSTORE_URL`, a URL of evstore."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import eventsourcing.persistence as es
from eventsourcing.utils import resolve_topic

from evstore import connect
from evstore_for_eventsourcing.dcb import EvstoreDCBRecorder
from evstore_for_eventsourcing.recorders import (
    EvstoreAggregateRecorder,
    EvstoreApplicationRecorder,
    EvstoreProcessRecorder,
    EvstoreTrackingRecorder,
)

if TYPE_CHECKING:
    from evstore import EventStore

URL: Final = "EVSTORE_URL"


class EvstoreFactory(es.InfrastructureFactory[EvstoreTrackingRecorder]):
    """Recorders that share one store."""

    def __init__(self, env: es.Environment) -> None:
        super().__init__(env)
        self.store: EventStore = connect(self.env.get(URL) or "")
        self.store.initialize()

    def close(self) -> None:
        self.store.close()

    def aggregate_recorder(self, purpose: str = "events") -> es.AggregateRecorder:
        return EvstoreAggregateRecorder(self.store, purpose)

    def application_recorder(self) -> es.ApplicationRecorder:
        return EvstoreApplicationRecorder(self.store)

    def tracking_recorder(
        self, tracking_recorder_class: type[EvstoreTrackingRecorder] | None = None
    ) -> EvstoreTrackingRecorder:
        topic = self.env.get(self.TRACKING_RECORDER_TOPIC)
        named = resolve_topic(topic) if topic else EvstoreTrackingRecorder
        return (tracking_recorder_class or named)(self.store)

    def process_recorder(self) -> es.ProcessRecorder:
        return EvstoreProcessRecorder(self.store)


__all__ = [
    "URL",
    "EvstoreAggregateRecorder",
    "EvstoreApplicationRecorder",
    "EvstoreDCBRecorder",
    "EvstoreFactory",
    "EvstoreProcessRecorder",
    "EvstoreTrackingRecorder",
]
