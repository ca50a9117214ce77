"""Consumers on their way to another store: a line for each, after the events of an export."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from evstore.consumers.kept import consumers_of
from evstore.errors import InvalidInputError
from evstore.model.consumers import SLOTS, WHOLE, Interest, Parked
from evstore.model.names import check_name
from evstore.port import MOST_IN_PAGE, NamePage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evstore.model.consumers import ConsumerRecord
    from evstore.port import Adapter, Consumers

BEGIN: Final = b'{"consumer":'
"""The beginning of the line of a consumer, which no event has."""


def consumer_lines(adapter: Adapter) -> Iterator[str]:
    """A line for each consumer, by name, as `import` takes them."""
    consumers = consumers_of(adapter)
    after = None
    while page := consumers.page(NamePage(MOST_IN_PAGE, after)):
        after = page[-1].name
        for record in page:
            yield json.dumps({"consumer": _members(consumers, record)}, ensure_ascii=False, separators=(",", ":"))


def _members(consumers: Consumers, record: ConsumerRecord) -> dict[str, Any]:
    interest = record.interest
    return {
        "name": record.name,
        "categories": interest.categories,
        "types": interest.types,
        "checkpoints": [
            {"slot": each.slot, "globalPosition": each.global_position, "eventId": each.event_id}
            for each in record.checkpoints
        ],
        "parked": [
            {"eventId": each.event_id, "reason": each.reason, "state": each.state, "parkedUs": each.parked_us}
            for each in consumers.parked(record.name)
        ],
    }


def restore_consumer(adapter: Adapter, line: bytes) -> bool:
    """Make the consumer of a line, with its checkpoints; false if there is one of its name, which stays as it is.

    Raises InvalidInputError if the line is none, or if its checkpoints are not in this log.
    """
    members = _checked(line)
    consumers = consumers_of(adapter)
    name = members["name"]
    if consumers.find(name) is not None:
        return False
    positions = {each["slot"]: each["globalPosition"] for each in members["checkpoints"]}
    parked = _in_log(adapter, members)
    interest = Interest.of(members["categories"], members["types"])
    consumers.add(name, interest.to_json(), 0)
    hold = consumers.hold(name, [WHOLE])
    try:
        with consumers.step(hold) as step:
            if len(positions) > 1:
                step.divide()
            step.move(positions)
            for each in parked:
                step.park(each)
    finally:
        hold.release()
    return True


def _in_log(adapter: Adapter, members: dict[str, Any]) -> list[Parked]:
    """The parked events of a consumer. Raises InvalidInputError unless its checkpoints are in the log."""
    checkpoints = {
        each["eventId"]: each["globalPosition"] for each in members["checkpoints"] if each["globalPosition"]
    }
    parked = {each["eventId"]: each for each in members["parked"]}
    there = {event.id: event for event in adapter.get([*checkpoints, *parked])} if checkpoints or parked else {}
    for event_id, position in checkpoints.items():
        if event_id not in there or there[event_id].global_position != position:
            what = f'the checkpoint of consumer "{members["name"]}" at position {position}'
            raise InvalidInputError(f"{what} is of another log")
    return [
        Parked(event.stream_id, event.global_position, event.id, each["reason"], each["parkedUs"], each["state"])
        for event, each in ((there[event_id], each) for event_id, each in parked.items() if event_id in there)
    ]


def _checked(line: bytes) -> dict[str, Any]:
    """The members of a line. Raises InvalidInputError."""
    try:
        found: dict[str, Any] = json.loads(line)["consumer"]
        check_name("consumer name", found["name"])
        slots = [each["slot"] for each in found["checkpoints"]]
        positions = [each["globalPosition"] for each in found["checkpoints"]]
        parked = [each[key] for each in found["parked"] for key in ("eventId", "reason", "state", "parkedUs")]
        is_whole = slots in ([WHOLE], [*range(SLOTS)]) and all(type(each) is int for each in positions)
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInputError(f"not a consumer as export prints it: {error}") from None
    if not is_whole or len(parked) % 4:
        raise InvalidInputError("not a consumer as export prints it: it has 1 or 64 checkpoints")
    return found
