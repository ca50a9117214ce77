"""A note of a wait that raises: the call ends with that, nothing is stored, and the store can be used on."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from evstore import EventData, connect
from evstore.adapters.postgres import watching
from evstore.adapters.postgres.batches import MOST_EVENTS
from tests.support.postgres_sessions import locked, waiting, writing
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import NoReturn

    from evstore.model.facts import LockWait
    from tests.support.servers import Server

SMALL = [EventData("Placed", 1)]
LARGE = [EventData("Placed", n) for n in range(MOST_EVENTS + 1)]


def fail(wait: LockWait) -> NoReturn:
    raise ValueError(wait.holder)


def press_ctrl_c(_: LockWait) -> None:
    signal.raise_signal(signal.SIGINT)


RAISED = {"an exception": (fail, ValueError), "Ctrl-C": (press_ctrl_c, KeyboardInterrupt)}


@pytest.fixture
def schema(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(watching, "SILENT_SECONDS", 0.1)
    with server.emptied.lent() as schema:
        yield schema


@pytest.mark.parametrize("pool_size", [1, 2])
@pytest.mark.parametrize("events", [SMALL, LARGE], ids=["small", "staged"])
@pytest.mark.parametrize(("note", "raised"), RAISED.values(), ids=RAISED)
def test_an_append_whose_note_raises_stores_nothing_and_the_next_is_made(
    server: Server,
    schema: str,
    note: Callable[[LockWait], None],
    raised: type[BaseException],
    events: list[EventData],
    pool_size: int,
) -> None:
    url = server.url(schema, application_name=schema)
    with connect(url, on_wait=note, pool_size=pool_size) as store:
        with writing(server, schema):
            with pytest.raises(raised):
                store.append("Order-1", events)
            assert store.head() == 0
            wait_for(lambda: not waiting(server, "advisory", schema))
        (appended,) = store.append("Order-1", SMALL)
        assert (appended.version, appended.global_position) == (1, 1)
        assert [*store.replay()] == [appended]
    assert server.execute(f"SELECT count(*) FROM {schema}.staged") == [(0,)]


@pytest.mark.parametrize("pool_size", [1, 2])
@pytest.mark.parametrize(("note", "raised"), RAISED.values(), ids=RAISED)
def test_a_read_whose_note_raises_ends_and_the_next_is_answered(
    server: Server,
    schema: str,
    note: Callable[[LockWait], None],
    raised: type[BaseException],
    pool_size: int,
) -> None:
    with connect(server.url(schema), on_wait=note, pool_size=pool_size) as store:
        appended = store.append("Order-1", SMALL)
        for read in (lambda: [*store.replay()], lambda: [*store.read("Order-1")]):
            with locked(server, f"{schema}.events"), pytest.raises(raised):
                read()
            assert read() == appended
        assert store.append("Order-1", SMALL)[0].version == 2
