"""The life of a store: the first example, closing, forking, and threads that share it."""

from __future__ import annotations

import json
import os
from functools import partial

import pytest

import evstore
from evstore import NO_STREAM, EventData, Metadata, NotInitializedError, StoreClosedError, connect
from evstore.testing.asking import together
from tests.support.command import files

pytestmark = pytest.mark.sqlite_too("memory has no connections to close, share or inherit")

ID = "0198e5c4-7a2b-7c3d-8e4f-0123456789ab"
PATIENCE = 30

# Every operation, each done to its end.
OPERATIONS = {
    "append": lambda store: store.append("Order-1", [EventData("Placed", {})]),
    "append_many": lambda store: store.append_many([("Order-1", [EventData("Placed", {})], 0)]),
    "read": lambda store: list(store.read("Order-1")),
    "replay": lambda store: list(store.replay()),
    "replay of a category": lambda store: list(store.replay(["Order"])),
    "subscribe": lambda store: list(store.subscribe(timeout=0)),
    "subscribe to a stream": lambda store: list(store.subscribe(stream_id="Order-1", timeout=0)),
    "get": lambda store: store.get(ID),
    "stream_info": lambda store: store.stream_info("Order-1"),
    "streams": lambda store: list(store.streams()),
    "categories": lambda store: list(store.categories()),
    "types": lambda store: list(store.types()),
    "info": lambda store: store.info(),
    "verify": lambda store: list(store.verify()),
}
each_operation = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)


def test_the_first_example_is_true(url):
    store = evstore.connect(url)
    store.initialize()
    stored = store.append(
        "Order-order-1",
        [EventData("OrderPlaced", {"orderId": "order-1", "total": 99.99})],
        expected_version=NO_STREAM,
        metadata=Metadata(correlation_id="req-7", user_id="alice"),
    )
    assert (stored[0].version, stored[0].global_position) == (1, 1)

    seen = [(event.data["total"], event.data_json) for event in store.read("Order-order-1")]
    assert seen == [(99.99, '{"orderId":"order-1","total":99.99}')]
    assert list(store.replay(categories=["Order"], after=0)) == stored
    assert stored[0].metadata == Metadata(correlation_id="req-7", user_id="alice")
    store.close()


def test_what_append_returns_is_what_is_read_afterwards(store):
    stored = store.append("Order-1", [EventData("Placed", {"n": n}) for n in range(3)], metadata=Metadata("c"))
    assert stored == list(store.read("Order-1")) == list(store.replay()) == [store.get(each.id) for each in stored]
    assert not stored.duplicate
    assert len({event.timestamp_us for event in stored}) == 1
    assert [event.id[14] for event in stored] == ["7"] * 3  # the version of a UUID


# --- before and after ---


@each_operation
def test_before_a_store_is_made_every_operation_says_so_and_makes_nothing(tmp_path, operation):
    with connect(f"sqlite:{tmp_path}/events.db") as store:
        for _ in range(2):
            with pytest.raises(NotInitializedError) as raised:
                operation(store)
            assert raised.value.location == f"{tmp_path}/events.db"
    assert files(tmp_path) == []


@each_operation
def test_after_closing_every_operation_says_so(store, operation):
    store.append("Order-1", [EventData("Placed", {}, id=ID)])
    store.close()
    with pytest.raises(StoreClosedError):
        operation(store)


def test_a_closed_store_cannot_be_made_again(store):
    store.close()
    with pytest.raises(StoreClosedError):
        store.initialize()


def test_closing_twice_is_fine(store):
    store.close()
    store.close()
    with pytest.raises(StoreClosedError):
        store.info()


def test_closing_before_the_first_operation_is_fine(url):
    store = connect(url)
    store.close()
    with pytest.raises(StoreClosedError):
        store.info()


def test_a_store_is_closed_at_the_end_of_its_block(url):
    with connect(url) as store:
        store.initialize()
    with pytest.raises(StoreClosedError):
        store.info()


def test_an_error_in_the_block_of_a_store_passes_and_closes_it(url):
    with pytest.raises(KeyError, match="theirs"):
        with connect(url) as store:
            raise KeyError("theirs")
    with pytest.raises(StoreClosedError):
        store.info()


def test_a_read_that_is_under_way_when_the_store_is_closed_says_so(store):
    store.append("Order-1", [EventData("Placed", {}) for _ in range(200)])
    reading = store.read("Order-1")
    next(reading)
    store.close()
    with pytest.raises(StoreClosedError):
        list(reading)


def test_initializing_again_changes_nothing(store):
    stored = store.append("Order-1", [EventData("Placed", {})])
    store.initialize()
    assert list(store.replay()) == stored


def test_what_was_stored_is_there_when_the_store_is_opened_again(tmp_path):
    url = f"sqlite:{tmp_path}/events.db"
    with connect(url) as store:
        store.initialize()
        stored = store.append("Order-1", [EventData("Placed", {"n": 1.10}, Metadata("c"))])
    with connect(url) as store:
        assert list(store.replay()) == stored


# --- threads ---


@pytest.mark.parametrize("threads", [16])
def test_threads_share_a_store(store, threads):
    rounds = 4

    def work(number):
        for n in range(rounds):
            own, shared = f"Own-{number}", "Shared-1"
            stored = store.append(own, [EventData("Counted", n), EventData("Counted", n)], expected_version=2 * n)
            assert store.get(stored[0].id) == stored[0]
            assert [event.data for event in store.read(own)][-2:] == [n, n]
            store.append_many(
                [(shared, [EventData("Shared", number)], -1), (own + "-log", [EventData("Logged", n)], -1)]
            )

    together([partial(work, number) for number in range(threads)], PATIENCE)
    log = list(store.replay())
    assert [event.global_position for event in log] == list(range(1, 4 * rounds * threads + 1))
    shared = [event for event in log if event.stream_id == "Shared-1"]
    assert [event.version for event in shared] == list(range(1, rounds * threads + 1))
    assert list(store.read("Shared-1")) == shared
    # What was appended together stands together.
    for event in shared:
        follower = log[event.global_position]
        assert follower.stream_id == f"Own-{event.data}-log"


def test_of_threads_that_expect_the_same_version_exactly_one_wins(store):
    def work():
        try:
            return store.append("Order-1", [EventData("Placed", {})], expected_version=NO_STREAM)
        except evstore.ConcurrencyError as error:
            return (error.stream_id, error.expected, error.actual)

    outcomes = together([work] * 8, PATIENCE)
    winners = [outcome for outcome in outcomes if isinstance(outcome, list)]
    assert len(winners) == 1
    assert outcomes.count(("Order-1", 0, 1)) == 7
    assert list(store.replay()) == winners[0]


# --- forks ---


def in_a_child(work):
    """What `work` returns, as JSON, in a child of this process."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writable, json.dumps(work()).encode())
        except BaseException as error:  # noqa: BLE001 - or the child would go on with the parent's tests
            os.write(writable, json.dumps(repr(error)).encode())
        finally:
            os._exit(0)
    os.close(writable)
    with os.fdopen(readable, "rb") as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return json.loads(text)


def outcome_of(operation, store):
    try:
        operation(store)
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent judges it
        return type(error).__name__, getattr(error, "forked", None), str(error)
    return "went through"


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_in_a_forked_child_every_operation_raises_and_the_parent_is_unharmed(store):
    store.append("Order-1", [EventData("Placed", {}, id=ID)])
    list(store.replay())  # so that there is a connection to inherit
    found = in_a_child(lambda: {name: outcome_of(each, store) for name, each in OPERATIONS.items()})
    assert {name: outcome for name, outcome in found.items() if outcome[:2] != ["StoreClosedError", True]} == {}
    store.append("Order-1", [EventData("Placed", {})], expected_version=1)
    assert [event.global_position for event in store.replay()] == [1, 2]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_may_close_the_store_without_harm_to_the_parent(store):
    store.append("Order-1", [EventData("Placed", {})])
    list(store.replay())
    assert in_a_child(store.close) is None
    store.append("Order-1", [EventData("Placed", {})], expected_version=1)
    assert [event.version for event in store.read("Order-1")] == [1, 2]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_may_connect_anew(tmp_path):
    url = f"sqlite:{tmp_path}/events.db"
    with connect(url) as store:
        store.initialize()
        store.append("Order-1", [EventData("Placed", 1)])

        def work():
            with connect(url) as own:
                return own.append("Order-1", [EventData("Placed", 2)], expected_version=1)[0].global_position

        assert in_a_child(work) == 2
        assert [event.data for event in store.read("Order-1")] == [1, 2]
        assert store.append("Order-1", [EventData("Placed", 3)])[0].version == 3


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("asked", [{}, {"stream_id": "Order-1"}], ids=str)
def test_a_subscription_that_was_begun_before_a_fork_raises_in_the_child_and_does_not_just_end(store, asked):
    store.append("Order-1", [EventData("Placed", {}) for _ in range(3)])
    subscription = store.subscribe(**asked, timeout=0)
    assert in_a_child(lambda: outcome_of(lambda _: list(subscription), store))[:2] == ["StoreClosedError", True]
    assert len(list(subscription)) == 3
