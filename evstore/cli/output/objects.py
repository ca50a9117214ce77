"""The objects that several commands print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evstore.cli.output.events import moment

if TYPE_CHECKING:
    from evstore.model.facts import Migration, StoreInfo, StreamInfo


def of_store(info: StoreInfo) -> dict[str, Any]:
    """The object that `init` and `info` print."""
    return {
        "backend": info.backend,
        "backendVersion": info.backend_version,
        "place": info.location,
        "schemaVersion": info.schema_version,
        "streams": info.streams,
        "categories": info.categories,
        "events": info.events,
        "headPosition": info.head,
        "sizeBytes": info.size_bytes,
        "durability": dict(info.durability),
        "warnings": list(info.warnings),
        **({"tamperEvident": True, "digest": info.digest} if info.tamper_evident else {}),
    }


def of_stream(info: StreamInfo) -> dict[str, Any]:
    """The object that `streams` and `info STREAM` print."""
    return {
        "streamId": info.stream_id,
        "category": info.category,
        "version": info.version,
        "events": info.events,
        "createdAt": moment(info.created_us),
        "updatedAt": moment(info.updated_us),
        "lastType": info.last_type,
    }


def of_migration(step: Migration) -> dict[str, Any]:
    """The object that `migrate` prints."""
    return {
        "step": step.step,
        "schemaVersion": step.schema,
        "finishes": step.finishes,
        "state": "pending" if step.applied_us is None else "applied",
        "appliedAt": None if step.applied_us is None else moment(step.applied_us),
    }
