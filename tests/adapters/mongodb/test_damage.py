"""What other programs can do to a database, and what verify finds of it."""

from __future__ import annotations

from contextlib import closing

import pytest

from evstore import connect
from evstore.adapters.mongodb import connect as adapter_of
from evstore.adapters.mongodb.blocks import UNITS_OF_A_BLOCK
from evstore.testing.asking import answer
from evstore.testing.builders import an_append, an_event


@pytest.fixture
def place(mongo_server):
    url = mongo_server.place()
    with closing(adapter_of(url)) as adapter:
        adapter.initialize()
        for number in range(UNITS_OF_A_BLOCK + 3):
            answer(adapter, an_append(f"Order-{number % 5}", [an_event(tags=[f"t{number % 2}"])]))
    yield url
    mongo_server.drop_places()


@pytest.fixture
def database(mongo_server, place):
    with mongo_server.client() as client:
        yield client[place.rpartition("/")[2]]


def _kinds(url):
    with connect(url) as store:
        return [found.kind for found in store.verify()]


def _changed(database, collection, number, **more):
    document = database[collection].find_one({"_id": f"{number:020d}"})
    database[collection].delete_one({"_id": document["_id"]})
    database[collection].insert_one({**document, **more})


def test_a_store_that_evstore_alone_wrote_is_sound(place):
    assert _kinds(place) == []
    with connect(place) as store:
        assert [*store.verify(after=50)] == []


def test_a_unit_that_is_lost_is_found(place, database):
    database["units"].delete_one({"_id": f"{30:020d}"})
    assert "unreadable" in _kinds(place)


def test_a_changed_event_has_another_digest(place, database):
    with connect(place) as store:
        verification = store.verify()
        assert [*verification] == []
        (event,) = database["units"].find_one({"_id": f"{30:020d}"})["events"]
        _changed(database, "units", 30, events=[{**event, "data": "0"}])
    with connect(place) as store:
        assert [found.kind for found in store.verify(expect=verification.digest)] == ["digest"]


def test_an_id_that_the_log_has_twice_is_found(place, database):
    (first,) = database["units"].find_one({"_id": f"{30:020d}"})["events"]
    (second,) = database["units"].find_one({"_id": f"{60:020d}"})["events"]
    _changed(database, "units", 60, events=[{**second, "id": first["id"]}])
    assert "duplicate-id" in _kinds(place)


def test_a_block_that_says_something_else_is_found_with_advice(place, database):
    _changed(database, "blocks", 1, ids=b"")
    with connect(place) as store:
        (found,) = store.verify()
    assert found.kind == "configuration"
    assert "drop the collections blocks and keys" in found.advice
    database.drop_collection("blocks")
    database.drop_collection("keys")
    assert _kinds(place) == []
