"""A failover that loses what the standby did not have yet: whoever saw it is told, and nothing is passed over."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from evstore import ConsumerHeldError, EventData, LogDivergedError, SqliteCheckpoint, connect
from evstore.cli.exits import CODES
from tests.support.clusters import Cluster, cluster
from tests.support.command import Command
from tests.support.servers import newest_of
from tests.support.subscriber import Following, events, numbers
from tests.support.waiting import PATIENCE, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from evstore import EventStore
    from tests.support.servers import Server, Servers

KEPT = 5
"""Events that the standby has."""
SEEN = 10
"""Events that were read before the failover."""
REASON = "each fails over"
SHORTER = pytest.param(1, marks=[pytest.mark.long(REASON), pytest.mark.seldom])
CONSUMERS = ("plain", "transactional", "elsewhere", "slow", "mailer")
"""Consumers that have handled what the standby has, and that it has, too."""


@pytest.fixture(scope="module")
def pair(servers: Servers) -> Iterator[Cluster]:
    with cluster(newest_of(servers), standbys=1) as made:
        yield made


class Lost(NamedTuple):
    """A store of which the standby has a part."""

    pair: Cluster
    schema: str
    url: str

    def cut(self) -> None:
        """From now on the standby receives nothing."""
        (standby,) = self.pair.standbys
        self.pair.caught_up(standby)
        standby.stop()
        standby.set_up(primary_conninfo="")
        standby.start()

    def fail_over(self) -> None:
        """The standby takes over, without what it has not received."""
        self.pair.kill("immediate")
        self.pair.promote()


@pytest.fixture
def whole(pair: Cluster) -> Iterator[Lost]:
    """A store of which the standby has all so far."""
    schema = pair.primary.new_schema()
    with connect(pair.url(schema)) as store:
        store.initialize()
        store.append("Order-1", events(*range(KEPT)))
        for name in CONSUMERS:
            store.consumer(name, categories=["Order"]).run(lambda _: None, once=True)
    (standby,) = pair.standbys
    former = pair.primary
    try:
        yield Lost(pair, schema, pair.url(schema))
    finally:
        standby.set_up(primary_conninfo=pair.source(standby))
        if pair.primary is standby:
            pair.rebuild(former, rewinds=True)
        else:
            standby.restart()
        pair.until_streaming(1)


@pytest.fixture
def lost(whole: Lost) -> Lost:
    """The same, and the standby receives nothing more."""
    whole.cut()
    return whole


def others(store: EventStore, many: int) -> None:
    """Append other events than those that were lost."""
    store.append("Order-2", [EventData("Other", -n) for n in range(1, many + 1)])


# --- readers that go on ---


FOLLOWERS: dict[str, dict[str, Any]] = {
    "the log": {},
    "a category": {"categories": ["Order"]},
    "types": {"types": ["Placed"]},
    "a stream": {"stream_id": "Order-1"},
    "what comes": {"after": SEEN},
    "a category in which nothing came": {"categories": ["Invoice"], "after": SEEN},
}


@pytest.mark.parametrize("appended", [SHORTER, 20], ids=["a shorter log", "a longer log"])
def test_whoever_follows_is_told_that_events_are_gone(lost: Lost, appended: int, subtests: Any) -> None:
    with ExitStack() as ends:
        stores = [ends.enter_context(connect(lost.url)) for _ in FOLLOWERS]
        stores[0].append("Order-1", events(*range(KEPT, SEEN)))
        followers = {}
        for (name, asked), store in zip(FOLLOWERS.items(), stores, strict=True):
            followers[name] = Following(store.subscribe(**asked))
            if "after" not in asked:
                assert numbers(followers[name].take(SEEN)) == [*range(SEEN)]
        wait_for(lambda: all(_waits(store) for store in stores))
        lost.fail_over()
        with connect(lost.url) as store:
            others(store, appended)
        for name, following in followers.items():
            with subtests.test(following=name), pytest.raises(LogDivergedError) as told:
                following.ended()
            assert (told.value.name, told.value.position) == (None, SEEN)
            assert told.value.code == "damaged"


def _waits(store: EventStore) -> bool:
    """A follower of the store has read the last event before it began to listen."""
    return store._adapter._hints._listens


def test_pages_of_a_read_are_of_one_log(lost: Lost) -> None:
    with connect(lost.url) as store:
        store.append("Order-1", events(*range(KEPT, 200)))
        reads = [
            store.replay(),
            store.replay(["Order"]),
            store.replay(types=["Placed"]),
            store.read("Order-1"),
            store.replay(backward=True),
        ]
        for read in reads:
            next(read)  # of a first page of 64
        lost.fail_over()
        others(store, 300)
        for read in reads:
            with pytest.raises(LogDivergedError):
                list(read)


@pytest.mark.long(REASON)
@pytest.mark.seldom
def test_an_event_that_the_standby_has_is_followed_by_what_comes(lost: Lost) -> None:
    """Whoever has not seen what was lost goes on."""
    with connect(lost.url) as behind, connect(lost.url) as other:
        following = Following(behind.subscribe())
        assert numbers(following.take(KEPT)) == [*range(KEPT)]
        in_category = Following(behind.subscribe(categories=["Invoice"]))
        lost.fail_over()
        others(other, 3)
        other.append("Invoice-1", events(7))
        assert numbers(following.take(4)) == [-1, -2, -3, 7]
        assert numbers(in_category.take(1)) == [7]


@pytest.mark.long(REASON)
@pytest.mark.seldom
def test_what_was_only_passed_over_is_read_anew(lost: Lost) -> None:
    """Positions that held nothing for a follower hold something after the failover."""
    with connect(lost.url) as store, connect(lost.url) as other:
        store.append("Invoice-1", events(*range(KEPT, SEEN)))
        following = Following(store.subscribe(categories=["Order"]))
        assert numbers(following.take(KEPT)) == [*range(KEPT)]
        wait_for(lambda: _waits(store))
        lost.fail_over()
        others(other, 20)
        assert numbers(following.take(20)) == [-n for n in range(1, 21)]


@pytest.mark.long(REASON)
@pytest.mark.seldom
def test_commands_exit_as_of_a_damaged_store(lost: Lost, tmp_path: Path) -> None:
    command = Command(tmp_path, lost.url)
    running = [
        command.start("replay", "--all", "-f"),
        command.start("read", "Order-1", "-f"),
        command.start("subscribe", "printing", "Order", "--ack", "printed"),
        command.start("subscribe", "plain", "Order", "--", "cat"),
    ]
    with connect(lost.url) as store:
        store.append("Order-1", events(*range(KEPT, SEEN)))
    for first, each in zip((0, 0, 0, KEPT), running, strict=True):
        shown = [json.loads(each.stdout.readline())["data"] for _ in range(first, SEEN)]
        assert shown == [*range(first, SEEN)]
    with connect(lost.url) as store:
        wait_for(lambda: all(_position(store, name) == SEEN for name in ("printing", "plain")))
    lost.fail_over()
    with connect(lost.url) as store:
        others(store, 20)
    for each in running:
        out, err = each.communicate(timeout=PATIENCE)
        assert (out, each.returncode) == (b"", CODES["damaged"]), (each.args, out, err)
        assert b"position 10" in err


# --- consumers ---


@contextmanager
def consuming(url: str, name: str, folder: Path, kind: str) -> Iterator[tuple[list[int], Callable[[], int]]]:
    """A consumer at work: what it handled, and the end of its run."""
    handled: list[int] = []

    def handle(batch: Any, *_: Any) -> None:
        handled.extend(numbers(batch))

    options: dict[str, Any] = {"transactional": True} if kind == "transactional" else {}
    with connect(url) as store, ThreadPoolExecutor(1) as threads:
        consumer = store.consumer(name, categories=["Order"])

        def run() -> int:
            if kind != "elsewhere":
                return consumer.run(handle, 3, **options)
            with sqlite3.connect(folder / "kept.db", isolation_level=None) as kept:
                return consumer.run(handle, 3, checkpoint=SqliteCheckpoint(kept))

        running = threads.submit(run)
        try:
            yield handled, lambda: running.result(PATIENCE)
        finally:
            consumer.stop()


@pytest.mark.parametrize("appended", [SHORTER, 20], ids=["a shorter log", "a longer log"])
def test_a_consumer_at_work_is_told(lost: Lost, tmp_path: Path, appended: int, subtests: Any) -> None:
    kinds = ("plain", "transactional", "elsewhere")
    with ExitStack() as ends:
        working = {kind: ends.enter_context(consuming(lost.url, kind, tmp_path, kind)) for kind in kinds}
        with connect(lost.url) as store:
            store.append("Order-1", events(*range(KEPT, SEEN)))
            wait_for(lambda: all(_position(store, kind) == SEEN for kind in kinds))
        lost.fail_over()
        with connect(lost.url) as store:
            others(store, appended)
        for kind, (handled, end) in working.items():
            with subtests.test(consumer=kind):
                with pytest.raises(LogDivergedError) as told:
                    end()
                assert told.value.name == kind
                assert told.value.position == SEEN
                assert handled == [*range(KEPT, SEEN)]


def _is_held(store: EventStore, name: str) -> bool:
    return bool(store._adapter.consumers().holders(name))


def _position(store: EventStore, name: str) -> int:
    return store.consumers.get(name).global_position


def test_a_consumer_goes_on_over_what_it_has_not_handled(whole: Lost, tmp_path: Path) -> None:
    """Positions that held nothing for it hold something after the failover."""
    lost = whole
    with ExitStack() as ends:
        kinds = ("plain", "transactional", "elsewhere")
        working = {kind: ends.enter_context(consuming(lost.url, kind, tmp_path, kind)) for kind in kinds}
        with connect(lost.url) as store:
            wait_for(lambda: all(_is_held(store, kind) for kind in kinds))
            lost.cut()
            store.append("Invoice-1", events(*range(KEPT, SEEN)))
            wait_for(lambda: all(_position(store, kind) == SEEN for kind in kinds))
        lost.fail_over()
        with connect(lost.url) as store:
            others(store, 20)
        for handled, _ in working.values():
            wait_for(lambda handled=handled: handled == [-n for n in range(1, 21)])


def test_a_step_that_is_lost_without_its_events_is_made_again(whole: Lost) -> None:
    """Its rows are lost with its checkpoint, and the events are still there."""
    rows = f"{whole.schema}_rows"
    whole.pair.primary.execute(f"CREATE TABLE {rows} (position bigint)")
    first, second = threading.Event(), threading.Event()

    def handle(batch: Any, tx: Any) -> None:
        (first if batch[0].data == KEPT else second).wait(PATIENCE)
        for event in batch:
            tx.execute(f"INSERT INTO {rows} VALUES ({event.global_position})")

    def written() -> list[int]:
        found = whole.pair.primary.execute(f"SELECT position FROM {rows} ORDER BY position")
        return [position for (position,) in found]

    with connect(whole.url) as store, ThreadPoolExecutor(1) as threads, connect(whole.url) as other:
        consumer = store.consumer("transactional", categories=["Order"])
        running = threads.submit(consumer.run, handle, 3, transactional=True)
        wait_for(lambda: _is_held(other, "transactional"))
        other.append("Order-1", events(*range(KEPT, SEEN)))
        whole.cut()
        first.set()
        wait_for(lambda: _position(other, "transactional") == KEPT + 3)
        whole.fail_over()
        second.set()  # for the step after the one that is lost
        others(other, 3)
        wait_for(lambda: _position(other, "transactional") == SEEN + 3 or running.done())
        consumer.stop()
        running.result(PATIENCE)
    assert written() == [*range(KEPT + 1, SEEN + 4)]


def test_a_consumer_whose_handler_runs_meanwhile_moves_nothing(lost: Lost) -> None:
    """It handled an event that is gone: its checkpoint must not move to the event in its place."""
    begun, done = threading.Event(), threading.Event()

    def handle(_: Any) -> None:
        begun.set()
        done.wait(PATIENCE)

    with connect(lost.url) as store, ThreadPoolExecutor(1) as threads:
        running = threads.submit(store.consumer("slow", categories=["Order"]).run, handle, SEEN)
        store.append("Order-1", events(*range(KEPT, SEEN)))
        assert begun.wait(PATIENCE)
        lost.fail_over()
        with connect(lost.url) as other:
            others(other, 20)
            done.set()
            with pytest.raises(LogDivergedError) as told:
                running.result(PATIENCE)
            assert (told.value.name, KEPT < told.value.position <= SEEN) == ("slow", True)
            assert _position(other, "slow") == KEPT


@pytest.mark.long(REASON)
@pytest.mark.seldom
def test_a_checkpoint_that_is_kept_elsewhere_is_held_against_the_log(lost: Lost, tmp_path: Path) -> None:
    """A process that begins again knows of what was lost by its own database alone."""
    with consuming(lost.url, "elsewhere", tmp_path, "elsewhere") as (handled, _), connect(lost.url) as store:
        store.append("Order-1", events(*range(KEPT, SEEN)))
        wait_for(lambda: _position(store, "elsewhere") == SEEN)
    lost.fail_over()
    with connect(lost.url) as store:
        others(store, 20)
    with consuming(lost.url, "elsewhere", tmp_path, "elsewhere") as (handled, end):
        with pytest.raises(LogDivergedError) as told:
            end()
        assert (told.value.name, told.value.position) == ("elsewhere", SEEN)
        assert handled == []


@pytest.mark.long(REASON)
@pytest.mark.seldom
def test_a_consumer_that_begins_after_the_failover_handles_what_is_there(lost: Lost) -> None:
    """Its checkpoint went back with the log, so that nothing is passed over."""
    handled: list[int] = []

    def work(store: EventStore) -> None:
        consumer = store.consumer("mailer", categories=["Order"])
        consumer.run(lambda batch: handled.extend(numbers(batch)), 3, once=True)

    with connect(lost.url) as store:
        store.append("Order-1", events(*range(KEPT, SEEN)))
        work(store)
        assert handled == [*range(KEPT, SEEN)]
    lost.fail_over()
    handled.clear()
    with connect(lost.url) as store:
        others(store, 3)
        work(store)
    assert handled == [-1, -2, -3]


@pytest.mark.long(REASON)
@pytest.mark.seldom
def test_of_two_holders_with_the_same_token_one_moves_the_checkpoint(lost: Lost) -> None:
    """The token of the first was lost, and is given out again."""
    with connect(lost.url) as first, connect(lost.url) as second:
        ours = first._adapter.consumers()
        hold = ours.hold("mailer", [0])
        with ours.step(hold) as step:
            step.move({0: 1})
        lost.fail_over()
        others_consumers = second._adapter.consumers()
        theirs = others_consumers.hold("mailer", [0])
        assert theirs.tokens == hold.tokens
        with pytest.raises(ConsumerHeldError), ours.step(hold) as step:
            step.move({0: KEPT})
        with others_consumers.step(theirs) as step:
            step.move({0: KEPT})


# --- writers ---


def test_lost_events_are_stored_again_when_they_are_sent_again(lost: Lost, tmp_path: Path) -> None:
    """Their ids are free: a retry is no duplicate, and no conflict."""
    given = [EventData("Placed", n, id=f"01890000-0000-7000-8000-{n:012}") for n in range(KEPT, SEEN)]
    lines = [f'{{"type":"Placed","data":{each.data},"id":"{each.id}"}}\n'.encode() for each in given]
    command = Command(tmp_path, lost.url)
    pipe = command.start("append", "Order-1", "--each", "-", stdin=subprocess.PIPE)
    with pipe:
        receipts = [_sent(pipe, line) for line in lines]
        assert [receipt["globalPosition"] for receipt in receipts] == [*range(KEPT + 1, SEEN + 1)]
        lost.fail_over()
        receipts = [_sent(pipe, line) for line in lines]
        assert [receipt["globalPosition"] for receipt in receipts] == [*range(KEPT + 1, SEEN + 1)]
        assert not any(receipt["duplicate"] for receipt in receipts)
        pipe.stdin.close()
        assert pipe.wait(PATIENCE) == 0
    with connect(lost.url) as store:
        assert numbers(store.replay()) == [*range(SEEN)]
        assert store.append("Order-1", given).duplicate


@pytest.mark.long(REASON)
@pytest.mark.seldom
def test_a_pipe_that_is_the_only_writer_of_its_stream_notices(lost: Lost, tmp_path: Path) -> None:
    """It expects the version after its last one, and the stream has gone back."""
    command = Command(tmp_path, lost.url)
    pipe = command.start("append", "Order-1", "--each", "-e", str(KEPT), "-", stdin=subprocess.PIPE)
    with pipe:
        for n in range(KEPT, SEEN):
            _sent(pipe, b'{"type":"Placed","data":%d}\n' % n)
        lost.fail_over()
        pipe.stdin.write(b'{"type":"Placed","data":%d}\n' % SEEN)
        pipe.stdin.close()
        assert pipe.wait(PATIENCE) == CODES["unavailable"]  # the try before might still reach that version
        assert pipe.stdout.read() == b""
    with connect(lost.url) as store:
        assert numbers(store.replay()) == [*range(KEPT)]


def _sent(pipe: subprocess.Popen[bytes], line: bytes) -> dict[str, Any]:
    """The receipt of a line."""
    assert pipe.stdin is not None
    assert pipe.stdout is not None
    pipe.stdin.write(line)
    pipe.stdin.flush()
    receipt: dict[str, Any] = json.loads(pipe.stdout.readline())
    return receipt


def test_a_page_that_another_server_may_have_answered_is_read_again(
    newest: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(newest.url(newest.schema("answered anew"))) as store:
        store.initialize()
        store.append("Order-1", events(1, 2, 3))
        adapter: Any = store._adapter
        real = adapter.read_stream

        def read_stream(*asked: Any) -> Any:
            monkeypatch.undo()
            found = real(*asked)
            adapter._moves += 1  # as after a new connection
            return found

        monkeypatch.setattr(adapter, "read_stream", read_stream)
        following = store.subscribe(stream_id="Order-1", after=0, timeout=5)
        assert numbers([next(following) for _ in range(3)]) == [1, 2, 3]
