"""Consumers on their way to another store: a line for each, after the events of an export.

The builds of projections stay: their tables do not move, and are made anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta, Struct

from evstore.consumers.builds import Build, check_no_build
from evstore.consumers.kept import consumers_of
from evstore.errors import InvalidInputError
from evstore.model.consumers import SLOTS, WHOLE, Interest, Parked, ParkedState
from evstore.model.ids import normalize_id
from evstore.model.names import check_name
from evstore.port import MOST_IN_PAGE, NamePage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evstore.model.consumers import ConsumerRecord
    from evstore.port import Adapter, Consumers

BEGIN: Final = b'{"consumer":'
"""The beginning of the line of a consumer, which no event has."""


class _Checkpoint(Struct, rename="camel", forbid_unknown_fields=True):
    slot: int
    global_position: Annotated[int, Meta(ge=0)]
    event_id: str | None


class _Parked(Struct, rename="camel", forbid_unknown_fields=True):
    event_id: str
    reason: str
    state: ParkedState
    parked_us: int


class _Moving(Struct, forbid_unknown_fields=True):
    name: str
    categories: list[str] | None
    types: list[str] | None
    checkpoints: list[_Checkpoint]
    parked: list[_Parked]


class _Line(Struct, forbid_unknown_fields=True):
    consumer: _Moving


def consumer_lines(adapter: Adapter) -> Iterator[str]:
    """A line for each consumer, by name, as `import` takes them."""
    consumers = consumers_of(adapter)
    after = None
    while page := consumers.page(NamePage(MOST_IN_PAGE, after)):
        after = page[-1].name
        for record in page:
            if Build.of(record) is None:
                yield msgspec.json.encode(_Line(_moving(consumers, record))).decode()


def _moving(consumers: Consumers, record: ConsumerRecord) -> _Moving:
    categories, types = (None if names is None else [*names] for names in record.interest)
    checkpoints = [_Checkpoint(each.slot, each.global_position, each.event_id) for each in record.checkpoints]
    parked = [
        _Parked(each.event_id, each.reason, each.state, each.parked_us) for each in consumers.parked(record.name)
    ]
    return _Moving(record.name, categories, types, checkpoints, parked)


def restore_consumer(adapter: Adapter, line: bytes) -> bool:
    """Make the consumer of a line, with its checkpoints; false if there is one of its name, which stays as it is.

    Raises InvalidInputError if the line is none, or if its checkpoints are not in this log.
    """
    moving = _checked(line)
    consumers = consumers_of(adapter)
    if consumers.find(moving.name) is not None:
        return False
    parked = _in_log(adapter, moving)
    consumers.add(moving.name, Interest.of(moving.categories, moving.types).to_json(), 0)
    hold = consumers.hold(moving.name, [WHOLE])
    try:
        with consumers.step(hold) as step:
            if len(moving.checkpoints) > 1:
                step.divide()
            step.move({each.slot: each.global_position for each in moving.checkpoints})
            for event in parked:
                step.park(event)
    finally:
        hold.release()
    return True


def _checked(line: bytes) -> _Moving:
    """The consumer of a line. Raises InvalidInputError."""
    try:
        found = msgspec.json.decode(line, type=_Line).consumer
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"not a consumer as export prints it: {error}") from None
    check_name("consumer name", found.name)
    check_no_build(found.name)
    if [each.slot for each in found.checkpoints] not in ([WHOLE], [*range(SLOTS)]):
        raise InvalidInputError("not a consumer as export prints it: it has a checkpoint of slot 0, or of all 64")
    for each in found.checkpoints:
        if (each.event_id is None) != (each.global_position == 0):
            raise InvalidInputError(
                "not a consumer as export prints it: a checkpoint after 0 has the id of its event"
            )
    return found


def _in_log(adapter: Adapter, moving: _Moving) -> list[Parked]:
    """The parked events of a consumer. Raises InvalidInputError unless its checkpoints are in the log."""
    checkpoints = {normalize_id(each.event_id): each for each in moving.checkpoints if each.event_id is not None}
    parked = {normalize_id(each.event_id): each for each in moving.parked}
    there = {event.id: event for event in adapter.get([*checkpoints, *parked])} if checkpoints or parked else {}
    for event_id, checkpoint in checkpoints.items():
        if event_id not in there or there[event_id].global_position != checkpoint.global_position:
            what = f'the checkpoint of consumer "{moving.name}" at position {checkpoint.global_position}'
            raise InvalidInputError(f"{what} is of another log")
    return [
        Parked(event.stream_id, event.global_position, event.id, each.reason, each.parked_us, each.state)
        for event, each in ((there[event_id], each) for event_id, each in parked.items() if event_id in there)
    ]
