"""A log as it was before its redactions, for a checker that knows what was appended."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from evstore import ANY_VERSION
from evstore.model.names import REDACTIONS
from tests.crashes.lab.history import Invoked, Part, Sent

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from evstore import StoredEvent
    from tests.crashes.lab.history import Record


def appends_of_redactions(log: Sequence[StoredEvent]) -> Iterator[Invoked]:
    """The appends that redactions are, for nobody gives their ids."""
    for event in log:
        if event.stream_id == REDACTIONS:
            sent = Sent(event.id, event.type, event.data_json)
            yield Invoked(f"redaction {event.version}", 0, (Part(REDACTIONS, ANY_VERSION, (sent,)),))


def restored(records: Iterable[Record], begun: Collection[str], log: Sequence[StoredEvent]) -> list[StoredEvent]:
    """The log with the data of events whose redaction had begun."""
    parts = chain.from_iterable(each.parts for each in records if isinstance(each, Invoked))
    sent = {event.id: event.data for part in parts for event in part.events if event.id in begun}
    return [
        event._replace(data_json=sent[event.id], redacted=False) if event.redacted and event.id in sent else event
        for event in log
    ]


def misfits(log: Sequence[StoredEvent]) -> Iterator[str]:
    """Redactions without their effect, and effects of none."""
    named = {each for event in log if event.stream_id == REDACTIONS for each in event.data["ids"]}
    taken = {event.id for event in log if event.redacted}
    if named != taken:
        yield f"redactions name {sorted(named)}, and the data of {sorted(taken)} is gone"
