"""The consistency check of dcb.events and the oracle of the PHP suite dcb-eventstore, built anew from their descriptions.

Writers read a random boundary, wait for each other, and append under their conditions. Each event carries its unit's
condition. Afterwards the log is folded: of no unit may an earlier event match the query after the unit's position.
"""

from __future__ import annotations

import json
import random
from functools import partial
from threading import Barrier
from typing import NamedTuple

import pytest

from evstore import AppendCondition, AppendConditionError, EventData, Query, connect
from evstore.testing.asking import together
from tests.support.waiting import PATIENCE

WRITERS = 6
ROUNDS = 25
TYPES = [f"type{n}" for n in range(10)]
TAGS = [f"tag{n}" for n in range(10)]


class Tried(NamedTuple):
    """The outcome of an append: the position it was refused for, or None."""

    unit: str
    items: list[dict[str, list[str]]]
    after: int
    refused_for: int | None


def an_item(chance: random.Random) -> dict[str, list[str]]:
    types, tags = chance.sample(TYPES, chance.randint(0, 4)), chance.sample(TAGS, chance.randint(0, 3))
    return {name: names for name, names in (("types", types), ("tags", tags)) if names}


def a_query(chance: random.Random) -> list[dict[str, list[str]]]:
    """The items of a query. Now and then it has none and matches every event."""
    return [an_item(chance) for _ in range(chance.randint(0, 3))]


def some_events(chance: random.Random, data: dict) -> list[dict]:
    """The members of one to three events."""
    return [
        {"type": chance.choice(TYPES), "tags": chance.sample(TAGS, chance.randint(0, 3)), "data": data}
        for _ in range(chance.randint(1, 3))
    ]


def matches(items, event) -> bool:
    """The meaning of a query, in words of its own."""
    if not items:
        return True
    return any(
        (event.type in item["types"] if item.get("types") else True)
        and all(tag in event.tags for tag in item.get("tags", []))
        for item in items
    )


def violations(log) -> list[str]:
    """A sentence for each unit that the log shows to be stored in spite of its condition."""
    firsts = {}
    for event in log:
        firsts.setdefault(event.data["unit"], event)
    return [
        f"{unit} at {first.global_position} in spite of {event.global_position}"
        for unit, first in firsts.items()
        for event in log
        if first.data["after"] < event.global_position < first.global_position
        and matches(first.data["items"], event)
    ]


def judge(log, tried: list[Tried]) -> None:
    """Everything that the outcomes promise of the log."""
    assert [event.global_position for event in log] == [*range(1, len(log) + 1)]
    assert violations(log) == []
    assert {event.data["unit"] for event in log} == {each.unit for each in tried if each.refused_for is None}
    for each in tried:
        if each.refused_for is not None:
            matching = [
                e.global_position for e in log if e.global_position > each.after and matches(each.items, e)
            ]
            assert matching[0] == each.refused_for, each


def race(writers, seed: int, *, guarded: bool = True, rounds: int = ROUNDS) -> list[Tried]:
    """All that the writers tried. `writers` are functions (events, items, after, guarded): the refusal's position."""
    start = Barrier(len(writers))

    def write(at, head, append):
        chance = random.Random(f"{seed} {at}")
        tried = []
        for n in range(rounds):
            items, after = a_query(chance), head()
            start.wait(PATIENCE)  # all have read, none has written
            unit = f"{at}.{n}"
            events = some_events(chance, {"unit": unit, "items": items, "after": after})
            tried.append(Tried(unit, items, after, append(f"Writer-{at}", events, items, after, guarded)))
            start.wait(PATIENCE)
        return tried

    jobs = [partial(write, at, *writer) for at, writer in enumerate(writers)]
    return [each for tried in together(jobs, PATIENCE) for each in tried]


def over_the_library(store):
    def append(stream, events, items, after, guarded):
        given = [EventData(each["type"], each["data"], tags=each["tags"]) for each in events]
        unless = AppendCondition(Query.from_members(items), after) if guarded else None
        try:
            store.append(stream, given, unless=unless)
        except AppendConditionError as error:
            return error.position
        return None

    return store.head, append


def over_the_shell(command):
    def head():
        with connect(command.url) as store:
            return store.head()

    def append(stream, events, items, after, guarded):
        guard = {"unless": [{"query": items, "after": after}]} if guarded else {}
        lines = [json.dumps({**each, **(guard if at == 0 else {})}) for at, each in enumerate(events)]
        done = command("--errors", "json", "append", stream, "-", stdin="\n".join(lines).encode())
        if done.code == 0:
            return None
        assert done.code == 4, done
        return json.loads(done.err.splitlines()[0])["error"]["position"]

    return head, append


@pytest.fixture
def seed():
    made = random.randrange(2**32)
    print(f"seed {made}")
    return made


@pytest.fixture
def stores(store):
    """A connection for each writer."""
    made = [connect(store.url) for _ in range(WRITERS)]
    yield made
    for each in made:
        each.close()


def test_the_log_keeps_every_condition_of_writers_over_the_library(stores, seed):
    tried = race([over_the_library(each) for each in stores], seed)
    judge([*stores[0].replay()], tried)
    assert any(each.refused_for for each in tried)


@pytest.mark.long("each append is a process")
def test_the_log_keeps_every_condition_of_writers_over_the_shell(store, seed):
    tried = race([over_the_shell(store)] * WRITERS, seed, rounds=6)
    with connect(store.url) as read:
        judge([*read.replay()], tried)
    assert any(each.refused_for for each in tried)


def test_the_fold_sees_that_writers_without_conditions_violate_them(stores, seed):
    tried = race([over_the_library(each) for each in stores], seed, guarded=False)
    assert all(each.refused_for is None for each in tried)
    log = [*stores[0].replay()]
    assert violations(log)
    with pytest.raises(AssertionError):
        judge(log, tried)


def test_unrelated_boundaries_never_refuse_each_other(stores):
    """The error rate of parallel writes is none."""

    def write(at, store):
        for _ in range(ROUNDS):
            decision = store.decide(Query(tags=[f"course:{at}"]))
            store.append(f"Course-{at}", [EventData("Joined", at, tags=[f"course:{at}"])], unless=decision)

    together([partial(write, *each) for each in enumerate(stores)], PATIENCE)
    assert stores[0].head() == WRITERS * ROUNDS


def test_every_condition_of_a_long_log_is_refused_when_it_is_tried_again(stores, seed):
    """Once an event that matches is stored, its condition admits nothing more."""
    store, chance = stores[0], random.Random(seed)
    every = some_events(chance, {}) + [event for _ in range(150) for event in some_events(chance, {})]
    store.append("Log-1", [EventData(each["type"], each["data"], tags=each["tags"]) for each in every])
    log = [*store.replay()]
    for _ in range(100):
        items, after = a_query(chance), chance.randrange(len(log))
        matching = [e.global_position for e in log if e.global_position > after and matches(items, e)]
        condition = AppendCondition(Query.from_members(items), after)
        if matching:
            with pytest.raises(AppendConditionError) as raised:
                store.append("Other-1", [EventData("Other", {})], unless=condition)
            assert raised.value.position == matching[0]
    assert store.head() == len(log)
