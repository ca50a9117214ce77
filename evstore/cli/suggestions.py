"""Names that were probably meant."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Final

from evstore.cli import settings
from evstore.cli.output import writer
from evstore.errors import IncompleteLogError, StreamNotFoundError
from evstore.model.names import category_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evstore.model.facts import StreamInfo
    from evstore.store import EventStore

LOOKED_AT: Final = 1000
"""Names compared at the most, so that a typo in a large store is reported as fast as in a small one."""


def note_unknown(
    store: EventStore,
    categories: Iterable[str] | None = None,
    types: Iterable[str] | None = None,
    *,
    takes_streams: bool = True,
) -> None:
    """Note each category and each type of a filter that the store does not have, with the nearest that it has.

    `takes_streams`: who names a stream in the place of a category can read that instead.
    """
    if settings.current.quiet or not (categories or types):
        return
    from shlex import quote

    with suppress(IncompleteLogError):  # the read itself reports it, or waits for it
        nothing = store.head() == 0  # and no name to be missed
        for name in categories or ():
            if "-" in name:
                meant = settings.again(f"read {quote(name)}") if takes_streams else category_of(name)
                writer.note(f'no category has a "-" in it; did you mean "{meant}"?')
            elif not nothing and not any(store.replay([name], limit=1)):
                _note(name, "category", (each.category for each in store.categories()))
        for name in types or ():
            if not nothing and not any(store.replay(types=[name], limit=1)):
                _note(name, "event type", (each.type for each in store.types()))


def _note(name: str, what: str, there: Iterable[str]) -> None:
    from evstore.did_you_mean import nearest

    meant = nearest(name, islice(there, LOOKED_AT))
    more = f"; did you mean {writer.to_json(meant)}?" if meant else ""
    writer.note(f"the store has no {what} {writer.to_json(name)}{more}")


def nearest_stream(store: EventStore, stream_id: str) -> str | None:
    """A stream that is there and is named almost so."""
    from evstore.did_you_mean import nearest

    category = category_of(stream_id)
    there = [info.category for info in islice(store.categories(), LOOKED_AT)]
    if stream_id == category and category not in there:
        return _hyphenated(store, stream_id, there)
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


def _hyphenated(store: EventStore, stream_id: str, there: Iterable[str]) -> str | None:
    """The stream whose name lacks nothing but a hyphen here, or is written with another case."""
    for category in there:
        if stream_id.lower().startswith(category.lower()):
            rest = stream_id[len(category) :].lstrip("_/:. ")
            wanted = f"{category}-{rest}"
            if rest and any(
                each.stream_id == wanted for each in islice(store.streams(category, prefix=wanted), 1)
            ):
                return wanted
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
            error.add_note(f"did you mean {writer.to_json(meant)}?")
        raise
