"""The queue of writers, which is advice and no more: an append is stored with it and without it."""

from __future__ import annotations

import time
from contextlib import closing

import pytest

from evstore.adapters.mongodb import connect as adapter_of
from evstore.testing.asking import accepted, log
from evstore.testing.builders import an_append

EARLIER = "00000000000000000000/of another"


@pytest.fixture
def adapter(mongo_server):
    with closing(adapter_of(mongo_server.place())) as made:
        made.initialize()
        accepted(made, an_append("Order-1"))
        yield made
    mongo_server.drop_places()


@pytest.fixture
def waiting(mongo_server, adapter):
    """The queue."""
    with mongo_server.client() as client:
        yield client[adapter.location.rpartition("/")[2]]["waiting"]


def _queued(waiting):
    return [each["_id"] for each in waiting.find()]


def test_a_writer_that_goes_on_and_on_lets_others_have_their_turn(adapter, waiting, monkeypatch):
    waiting.insert_one({"_id": EARLIER})
    paused: list[list[str]] = []

    def pause(_seconds):
        paused.append(_queued(waiting))
        waiting.delete_one({"_id": EARLIER})

    monkeypatch.setattr(adapter._session, "pause", pause)
    adapter._writing._turns._begun = 0.0
    accepted(adapter, an_append("Order-1", 1, 1))
    ((first, own),) = paused
    assert first == EARLIER
    assert own.startswith("00000000000000000001/")
    assert _queued(waiting) == []


def test_a_new_process_queues_behind_those_who_wait(adapter, waiting, monkeypatch):
    waiting.insert_one({"_id": "00000000000000000000/of one that waits"})
    queued: list[str] = []
    with closing(adapter_of(adapter._session.location.url)) as new:
        monkeypatch.setattr(
            new._session, "pause", lambda _: queued.extend(_queued(waiting)) or waiting.delete_many({})
        )
        accepted(new, an_append("Order-2"))
    assert [each.partition("/")[0] for each in queued] == ["00000000000000000000", "00000000000000000001"]


def test_a_turn_begins_with_the_first_append_and_lasts_a_while(adapter, waiting):
    waiting.insert_one({"_id": EARLIER})
    turns = adapter._writing._turns
    turns._begun, turns._turn = time.monotonic(), 60.0
    begun = time.monotonic()
    accepted(adapter, an_append("Order-1", 1, 1))
    assert turns._begun < begun
    assert _queued(waiting) == [EARLIER]


def test_whoever_is_first_and_does_not_go_on_is_passed_over(adapter, waiting):
    dead = [f"{EARLIER} {number}" for number in range(8)]
    waiting.insert_many([{"_id": each} for each in dead])
    turns = adapter._writing._turns
    begun = time.monotonic()
    turns.wait(1, begun + 60)
    assert time.monotonic() - begun < 30
    ((own),) = _queued(waiting)
    assert own not in dead
    turns.end()
    assert _queued(waiting) == []


def test_an_append_that_others_come_before_waits_for_its_turn(adapter, waiting, mongo_server):
    writing, queued = adapter._writing, []
    stored = writing._stored

    with closing(adapter_of(f"{mongo_server.url}/{adapter.location.rpartition('/')[2]}")) as other:

        def late(unit, draft, place):
            queued.append(len(_queued(waiting)))
            if len(queued) < 4:
                accepted(other, an_append("Order-2"))
            return stored(unit, draft, place)

        writing._stored = late
        other._writing._turns.are_over = lambda: False
        accepted(adapter, an_append("Order-1", 1, 1))
    assert queued == [0, 0, 1, 1]
    assert [event.stream_id for event in log(adapter)] == ["Order-1", "Order-2", "Order-2", "Order-2", "Order-1"]
    assert _queued(waiting) == []


def test_a_user_who_may_not_queue_appends_all_the_same(adapter, monkeypatch):
    from pymongo.errors import OperationFailure

    turns = adapter._writing._turns
    monkeypatch.setattr(turns, "_queue", _refused(OperationFailure("not authorized", 13)))
    turns._begun = 0.0
    accepted(adapter, an_append("Order-1", 1, 1))
    turns.wait(1, time.monotonic() + 1)
    accepted(adapter, an_append("Order-1", 1, 2))


def _refused(error):
    def refuse():
        raise error

    return refuse
