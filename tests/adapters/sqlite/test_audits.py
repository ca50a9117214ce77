"""The short way of an audit shows what the long way shows, or leaves the page to it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import pytest

from evstore import EventData, Metadata, connect
from evstore.adapters.sqlite.audit import SqliteAudits
from evstore.errors import CorruptStoreError
from evstore.model.versions import MIN_INTEGER
from evstore.port import PAGE_CHARACTERS
from tests.support.damage import DAMAGES, healthy, plant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evstore.port import Audited
    from tests.support.command import Command

LAST = 6
RANGES = [(low, high) for low in (MIN_INTEGER, *range(1, LAST + 1)) for high in range(max(low, 1), LAST + 1)]


@contextmanager
def audits_of(command: Command) -> Iterator[SqliteAudits]:
    with connect(command.url) as store:
        audits = cast("Audited", store._adapter).audits()
        assert isinstance(audits, SqliteAudits)
        yield audits


@pytest.mark.sqlite_only("its long way and its short way")
@pytest.mark.parametrize(("low", "high"), RANGES)
def test_the_short_way_shows_every_page_of_a_sound_store(evstore: Command, low: int, high: int) -> None:
    healthy(evstore)
    with audits_of(evstore) as audits:
        found = audits._agreed(low, high)
        assert [each.global_position for each in found] == [*range(max(low, 1), high + 1)]
        assert found == audits._each(low, high, LAST)


@pytest.mark.sqlite_only("its long way and its short way")
@pytest.mark.parametrize(
    "name", [name for name, each in DAMAGES.items() if each.sqlite and "DROP" not in each.sqlite]
)
def test_the_short_way_shows_all_damage_or_nothing(evstore: Command, name: str) -> None:
    healthy(evstore)
    plant(evstore, DAMAGES[name])
    with audits_of(evstore) as audits:
        for low, high in RANGES:
            try:
                found = audits._agreed(low, high)
            except CorruptStoreError:
                continue
            assert found in ([], audits._each(low, high, LAST))


@pytest.mark.sqlite_only("its long way and its short way")
@pytest.mark.parametrize(
    "planted",
    [
        "UPDATE events SET category_key = 1, category_number = 4 WHERE global_position = 4",
        "DELETE FROM events WHERE global_position = 4",
    ],
    ids=["of the category that it had", "of an event that is gone"],
)
def test_an_entry_of_a_category_that_leads_nowhere_leaves_the_page_to_the_long_way(
    evstore: Command, planted: str
) -> None:
    healthy(evstore)
    plant(evstore, DAMAGES["the last event of a category is not in its index"]._replace(sqlite=planted))
    with audits_of(evstore) as audits:
        assert audits._agreed(3, 5) == audits._agreed(1, LAST) == []
        assert audits._agreed(1, 3) != []


@pytest.mark.sqlite_only("its long way and its short way")
@pytest.mark.parametrize("size", [1, PAGE_CHARACTERS])
def test_an_event_that_is_found_twice_leaves_the_page_to_the_long_way(evstore: Command, size: int) -> None:
    """Also where the page ends with it."""
    with connect(evstore.url) as store:
        store.initialize()
        store.append("A-1", [EventData("T", "x" * size, Metadata("c")) for _ in range(4)])
    plant(evstore, DAMAGES["an id comes twice"])
    with audits_of(evstore) as audits:
        for low, high in ((1, 4), (1, 1), (1, 2), (3, 3), (3, 4)):
            assert audits._agreed(low, high) == []
        assert [each.found_by_id for each in audits._each(3, 3, 1)] == [1]
