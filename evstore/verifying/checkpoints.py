"""The checkpoints of consumers, held against the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from evstore.model.filters import Filter
from evstore.model.findings import Finding
from evstore.port import MOST_IN_PAGE, NamePage, Page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evstore.model.consumers import Checkpoint, ConsumerRecord
    from evstore.port import Adapter, HasConsumers


def faults_of_checkpoints(adapter: Adapter) -> Iterator[Finding]:
    """A finding for each consumer whose checkpoint is not in the log."""
    if not adapter.capabilities.has_consumers:
        return
    consumers = cast("HasConsumers", adapter).consumers()
    after = None
    while page := consumers.page(NamePage(MOST_IN_PAGE, after)):
        after = page[-1].name
        for record in page:
            yield from _faults(adapter, record)


def _faults(adapter: Adapter, record: ConsumerRecord) -> Iterator[Finding]:
    for each in {(each.global_position, each.event_id): each for each in record.checkpoints}.values():
        position = each.global_position
        wrong = _wrong(adapter, each) if position else None
        if wrong is not None:
            yield Finding(
                "checkpoint", f'consumer "{record.name}" has handled position {position}, {wrong}', position
            )


def _wrong(adapter: Adapter, checkpoint: Checkpoint) -> str | None:
    """A clause on why the checkpoint is not in the log, None if it is, or if its event is missing there."""
    position = checkpoint.global_position
    found = adapter.read_all(Page(1, low=position, high=position), Filter())
    if found:
        return None if found[0].id == checkpoint.event_id else "where the log has another event"
    head = adapter.head(-1, 0)
    return f"and the log ends at position {head}" if position > head else None
