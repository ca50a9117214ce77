"""The guide's page on PostgreSQL is true of several servers: its settings and statements, as they stand there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import evstore
from evstore import EventData, connect
from tests.support.clusters import cluster
from tests.support.servers import NO_PG_DUMP, USER, another, needs, newest_of
from tests.support.subscriptions import ready, source_of
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from tests.support.servers import OwnServer, Servers

PAGE = (Path(evstore.__file__).parent / "guide" / "postgresql.md").read_text()
SCHEMA = "evstore"


def section(heading: str) -> str:
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def blocks(heading: str, language: str) -> list[list[str]]:
    """The lines of each block of the section, without comments."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", section(heading), re.DOTALL | re.MULTILINE)
    return [[line.partition("--")[0].strip() for line in block.splitlines()] for block in found]


def append(server: OwnServer, number: int) -> None:
    with connect(server.url()) as store:
        store.append("Order-1", [EventData("Placed", number)])


def data(server: OwnServer) -> list[object]:
    with connect(server.url()) as store:
        return [event.data for event in store.replay()]


def test_a_standby_with_the_settings_of_the_guide_takes_over(servers: Servers) -> None:
    ((standbys, source, hints),) = blocks("Failover", "ini")
    settings = dict(line.split(" = ", 1) for line in (standbys, hints))
    assert "target_session_attrs=read-write" in source  # as Cluster.source has it, with hosts of its own
    ((far, promote),) = blocks("Failover", "sql")
    with cluster(newest_of(servers), **{name: each.strip("'") for name, each in settings.items()}) as made:
        with connect(made.url()) as store:
            store.initialize()
            store.append("Order-1", [EventData("Placed", 1)])
            former = made.kill("kill")
            made.primary = max(made.standbys, key=lambda node: node.execute(far)[0][0])
            assert made.primary.execute(promote) == [(True,)]
            store.append("Order-1", [EventData("Placed", 2)])
            assert [event.data for event in store.replay()] == [1, 2]
        assert "`pg_rewind`" in section("Failover")
        made.rebuild(former, rewinds=True)
        made.until_streaming(2)


def test_a_copy_by_subscription_is_made_read_and_promoted(servers: Servers) -> None:
    (publish, subscribe), (promote,) = blocks("A copy by subscription", "sql")
    server = newest_of(servers)
    with another(server, wal_level="logical") as publisher, another(server) as copy:
        with connect(publisher.url()) as store:
            store.initialize()
        append(publisher, 1)
        _copy_schema(publisher, copy)
        publisher.execute(publish)
        copy.execute(re.sub("CONNECTION '[^']*'", f"CONNECTION '{source_of(publisher)}'", subscribe))
        ready(copy)
        append(publisher, 2)
        wait_for(lambda: data(copy) == [1, 2])
        with connect(publisher.url()) as store:
            store.consumer("mailer").run(lambda _: None, once=True)
            wait_for(lambda: [each.global_position for each in _consumers(copy)] == [2])
        wait_for(lambda: not _is_held(copy, "mailer"))  # else for ten seconds
        copy.execute(promote)
        append(copy, 3)
        with connect(copy.url()) as store:
            assert data(copy) == [1, 2, 3]
            assert not [*store.verify()]
            seen: list[object] = []
            store.consumer("mailer").run(lambda events: seen.extend(each.data for each in events), once=True)
            assert seen == [3]


def _consumers(server: OwnServer) -> list[evstore.ConsumerInfo]:
    with connect(server.url()) as store:
        return [*store.consumers.all()]


def _is_held(server: OwnServer, name: str) -> bool:
    with connect(server.url()) as store:
        return bool(store._adapter.consumers().holders(name))


def _copy_schema(source: OwnServer, target: OwnServer) -> None:
    """As the command line of the guide does, which finds both servers by a URL."""
    (words,) = re.findall(
        r"^    pg_dump (.*) \"\$PUBLISHER\" \| psql", section("A copy by subscription"), re.MULTILINE
    )
    program = source.kind.bin / "pg_dump"
    needs(NO_PG_DUMP, program.exists())
    dumped = subprocess.run(
        [program, *words.split(), "-h", source.folder, "-p", str(source.port), "-U", USER, "postgres"],
        check=True,
        capture_output=True,
    )
    subprocess.run(
        [
            "psql",
            "-v",
            "ON_ERROR_STOP=1",
            "-q",
            "-h",
            target.folder,
            "-p",
            str(target.port),
            "-U",
            USER,
            "postgres",
        ],
        input=dumped.stdout,
        check=True,
        capture_output=True,
    )
