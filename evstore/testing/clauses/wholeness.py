"""Chapter "Reading", R7: an event whose name is lost is a fault to report, and no absence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from evstore.errors import IncompleteLogError
from evstore.model.filters import Filter
from evstore.port import Page
from evstore.testing.asking import ALL_NAMES, ANYTHING, accepted, history, log
from evstore.testing.builders import an_append, an_event
from evstore.testing.harness import Harness

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from evstore.model.events import StoredEvent
    from evstore.port import Adapter

LOST: Final = {"type": "Named", "stream": "User-1"}
"""The last name of its kind that `store_events` makes, by kind."""
EARLIER: Final = {"type": "Placed", "stream": "Order-1"}
"""A name of its kind that is not the last."""
LISTS: Final[Mapping[str, Callable[[Adapter], list[Any]]]] = {
    "type": lambda adapter: adapter.types(ALL_NAMES, None),
    "stream": lambda adapter: adapter.streams(ALL_NAMES, None),
}
READS: Final[Mapping[str, Callable[[Adapter], list[StoredEvent]]]] = {
    "log": log,
    "log backward": lambda adapter: adapter.read_all(Page(9, backward=True), ANYTHING),
    "category": lambda adapter: log(adapter, Filter(categories=("User",))),
    "type": lambda adapter: log(adapter, Filter(types=("Named",))),
    "other types too": lambda adapter: log(adapter, Filter(types=("Placed", "Named"))),
    "type of a category": lambda adapter: log(adapter, Filter(categories=("User",), types=("Named",))),
    "correlation": lambda adapter: log(adapter, Filter(correlation_id="c")),
    "stream": lambda adapter: history(adapter, "User-1"),
}


def store_events(adapter: Adapter) -> None:
    accepted(adapter, an_append("Order-1", [an_event("Placed"), an_event("Placed")]))
    accepted(adapter, an_append("User-1", [an_event("Named", correlation_id="c")]))
    accepted(adapter, an_append("Order-1", [an_event("Placed")]))


class WholenessClauses(Harness):
    """R7: no read passes over an event."""

    @pytest.mark.parametrize("read", READS)
    @pytest.mark.parametrize("what", LOST)
    def test_R7_an_event_without_its_name_is_not_left_out(
        self, adapter: Adapter, tmp_path: Path, what: str, read: str
    ) -> None:
        self.needs_lose()
        store_events(adapter)
        assert len(READS[read](adapter)) > 0
        self.lose(tmp_path, what, LOST[what])
        with pytest.raises(IncompleteLogError) as raised:
            READS[read](adapter)
        assert raised.value.position in (3, 4)  # its own, or the head

    @pytest.mark.parametrize("what", LOST)
    def test_R7_the_head_is_not_told_beyond_an_event_that_is_left_out(
        self, adapter: Adapter, tmp_path: Path, what: str
    ) -> None:
        self.needs_lose()
        store_events(adapter)
        self.lose(tmp_path, what, LOST[what])
        with pytest.raises(IncompleteLogError):
            adapter.head(-1, 0)

    @pytest.mark.parametrize("what", LOST)
    def test_R7_an_id_finds_no_event_without_its_name(self, adapter: Adapter, tmp_path: Path, what: str) -> None:
        self.needs_lose()
        store_events(adapter)
        whole, nameless = log(adapter)[0], log(adapter)[2]
        self.lose(tmp_path, what, LOST[what])
        assert adapter.get([whole.id]) == [whole]
        with pytest.raises(IncompleteLogError):
            adapter.get([nameless.id])

    @pytest.mark.parametrize("what", LOST)
    def test_R7_no_event_is_added_where_a_name_is_lost(self, adapter: Adapter, tmp_path: Path, what: str) -> None:
        self.needs_lose()
        store_events(adapter)
        self.lose(tmp_path, what, LOST[what])
        with pytest.raises(IncompleteLogError):
            adapter.append([an_append("User-1", [an_event("Named")])])
        assert adapter.info().head == 4

    def test_R7_a_stream_whose_name_is_lost_is_not_absent(self, adapter: Adapter, tmp_path: Path) -> None:
        self.needs_lose()
        store_events(adapter)
        assert adapter.read_stream("Missing-1", Page(9), ANYTHING) == []
        self.lose(tmp_path, "stream", EARLIER["stream"])
        with pytest.raises(IncompleteLogError):
            adapter.read_stream(EARLIER["stream"], Page(9), ANYTHING)
        with pytest.raises(IncompleteLogError):
            adapter.stream(EARLIER["stream"])

    @pytest.mark.parametrize("lost", [LOST, EARLIER], ids=["last", "earlier"])
    @pytest.mark.parametrize("what", LISTS)
    def test_R7_a_list_does_not_end_where_a_name_is_lost(
        self, adapter: Adapter, tmp_path: Path, what: str, lost: Mapping[str, str]
    ) -> None:
        self.needs_lose()
        store_events(adapter)
        assert len(LISTS[what](adapter)) == 2
        self.lose(tmp_path, what, lost[what])
        with pytest.raises(IncompleteLogError):
            LISTS[what](adapter)
