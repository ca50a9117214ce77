"""Reading a stream and replaying the log: ranges, directions, limits and pages."""

from __future__ import annotations

from contextlib import closing
from itertools import islice

import pytest

from evstore import EventData, InvalidInputError, InvalidStreamIdError
from evstore.port import MOST_IN_PAGE
from evstore.reading.pages import FIRST_PAGE, PAGE_CHARACTERS
from tests.support.sentences import names

BEYOND = [2**63 - 1, 2**63, 2**80]


def events(*numbers, type="Placed"):
    return [EventData(type, number) for number in numbers]


def numbers(found):
    return [event.data for event in found]


@pytest.fixture(scope="module")
def ten(shared_store):
    """Ten events in one stream, and in the log between others: event n at version n and position n + 1."""
    store = shared_store
    store.append("Other-1", events(0))
    store.append("Order-1", events(*range(1, 11)))
    store.append("Other-1", events(11))
    return store


# --- ranges ---


RANGES = [
    ({}, range(1, 11)),
    ({"after": 0}, range(1, 11)),
    ({"after": 3}, range(4, 11)),
    ({"after": 9}, [10]),
    ({"after": 10}, []),
    ({"after": 99}, []),
    ({"after": -5}, range(1, 11)),
    ({"to": 3}, range(1, 4)),
    ({"to": 0}, []),
    ({"to": -1}, []),
    ({"to": 99}, range(1, 11)),
    ({"after": 3, "to": 5}, [4, 5]),
    ({"after": 3, "to": 4}, [4]),
    ({"after": 3, "to": 3}, []),
    ({"after": 5, "to": 3}, []),
    *(({"after": each}, []) for each in BEYOND),
    *(({"to": each}, range(1, 11)) for each in BEYOND),
]


def test_after_is_exclusive_and_to_inclusive_whatever_the_direction(ten, subtests):
    for bounds, expected in RANGES:
        with subtests.test(bounds=bounds, expected=expected):
            assert numbers(ten.read("Order-1", **bounds)) == list(expected)
            assert numbers(ten.read("Order-1", **bounds, backward=True)) == list(expected)[::-1]


def test_a_replay_is_bounded_by_positions_as_a_read_by_versions(ten, subtests):
    for bounds, expected in RANGES:
        with subtests.test(bounds=bounds, expected=expected):
            moved = {name: bound + 1 if 0 < bound < 2**62 else bound for name, bound in bounds.items()}
            inside = [n for n in range(12) if moved.get("after", 0) < n + 1 <= moved.get("to", 99)]
            assert numbers(ten.replay(**moved)) == inside
            assert numbers(ten.replay(**moved, backward=True)) == inside[::-1]
            assert numbers(ten.replay(["Order"], **moved)) == [n for n in inside if 1 <= n <= 10]


def test_a_reading_goes_on_where_it_was_left_however_events_are_taken(ten):
    for found in (ten.read("Order-1"), ten.replay(["Order"])):
        assert next(found).data == 1
        assert [event.data for event, _ in zip(found, range(3), strict=False)] == [2, 3, 4]
        assert next(iter(found)).data == 6  # zip took the fifth before it saw that the numbers end
        assert numbers(found) == [7, 8, 9, 10]
        assert next(found, None) is None


def test_a_limit_counts_what_comes_out_from_where_the_reading_begins(ten, subtests):
    for backward in [False, True]:
        for limit in [0, 1, 2, 9, 10, 11, 10**9]:
            with subtests.test(backward=backward, limit=limit):
                expected = list(range(1, 11))[:: -1 if backward else 1][:limit]
                assert numbers(ten.read("Order-1", limit=limit, backward=backward)) == expected
                assert numbers(ten.replay("Order", limit=limit, backward=backward)) == expected


@pytest.mark.parametrize("limit", [-1, -(10**9)])
def test_a_negative_limit_is_refused_at_once(store, limit):
    for read in (store.read, store.replay):
        with pytest.raises(InvalidInputError) as raised:
            read(*(["Order-1"] if read == store.read else []), limit=limit)
        assert names(raised.value, limit, 0)


@pytest.mark.parametrize("stream_id", ["", "-1", "$all", "a\n", "x" * 513])
def test_a_stream_that_cannot_be_called_so_is_refused_at_once(store, stream_id):
    for read in (store.read, store.stream_info, lambda stream_id: store.subscribe(stream_id=stream_id)):
        with pytest.raises(InvalidStreamIdError):
            read(stream_id)


@pytest.mark.parametrize(
    "options", [{}, {"backward": True}, {"after": 5}, {"limit": 3}, {"types": ["Placed"]}], ids=str
)
def test_a_missing_stream_is_empty(store, options):
    store.append("Order-10", events(1))
    assert list(store.read("Order-1", **options)) == []


# --- pages ---

paged = pytest.mark.sqlite_too("memory has no pages to read")


@paged
@pytest.mark.parametrize("many", [FIRST_PAGE - 1, FIRST_PAGE, FIRST_PAGE + 1, FIRST_PAGE + MOST_IN_PAGE, 2500])
def test_more_events_than_a_page_come_each_once_and_in_order(store, many):
    store.append("Order-1", events(*range(many)))
    assert numbers(store.read("Order-1")) == numbers(store.replay()) == list(range(many))
    assert (
        numbers(store.read("Order-1", backward=True))
        == numbers(store.replay(backward=True))
        == list(range(many))[::-1]
    )
    assert numbers(store.replay(limit=many - 1)) == list(range(many - 1))
    assert numbers(store.read("Order-1", after=10, to=many - 5)) == list(range(10, many - 5))


@paged
def test_huge_events_come_in_small_pages(store, monkeypatch):
    store.append("Order-1", [EventData("Placed", [n, "x" * 50_000]) for n in range(150)])
    fetched = []
    read_all = store._adapter.read_all

    def spy(page, where):
        found = read_all(page, where)
        fetched.append(sum(len(event.data_json) for event in found))
        return found

    monkeypatch.setattr(store._adapter, "read_all", spy)
    assert [event.data[0] for event in store.replay()] == list(range(150))
    # How large they are is known after the first page.
    assert len(fetched) > 2
    assert max(fetched[1:]) <= PAGE_CHARACTERS


@paged
def test_a_read_fetches_no_more_than_was_asked_for(store, monkeypatch):
    store.append("Order-1", events(*range(300)))
    limits = []
    read_stream = store._adapter.read_stream
    monkeypatch.setattr(
        store._adapter, "read_stream", lambda page, *more: limits.append(page) or read_stream(page, *more)
    )
    reading = store.read("Order-1")
    assert limits == []  # lazily: nothing before the first event is wanted
    next(reading)
    assert len(limits) == 1


@paged
def test_a_replay_ends_where_the_log_ended_when_it_began(store):
    store.append("Order-1", events(*range(100)))
    for event in store.replay():
        store.append("Order-1", events(event.data + 100))
    assert numbers(store.replay()) == list(range(200))


@paged
def test_a_replay_backward_beside_a_writer_is_not_disturbed(store):
    store.append("Order-1", events(*range(100)))
    found = []
    for event in store.replay(backward=True):
        store.append("Order-1", events(-1))
        found.append(event.data)
    assert found == list(range(100))[::-1]


@paged
def test_two_reads_go_on_side_by_side_while_others_append(store):
    store.append("Order-1", events(*range(150)))
    one, other = store.read("Order-1", to=150), store.replay(backward=True)
    for n in range(150):
        assert (next(one).data, next(other).data) == (n, 149 - n)
        store.append("Order-2", events(n))


def test_an_empty_store_has_nothing_to_read(store):
    assert list(store.replay()) == list(store.replay(backward=True)) == list(store.replay("Order")) == []


# --- long events ---


LONG = PAGE_CHARACTERS // 3


@pytest.fixture
def long(store):
    """Short events, and then long ones in three categories."""
    for n in range(70):
        store.append(f"A-{n % 2}", [EventData("Short", n)])
    for n in range(70, 85):
        store.append(f"{'ABC'[n % 3]}-1", [EventData("Long", [n, "x" * LONG])])
    return store


def numbers_of(found):
    return [event.data if isinstance(event.data, int) else event.data[0] for event in found]


@paged
def test_a_page_of_long_events_ends_early_and_the_next_goes_on_behind_it(long):
    every = list(range(85))
    assert numbers_of(long.replay()) == every
    assert numbers_of(long.replay(backward=True)) == every[::-1]
    assert numbers_of(long.replay(limit=75)) == every[:75]
    assert numbers_of(long.replay(["A", "B", "C"])) == every
    assert numbers_of(long.replay(["C", "A", "B"], backward=True)) == every[::-1]
    assert numbers_of(long.replay(["B", "C"], limit=7)) == [n for n in every[70:] if n % 3][:7]
    assert numbers_of(long.replay(types=["Long"])) == every[70:]
    assert numbers_of(long.read("A-1")) == [n for n in every if (n < 70 and n % 2) or (n >= 70 and n % 3 == 0)]
    assert numbers_of(long.subscribe(timeout=0)) == every
    assert numbers_of(long.subscribe(stream_id="B-1", timeout=0)) == [n for n in every[70:] if n % 3 == 1]


@paged
def test_no_page_holds_more_than_a_little_beyond_its_size(long, monkeypatch):
    longest = 0

    def watched(read):
        def page(*asked):
            nonlocal longest
            found = read(*asked)
            longest = max(longest, sum(len(event.data_json) for event in found))
            return found

        return page

    adapter = long._adapter
    monkeypatch.setattr(adapter, "read_all", watched(adapter.read_all))
    monkeypatch.setattr(adapter, "read_stream", watched(adapter.read_stream))
    assert len(list(long.replay())) == len(list(long.subscribe(timeout=0))) == 85
    assert len(list(long.replay(["A", "B", "C"]))) == 85
    assert len(list(long.read("A-1"))) == 40
    assert longest < 4 * PAGE_CHARACTERS or long.info().backend == "memory"  # which holds all of them anyway


def test_a_reading_is_an_iterator_that_can_be_closed(store):
    store.append("A-1", [EventData("T", n) for n in range(3)])
    for events in (store.read("A-1"), store.replay()):
        with closing(events):
            assert iter(events) is events
            assert next(events).version == 1
            assert [event.version for event in islice(events, 1)] == [2]
        with closing(store.read("A-1")) as unread:
            pass
        assert [*unread] == []
