"""Appends that are too large for one call: staged by COPY, judged and inserted chunk by chunk, all or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest import mock
from uuid import uuid4

import pytest

from evstore import (
    ANY_VERSION,
    STREAM_EXISTS,
    ConcurrencyError,
    EventData,
    EventIdConflictError,
    Metadata,
    StoreBusyError,
    StreamNotFoundError,
    connect,
)
from evstore.adapters.postgres import writing
from evstore.adapters.postgres.batches import MOST_EVENTS
from evstore.port import Receipt
from tests.support import changed_procedures, postgres_sessions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evstore import EventStore
    from tests.support.servers import Server

Writes = list[tuple[str, list[EventData], int]]


def some(count: int) -> list[EventData]:
    return [EventData("Placed", n, Metadata(correlation_id=f"c-{n % 7}"), id=str(uuid4())) for n in range(count)]


def alternating() -> Writes:
    """5,000 events in turn in two streams, then one write that goes on over several chunks."""
    each = [(f"Turn-{n % 2}", events, n // 2) for n, events in enumerate([event] for event in some(5000))]
    return [*each, ("Long-1", some(2500), 0), ("Turn-0", some(1), 2500), ("Long-1", some(1), 2500)]


@pytest.fixture
def schema(newest: Server) -> str:
    return newest.schema("large")


@pytest.fixture
def store(newest: Server, schema: str) -> Iterator[EventStore]:
    with connect(newest.url(schema)) as store:
        store.initialize()
        changed_procedures.with_small_chunks(newest, schema)
        yield store


def tables(server: Server, schema: str) -> dict[str, int]:
    names = ("events", "streams", "categories", "types", "staged")
    return {name: server.execute(f"SELECT count(*) FROM {schema}.{name}")[0][0] for name in names}


NOTHING = {"events": 0, "streams": 0, "categories": 0, "types": 0, "staged": 0}


def bare(event: Any) -> tuple[Any, ...]:
    return (
        event.id,
        event.stream_id,
        event.type,
        event.data_json,
        event.metadata,
        event.version,
        event.global_position,
    )


def test_writes_that_alternate_and_go_on_over_chunks_are_stored_in_their_order(
    newest: Server, schema: str, store: EventStore
) -> None:
    writes = alternating()
    with connect("memory:") as reference:
        expected = [bare(event) for event in reference.append_many(writes)]
        assert [bare(event) for event in store.append_many(writes)] == expected
        assert [bare(event) for event in store.replay()] == expected
        assert [each.version for each in store.streams()] == [each.version for each in reference.streams()]
        assert [(each.category, each.streams, each.events) for each in store.categories()] == [
            (each.category, each.streams, each.events) for each in reference.categories()
        ]
    assert len({event.timestamp for event in store.replay()}) == 1
    assert tables(newest, schema) == {"events": 7502, "streams": 3, "categories": 2, "types": 1, "staged": 0}
    again = store.append_many(writes)
    assert again.duplicate
    assert [bare(event) for event in again] == expected
    assert tables(newest, schema)["events"] == 7502


@pytest.mark.parametrize(
    ("stream_id", "expected", "error"),
    [
        ("Long-1", 2500, (2501, ConcurrencyError)),
        ("Turn-0", 0, (2501, ConcurrencyError)),
        ("New-1", 1, (0, ConcurrencyError)),
        ("New-1", STREAM_EXISTS, (0, StreamNotFoundError)),
    ],
)
def test_a_conflict_in_the_last_write_leaves_nothing_of_the_chunks_before(
    newest: Server, schema: str, store: EventStore, stream_id: str, expected: int, error: tuple[int, type]
) -> None:
    with pytest.raises(error[1]) as caught:
        store.append_many([*alternating(), (stream_id, some(1), expected)])
    assert tables(newest, schema) == NOTHING
    if error[1] is ConcurrencyError:
        told = caught.value
        assert (told.stream_id, told.expected, told.actual) == (stream_id, expected, error[0])
    assert store.append("Order-1", some(1))[0].global_position == 1


def test_an_id_that_is_held_is_found_wherever_it_stands(newest: Server, schema: str, store: EventStore) -> None:
    events = some(2 * MOST_EVENTS + 500)
    store.append("Other-1", [events[-1]])
    with pytest.raises(EventIdConflictError, match=events[-1].id or ""):
        store.append("Order-1", events, 0)
    with pytest.raises(EventIdConflictError):
        store.append("Order-1", events, 7)  # ids are looked at first
    assert tables(newest, schema) == {"events": 1, "streams": 1, "categories": 1, "types": 1, "staged": 0}


def test_a_large_append_is_judged_after_what_was_appended_before_it(store: EventStore) -> None:
    store.append("Order-1", some(2), 0)
    stored = store.append_many(
        [("Order-1", some(1500), 2), ("Order-2", some(1500), 0), ("Order-1", some(1), 1502)]
    )
    assert [stored[at].version for at in (0, 1499, 1500, 2999, 3000)] == [3, 1502, 1, 1500, 1503]
    assert [event.global_position for event in stored] == [*range(3, 3004)]


def test_units_of_any_size_share_a_call_of_the_store_and_fail_alone(store: EventStore) -> None:
    units = [
        store.appender.unit([("Order-1", some(1), 0)]),
        store.appender.unit([("Order-1", some(MOST_EVENTS + 1), 1)]),
        store.appender.unit([("Order-1", some(MOST_EVENTS + 1), 1)]),
        store.appender.unit([("Order-1", some(1), MOST_EVENTS + 2)]),
        store.appender.unit([("Order-1", some(MOST_EVENTS), MOST_EVENTS + 3)]),
    ]
    outcomes = store.appender.submit(units)
    assert [isinstance(each, ConcurrencyError) for each in outcomes] == [False, False, True, False, False]
    assert store.stream_info("Order-1").version == 2 * MOST_EVENTS + 3


def test_large_events_come_back_as_they_were(store: EventStore) -> None:
    """Some longer than all else, some of characters that take four bytes each, and one as large as any may be."""
    texts = [
        "x" * (8 * 1024 * 1024 + 1),
        "\U0001f600" * (2 * 1024 * 1024),
        "y" * (16 * 1024 * 1024 - 2),
        "\\t\\\\",
    ]
    datas = [f'"{text}"' for text in (*texts, "short")]
    stored = store.append("Order-1", [EventData.from_json("Placed", data) for data in datas])
    assert [event.data_json == data for event, data in zip(store.read("Order-1"), datas, strict=True)] == [
        True
    ] * 5
    assert [event.version for event in stored] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("most", [3, 3999, 4000])
def test_an_answer_has_the_versions_of_the_first_writes(store: EventStore, most: int) -> None:
    """Of 6,000 events, which are more than the server judges at once; there a write of two events goes on."""

    def in_turn() -> Writes:
        return [(f"Turn-{n % 2}", some(1 + n % 2), -1) for n in range(4000)]

    with mock.patch.object(writing, "MOST_VERSIONS", most):
        (receipt,) = store.appender.submit([store.appender.unit(in_turn())])
        assert isinstance(receipt, Receipt)
        assert receipt.first_versions == [n // 2 * (1 + n % 2) + 1 for n in range(most)]
        assert [*store.append_many(in_turn())] == [*store.replay(after=6000)]


@pytest.mark.parametrize("age", ["25 hours", "23 hours"])
def test_what_somebody_staged_and_left_is_swept_after_a_day(
    newest: Server, schema: str, store: EventStore, age: str
) -> None:
    newest.execute(
        f"INSERT INTO {schema}.staged (append_id, number, stream_id, category, expected_version, id, type,"
        f" metadata, data, staged_at) VALUES (gen_random_uuid(), 1, 'A-1', 'A', -1, gen_random_uuid(), 'T', '{{}}',"
        f" '1', now() - interval '{age}')"
    )
    store.append("Order-1", some(MOST_EVENTS + 1), ANY_VERSION)
    assert newest.execute(f"SELECT stream_id FROM {schema}.staged") == ([] if age == "25 hours" else [("A-1",)])
    assert store.head() == MOST_EVENTS + 1


def test_what_waited_for_others_in_vain_leaves_nothing(newest: Server, schema: str, store: EventStore) -> None:
    with connect(newest.url(schema), timeout=0.05) as hasty, postgres_sessions.writing(newest, schema):
        with pytest.raises(StoreBusyError):
            hasty.append("Order-1", some(MOST_EVENTS + 1))
    assert tables(newest, schema) == NOTHING


def test_what_is_staged_is_seen_by_nobody(newest: Server, schema: str, store: EventStore) -> None:
    with connect(newest.url(schema), timeout=0.05) as hasty, postgres_sessions.writing(newest, schema):
        with pytest.raises(StoreBusyError):
            hasty.append("Order-1", some(MOST_EVENTS + 1))
        assert [*store.replay()] == [*store.streams()] == [*store.categories()] == [*store.types()] == []
        assert store.head() == 0
