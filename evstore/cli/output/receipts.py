"""What an append tells: of itself, of its retry, of each of its events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from evstore.port import Receipt

if TYPE_CHECKING:
    from evstore.appending.outcomes import Duplicate


class Told(NamedTuple):
    """What a receipt tells, of an append or of its retry."""

    size: int
    first_version: int
    version: int
    first_position: int
    position: int
    duplicate: bool


def told_of(outcome: Receipt | Duplicate) -> Told:
    if isinstance(outcome, Receipt):
        first, size, version = outcome.first_position, outcome.size, outcome.first_versions[0]
        return Told(size, version, version + size - 1, first, first + size - 1, duplicate=False)
    begin, end = outcome.first, outcome.last
    return Told(
        outcome.size,
        begin.version,
        end.version,
        begin.global_position,
        end.global_position,
        outcome.flagged,
    )


def of_stream(stream_id: str, told: Told, ids: list[str] | None) -> tuple[str, dict[str, Any]]:
    """A receipt, as a sentence and as an object."""
    done = f"{_events(told.size)} already stored," if told.duplicate else f"appended {_events(told.size)}, now"
    members: dict[str, Any] = {
        "streamId": stream_id,
        "count": told.size,
        "firstVersion": told.first_version,
        "version": told.version,
        "globalPosition": told.position,
        **({} if ids is None else {"ids": ids}),
        "duplicate": told.duplicate,
    }
    return f"{stream_id}: {done} at version {told.version} (position {told.position})", members


def of_many(streams: int, told: Told) -> tuple[str, dict[str, Any]]:
    done = f"{_events(told.size)} already stored in" if told.duplicate else f"appended {_events(told.size)} to"
    where = "1 stream" if streams == 1 else f"{streams} streams"
    members = {
        "streams": streams,
        "count": told.size,
        "firstGlobalPosition": told.first_position,
        "globalPosition": told.position,
        "duplicate": told.duplicate,
    }
    return f"{done} {where}, position {told.first_position} to {told.position}", members


def of_one(stream_id: str, told: Told, event_id: str) -> tuple[str, dict[str, Any]]:
    done = "already stored" if told.duplicate else "appended"
    members = {
        "streamId": stream_id,
        "version": told.version,
        "globalPosition": told.position,
        "id": event_id,
        "duplicate": told.duplicate,
    }
    return f"{stream_id}: {done}, version {told.version} (position {told.position})", members


def _events(count: int) -> str:
    return "1 event" if count == 1 else f"{count} events"
