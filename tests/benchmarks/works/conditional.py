"""One event at a time, under the condition that no event of its tag came since what it was decided on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tests.benchmarks.comparing import Rival, Work, at_least, at_most
from tests.benchmarks.lab import append_lines
from tests.benchmarks.processes import child
from tests.benchmarks.registry import work
from tests.benchmarks.works.reading import umadb_server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.lab import Lab

SHORT: Final = 1000
"""Events of a short log; the long one is the input."""


def _appends(lab: Lab, url: str, under: str) -> float:
    return child("application.tagged_appends", url, lab.sizes.appends, under)


def _against_none(lab: Lab, url: str) -> Work:
    free = Rival("the same without a condition", lambda: _appends(lab, url, "nothing"), at_most(1.2))
    return Work(lambda: _appends(lab, url, "condition"), [free])


def _short(lab: Lab) -> Path:
    shape = lab.sizes.shape
    return lab.lines_of(replace(shape, events=min(shape.events, SHORT), streams=min(shape.streams, SHORT)))


def _on_sqlite(lab: Lab, lines: Path) -> str:
    path = lab.sqlite("conditional")
    append_lines(lines, str(path))
    return f"sqlite:{path}"


@work("append-if-short-sqlite", "append under a condition, log of 1,000 events, SQLite")
def append_if_short_sqlite(lab: Lab) -> Work:
    return _against_none(lab, _on_sqlite(lab, _short(lab)))


@work("append-if-short-postgres", "append under a condition, log of 1,000 events, PostgreSQL")
def append_if_short_postgres(lab: Lab) -> Work:
    return _against_none(lab, lab.server.url(lab.schema_of(_short(lab))))


@work("append-if-sqlite", "append under a condition, log of the input, SQLite")
def append_if_sqlite(lab: Lab) -> Work:
    url = _on_sqlite(lab, lab.lines)
    served: list[str] = []

    def umadb() -> float:
        if not served:
            served.append(umadb_server(lab))
        return lab.peers.told("with_umadb", "conditional", served[0], lab.sizes.appends)

    found = _against_none(lab, url)
    return replace(found, rivals=[*found.rivals, Rival("umadb, one client", umadb, at_least(1.2))])


@work("append-if-postgres", "append under a condition, log of the input, PostgreSQL")
def append_if_postgres(lab: Lab) -> Work:
    url = lab.server.url(lab.schema_of(lab.lines))

    filled: list[str] = []

    def eventsourcing() -> float:
        server = lab.server.url()
        if not filled:
            filled.append(lab.until_the_end().enter_context(lab.table()))
            lab.peers.told("with_eventsourcing", "fill_boundaries", server, filled[0], lab.lines)
        return lab.peers.told("with_eventsourcing", "conditional_postgres", server, filled[0], lab.sizes.appends)

    found = _against_none(lab, url)
    return replace(found, rivals=[*found.rivals, Rival("eventsourcing, DCB recorder", eventsourcing, at_least(4))])
