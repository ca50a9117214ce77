"""What a server tells of a store, and what there is to warn of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evstore.model.facts import StoreInfo

if TYPE_CHECKING:
    from collections.abc import Iterator


def info(place: str, facts: tuple[Any, ...]) -> StoreInfo:
    schema, streams, categories, size, standby, fsync, full_pages, commit, delay, version, head = facts
    return StoreInfo(
        backend="postgresql",
        backend_version=f"{version // 10000}.{version % 10000}",
        place=place,
        schema_version=schema,
        streams=streams,
        categories=categories,
        head=head,
        size_bytes=size,
        durability={
            "fsync": fsync,
            "fullPageWrites": full_pages,
            "synchronousCommit": "on" if commit == "off" else commit,  # as an append has it
        },
        warnings=tuple(_warnings(standby, fsync, full_pages, delay)),
    )


def _warnings(standby: bool, fsync: str, full_pages: str, delay: int) -> Iterator[str]:
    if standby:
        yield "this server is a read replica: it cannot append, and may lag behind its primary"
    if fsync == "off":
        yield "fsync is off: a power cut can lose acknowledged events, or the whole database"
    if full_pages == "off":
        yield "full_page_writes is off: a power cut can damage the database"
    if delay > 0:
        yield "commit_delay is not 0: appends wait so long for companions before they reach the disk"
