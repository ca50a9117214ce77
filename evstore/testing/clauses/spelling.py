"""Chapter "Reading", R9: the log as it goes out."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, cast

import pytest

from evstore.errors import IncompleteLogError
from evstore.model.metadata import Metadata
from evstore.model.raw import NOTHING, RawPage
from evstore.port import PAGE_CHARACTERS, Cut, Page
from evstore.testing.asking import ANYTHING, accepted
from evstore.testing.builders import an_append, an_event
from evstore.testing.clauses.exactness import DATA, METADATA, NAMES
from evstore.testing.clauses.wholeness import LOST, store_events
from evstore.testing.harness import RAW, Harness
from evstore.testing.variety import EVENTS, fill

if TYPE_CHECKING:
    from pathlib import Path

    from evstore.port import Adapter, ReadsRaw


def read_raw(adapter: Adapter, page: Page) -> RawPage | None:
    return cast("ReadsRaw", adapter).read_raw(page)


class SpellingClauses(Harness):
    """R9: the lines are those of the events that the same read gives."""

    def _is_spelled(self, adapter: Adapter, page: Page) -> None:
        events = adapter.read_all(page, ANYTHING)
        found = read_raw(adapter, page)
        assert found is not None, page
        assert found.lines.decode().split("\n")[:-1] == [event.to_json() for event in events], page
        assert (found.events, found.is_cut) == (len(events), isinstance(events, Cut)), page
        assert found.last == ((events[-1].id, events[-1].global_position) if events else None), page

    def test_R9_a_raw_page_has_the_lines_of_its_events(self, adapter: Adapter) -> None:
        self.needs(adapter, RAW)
        fill(adapter)
        for limit, after, backward in product((0, 1, 3, EVENTS + 1), (None, 2, EVENTS), (False, True)):
            self._is_spelled(adapter, Page(limit, after, backward=backward))
        self._is_spelled(adapter, Page(EVENTS, low=3, high=5))

    def test_R9_texts_go_out_byte_for_byte(self, adapter: Adapter) -> None:
        self.needs(adapter, RAW)
        accepted(adapter, an_append("Order-1", [an_event(data_json=text) for text in DATA.values()]))
        accepted(adapter, an_append("Order-2", [an_event(metadata=each) for each in METADATA.values()]))
        for name in NAMES:
            tagged = an_event(name, metadata=Metadata(user_id=name), tags=("order:1", "größe:東京"))
            accepted(adapter, an_append(f"{name}-{name}", [tagged]))
        self._is_spelled(adapter, Page(1000))

    def test_R9_a_raw_page_ends_where_its_events_are_long(self, adapter: Adapter) -> None:
        self.needs(adapter, RAW)
        long = f'"{"x" * (PAGE_CHARACTERS // 2)}"'
        accepted(adapter, an_append("Order-1", [an_event(data_json=long) for _ in range(5)]))
        for backward in (False, True):
            self._is_spelled(adapter, Page(5, backward=backward))

    def test_R9_an_empty_log_has_no_lines(self, adapter: Adapter) -> None:
        self.needs(adapter, RAW)
        assert read_raw(adapter, Page(5)) == NOTHING

    @pytest.mark.parametrize("what", LOST)
    def test_R9_a_raw_page_leaves_an_event_without_its_name_to_the_read_that_reports_it(
        self, adapter: Adapter, tmp_path: Path, what: str
    ) -> None:
        self.needs(adapter, RAW)
        self.needs_lose()
        store_events(adapter)
        self.lose(tmp_path, what, LOST[what])
        assert read_raw(adapter, Page(100)) is None
        with pytest.raises(IncompleteLogError):
            adapter.read_all(Page(100), ANYTHING)
