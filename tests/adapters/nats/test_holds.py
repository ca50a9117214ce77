"""Holds of consumers whose process dies, or sleeps until another one has taken over."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from evstore import EventData, connect
from evstore.consumers.kept import consumers_of
from evstore.errors import ConsumerHeldError
from evstore.model.consumers import WHOLE
from tests.support.daemons import freeze
from tests.support.waiting import PATIENCE

pytestmark = [
    pytest.mark.sqlite_only("it is about NATS, whatever else the command is tried on"),
    pytest.mark.seldom,
    pytest.mark.long("leases run out after eight seconds"),
]


@pytest.fixture
def shop(evstore, nats_server):
    evstore.database = nats_server.place()
    evstore.ok("init")
    evstore.ok("append", "Order-1", "-t", "Placed", "-d", "1")
    return evstore


def _taken(store, seconds):
    """A hold of the consumer, once it is free."""
    consumers = consumers_of(store._adapter)
    end = time.monotonic() + seconds
    while True:
        try:
            return consumers, consumers.hold("mailer", [WHOLE])
        except ConsumerHeldError:
            assert time.monotonic() < end
            time.sleep(0.1)


def test_a_hold_ends_within_ten_seconds_with_its_process(shop):
    with shop.start("subscribe", "mailer", "Order", "--", "cat") as process, connect(shop.database) as store:
        assert json.loads(process.stdout.readline())["globalPosition"] == 1
        time.sleep(9)  # longer than a lease, which is renewed
        with pytest.raises(ConsumerHeldError):
            consumers_of(store._adapter).hold("mailer", [WHOLE])
        process.kill()
        _, hold = _taken(store, 10)
        hold.release()


def test_a_process_that_slept_while_another_took_over_changes_nothing(shop):
    with shop.start("subscribe", "mailer", "Order", "--", "cat") as process, connect(shop.database) as store:
        assert json.loads(process.stdout.readline())["globalPosition"] == 1
        freeze(process.pid)
        consumers, hold = _taken(store, 10)
        record = consumers.find("mailer")
        store.append("Order-1", [EventData("Paid", 2)])
        os.kill(process.pid, signal.SIGCONT)
        process.wait(PATIENCE)
        assert process.returncode == 9
        assert consumers.find("mailer") == record
        hold.check()
        with consumers.step(hold) as step:
            step.move({WHOLE: 2})
        hold.release()
