"""The messages of a store: their sequences, their subjects, and the guards that they were sent with."""

from __future__ import annotations

import base64
import json
from contextlib import closing

import pytest

from evstore import NotInitializedError, Query, UnsupportedError
from evstore.adapters.nats import connect as adapter_of
from evstore.model.conditions import AppendCondition
from evstore.model.sources import Source
from evstore.port import Append, Receipt
from evstore.testing.asking import answer
from evstore.testing.builders import a_write, an_append
from tests.support.nats_servers import NatsServer

OF_SUBJECT, OF_LOG = "Nats-Expected-Last-Subject-Sequence", "Nats-Expected-Last-Sequence"
OF_BATCH = {"Nats-Batch-Id", "Nats-Batch-Sequence", "Nats-Batch-Commit"}


@pytest.fixture
def place(nats_server):
    url = nats_server.place()
    with closing(adapter_of(url)) as adapter:
        adapter.initialize()
    yield url
    nats_server.drop([_name(url)])


def _name(url):
    return url.rpartition("/")[2].partition("?")[0]


def _messages(server, url):
    """Subject, guards and body of each message, by sequence."""
    name = _name(url)
    found = []
    for sequence in range(1, server.ask(f"STREAM.INFO.{name}")["state"]["last_seq"] + 1):
        message = server.ask(f"STREAM.MSG.GET.{name}", {"seq": sequence})["message"]
        lines = base64.b64decode(message["hdrs"]).decode().split("\r\n")[1:]
        headers = dict(line.split(": ", 1) for line in lines if line)
        guards = {key: value for key, value in headers.items() if key not in OF_BATCH}
        found.append(
            (message["subject"].removeprefix(f"{name}."), guards, base64.b64decode(message.get("data", "")))
        )
    return found


def test_an_event_and_its_id_are_two_messages_with_guards_of_exactly_their_subjects(nats_server, place):
    unit = Append([a_write("Order-1", 2), a_write("Stock.a-1"), a_write("Order-1", 1)])
    later = Append([a_write("Order-1")])
    with closing(adapter_of(place)) as adapter:
        assert isinstance(answer(adapter, unit), Receipt)
        assert isinstance(answer(adapter, later), Receipt)
    ids = [*unit.ids(), *later.ids()]
    messages = _messages(nats_server, place)
    subjects = ["e.Order.Order-1"] * 2 + ["e.Stock%2Ea.Stock%2Ea-1"] + ["e.Order.Order-1"] * 2
    assert [subject for subject, _, _ in messages[::2]] == subjects
    assert [subject for subject, _, _ in messages[1::2]] == [f"i.{each}" for each in ids]
    assert [guards for _, guards, _ in messages[::2]] == [
        {OF_SUBJECT: "0"},
        {},
        {OF_SUBJECT: "0"},
        {},
        {OF_SUBJECT: "7"},
    ]
    assert all(guards == {OF_SUBJECT: "0"} and not body for _, guards, body in messages[1::2])
    lines = [json.loads(body.partition(b"\n")[0]) for _, _, body in messages[::2]]
    assert [(line["i"], line["v"], line["k"], line["n"]) for line in lines] == [
        (ids[0], 1, 1, 4), (ids[1], 2, 2, 4), (ids[2], 1, 3, 4), (ids[3], 3, 4, 4), (ids[4], 4, 1, 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "more",
    [{"first_position": 2}, {"conditions": [AppendCondition(Query(["Absent"]))]}, {"source": Source("a", 1)}],
    ids=lambda more: next(iter(more)),
)
def test_a_unit_that_is_judged_by_the_whole_log_is_guarded_by_its_end(nats_server, place, more):
    with closing(adapter_of(place)) as adapter:
        answer(adapter, an_append("Order-1"))
        assert isinstance(answer(adapter, an_append("Order-2", 2)._replace(**more)), Receipt)
    guards = [guards for _, guards, _ in _messages(nats_server, place)[2:]]
    assert guards[0] == {OF_LOG: "2", OF_SUBJECT: "0"}
    assert not any(OF_LOG in each for each in guards[1:])


def test_the_stream_keeps_everything(nats_server, place):
    made = nats_server.ask(f"STREAM.INFO.{_name(place)}")["config"]
    assert made["subjects"] == [f"{_name(place)}.e.>", f"{_name(place)}.i.*"]
    assert {name: made[name] for name in ("allow_atomic", "allow_direct", "deny_delete", "deny_purge")} == {
        "allow_atomic": True, "allow_direct": True, "deny_delete": True, "deny_purge": True,
    }  # fmt: skip
    assert (made["discard"], made["storage"], made["max_age"], made["max_msgs"]) == ("new", "file", 0, -1)


def test_a_stream_of_something_else_is_not_touched(nats_server):
    url = nats_server.place()
    with closing(adapter_of(url)) as adapter, pytest.raises(NotInitializedError):
        adapter.info()
    assert nats_server.ask(f"STREAM.INFO.{_name(url)}")["error"]["err_code"] == 10059


def test_a_server_without_jetstream_is_refused_at_once():
    server = NatsServer(with_jetstream=False)
    try:
        with closing(adapter_of(server.place())) as adapter:
            for call in (adapter.initialize, adapter.info):
                with pytest.raises(UnsupportedError, match="no JetStream"):
                    call()
    finally:
        server.close()
