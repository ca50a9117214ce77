"""The short way of answers, and the usual one of a nats-py that does not offer it."""

from __future__ import annotations

import asyncio
from contextlib import closing

import pytest

from evstore import NotInitializedError
from evstore.adapters.nats import connect as adapter_of
from evstore.adapters.nats.connection import Connection, Incoming
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
    assert (found.header(b"Nats-Sequence"), found.header(b"Sequence"), found.status) == ("22", None, None)
    assert Incoming(b"", b"NATS/1.0 404 Not Found\r\n\r\n").status == "404"
