"""Units that no document can hold."""

from __future__ import annotations

import time
from contextlib import closing

import pytest

from evstore.adapters.mongodb import connect as adapter_of
from evstore.adapters.mongodb import staging
from evstore.adapters.mongodb.staging import LEFT_AFTER_US, Staging
from evstore.port import Append, Page, Receipt
from evstore.testing.asking import ANYTHING, answer, history, log
from evstore.testing.builders import a_write, an_append, an_event


@pytest.fixture
def place(mongo_server):
    url = mongo_server.place()
    with closing(adapter_of(url)) as adapter:
        adapter.initialize()
    yield url
    mongo_server.drop_places()


@pytest.fixture
def database(mongo_server, place):
    with mongo_server.client() as client:
        yield client[place.rpartition("/")[2]]


@pytest.fixture
def small(monkeypatch):
    """Small chunks, so that few events have many."""
    monkeypatch.setattr(staging, "MOST_INLINE", 4000)
    monkeypatch.setattr(staging, "CHUNK_BYTES", 1000)
    monkeypatch.setattr(staging, "_SLICE_BYTES", 1500)


def test_events_of_more_than_a_document_holds_are_read_like_others(place, database):
    long = [an_event(data_json=f'"{letter * 6_000_000}"') for letter in "abcé"]
    with closing(adapter_of(place)) as adapter:
        assert isinstance(answer(adapter, an_append("Order-1", long)), Receipt)
        assert isinstance(answer(adapter, an_append("Order-1", 1, 4)), Receipt)
    (unit,) = [each for each in database["units"].find() if each.get("chunks")]
    assert unit["events"] == []
    assert database["staged"].count_documents({}) == len(unit["chunks"]) > 4
    with closing(adapter_of(place)) as adapter:
        events = log(adapter)
        assert [each.data_json for each in events[:1]] == [long[0].data_json]
        found = [event for version in range(1, 5) for event in adapter.read_all(Page(1, low=version), ANYTHING)]
        assert [event.data_json for event in found] == [str(each.data_json) for each in long]


def test_a_unit_in_chunks_is_paged_both_ways_and_judged_like_others(place, small):
    first = Append([a_write("Order-1", 3), a_write("Stock-1", 2)])
    sizes = (10, 3000, 20, 700, 5000, 4000, 30, 600, 2000)
    unit = Append(
        [
            a_write("Order-1", [an_event(data_json=f'"{"é" * size}"', tags=[f"t{size}"]) for size in sizes]),
            a_write("New-1", [an_event(), an_event()], 0),
            a_write("Order-1", [an_event("Last")], 3 + len(sizes)),
        ]
    )
    with closing(adapter_of(place)) as adapter:
        answer(adapter, first)
        outcome = answer(adapter, unit)
        assert isinstance(outcome, Receipt)
        assert [*outcome.first_versions] == [4, 1, 4 + len(sizes)]
        assert answer(adapter, unit).ids == [*unit.ids()]
    with closing(adapter_of(place)) as adapter:
        events = log(adapter)
        assert [event.id for event in events] == [*first.ids(), *unit.ids()]
        assert [event.global_position for event in events] == list(range(1, len(events) + 1))
        assert [event.version for event in history(adapter, "Order-1")] == list(range(1, 5 + len(sizes)))
        for at in range(len(events)):
            position = at + 1
            assert adapter.read_all(Page(2, low=position), ANYTHING) == events[at : at + 2]
            page = Page(2, high=position, backward=True)
            assert adapter.read_all(page, ANYTHING) == events[: at + 1][::-1][:2]
        assert adapter.get([events[7].id]) == [events[7]]


def test_a_unit_in_chunks_that_loses_its_place_is_staged_once(place, database, small):
    with closing(adapter_of(place)) as adapter, closing(adapter_of(place)) as other:
        answer(adapter, an_append("Order-1"))
        taken = iter([True, True])
        writing = adapter._writing
        stored = writing._stored

        def late(unit, draft, place):
            if next(taken, False):
                answer(other, an_append("Order-1"))
            return stored(unit, draft, place)

        writing._stored = late
        outcome = answer(adapter, an_append("Order-1", [an_event(data_json=f'"{"x" * 5000}"') for _ in "abc"]))
        assert [*outcome.first_versions] == [4]
        assert [event.version for event in history(other, "Order-1")] == [1, 2, 3, 4, 5, 6]
    assert len({each["_id"].partition("/")[0] for each in database["staged"].find()}) == 1


def test_chunks_that_no_unit_names_are_swept_after_a_day(place, database, small):
    big = [an_event(data_json=f'"{"x" * 5000}"')]
    with closing(adapter_of(place)) as adapter:
        answer(adapter, an_append("Order-1", big))
        kept = {each["_id"] for each in database["staged"].find()}
        database["staged"].insert_one({"_id": "left/00000001", "time": 1, "lines": b""})
        database["staged"].insert_one({"_id": "new/00000001", "time": time.time_ns() // 1000, "lines": b""})
        named = {append.partition("/")[0] for append in kept}
        assert Staging(adapter._session).sweep(lambda: named) == 1
        assert {each["_id"] for each in database["staged"].find()} == {*kept, "new/00000001"}
        later_us = time.time_ns() // 1000 + LEFT_AFTER_US + 10**6
        assert Staging(adapter._session).sweep(adapter._lists.staged, later_us) == 1
        assert {each["_id"] for each in database["staged"].find()} == kept
        assert log(adapter)[0].data_json == big[0].data_json


def test_an_append_of_a_large_unit_sweeps(place, database, small):
    database["staged"].insert_one({"_id": "left/00000001", "time": 1, "lines": b""})
    with closing(adapter_of(place)) as adapter:
        answer(adapter, an_append("Order-1", [an_event(data_json=f'"{"x" * 5000}"')]))
    assert not database["staged"].find_one({"_id": "left/00000001"})
