"""StoreInfo of a PostgreSQL store, with its warnings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from evstore.adapters.sql import ON_DISK
from evstore.errors import listed
from evstore.model.digests import EMPTY, shown
from evstore.model.facts import StoreInfo

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NOT_SAFE: Final = "NOT SAFE: a power cut can lose what was acknowledged"


def info(location: str, facts: tuple[Any, ...]) -> StoreInfo:
    schema, streams, categories, size, standby, subscription, fsync, full_pages, commit, *rest = facts
    delay, version, filtered, is_chained, digest, head = rest
    commit = "on" if commit == "off" else commit  # as an append has it
    durable = is_durable(fsync, commit)
    return StoreInfo(
        backend="postgresql",
        backend_version=f"{version // 10000}.{version % 10000}",
        location=location,
        schema_version=schema,
        streams=streams,
        categories=categories,
        head=head,
        size_bytes=size,
        durability={
            "fsync": fsync,
            "fullPageWrites": full_pages,
            "synchronousCommit": commit,
        },
        warnings=(*_copying(standby, subscription), *_warnings(fsync, full_pages, delay, filtered)),
        durable=durable,
        how_durable=ON_DISK if durable else NOT_SAFE,
        tamper_evident=is_chained,
        digest=shown(head, digest if head else EMPTY) if is_chained and (digest or not head) else None,
    )


def is_durable(fsync: str, commit: str) -> bool:
    """An acknowledged append is on a disk."""
    return fsync == "on" and commit in ("on", "local", "remote_write", "remote_apply")


def _copying(standby: bool, subscription: str | None) -> Iterator[str]:
    if standby:
        yield "this server is a read replica: it cannot append, and may lag behind its primary"
    if subscription is not None:
        yield f'subscription "{subscription}" fills this store: it cannot append, and may lag behind its publisher'


def _warnings(fsync: str, full_pages: str, delay: int, filtered: Sequence[str]) -> Iterator[str]:
    if filtered:
        yield f"row level security hides rows of {listed(filtered)} from this role, so that reads are refused"
    if fsync == "off":
        yield "fsync is off: a power cut can lose acknowledged events, or the whole database"
    if full_pages == "off":
        yield "full_page_writes is off: a power cut can damage the database"
    if delay > 0:
        yield "commit_delay is not 0: each append waits that long before it reaches the disk"
