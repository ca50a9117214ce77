"""What was probably meant."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from evstore.streams import category_of
from evstore.wire import nearest

if TYPE_CHECKING:
    from evstore.store import EventStore

LOOKED_AT: Final = 1000
"""Names compared at the most, so that a typo in a large store is told as fast as in a small one."""


def stream_like(store: EventStore, stream_id: str) -> str | None:
    """A stream that is there and is named almost so."""
    category = category_of(stream_id)
    known = [info.category for info in islice(store.categories(), LOOKED_AT)]
    if category not in known:
        meant = nearest(category, known)
        if meant is None:
            return None
        stream_id = meant + stream_id[len(category) :]
        category = meant
    for length in range(len(stream_id), len(category) - 1, -1):
        near = [info.stream_id for info in islice(store.streams(category, prefix=stream_id[:length]), LOOKED_AT)]
        if near:
            return stream_id if stream_id in near else nearest(stream_id, near)
    return None
