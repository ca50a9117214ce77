"""The short way of answers, and the usual one of a nats-py that does not offer it."""

from __future__ import annotations

import asyncio
import time
from contextlib import closing

import pytest

from evstore import NotInitializedError
from evstore.adapters.nats import connect as adapter_of
from evstore.adapters.nats.client import AGAIN_SECONDS, Client
from evstore.adapters.nats.connection import Connection, Incoming
from evstore.adapters.nats.errors import AnsweredError, NoAnswerError, NotReachedError
from evstore.adapters.nats.location import location_of
from evstore.adapters.nats.messages import found_in
from evstore.port import AlreadyStored, Receipt
from evstore.testing.asking import answer, history, log
from evstore.testing.builders import an_append


@pytest.mark.parametrize("way", ["short", "usual"])
def test_answers_come_the_short_way_and_the_usual_one(nats_server, monkeypatch, way):
    if way == "usual":
        monkeypatch.delattr(Connection, "_process_msg")
    with closing(adapter_of(nats_server.place())) as adapter:
        with pytest.raises(NotInitializedError):
            adapter.info()
        adapter.initialize()
        assert history(adapter, "Order-1") == []
        unit = an_append("Order-1", 3)
        assert isinstance(answer(adapter, unit), Receipt)
        assert isinstance(answer(adapter, unit), AlreadyStored)
        assert [event.id for event in log(adapter)] == [*unit.ids()]
        assert adapter.head(0, 0) == 3


def test_a_server_that_is_frozen_keeps_no_socket_when_the_next_one_is_tried():
    async def tried() -> bool:
        accepted: list[asyncio.StreamWriter] = []
        silent = await asyncio.start_server(lambda _, writer: accepted.append(writer), "127.0.0.1", 0)
        url = f"nats://127.0.0.1:{silent.sockets[0].getsockname()[1]}"
        connection = Connection()
        with pytest.raises(TimeoutError):
            await connection.connect(url, connect_timeout=0.2, allow_reconnect=False)
        is_closed = connection._transport._bare_io_writer.is_closing()
        for each in (connection._transport, *accepted, silent):
            each.close()
        return is_closed

    assert asyncio.run(tried())


def test_of_a_header_that_comes_twice_the_last_is_what_the_server_says():
    found = Incoming(b"", b"NATS/1.0\r\nNats-Sequence: 1\r\nX: y\r\nNats-Sequence: 22\r\n\r\n")
    assert (found.header(b"\r\nNats-Sequence: "), found.header(b"\r\nSequence: "), found.status) == (
        b"22",
        None,
        None,
    )
    assert Incoming(b"", b"NATS/1.0 404 Not Found\r\n\r\n").status == "404"


ADDED = b"Nats-Stream: events\r\nNats-Subject: events.Order.1\r\nNats-Sequence: 22\r\n"
STORED = b"Nats-Stream: theirs\r\nNats-Subject: theirs.1\r\nNats-Sequence: 1\r\n"
OTHER_ORDER = b"Nats-Sequence: 22\r\nNats-Subject: events.Order.1\r\nNats-Stream: events\r\n"


@pytest.mark.parametrize(
    "lines", [ADDED, STORED + ADDED, OTHER_ORDER, b"Nats-Msg-Id: x\r\n" + ADDED + b"Nats-Num-Pending: 4\r\n"]
)
def test_a_message_is_known_by_the_headers_that_the_server_adds_in_any_order(lines):
    found = found_in(Incoming(b"{}", b"NATS/1.0\r\n" + lines + b"\r\n"))
    assert found == (22, "events.Order.1", b"{}")


NO_LEADER = AnsweredError({"code": 503, "err_code": 10008})


def _asked_patiently(*answers, timeout=30.0):
    """The answer to a question to which these come one after another, None for none at all; and those it let go of."""
    left, gone = [*answers], []

    async def ask():
        number, answer = len(answers) - len(left), left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        try:
            await asyncio.sleep(0 if answer else 3600)
        except asyncio.CancelledError:
            gone.append(number)
            raise
        return answer

    async def asked():
        return await Client(location_of("nats://127.0.0.1:1/shop"), timeout).patiently(ask)

    return asyncio.run(asked()), gone


def test_a_question_that_a_frozen_server_keeps_does_not_hold_up_the_next():
    begun = time.monotonic()
    assert _asked_patiently(NoAnswerError("frozen"), None, "an answer") == ("an answer", [1])
    assert time.monotonic() - begun < 3


def test_a_question_is_asked_again_while_there_is_no_leader_and_no_longer_than_the_timeout():
    assert _asked_patiently(NO_LEADER, NotReachedError("no server"), NO_LEADER, "an answer") == ("an answer", [])
    with pytest.raises(NotReachedError):
        _asked_patiently(*[NotReachedError("no server")] * 1000, timeout=0.3)
    with pytest.raises(AnsweredError, match="10059"):
        _asked_patiently(NoAnswerError("frozen"), AnsweredError({"err_code": 10059, "description": "10059"}))


def test_an_answer_that_is_coming_is_waited_for():
    asked, is_coming = [], False

    async def slow():
        nonlocal is_coming
        asked.append(1)
        is_coming = True
        await asyncio.sleep(2.5 * AGAIN_SECONDS)
        return "a long answer"

    async def answered():
        client = Client(location_of("nats://127.0.0.1:1/shop"), 30.0)
        return await client._again(slow, time.monotonic() + 30, lambda: is_coming)

    assert asyncio.run(answered()) == "a long answer"
    assert asked == [1]
