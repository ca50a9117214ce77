"""The documents of a store: one for each append, and what follows from them."""

from __future__ import annotations

from contextlib import closing

import pytest

from evstore import EventData, NotAStoreError, NotInitializedError, connect
from evstore.adapters.mongodb import connect as adapter_of
from evstore.adapters.mongodb.blocks import UNITS_OF_A_BLOCK
from evstore.model.sources import Source
from evstore.port import Append, Receipt
from evstore.testing.asking import ALL_NAMES, answer, everything, history
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


def _documents(database, collection):
    return sorted(database[collection].find(), key=lambda each: each["_id"])


def test_one_document_is_one_append(place, database):
    unit = Append(
        [a_write("Order-1", [an_event(data_json='{"a": 1.10}', tags=["b", "a"])]), a_write("Stock-1", 2)],
        source=Source("orders.csv", 7),
    )
    with closing(adapter_of(place)) as adapter:
        answer(adapter, unit)
        answer(adapter, an_append("Order-1", 1, 7))
        answer(adapter, an_append("Order-1", 1, 1))
    first, second = _documents(database, "units")
    assert (first["_id"], second["_id"]) == ("00000000000000000001", "00000000000000000002")
    assert (first["first"], first["size"], second["first"], second["size"]) == (1, 3, 4, 1)
    assert first["append"] != second["append"]
    assert first["source"] == {"name": "orders.csv", "position": 7}
    assert [event["id"] for event in first["events"]] == [*unit.ids()]
    assert [(event["stream"], event["version"]) for event in first["events"]] == [
        ("Order-1", 1), ("Stock-1", 1), ("Stock-1", 2),
    ]  # fmt: skip
    assert first["events"][0]["data"] == '{"a": 1.10}'
    assert first["events"][0]["tags"] == ["a", "b"]
    assert (second["events"][0]["stream"], second["events"][0]["version"]) == ("Order-1", 2)


def test_what_follows_from_the_log_says_up_to_where_and_is_made_anew_where_it_is_lost(place, database):
    with connect(place) as store:
        for number in range(2 * UNITS_OF_A_BLOCK + 5):
            store.append(f"Order-{number % 7}", [EventData("Placed", number)], tags=[f"t{number % 3}"])
    blocks = _documents(database, "blocks")
    assert [(each["after"], each["upto"]) for each in blocks] == [(0, 64), (64, 128)]
    with closing(adapter_of(place)) as adapter:
        before = everything(adapter)
        event = before.events[3]
        assert adapter.get([event.id]) == [event]
        assert [each.version for each in history(adapter, "Order-1")] == list(range(1, 20))
    database.drop_collection("blocks")
    database.drop_collection("keys")
    with closing(adapter_of(place)) as adapter:
        assert everything(adapter) == before
        assert isinstance(answer(adapter, an_append("Order-1", 1, 19)), Receipt)
    with closing(adapter_of(place)) as adapter:
        for _ in range(UNITS_OF_A_BLOCK):
            answer(adapter, an_append("Order-1"))
    again = _documents(database, "blocks")
    assert [(each["after"], each["upto"]) for each in again] == [(0, 64), (64, 128), (128, 192)]
    assert [each["ids"] for each in again[:2]] == [each["ids"] for each in blocks]
    with closing(adapter_of(place)) as adapter:
        assert everything(adapter).events[: len(before.events)] == before.events


def test_a_new_process_reads_no_more_of_the_log_than_what_follows_the_catalogue(place, database):
    with closing(adapter_of(place)) as adapter:
        for number in range(3 * UNITS_OF_A_BLOCK):
            answer(adapter, an_append(f"Order-{number}"))
    # Of the units that the catalogue has, nothing but a gap could tell whether they were read.
    database["units"].delete_many({"_id": {"$lt": "00000000000000000100"}})
    with closing(adapter_of(place)) as adapter:
        assert answer(adapter, an_append("Order-3", 1, 1)).first_versions == [2]
        assert answer(adapter, an_append("Order-new", 1, 0)).first_versions == [1]
        assert len(adapter.streams(ALL_NAMES, None)) == 3 * UNITS_OF_A_BLOCK + 1


def test_a_database_of_something_else_is_not_touched(mongo_server):
    url = mongo_server.place()
    name = url.rpartition("/")[2]
    with mongo_server.client() as client, closing(adapter_of(url)) as adapter:
        with pytest.raises(NotInitializedError):
            adapter.info()
        assert client[name].list_collection_names() == []
        client[name]["letters"].insert_one({"_id": 1})
        with pytest.raises(NotAStoreError):
            adapter.initialize()
        assert client[name].list_collection_names() == ["letters"]
    mongo_server.drop_places()


def test_a_mark_that_is_just_being_made_is_made_and_one_of_others_is_left_alone(mongo_server):
    url = mongo_server.place()
    name = url.rpartition("/")[2]
    with mongo_server.client() as client, closing(adapter_of(url)) as adapter:
        client[name].create_collection("evstore")  # as a server does before the first document gets in
        with pytest.raises(NotInitializedError):
            adapter.info()
        adapter.initialize()
        assert adapter.info().events == 0
        client[name]["evstore"].delete_many({})
        client[name]["evstore"].insert_one({"_id": "a letter"})
        with closing(adapter_of(url)) as another, pytest.raises(NotAStoreError):
            another.initialize()
    mongo_server.drop_places()
