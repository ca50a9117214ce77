"""Names that were probably meant."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from evstore.errors import StreamNotFoundError
from evstore.model.names import category_of

if TYPE_CHECKING:
    from evstore.model.facts import StreamInfo
    from evstore.store import EventStore

LOOKED_AT: Final = 1000
"""Names compared at the most, so that a typo in a large store is reported as fast as in a small one."""


def nearest_stream(store: EventStore, stream_id: str) -> str | None:
    """A stream that is there and is named almost so."""
    from evstore.did_you_mean import nearest

    category = category_of(stream_id)
    there = [info.category for info in islice(store.categories(), LOOKED_AT)]
    if category not in there:
        meant = nearest(category, there)
        if meant is None:
            return None
        stream_id = meant + stream_id[len(category) :]
        category = meant
    for length in range(len(stream_id), len(category) - 1, -1):
        near = [info.stream_id for info in islice(store.streams(category, prefix=stream_id[:length]), LOOKED_AT)]
        if near:
            return stream_id if stream_id in near else nearest(stream_id, near)
    return None


def find_stream(store: EventStore, stream_id: str, *, missing_ok: bool = False) -> StreamInfo | None:
    """The facts of a stream. Raises StreamNotFoundError, with the name that was probably meant."""
    try:
        return store.stream_info(stream_id)
    except StreamNotFoundError as error:
        if missing_ok:
            return None
        meant = nearest_stream(store, stream_id)
        if meant is not None:
            from evstore.cli.output.writer import to_json

            error.add_note(f"did you mean {to_json(meant)}?")
        raise
