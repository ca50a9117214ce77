"""Limits of time that a server has: what runs into one twice ends, says which limit it was, and leaves nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from evstore import AppendOutcomeUnknownError, EventData, UnavailableError, connect
from evstore.adapters.postgres.batches import MOST_EVENTS
from evstore.cli.exits import CODES
from tests.support.changed_procedures import Gate, with_a_gate
from tests.support.command import Command
from tests.support.postgres_roles import ALL_WRITER, a_role, grant
from tests.support.postgres_sessions import locked, waiting, writing
from tests.support.proxies import Proxy, before_call
from tests.support.sentences import names
from tests.support.servers import NO_TRANSACTION_TIMEOUT, needs
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.postgres_roles import Role
    from tests.support.proxies import Message
    from tests.support.servers import Server

SETTING = "transaction_timeout"
LIMIT = "300ms"
SIZES = {"small": 3, "staged": 2 * MOST_EVENTS + 1}
"""Copied in a small part of the limit, so that the call meets it: libpq drops the last words of a server that ends a
session while it still copies."""
MOST_IN_MESSAGE = 4096
"""Characters."""


@pytest.fixture
def schema(server: Server) -> str:
    needs(NO_TRANSACTION_TIMEOUT, server.execute("SELECT name FROM pg_settings WHERE name = %s", SETTING))
    schema = server.schema("limited")
    with connect(server.url(schema)) as store:
        store.initialize()
    return schema


@pytest.fixture
def role(server: Server, schema: str) -> Iterator[Role]:
    with a_role(server, **{SETTING: LIMIT}) as role:
        grant(role, schema, *ALL_WRITER)
        yield role


def staged(server: Server, schema: str) -> int:
    return server.execute(f"SELECT count(*) FROM {schema}.staged")[0][0]


@pytest.mark.parametrize("count", SIZES.values(), ids=SIZES)
def test_an_append_that_takes_too_long_is_tried_twice_and_leaves_nothing(
    server: Server, schema: str, role: Role, count: int
) -> None:
    calls = 0

    def counted(message: Message) -> bool:
        nonlocal calls
        calls += before_call("CALL")(message)
        return False

    with Proxy(server, counted) as proxy, connect(proxy.url(schema, role)) as store:
        with writing(server, schema), pytest.raises(UnavailableError) as caught:
            store.append("Order-1", [EventData("Placed", n) for n in range(count)])
        assert type(caught.value) is UnavailableError
        assert SETTING in str(caught.value)
        assert len(str(caught.value)) < MOST_IN_MESSAGE
        assert 1 <= calls <= 2
        assert store.head() == staged(server, schema) == 0


@pytest.mark.parametrize("count", SIZES.values(), ids=SIZES)
def test_the_command_names_the_limit_in_a_few_words(
    server: Server, schema: str, role: Role, tmp_path: Path, count: int
) -> None:
    lines = "\n".join(f'{{"type":"Placed","data":{n},"id":"{uuid4()}"}}' for n in range(count))
    command = Command(tmp_path, role.url(schema))
    with writing(server, schema):
        done = command("append", "Order-1", "-", stdin=lines.encode())
    assert done.code == CODES["unavailable"]
    assert done.out == b""
    assert SETTING in done.err
    assert len(done.err) < MOST_IN_MESSAGE
    assert staged(server, schema) == 0


@pytest.mark.parametrize("count", [3, 2 * MOST_EVENTS], ids=["small", "staged"])
def test_an_append_that_is_ended_behind_its_commit_is_stored_once(
    server: Server, schema: str, role: Role, count: int
) -> None:
    with_a_gate(server, schema)
    gate = Gate(server)
    gate.shut()
    url = role.url(schema, application_name=schema)
    with ThreadPoolExecutor() as threads, connect(url, pool_size=1) as store:
        appended = threads.submit(store.append, "Order-1", [EventData("Placed", n) for n in range(count)])
        wait_for(lambda: waiting(server, "advisory", schema))
        wait_for(lambda: not waiting(server, "advisory", schema))
        gate.open()
        assert not appended.result().duplicate
        assert store.head() == count
    assert staged(server, schema) == 0


@pytest.mark.parametrize("count", [3, 2 * MOST_EVENTS], ids=["small", "staged"])
def test_an_append_that_is_ended_twice_behind_its_commit_names_the_limit(
    server: Server, schema: str, role: Role, count: int
) -> None:
    with_a_gate(server, schema)
    gate = Gate(server)
    gate.shut()
    events = [EventData("Placed", n, id=str(uuid4())) for n in range(count)]
    with connect(role.url(schema)) as store:
        with pytest.raises(AppendOutcomeUnknownError) as caught:
            store.append("Order-1", events)
        assert [*caught.value.ids] == [event.id for event in events]
        assert names(caught.value, SETTING)
        assert len(str(caught.value)) < MOST_IN_MESSAGE
        assert staged(server, schema) == 0
        gate.open()
        assert store.append("Order-1", events).duplicate


def test_a_copy_that_takes_too_long_ends_the_append(server: Server, schema: str, role: Role) -> None:
    with connect(role.url(schema)) as store:
        with locked(server, f"{schema}.staged"), pytest.raises(UnavailableError) as caught:
            store.append("Order-1", [EventData("Placed", "x" * 100) for _ in range(SIZES["staged"])])
    assert type(caught.value) is UnavailableError
    assert SETTING in str(caught.value)
    assert staged(server, schema) == 0


def test_a_read_that_takes_too_long_names_the_limit(server: Server, schema: str, role: Role) -> None:
    with connect(role.url(schema)) as store:
        assert store.head() == 0
        with locked(server, f"{schema}.events"), pytest.raises(UnavailableError) as caught:
            list(store.replay())
    assert SETTING in str(caught.value)
