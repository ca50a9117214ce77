"""Metadata of the work at hand: blocks within blocks, tasks, threads, and the event that a handler has."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from threading import Thread

import pytest

import evstore
from evstore import InvalidPayloadError, Metadata, StoredEvent
from evstore.appending.context import handling, with_context

FIRST, SECOND = (
    StoredEvent(f"01a221cb-b25b-77b1-8e3e-00000000000{n}", "A-1", "T", "1", f'{{"correlationId":"c{n}"}}', n, n, 0)
    for n in (1, 2)
)


def test_a_block_gives_metadata_and_one_within_fills_its_gaps_from_it():
    assert with_context(None) is None
    with evstore.metadata(correlation_id="c", user_id="ann", custom={"a": "1", "b": "1"}) as outer:
        assert with_context(None) == outer
        with evstore.metadata(user_id="ben", custom={"b": "2"}) as inner:
            assert inner == Metadata("c", None, "ben", None, {"a": "1", "b": "2"})
            assert with_context(None) == inner
        assert with_context(None) == outer
    assert with_context(None) is None


def test_metadata_that_is_given_wins_field_by_field():
    with evstore.metadata(correlation_id="c", user_id="ann", custom={"a": "1"}):
        assert with_context(Metadata(user_id="ben", custom={"a": "2", "b": "2"})) == Metadata(
            "c", None, "ben", None, {"a": "2", "b": "2"}
        )


def test_a_block_ends_with_an_error_too():
    with pytest.raises(ZeroDivisionError), evstore.metadata(user_id="ann"):
        raise ZeroDivisionError
    assert with_context(None) is None


@pytest.mark.parametrize(
    "given", [{"user_id": 7}, {"user_id": "a\0"}, {"custom": {"": "x"}}, {"custom": {"a": 1}}]
)
def test_wrong_metadata_is_refused_where_the_block_begins(given):
    with pytest.raises(InvalidPayloadError), evstore.metadata(**given):
        pass


def test_tasks_take_the_block_with_them_and_do_not_change_that_of_others():
    async def work(name):
        with evstore.metadata(user_id=name):
            await asyncio.sleep(0)
            here = with_context(None)
            there = await asyncio.to_thread(with_context, None)
            return here == there and here.user_id

    async def both():
        with evstore.metadata(correlation_id="c"):
            return await asyncio.gather(work("ann"), work("ben")), with_context(None)

    assert asyncio.run(both()) == (["ann", "ben"], Metadata("c"))


def test_a_thread_takes_the_block_with_it_in_a_copied_context():
    seen = []

    def look():
        seen.append(with_context(None))

    with evstore.metadata(user_id="ann"):
        for thread in (Thread(target=look), Thread(target=copy_context().run, args=(look,))):
            thread.start()
            thread.join()
    assert seen == [None, Metadata(user_id="ann")]


def test_an_event_alone_is_in_hand_as_long_as_its_handler_works():
    with handling([FIRST]):
        assert with_context(None) == Metadata("c1", FIRST.id)
        with evstore.metadata(user_id="ann"):
            assert with_context(None) == Metadata("c1", FIRST.id, "ann")
    assert with_context(None) is None


def test_of_several_events_the_one_that_is_iterated_is_in_hand():
    with evstore.metadata(user_id="ann"), handling([FIRST, SECOND]) as events:
        assert with_context(None) == Metadata(user_id="ann")
        assert [with_context(None) for _ in events] == [
            Metadata("c1", FIRST.id, "ann"), Metadata("c2", SECOND.id, "ann"),
        ]  # fmt: skip
        assert with_context(None) == Metadata(user_id="ann")
        for _ in events:
            break
        assert with_context(None) == Metadata(user_id="ann")
        assert (len(events), events[0], events[1:], next(reversed(events))) == (2, FIRST, [SECOND], SECOND)


def test_the_cause_stands_before_the_block_around_the_consumer():
    with evstore.metadata(correlation_id="mine", causation_id="mine"), handling([FIRST]):
        assert with_context(None) == Metadata("c1", FIRST.id)
        assert with_context(Metadata("own")) == Metadata("own", FIRST.id)
