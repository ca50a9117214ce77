"""Consumers of the library: each event is handled, once the checkpoint says so, by one process at a time."""

from __future__ import annotations

import sqlite3
import sys
import threading

import pytest

import evstore
from evstore import (
    AppendConditionError,
    ConsumerFilterError,
    ConsumerHeldError,
    ConsumerNotFoundError,
    ConsumerStartError,
    EventData,
    EventNotFoundError,
    InvalidInputError,
    LogDivergedError,
    Metadata,
    Query,
    Reaction,
    SqliteCheckpoint,
    UnsupportedError,
)
from evstore.consumers.stopping import Stopping
from evstore.model.consumers import slot_of
from evstore.testing.asking import together
from tests.support.waiting import wait_for


class Handler:
    """Keeps the events it got, and fails at those that it is told to fail at."""

    def __init__(self):
        self.batches = []
        self.fails_at = set()
        self.calls = 0

    def __call__(self, events, *_):
        self.calls += 1
        for event in events:
            if event.global_position in self.fails_at:
                raise ValueError(f"no route for {event.stream_id}")
        self.batches.append([event.global_position for event in events])

    @property
    def handled(self):
        return [position for batch in self.batches for position in batch]


@pytest.fixture
def handler():
    return Handler()


def append(store, stream_id, count=1, type="ItemAdded", **metadata):
    events = [EventData(type, {"n": n}) for n in range(count)]
    return store.append(stream_id, events, metadata=Metadata(**metadata))


@pytest.fixture
def filled(store):
    """Six events: Order-1 at 1, 2, 5; Order-2 at 3; Invoice-1 at 4, 6."""
    append(store, "Order-1", 2)
    append(store, "Order-2")
    append(store, "Invoice-1")
    append(store, "Order-1", type="Paid")
    append(store, "Invoice-1")
    return store


def test_a_consumer_goes_on_where_it_was(filled, handler):
    assert filled.consumer("mailer").run(handler, once=True) == 6
    assert handler.batches == [[1], [2], [3], [4], [5], [6]]
    assert filled.consumer("mailer").run(handler, once=True) == 0
    append(filled, "Order-3", 2)
    assert filled.consumer("mailer").run(handler, 10, once=True) == 2
    assert handler.batches[6:] == [[7, 8]]


def test_batches_have_at_most_their_size(filled, handler):
    filled.consumer("mailer").run(handler, 4, once=True)
    assert handler.batches == [[1, 2, 3, 4], [5, 6]]


def test_a_filtered_consumer_gets_its_events_and_its_checkpoint_passes_the_others(filled, handler):
    filled.consumer("mailer", categories=["Order"], types=["ItemAdded"]).run(handler, once=True)
    assert handler.handled == [1, 2, 3]
    info = filled.consumers.get("mailer")
    assert (info.global_position, info.lag, info.categories, info.types) == (6, 0, ("Order",), ("ItemAdded",))


def test_another_filter_under_the_same_name_is_refused_unless_asked_for(filled, handler):
    filled.consumer("mailer", categories=["Order"]).run(handler, once=True)
    with pytest.raises(ConsumerFilterError) as raised:
        filled.consumer("mailer", categories=["Invoice"]).run(handler, once=True)
    assert str(raised.value) == 'consumer "mailer" is there for Order, not for Invoice'
    append(filled, "Invoice-2")
    filled.consumer("mailer", categories=["Invoice"], refilter=True).run(handler, once=True)
    filled.consumer("mailer", categories=("Invoice", "Invoice")).run(handler, once=True)
    assert handler.handled == [1, 2, 3, 5, 7]


@pytest.mark.parametrize(("start", "expected"), [(0, [1, 2, 3, 4, 5, 6]), (4, [5, 6]), (None, [])])
def test_a_new_consumer_begins_where_it_is_told(filled, handler, start, expected):
    filled.consumer("mailer", start=start).run(handler, once=True)
    assert handler.handled == expected
    filled.consumer("mailer", start=0).run(handler, once=True)
    assert handler.handled == expected


def test_a_new_consumer_cannot_begin_beyond_the_log(filled, handler):
    with pytest.raises(ConsumerStartError) as raised:
        filled.consumer("mailer", start=7).run(handler, once=True)
    assert (raised.value.position, raised.value.head) == (7, 6)
    assert [*filled.consumers.all()] == []
    filled.consumer("mailer", start=6).run(handler, once=True)
    filled.consumer("mailer", start=9).run(handler, once=True)  # it is there
    assert handler.handled == []


def test_members_that_begin_together_divide_a_consumer_once(filled, adapter):
    members = [filled.consumer("mailer", member=(n, 4)) for n in (1, 2, 3, 4)]
    got = []
    together([lambda each=each: each.run(got.extend, once=True) for each in members], 20)
    assert sorted(event.global_position for event in got) == [1, 2, 3, 4, 5, 6]


def test_the_checkpoint_stands_before_the_batch_that_failed(filled, handler):
    handler.fails_at = {3}
    with pytest.raises(ValueError, match="no route for Order-2"):
        filled.consumer("mailer").run(handler, 2, once=True)
    assert handler.batches == [[1, 2]]
    assert filled.consumers.get("mailer").global_position == 2
    handler.fails_at = set()
    filled.consumer("mailer").run(handler, 2, once=True)
    assert handler.handled == [1, 2, 3, 4, 5, 6]


def test_a_failing_handler_is_tried_again(filled, handler):
    handler.fails_at = {3}
    told = []

    def note(error, left, seconds):
        told.append((str(error), left, 0 < seconds <= 0.02 * 2**3))
        if left == 1:
            handler.fails_at = set()

    filled.consumer("mailer").run(handler, once=True, retries=3, backoff=0.02, on_retry=note)
    assert told == [("no route for Order-2", left, True) for left in (3, 2, 1)]
    assert handler.handled == [1, 2, 3, 4, 5, 6]


def test_a_parked_event_holds_back_its_stream_alone(filled, handler):
    handler.fails_at = {2}
    mailer = filled.consumer("mailer")
    mailer.run(handler, once=True, on_failure="park")
    assert handler.handled == [1, 3, 4, 6]
    (parked,) = filled.consumers.parked("mailer")
    assert (parked.stream_id, parked.global_position, parked.state) == ("Order-1", 2, "parked")
    assert parked.reason == "ValueError: no route for Order-1"
    append(filled, "Order-1")
    append(filled, "Order-2")
    mailer.run(handler, once=True, on_failure="park")
    assert handler.handled == [1, 3, 4, 6, 8]
    assert filled.consumers.get("mailer").global_position == 8


def test_a_batch_with_an_event_that_fails_is_handled_but_for_that_event(filled, handler):
    handler.fails_at = {2}
    filled.consumer("mailer").run(handler, 6, once=True, on_failure="park")
    assert handler.batches == [[1], [3], [4], [6]]
    assert [each.global_position for each in filled.consumers.parked("mailer")] == [2]


@pytest.mark.parametrize(("how", "expected"), [("retry", [2, 5, 7]), ("drop", [5, 7])])
def test_what_was_held_back_follows_the_parked_event_that_is_retried_or_dropped(filled, handler, how, expected):
    handler.fails_at = {2}
    mailer = filled.consumer("mailer")
    append(filled, "Order-1")
    mailer.run(handler, once=True, on_failure="park")
    (parked,) = filled.consumers.parked("mailer")
    handler.fails_at, handler.batches = set(), []
    getattr(filled.consumers, how)("mailer", parked.event_id)
    append(filled, "Order-2")
    mailer.run(handler, once=True)
    assert handler.handled == [*expected, 8]
    assert filled.consumers.parked("mailer") == []
    append(filled, "Order-1")
    mailer.run(handler, once=True)
    assert handler.handled == [*expected, 8, 9]


def test_an_event_that_fails_again_stays_parked_and_so_does_one_behind_it(filled, handler):
    handler.fails_at = {2, 5}
    mailer = filled.consumer("mailer")
    mailer.run(handler, once=True, on_failure="park")
    filled.consumers.retry("mailer", filled.consumers.parked("mailer")[0].event_id)
    mailer.run(handler, once=True, on_failure="park")
    assert [(each.global_position, each.state) for each in filled.consumers.parked("mailer")] == [(2, "parked")]
    filled.consumers.drop("mailer", filled.consumers.parked("mailer")[0].event_id)
    mailer.run(handler, once=True, on_failure="park")
    assert [(each.global_position, each.state) for each in filled.consumers.parked("mailer")] == [(5, "parked")]
    assert handler.handled == [1, 3, 4, 6]


def test_a_running_consumer_sees_what_is_to_be_retried(filled, handler):
    handler.fails_at = {2}
    mailer = filled.consumer("mailer")
    mailer.run(handler, once=True, on_failure="park")
    thread = threading.Thread(target=lambda: mailer.run(handler, on_failure="park", timeout=20))
    thread.start()
    handler.fails_at = set()
    filled.consumers.retry("mailer", filled.consumers.parked("mailer")[0].event_id)
    wait_for(lambda: handler.handled == [1, 3, 4, 6, 2, 5])
    mailer.stop()
    thread.join(20)
    assert not thread.is_alive()
    assert filled.consumers.parked("mailer") == []


def test_events_that_are_not_parked_cannot_be_retried_or_dropped(filled, handler):
    filled.consumer("mailer").run(handler, once=True)
    event = next(filled.replay())
    for change in (filled.consumers.retry, filled.consumers.drop):
        with pytest.raises(EventNotFoundError) as raised:
            change("mailer", event.id)
        assert (raised.value.event_id, raised.value.consumer) == (event.id, "mailer")
        with pytest.raises(ConsumerNotFoundError):
            change("absent", event.id)


def test_one_holder_at_a_time_works_for_a_name(filled, handler):
    with filled.consumer("mailer"):
        with pytest.raises(ConsumerHeldError):
            filled.consumer("mailer").run(handler, once=True)
        with pytest.raises(ConsumerHeldError):
            filled.consumers.reset("mailer", 0)
        with pytest.raises(ConsumerHeldError):
            filled.consumers.remove("mailer")
        filled.consumer("other").run(handler, once=True)
    filled.consumer("mailer").run(handler, once=True)
    assert handler.handled == [1, 2, 3, 4, 5, 6] * 2


def test_members_share_the_streams(store, handler):
    for n in range(40):
        append(store, f"Order-{n}", 2)
    handlers = [Handler() for _ in range(3)]
    members = [store.consumer("mailer", member=(i, 3)) for i in (1, 2, 3)]
    with members[0], members[1], members[2]:
        for member, each in zip(members, handlers, strict=True):
            member.run(each, 5, once=True)
    positions = sorted(position for each in handlers for position in each.handled)
    assert positions == [*range(1, 81)]
    by_position = {event.global_position: event.stream_id for event in store.replay()}
    for number, each in enumerate(handlers):
        assert {slot_of(by_position[position]) % 3 for position in each.handled} == {number}
        assert each.handled == sorted(each.handled)


def test_the_number_of_members_changes_at_any_time(store):
    got = []
    for n, of in enumerate((4, 3, 5, 1, 2)):
        for stream in range(20):
            append(store, f"Order-{stream}")
        for i in range(1, of + 1):
            store.consumer("mailer", member=(i, of)).run(got.extend, 7, once=True)
        assert sorted(event.global_position for event in got) == [*range(1, 20 * (n + 1) + 1)]
    for stream in range(20):
        versions = [event.version for event in got if event.stream_id == f"Order-{stream}"]
        assert versions == [1, 2, 3, 4, 5]


def test_a_whole_consumer_goes_on_where_members_were(store, handler):
    for n in range(10):
        append(store, f"Order-{n}")
    store.consumer("mailer", member=(1, 2)).run(handler, once=True)
    first = handler.handled
    store.consumer("mailer").run(handler, once=True)
    assert 0 < len(first) < 10
    assert sorted(handler.handled) == [*range(1, 11)]


def test_a_member_takes_the_slots_that_come_free(store):
    for n in range(40):
        append(store, f"Order-{n}")
    got = []
    gone = store.consumer("mailer", member=(1, 2))
    with gone:
        later = store.consumer("mailer", member=(1, 1))
        thread = threading.Thread(target=later.run, args=(got.extend,), kwargs={"timeout": 20})
        thread.start()
        wait_for(lambda: len(got) == sum(slot_of(f"Order-{n}") % 2 == 1 for n in range(40)))
    wait_for(lambda: len(got) == 40)
    later.stop()
    thread.join(20)
    assert sorted(event.global_position for event in got) == [*range(1, 41)]


@pytest.mark.parametrize("member", [(0, 2), (3, 2), (1, 65), (1, 0)])
def test_a_member_is_one_of_at_most_64(store, member):
    with pytest.raises(InvalidInputError):
        store.consumer("mailer", member=member)


def test_a_consumer_is_told_apart_by_the_rules_of_names(store):
    for name in ("", "a\nb", "x" * 256):
        with pytest.raises(InvalidInputError):
            store.consumer(name)


# --- transactions ---


def test_a_handler_appends_in_the_step_of_its_checkpoint(filled):
    def handle(events, tx):
        for event in events:
            tx.append("Mail-" + event.stream_id, [EventData("Sent", {"about": event.global_position})])

    filled.consumer("mailer", categories=["Order"]).run(handle, 2, transactional=True, once=True)
    sent = [event.data["about"] for event in filled.replay(categories=["Mail"])]
    assert sent == [1, 2, 3, 5]
    assert filled.consumers.get("mailer").lag == 0


@pytest.mark.parametrize(("size", "number"), [(1, ""), (2, "2 events, the first of them ")])
def test_the_error_of_a_handler_reports_its_event(filled, handler, size, number):
    handler.fails_at = {3}
    with pytest.raises(ValueError, match="no route") as caught:
        filled.consumer("mailer").run(handler, batch_size=size, once=True)
    third = filled.get(next(filled.replay(after=2)).id)
    assert caught.value.__notes__ == [
        (
            f"consumer mailer: its handler failed on {number}the event at position 3: {third.type} {third.id}, "
            f'version {third.version} of stream "{third.stream_id}"'
        )
    ]


def test_a_transactional_handler_that_raises_leaves_nothing(filled, handler):
    def handle(events, tx):
        tx.append("Mail-1", [EventData("Sent", {"about": events[0].global_position})])
        handler(events)

    handler.fails_at = {3}
    with pytest.raises(ValueError, match="no route"):
        filled.consumer("mailer").run(handle, transactional=True, once=True)
    assert [event.data["about"] for event in filled.read("Mail-1")] == [1, 2]
    handler.fails_at = set()
    filled.consumer("mailer").run(handle, transactional=True, once=True, timeout=0)
    about = [event.data["about"] for event in filled.read("Mail-1")]
    assert about[:6] == [1, 2, 3, 4, 5, 6]


def test_a_transactional_handler_does_not_append_around_its_transaction(filled):
    def handle(events, tx):
        filled.append("Mail-1", [EventData("Sent", 1)])

    with pytest.raises(InvalidInputError, match=r"tx\.append"):
        filled.consumer("mailer").run(handle, transactional=True, once=True)
    append(filled, "Mail-1")


@pytest.mark.sqlite_too("a transaction of the database")
def test_tables_of_the_application_change_with_the_checkpoint(filled, adapter):
    if adapter == "memory":

        def refused(events, tx):
            tx.execute("SELECT 1")

        with pytest.raises(UnsupportedError):
            filled.consumer("sums").run(refused, transactional=True, once=True)
        return
    fails = {4}

    def handle(events, tx):
        tx.execute("CREATE TABLE IF NOT EXISTS sums (total integer)")
        for event in events:
            tx.execute(f"INSERT INTO sums VALUES ({event.global_position})")
            if event.global_position in fails:
                raise ValueError("not this")

    consumer = filled.consumer("sums")
    with pytest.raises(ValueError, match="not this"):
        consumer.run(handle, 3, transactional=True, once=True)
    fails.clear()
    consumer.run(handle, 3, transactional=True, once=True)
    rows = []
    append(filled, "Order-9")
    consumer.run(
        lambda events, tx: rows.extend(tx.execute("SELECT total FROM sums ORDER BY total")),
        transactional=True,
        once=True,
    )
    assert [total for (total,) in rows] == [1, 2, 3, 4, 5, 6]


def test_effects_in_another_file_happen_once_with_a_checkpoint_there(filled, tmp_path):
    with_sums = sqlite3.connect(tmp_path / "sums.db")
    with_sums.execute("CREATE TABLE sums (position INTEGER)")
    checkpoint = SqliteCheckpoint(with_sums)
    fails = {3}

    def handle(events):
        for event in events:
            with_sums.execute("INSERT INTO sums VALUES (?)", (event.global_position,))
            if event.global_position in fails:
                raise ValueError("not this")

    with pytest.raises(ValueError, match="not this"):
        filled.consumer("sums").run(handle, 2, checkpoint=checkpoint, once=True)
    fails.clear()
    filled.consumers.reset("sums", 0)  # the checkpoint in the store does not count
    filled.consumer("sums").run(handle, 2, checkpoint=checkpoint, once=True)
    assert [*with_sums.execute("SELECT position FROM sums ORDER BY rowid")] == [(n,) for n in range(1, 7)]
    assert checkpoint.position("sums")[0] == 6
    assert filled.consumers.get("sums").global_position == 6


def test_a_checkpoint_elsewhere_of_another_log_is_found(filled, handler, tmp_path):
    elsewhere = SqliteCheckpoint(sqlite3.connect(tmp_path / "sums.db"))
    filled.consumer("sums").run(handler, checkpoint=elsewhere, once=True)
    with evstore.connect("memory:") as other:
        append(other, "Order-1", 9)
        consumer = other.consumer("sums")
        with pytest.raises(LogDivergedError):
            consumer.run(handler, checkpoint=elsewhere, once=True)
        assert consumer.handled == 0


# --- reactions and looks ---


def test_what_a_handler_returns_is_appended_with_its_cause(filled):
    def react(events):
        (event,) = events
        if event.global_position == 3:
            return None
        return [("Mail-1", [EventData("Sent", event.global_position)], -1)]

    append(filled, "Order-1", correlation_id="c")
    filled.consumer("mailer", categories=["Order"]).run(react, appends=True, once=True)
    mails = [*filled.read("Mail-1")]
    assert [mail.data for mail in mails] == [1, 2, 5, 7]
    causes = [filled.get(mail.metadata.causation_id).global_position for mail in mails]
    assert causes == [1, 2, 5, 7]
    assert [mail.metadata.correlation_id for mail in mails] == [None, None, None, "c"]


def test_a_reaction_that_its_condition_refuses_leaves_the_checkpoint(filled):
    reaction = Reaction([("Mail-1", [EventData("Sent", 1)], -1)], unless=Query(types=["Paid"]))
    with pytest.raises(AppendConditionError):
        filled.consumer("mailer").run(lambda _: reaction, appends=True, once=True)
    assert (filled.consumers.get("mailer").global_position, filled.count(["Mail"])) == (0, 0)


def test_a_look_at_what_comes_next_holds_and_moves_nothing(filled, handler):
    handler.fails_at = {2}
    mailer = filled.consumer("mailer", categories=["Order"])
    assert [event.global_position for event in mailer.peek(once=True)] == [1, 2, 3, 5]
    assert [*filled.consumers.all()] == []
    mailer.run(handler, once=True, on_failure="park")
    append(filled, "Order-1")
    append(filled, "Order-2")
    with mailer:
        assert [event.global_position for event in mailer.peek(once=True)] == [8]
    assert filled.consumers.get("mailer").lag == 2


@pytest.mark.parametrize("modes", [{"transactional": True, "appends": True}, {"on_failure": "wait"}])
def test_what_excludes_each_other_is_refused(filled, handler, modes):
    with pytest.raises(InvalidInputError):
        filled.consumer("mailer").run(handler, once=True, **modes)


# --- the end ---


def test_a_run_ends_when_it_is_stopped_after_the_batch_in_hand(filled):
    consumer = filled.consumer("mailer")
    got = []

    def handle(events):
        got.extend(event.global_position for event in events)
        if got[-1] == 3:
            consumer.stop()

    assert consumer.handled == 0
    assert consumer.run(handle) == consumer.handled == 3
    assert filled.consumers.get("mailer").global_position == 3
    assert consumer.run(handle) == 0  # it stays stopped


def test_a_signal_handler_stops_a_run_whatever_it_interrupts(filled, handler):
    """A handler runs between any two lines, also of a wait; what that has locked, it cannot lock again."""
    handler.fails_at = {1}
    consumer = filled.consumer("mailer")

    def interrupt(frame, event, _):
        if frame.f_code is Stopping.wait.__code__ and event == "line":
            consumer.stop()
        return interrupt

    def run():
        sys.settrace(interrupt)
        consumer.run(handler, retries=1, backoff=60)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    assert handler.calls == 1


def test_a_run_ends_when_the_store_is_closed(filled, handler):
    thread = threading.Thread(target=lambda: filled.consumer("mailer").run(handler))
    thread.start()
    wait_for(lambda: len(handler.handled) == 6)
    filled.close()
    thread.join(20)
    assert not thread.is_alive()


def test_a_run_hands_on_what_is_appended_while_it_waits(filled, handler):
    consumer = filled.consumer("mailer")
    thread = threading.Thread(target=lambda: consumer.run(handler, timeout=20))
    thread.start()
    wait_for(lambda: len(handler.handled) == 6)
    append(filled, "Order-7", 2)
    wait_for(lambda: handler.handled[6:] == [7, 8])
    consumer.stop()
    thread.join(20)


def test_a_run_ends_after_a_time_without_events(filled, handler):
    assert filled.consumer("mailer").run(handler, timeout=0.01) == 6


# --- looking after them ---


def test_the_lag_is_what_is_not_handled(filled, handler):
    filled.consumer("mailer", categories=["Order"], start=2).run(handler, timeout=0)
    filled.consumers.reset("mailer", 2)
    info = filled.consumers.get("mailer")
    assert (info.global_position, info.lag, info.parked, info.members) == (2, 2, 0, False)
    assert 0 <= info.lag_seconds < 3600
    with filled.consumer("mailer", categories=["Order"]):
        assert {*filled.consumers.get("mailer").holders} == {0}
    assert [each.name for each in filled.consumers.all(prefix="mai")] == ["mailer"]
    assert [*filled.consumers.all(prefix="x")] == []


def test_a_consumer_that_was_reset_handles_again(filled, handler):
    filled.consumer("mailer").run(handler, once=True)
    assert filled.consumers.reset("mailer", 4).global_position == 4
    filled.consumer("mailer").run(handler, once=True)
    assert handler.handled == [1, 2, 3, 4, 5, 6, 5, 6]
    with pytest.raises(ConsumerStartError) as raised:
        filled.consumers.reset("mailer", 7)
    assert (raised.value.position, raised.value.head) == (7, 6)
    with pytest.raises(InvalidInputError):
        filled.consumers.reset("mailer", -1)


def test_a_consumer_that_was_removed_is_gone(filled, handler):
    filled.consumer("mailer").run(handler, once=True)
    filled.consumers.remove("mailer")
    for ask in (filled.consumers.get, filled.consumers.remove, filled.consumers.parked):
        with pytest.raises(ConsumerNotFoundError) as raised:
            ask("mailer")
        assert raised.value.name == "mailer"
    filled.consumer("mailer").run(handler, once=True)
    assert handler.handled == [*range(1, 7)] * 2


def test_what_is_parked_is_reported_when_it_is_parked(filled, handler):
    handler.fails_at = {1, 3}
    reported = []
    consumer = filled.consumer("mailer")
    consumer.run(handler, 10, on_failure="park", on_park=reported.append, once=True)
    assert [(each.global_position, each.reason) for each in reported] == [
        (each.global_position, each.reason) for each in filled.consumers.parked("mailer")
    ]
    again, *_ = filled.consumers.parked("mailer")
    filled.consumers.retry("mailer", again.event_id)
    consumer.run(handler, on_failure="park", on_park=reported.append, once=True)
    assert [each.event_id for each in reported[2:]] == [again.event_id]


def test_one_waits_for_a_consumer_to_come_so_far(filled, handler):
    consumer = filled.consumer("mailer")
    assert consumer.run(handler, once=True) == 6
    assert filled.consumers.wait("mailer", 6, 0)
    assert not filled.consumers.wait("mailer", 7, 0.01)
    thread = threading.Thread(target=lambda: consumer.run(handler, timeout=20))
    thread.start()
    append(filled, "Order-9")
    assert filled.consumers.wait("mailer", 7, 20)
    consumer.stop()
    thread.join(20)
