"""A schema that was renamed: its procedures still name the former one, so that it is read and not appended to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from evstore import EventData, Query, SchemaError, connect
from evstore.adapters.postgres.batches import MOST_EVENTS
from evstore.cli.exits import CODES
from tests.support.command import Command
from tests.support.sentences import names

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.servers import Server


@pytest.fixture
def former(server: Server) -> str:
    """The name that the schema had."""
    former = server.schema("former")
    with connect(server.url(former)) as store:
        store.initialize()
        store.append("Order-1", [EventData("Placed", n) for n in range(2)])
    return former


@pytest.fixture
def renamed(server: Server, former: str) -> str:
    renamed = server.schema("renamed")
    server.execute(f"ALTER SCHEMA {former} RENAME TO {renamed}")
    return renamed


@pytest.mark.parametrize("count", [1, MOST_EVENTS + 1], ids=["small", "staged"])
def test_an_append_is_refused_and_told_both_names(server: Server, former: str, renamed: str, count: int) -> None:
    with connect(server.url(renamed)) as store:
        assert [event.data for event in store.read("Order-1")] == [0, 1]
        with pytest.raises(SchemaError) as caught:
            store.append("Order-1", [EventData("Placed", n) for n in range(count)])
        assert caught.value.code == "schema"
        assert names(caught.value, former, renamed)
        assert store.head() == 2
    server.execute(f"ALTER SCHEMA {renamed} RENAME TO {former}")
    with connect(server.url(former)) as store:
        assert store.append("Order-1", [EventData("Placed", 3)])[0].version == 3


def test_an_append_never_goes_to_a_new_store_of_the_former_name(server: Server, former: str, renamed: str) -> None:
    with connect(server.url(former)) as other:
        other.initialize()
        with connect(server.url(renamed)) as store, pytest.raises(SchemaError):
            store.append("Order-1", [EventData("Placed", 3)])
        assert other.head() == 0
        assert other.append("Order-1", [EventData("Placed", 3)])[0].version == 1


@pytest.mark.parametrize("of", ["events", "count"])
def test_a_query_never_searches_a_new_store_of_the_former_name(
    server: Server, former: str, renamed: str, of: str
) -> None:
    with connect(server.url(former)) as other, connect(server.url(renamed)) as store:
        other.initialize()
        other.append("Order-1", [EventData("Placed", n) for n in range(2)], tags=["paid"])
        with pytest.raises(SchemaError) as caught:
            _ = (
                [*store.replay(query=Query(["Placed"]))]
                if of == "events"
                else store.count(query=Query(["Placed"]))
            )
        assert caught.value.code == "schema"
        assert names(caught.value, former, renamed)
        assert [event.data for event in store.replay(types=["Placed"])] == [0, 1]


def test_the_command_prints_how_to_rename_it_back(
    server: Server, former: str, renamed: str, tmp_path: Path
) -> None:
    command = Command(tmp_path, server.url(renamed))
    done = command("append", "Order-1", "-t", "Placed", "-d", "1")
    assert done.code == CODES["schema"]
    (hint,) = [line for line in done.err.splitlines() if line.startswith("hint: ")]
    statement = hint.partition("ALTER SCHEMA")[2].partition(",")[0]
    server.execute(f"ALTER SCHEMA{statement}")
    assert Command(tmp_path, server.url(former))("append", "Order-1", "-t", "Placed", "-d", "1").code == 0


def test_verify_reports_the_name_once_and_no_function_as_changed(
    server: Server, former: str, renamed: str
) -> None:
    with connect(server.url(renamed)) as store:
        (finding,) = store.verify()
        assert names(finding.message, former, renamed)
        assert names(finding.advice, former, renamed)
