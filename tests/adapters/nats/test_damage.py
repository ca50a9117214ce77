"""What other programs can do to a stream, and what verify finds of it."""

from __future__ import annotations

from contextlib import closing

import pytest

from evstore import connect
from evstore.adapters.nats import connect as adapter_of
from evstore.errors import CorruptStoreError
from evstore.testing.asking import answer
from evstore.testing.builders import an_append


@pytest.fixture
def place(nats_server):
    url = nats_server.place()
    with closing(adapter_of(url)) as adapter:
        adapter.initialize()
        answer(adapter, an_append("Order-1", 3))
    yield url
    nats_server.drop([_name(url)])


def _name(url):
    return url.rpartition("/")[2].partition("?")[0]


def _kinds(url):
    with connect(url) as store:
        return [found.kind for found in store.verify()]


def test_a_store_that_evstore_alone_wrote_is_sound(place):
    assert _kinds(place) == []


def test_a_message_of_another_program_after_the_last_event_is_found(nats_server, place):
    nats_server.publish(f"{_name(place)}.e.Order.Order-1", b"not an event")
    assert "unknown-message" in _kinds(place)
    with closing(adapter_of(place)) as adapter, pytest.raises(CorruptStoreError):
        answer(adapter, an_append("Order-1"))


def test_an_id_of_another_program_puts_the_log_out_of_step(nats_server, place):
    nats_server.publish(f"{_name(place)}.i.stranger", b"")
    assert "unreadable" in _kinds(place)
    with closing(adapter_of(place)) as adapter, pytest.raises(CorruptStoreError):
        adapter.head(0, 0)


def test_a_change_of_the_stream_that_loses_messages_is_found(nats_server, place):
    name = _name(place)
    configuration = nats_server.ask(f"STREAM.INFO.{name}")["config"]
    nats_server.ask(f"STREAM.UPDATE.{name}", configuration | {"max_msgs": 4, "discard": "old"})
    with connect(place) as store:
        found = [*store.verify()]
    assert {each.kind for each in found} >= {"configuration", "position-gap"}
    assert all(each.advice for each in found)


def test_the_stream_takes_no_message_away(nats_server, place):
    name = _name(place)
    for verb, given in (("MSG.DELETE", {"seq": 1}), ("PURGE", {})):
        assert "error" in nats_server.ask(f"STREAM.{verb}.{name}", given)
    assert _kinds(place) == []
