"""The events of a file that evstore printed, as they were stored."""

from __future__ import annotations

from operator import attrgetter

from evstore.errors import DeniedError, InvalidInputError, InvalidPayloadError, InvalidUrlError
from evstore.jsontext.packed import chunks, is_packed, unpacked
from evstore.jsontext.splitting import read_values
from evstore.model.events import StoredEvent


def events_of(path: str) -> list[StoredEvent]:
    """The events by position. Raises InvalidInputError if they cannot be of one log."""
    try:
        with open(path, "rb") as raw:
            text = unpacked(raw) if is_packed(raw.peek(1)) else chunks(raw)
            found = [event for _, event in read_values(text, path, StoredEvent.from_json)]
    except InvalidPayloadError as error:
        if error.source is None:  # not of a line, but of what is compressed
            raise InvalidInputError(f"{path} is damaged or ends too early: {error.__cause__}") from error
        raise
    except PermissionError as error:
        raise DeniedError(f"cannot read {path}: permission denied") from error
    except OSError as error:
        raise InvalidUrlError(f"cannot read {path}: {error.strerror}") from error
    found.sort(key=attrgetter("global_position"))
    _check_one_log(found, path)
    return found


def _check_one_log(events: list[StoredEvent], path: str) -> None:
    ids: set[str] = set()
    versions: dict[str, int] = {}
    position = None
    for event in events:
        same_place = event.global_position == position
        if event.id in ids or same_place or versions.get(event.stream_id, event.version - 1) >= event.version:
            raise InvalidInputError(f"{path} holds event {event.id}, or its position, twice")
        ids.add(event.id)
        versions[event.stream_id] = event.version
        position = event.global_position
