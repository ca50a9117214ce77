"""Several writers at the same time."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Final

from tests.benchmarks.calls import script_of
from tests.benchmarks.comparing import Rival, Work, at_least, at_most
from tests.benchmarks.processes import child, environment, tool
from tests.benchmarks.registry import work
from tests.support import changed_procedures

if TYPE_CHECKING:
    from tests.benchmarks.comparing import Measure, Reach
    from tests.benchmarks.lab import Lab

WRITERS: Final = 8
LONGEST_WAIT: Final = 0.2


def _on_sqlite(lab: Lab, function: str, writers: int) -> Measure:
    return lambda: child(function, f"sqlite:{lab.sqlite('together')}", writers, lab.sizes.seconds)


@work("writers-sqlite", f"appends of {WRITERS} processes, SQLite")
def writers_sqlite(lab: Lab) -> Work:
    one = _on_sqlite(lab, "writers.rate", 1)
    return Work(_on_sqlite(lab, "writers.rate", WRITERS), [Rival("appends of one process", one, at_least(1))])


@work("wait-sqlite", f"the longest append of {WRITERS} processes, SQLite")
def wait_sqlite(lab: Lab) -> Work:
    ours = _on_sqlite(lab, "writers.longest_wait", WRITERS)
    return Work(ours, [Rival("0.2 s", lambda: LONGEST_WAIT, at_most(1))])


@work("threads-sqlite", f"appends of {WRITERS} threads, SQLite")
def threads_sqlite(lab: Lab) -> Work:
    one = _on_sqlite(lab, "writers.thread_rate", 1)
    return Work(
        _on_sqlite(lab, "writers.thread_rate", WRITERS), [Rival("appends of one thread", one, at_least(3))]
    )


@work("threads-postgres", f"appends of {WRITERS} threads, PostgreSQL")
def threads_postgres(lab: Lab) -> Work:
    def rate(threads: int) -> float:
        return child("writers.thread_rate", lab.server.url(lab.schema()), threads, lab.sizes.seconds)

    return Work(lambda: rate(WRITERS), [Rival("appends of one thread", lambda: rate(1), at_least(1))])


def _unlike_ours(lab: Lab) -> str:
    """The schema of a new store whose lock is held until the append is on disk, as if it had one transaction."""
    schema = lab.schema()
    changed_procedures.with_the_lock_held_over_the_flush(lab.server, schema)
    return schema


def _python_writers(lab: Lab, writers: int, reach: Reach | None) -> Work:
    def rate(schema: str) -> float:
        return child("writers.rate", lab.server.url(schema), writers, lab.sizes.seconds)

    def eventsourcing() -> float:
        with lab.table() as table:
            given = (lab.server.url(), table, writers, lab.sizes.seconds)
            return lab.peers.told("with_eventsourcing", "writers_postgres", *given)

    return Work(
        lambda: rate(lab.schema()),
        [
            Rival("eventsourcing, insert_events of 1", eventsourcing, reach),
            Rival("the lock held over the flush", lambda: rate(_unlike_ours(lab))),
        ],
    )


def _pgbench_writers(lab: Lab, clients: int) -> Work:
    def seconds(schema: str) -> float:
        path = lab.new("pgbench") / "append.sql"
        path.write_text(script_of(lab.server.url(schema), lab.server.url()))
        argv = [tool("pgbench"), "-n", "-c", str(clients), "-j", "2", "-T", f"{max(1, round(lab.sizes.seconds))}"]
        argv += ["-f", str(path), lab.server.url()]
        done = subprocess.run(argv, capture_output=True, env=environment(), check=True)
        (rate,) = (line.split()[2] for line in done.stdout.decode().splitlines() if line.startswith("tps = "))
        return 1 / float(rate)

    held = Rival("the lock held over the flush", lambda: seconds(_unlike_ours(lab)), at_least(2))
    return Work(lambda: seconds(lab.schema()), [held])


@work("writers-postgres", "appends of one Python process, PostgreSQL")
def one_python_writer(lab: Lab) -> Work:
    return _python_writers(lab, 1, None)


@work("writers-postgres-8", "appends of 8 Python processes, PostgreSQL")
def eight_python_writers(lab: Lab) -> Work:
    return _python_writers(lab, 8, at_least(2))


@work("writers-postgres-16", "appends of 16 Python processes, PostgreSQL")
def sixteen_python_writers(lab: Lab) -> Work:
    return _python_writers(lab, 16, None)


@work("pgbench-postgres-8", "appends of 8 clients of pgbench, PostgreSQL")
def eight_clients(lab: Lab) -> Work:
    return _pgbench_writers(lab, 8)


@work("pgbench-postgres-16", "appends of 16 clients of pgbench, PostgreSQL")
def sixteen_clients(lab: Lab) -> Work:
    return _pgbench_writers(lab, 16)


def _in_one_process(lab: Lab, way: str) -> Measure:
    return lambda: child(f"sharing.{way}", lab.server.url(lab.schema()), WRITERS, lab.sizes.seconds)


@work("tasks-postgres", f"appends of {WRITERS} tasks of asyncio, PostgreSQL")
def tasks_on_postgres(lab: Lab) -> Work:
    threads = Rival(f"{WRITERS} threads", _in_one_process(lab, "threads"), at_least(0.9))
    return Work(_in_one_process(lab, "tasks"), [threads])


def _in_one_process_on_sqlite(lab: Lab, way: str) -> Measure:
    return lambda: child(f"sharing.{way}", f"sqlite:{lab.sqlite('together')}", WRITERS, lab.sizes.seconds)


@work("tasks-sqlite", f"appends of {WRITERS} tasks of asyncio, SQLite")
def tasks_on_sqlite(lab: Lab) -> Work:
    threads = Rival(f"{WRITERS} threads", _in_one_process_on_sqlite(lab, "threads"))
    return Work(_in_one_process_on_sqlite(lab, "tasks"), [threads])
