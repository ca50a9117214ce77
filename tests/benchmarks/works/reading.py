"""Replays of the whole log.

A command is timed as a whole process; a floor without its start-up.
"""

from __future__ import annotations

import socket
import subprocess
import time
from typing import TYPE_CHECKING, Final

from tests.benchmarks.comparing import Rival, Work, at_least
from tests.benchmarks.processes import child, environment, evstore, seconds, tool
from tests.benchmarks.registry import work

if TYPE_CHECKING:
    from tests.benchmarks.lab import Lab

PATIENCE: Final = 30.0
"""Seconds for a server to listen."""


def replay(lab: Lab) -> float:
    """The seconds of the whole command on the SQLite store, to a pipe."""
    return seconds(evstore("replay", "--all", "--db", str(lab.filled)))


@work("replay-sqlite", "replay --all to a pipe, SQLite")
def replay_sqlite(lab: Lab) -> Work:
    return Work(
        lambda: replay(lab),
        [
            Rival(
                "jq -c . of the same lines",
                lambda: seconds([tool("jq"), "-c", ".", str(lab.exported)]),
                at_least(2),
            ),
            Rival("a bare SELECT", lambda: child("sqlite.bare_select", lab.filled), at_least(0.4)),
        ],
    )


@work("replay-objects", "store.replay() as objects, data text read, SQLite")
def replay_objects(lab: Lab) -> Work:
    served: list[str] = []

    def umadb() -> float:
        if not served:
            served.append(umadb_server(lab))
        return lab.peers.told("with_umadb", "read", served[0])

    return Work(
        lambda: child("application.objects", f"sqlite:{lab.filled}"),
        [
            Rival("a bare SELECT", lambda: child("sqlite.bare_select", lab.filled), at_least(0.7)),
            Rival("umadb's client and server", umadb, at_least(1)),
        ],
    )


def umadb_server(lab: Lab) -> str:
    """The URL of a umadb server that holds the input, and ends with the run."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    place = f"127.0.0.1:{port}"
    argv = [lab.peers.program("umadb"), "--listen", place, "--db-path", str(lab.new("umadb") / "events.db")]
    server = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
    ends = lab.until_the_end()
    ends.callback(server.wait)
    ends.callback(server.terminate)
    deadline = time.monotonic() + PATIENCE
    while True:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                break
        assert server.poll() is None, f"umadb ended with exit code {server.returncode}"
        assert time.monotonic() < deadline, f"umadb does not listen after {PATIENCE:g} s"
        time.sleep(0.05)  # it has no other sign of being ready
    lab.peers.told("with_umadb", "fill", f"http://{place}", lab.lines)
    return f"http://{place}"


@work("replay-postgres", "replay --all to a pipe, PostgreSQL")
def replay_postgres(lab: Lab) -> Work:
    return Work(
        lambda: seconds(evstore("replay", "--all", "--db", lab.server.url(lab.filled_schema))),
        [
            Rival(
                "COPY TO of the columns",
                lambda: child("postgres.copy_out", lab.server.url(), lab.filled_schema),
                at_least(0.6),
            )
        ],
    )
