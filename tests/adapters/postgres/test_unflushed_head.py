"""Answers that rest on old events alone: they wait for nothing that was written since."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from evstore import EventData, connect
from evstore.model.filters import Filter
from evstore.port import NamePage, Page
from tests.support.servers import another
from tests.support.unflushed_appends import append_unflushed, crashing, given_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from evstore.port import Adapter
    from tests.support.servers import Server

TYPES: Final = ("Sent", "Paid")
OLD: Final = Page(2, high=2)
UNFLUSHED: Final = "SELECT pg_current_wal_flush_lsn() < pg_current_wal_insert_lsn()"
ASKED: Final[dict[str, tuple[Callable[[Adapter], Any], Any]]] = {
    "a page of two types": (lambda adapter: len(adapter.read_all(OLD, Filter(types=TYPES))), 2),
    "a page of two categories": (
        lambda adapter: len(adapter.read_all(OLD, Filter(categories=("Bill", "Nil")))),
        2,
    ),
    "no event of a type": (lambda adapter: adapter.read_all(OLD, Filter(types=("Nil",))), []),
    "no event of a stream": (lambda adapter: adapter.read_stream("Nil-1", OLD, Filter()), []),
    "no stream": (lambda adapter: adapter.stream("Nil-1"), None),
    "no stream of a category": (lambda adapter: adapter.streams(NamePage(2), "Nil"), []),
    "no type of a category": (lambda adapter: adapter.types(NamePage(2), "Nil"), []),
    "a count": (lambda adapter: adapter.count(1, 2, Filter(types=TYPES)), 2),
}
"""Questions and their answers."""


def test_what_rests_on_old_events_waits_for_no_later_event_to_be_durable(server: Server) -> None:
    with another(server) as own:
        schema = own.schema()
        with connect(own.url(schema)) as store, crashing(own):
            store.initialize()
            store.append("Bill-1", [EventData(name, {}) for name in TYPES])
            assert len([*store.replay()]) == 2  # which it knows to be durable from now on
            append_unflushed(own, schema, given_of(store, "Order-1"))
            assert own.execute(UNFLUSHED) == [(True,)]
            for name, (ask, answer) in ASKED.items():
                assert ask(store._adapter) == answer, name
                assert own.execute(UNFLUSHED) == [(True,)], name
            assert [event.stream_id for event in store.replay(types=["Placed"])] == ["Order-1"]
            assert own.execute(UNFLUSHED) == [(False,)]
