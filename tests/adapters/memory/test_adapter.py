"""What only a store in memory can show of itself."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from threading import Barrier, Thread

import pytest

from evstore import ConsumerNotFoundError, EventData, StoreClosedError, connect
from evstore.adapters.memory import MemoryAdapter
from evstore.model.consumers import WHOLE
from evstore.model.facts import StoreInfo
from tests.support.waiting import PATIENCE


def test_its_facts_are_those_of_its_events():
    with connect("memory:") as store:
        store.append("Order-1", [EventData.from_json("T", '{"n":1}'), EventData.from_json("T", '"é"')])
        store.append("Mail-1", [EventData.from_json("T", "1")])
        assert store.info() == StoreInfo(
            backend="memory",
            backend_version="",
            location="memory:",
            schema_version=1,
            streams=2,
            categories=2,
            head=3,
            size_bytes=len('{"n":1}"é"1{}{}{}'),
            durability={},
            warnings=(),
            how_durable="none: what is appended is gone when the command ends",
        )


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_is_refused_at_once_though_a_thread_was_at_work_when_it_was_forked():
    """The lock that the thread held is held for ever in the child."""
    with closing(MemoryAdapter()) as adapter:
        held, over = Barrier(2), Barrier(2)

        def work() -> None:
            with adapter._changed:
                held.wait(PATIENCE)
                over.wait(PATIENCE)

        thread = Thread(target=work)
        thread.start()
        held.wait(PATIENCE)
        child = os.fork()
        if not child:
            signal.alarm(int(PATIENCE))
            try:
                adapter.head(0, 0)
            except StoreClosedError as error:
                os._exit(17 if error.forked else 18)
            finally:
                os._exit(1)
        _, ended = os.waitpid(child, 0)
        over.wait(PATIENCE)
        thread.join(PATIENCE)
        assert os.waitstatus_to_exitcode(ended) == 17


def test_a_consumer_is_held_and_removed_by_its_own_name():
    with closing(MemoryAdapter()) as adapter:
        consumers = adapter.consumers()
        for name in ("mailer", "reader"):
            consumers.add(name, "{}", 0)
        hold = consumers.hold("mailer", [WHOLE])
        assert (consumers.holders("mailer"), consumers.holders("reader")) == ({WHOLE: "this process"}, {})
        with consumers.step(hold) as step:
            step.remove()
        with pytest.raises(ConsumerNotFoundError), consumers.step(hold):
            pass
