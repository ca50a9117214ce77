"""Every fault that evstore is tried against: the lab that makes it, and how often in each profile."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from evstore import connect
from tests.crashes.lab import (
    clock,
    consuming,
    contention,
    cuts,
    damaged,
    disturbed,
    failing_over,
    flushed,
    full,
    full_log,
    kill,
    losing,
    members,
    mirrored,
    moved,
    power,
    projecting,
    racing,
    restored,
    skipping_feed,
    slow_reader,
    sourced,
    stops,
)
from tests.crashes.lab.full_disks import MOUNTED, NO_MOUNT, SQLITE, may_mount, on_a_small_tablespace
from tests.crashes.lab.result import Counts, total
from tests.crashes.lab.traced import NO_STRACE, may_trace
from tests.support.clusters import ANY_STANDBY, cluster
from tests.support.command import Command
from tests.support.servers import another

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.support.servers import Server

SQLITE_, POSTGRES, NATS, MONGODB = "SQLite", "PostgreSQL", "NATS", "MongoDB"


class Asked(NamedTuple):
    """What a lab is given."""

    seed: int
    size: float
    """How much of it: cycles, or seconds."""
    folder: Path
    """Empty, for this run alone."""
    server: Callable[[], Server]
    """A server of PostgreSQL that others use as well."""

    @property
    def times(self) -> int:
        return int(self.size)


class Ran(NamedTuple):
    cycles: int
    counts: Counts
    done: Mapping[str, int] = {}
    note: str = ""


class Fault(NamedTuple):
    name: str
    """For --only."""
    title: str
    database: str
    short: float
    """How much of it in the short profile; nothing if 0."""
    long: float
    run: Callable[[Asked], Ran | dict[str, Ran]]
    """Several results, by their titles, where one preparation serves them all."""
    must_find: bool = False
    """The store lacks something, so that the lab must find a fault."""


def _store(asked: Asked, database: str) -> str:
    """The URL of a new store."""
    url = f"sqlite:{asked.folder}/events.db" if database == SQLITE_ else asked.server().place()
    with connect(url) as store:
        store.initialize()
    return url


def _needs(reason: str, there: object) -> None:
    if not there:
        pytest.skip(reason)


# --- processes are killed ---


def _killed(asked: Asked, *, database: str) -> Ran:
    server = asked.server() if database == POSTGRES else None
    found = kill.kill(asked.folder, kill.Profile(asked.times, 3, asked.seed), server)
    return Ran(asked.times, found.counts, {"processes killed": found.killed}, str(found))


def _consumed(asked: Asked, *, kind: str, database: str) -> Ran:
    url = _store(asked, database)
    let_go = consuming.expired(url) if database == POSTGRES else lambda: None
    profile = consuming.Profile(asked.times, kind, asked.seed, longest=0.3)
    found = consuming.consumes(url, asked.folder, profile, let_go)
    return Ran(found.kills, found.counts, {"processes killed": found.kills}, str(found))


def _projected(asked: Asked) -> Ran:
    found = projecting.kill(f"sqlite:{asked.folder}/events.db", asked.times, asked.seed)
    return Ran(found.cycles, found.counts, {"processes killed": found.cycles}, str(found))


def _sourced(asked: Asked, *, database: str) -> Ran:
    command = Command(asked.folder, _store(asked, database))
    found = sourced.Loop(command, asked.seed).run(0, kills=asked.times)
    return Ran(found.killed, found.counts, {"processes killed": found.killed}, str(found))


def _mirrored(asked: Asked, *, from_sqlite: bool) -> Ran:
    places = [_store(asked, SQLITE_), _store(asked, POSTGRES)]
    source, target = places if from_sqlite else places[::-1]
    found = mirrored.mirrored(asked.folder, source, target, mirrored.Profile(asked.times, 2, asked.seed))
    return Ran(found.killed, found.counts, {"processes killed": found.killed}, str(found))


def _raced(asked: Asked, *, database: str) -> Ran:
    found = racing.races(_store(asked, database), asked.folder, racing.Profile(asked.size, 8, asked.seed))
    return Ran(found.killed, found.judgement.counts, {"processes killed": found.killed}, str(found))


def _contended(asked: Asked) -> Ran:
    found = contention.contend(asked.server(), asked.folder, contention.Profile(asked.size, 16, 4, asked.seed))
    return Ran(found.happened["processes killed"], found.counts, found.happened, str(found))


def _membered(asked: Asked, *, database: str) -> Ran:
    profile = members.Profile((4, 3, 5), asked.seed, asked.size)
    found = members.changes(_store(asked, database), asked.folder, profile)
    return Ran(sum(found.crews), found.counts, {"members ended": sum(found.crews)}, str(found))


# --- servers stop, connections end ---


def _stopped(asked: Asked, *, way: str, what: str) -> Ran:
    profile = stops.Profile(asked.times, asked.seed, 4, 2, 2, long=25, slow=0.3, ways=(way,), judged_each=25)
    with another(asked.server(), **stops.SETTINGS) as own:
        found = stops.stops(own, profile)
    return Ran(asked.times, found.counts, {what: asked.times}, str(found))


def _stopped_without(asked: Asked, *, barrier: str) -> Ran:
    profile = stops.WITHOUT[barrier]._replace(cycles=asked.times, seed=asked.seed, writers=3)
    with another(asked.server(), **stops.SETTINGS) as own:
        found = stops.stops(own, profile)
    return Ran(asked.times, found.counts, {}, str(found))


def _cut(asked: Asked) -> dict[str, Ran]:
    found = cuts.cuts(asked.server(), cuts.Profile(asked.times, asked.seed))
    some = {point: {"connections cut": found.happened[f"cut {point}"]} for point in cuts.POINTS}
    first, *more = cuts.POINTS
    # All are judged together: the counts stand in the first row.
    ran = {f"the way is cut {first}": Ran(asked.times, found.counts, some[first], str(found))}
    return ran | {f"the way is cut {each}": Ran(asked.times, Counts(), some[each]) for each in more}


def _disturbed(asked: Asked, *, trouble: str) -> Ran:
    found = disturbed.disturbs(asked.server(), disturbed.Profile(trouble, asked.size, asked.seed))
    return Ran(found.troubles, found.counts, {"connections of followers ended": found.troubles}, str(found))


def _failed_over(asked: Asked) -> Ran:
    with cluster(asked.server(), synchronous_standby_names=ANY_STANDBY) as servers:
        found = failing_over.fails_over(servers, failing_over.Profile(asked.times, asked.seed))
    return Ran(asked.times, found.counts, {"primaries killed": asked.times}, str(found))


def _lost(asked: Asked) -> Ran:
    """Acknowledged events are lost, which is promised; whoever saw them must be told."""
    with cluster(asked.server()) as servers:
        found = [losing.loses(servers, losing.Profile(1, asked.seed + n)) for n in range(asked.times)]
    note = f"lost {sum(each.lost for each in found)} events, told {sum(each.noticed for each in found)} times"
    return Ran(asked.times, total(each.counts for each in found), {"primaries killed": asked.times}, note)


def _skipped(asked: Asked) -> Ran:
    found = skipping_feed.load(asked.server(), asked.size, asked.seed, until_skipped=True)
    return Ran(1, found.counts)


# --- power, disks, damage ---


def _cut_power(asked: Asked, *, without: str) -> Ran:
    _needs(NO_STRACE, may_trace())
    profile = power.Profile(asked.times, asked.seed, runs=1 if without else 4, without=without)
    found = power.power(asked.folder, profile)
    images = found.images.total()
    return Ran(images, found.counts, {} if without else {"images judged": images}, str(found))


def _flushed(asked: Asked, *, database: str, without: str) -> Ran:
    _needs(NO_STRACE, may_trace())
    profile = flushed.Profile(asked.times, asked.seed, without=without)
    found = (
        flushed.of_sqlite(asked.folder, profile)
        if database == SQLITE_
        else flushed.of_postgres(asked.server(), asked.folder, profile)
    )
    acknowledged = len(found.acknowledged)
    return Ran(
        acknowledged, found.counts, {} if without else {"acknowledgements watched": acknowledged}, str(found)
    )


def _filled(asked: Asked, *, way: str) -> Ran:
    _needs(NO_MOUNT, may_mount() or way in SQLITE.keys() - MOUNTED)
    disk = SQLITE.get(way) or partial(on_a_small_tablespace, asked.server())
    found = full.fills(way, disk, asked.folder, full.Profile(asked.times, asked.seed))
    return Ran(found.runs, found.counts, {"disks filled": found.runs}, str(found))


def _filled_log(asked: Asked) -> Ran:
    _needs(NO_MOUNT, may_mount())
    found = full_log.fills_the_log(asked.server(), asked.times, asked.seed)
    return Ran(asked.times, found.counts, {"disks filled": asked.times}, str(found))


def _damaged(asked: Asked) -> dict[str, Ran]:
    each = len(damaged.KINDS) * len(damaged.STORES)
    found = damaged.damaged(asked.folder, asked.times * each, asked.seed)
    return {
        f"damage: {kind}": Ran(cases, found.of(kind), {"stores damaged": cases}, str(found))
        for kind in damaged.KINDS
        for cases in [found.cases(kind)]
    }


# --- files, clocks, readers ---


def _moved(asked: Asked) -> dict[str, Ran]:
    profile = moved.Profile(asked.times, asked.seed)
    found = [moved.moves(asked.folder, change, profile) for change in moved.CHANGES]
    return {
        f"the file is {each.change} while it is open": Ran(
            each.cycles, each.counts, {"stores moved": each.cycles}, str(each)
        )
        for each in found
    }


def _restored(asked: Asked, *, database: str) -> Ran:
    done = {"backups restored": asked.times}
    if database == SQLITE_:
        found = restored.restores(asked.folder, asked.times, asked.seed)
        return Ran(asked.times, found.counts, done, str(found))
    several = restored.restores_files(asked.server(), asked.times, asked.seed)
    return Ran(asked.times, total(each.counts for each in several), done, "\n".join(map(str, several)))


def _read_slowly(asked: Asked, *, database: str, by_cursor: bool = False) -> Ran:
    if database == SQLITE_:
        found = slow_reader.on_sqlite(asked.folder, asked.size, by_cursor=by_cursor)
    else:
        found = slow_reader.on_postgres(asked.server(), asked.size)
    return Ran(found.looks, found.counts, {}, str(found))


def _jumped(asked: Asked, *, database: str) -> Ran:
    server = asked.server() if database == POSTGRES else None
    verdict, times = clock.jumps(asked.folder, clock.Profile(asked.size, asked.seed), server)
    return Ran(times, verdict.counts, {"jumps of the clock": times})


# --- other databases ---


def _clustered(asked: Asked) -> Ran:
    from tests.crashes.lab import cluster as nats
    from tests.crashes.lab.faults import DISK_MEBIBYTES
    from tests.support.nats_servers import NatsCluster

    disk = DISK_MEBIBYTES if may_mount() else 0
    fault = nats.MIXED if disk else "all"
    with closing(NatsCluster(disk_mebibytes=disk)) as made:
        found = nats.cluster_run(made, nats.Profile(asked.times, asked.seed, fault))
    return Ran(asked.times, found.counts, {"faults of a NATS cluster": asked.times}, str(found))


def _documented(asked: Asked) -> Ran:
    from tests.crashes.lab import documents
    from tests.support.mongo_servers import an_own_server

    with closing(an_own_server()) as server:
        found = documents.documents_run(server, asked.folder, documents.Profile(asked.size, 8, asked.seed))
    return Ran(sum(found.happened.values()), found.counts, found.happened, str(found))


BOTH: Final = (SQLITE_, POSTGRES)
FAULTS: Final[list[Fault]] = [
    *(
        Fault("kill", "kill -9 of writers, commands and a follower", each, 2, 30, partial(_killed, database=each))
        for each in BOTH
    ),
    *(
        Fault(f"consumer-{kind}", f"kill -9 of a consumer ({kind})", each, 0, 40, partial(_consumed, kind=kind, database=each))
        for kind in consuming.KINDS
        for each in BOTH
    ),
    Fault("projection", "kill -9 of a projection that is built and shown", SQLITE_, 3, 60, _projected),
    *(
        Fault("source", "kill -9 of a loop over the lines of a file", each, 0, 30, partial(_sourced, database=each))
        for each in BOTH
    ),
    *(
        Fault("mirror", "kill -9 of a mirror to the other database", each, 0, 10, partial(_mirrored, from_sqlite=each == SQLITE_))
        for each in BOTH
    ),
    *(
        Fault("conditions", "kill -9 of writers under conditions", each, 0, 15, partial(_raced, database=each))
        for each in BOTH
    ),
    Fault("contention", "kill -9 of writers, ended sessions, foreign transactions", POSTGRES, 3, 30, _contended),
    *(
        Fault("members", "members of a consumer leave and join", each, 0, 3, partial(_membered, database=each))
        for each in BOTH
    ),
    Fault("server-immediate", "the server stops at once (-m immediate)", POSTGRES, 2, 100, partial(_stopped, way="immediate", what="servers restarted -m immediate")),
    Fault("server-kill", "kill -9 of the process that leads the server", POSTGRES, 0, 20, partial(_stopped, way="kill", what="servers killed")),
    Fault("backend-kill", "kill -9 of one backend of the server", POSTGRES, 2, 40, partial(_stopped, way=stops.CRASH, what="backends killed")),
    *(
        Fault(f"server-without-{each}", f"the server stops; {each} do not wait for the disk", POSTGRES, 0, 10, partial(_stopped_without, barrier=each), must_find=True)
        for each in ("writers", "refusals")
    ),
    Fault("cut", "the way is cut", POSTGRES, 5, 100, _cut),
    *(
        Fault(f"followers-{each}", f"connections of followers and consumers: {each}", POSTGRES, 0, 8, partial(_disturbed, trouble=each))
        for each in disturbed.TROUBLES
    ),
    Fault("failover", "the primary dies, a synchronous standby takes over", POSTGRES, 0, 6, _failed_over),
    Fault("failover-behind", "the primary dies, a standby without the last events takes over", POSTGRES, 0, 4, _lost),
    Fault("naive-feed", "a feed with positions of a sequence", POSTGRES, 0, 60, _skipped, must_find=True),
    Fault("power", "power cuts", SQLITE_, 40, 1000, partial(_cut_power, without="")),
    Fault("power-without-flushes", "power cuts with synchronous=NORMAL", SQLITE_, 0, 200, partial(_cut_power, without="flushes"), must_find=True),
    Fault("power-without-names", "power cuts; new files and names are not flushed", SQLITE_, 0, 200, partial(_cut_power, without="names"), must_find=True),
    *(
        Fault("flushed", "answers before the flush, by the order of system calls", each, 20, 400, partial(_flushed, database=each, without=""))
        for each in BOTH
    ),
    *(
        Fault("flushed-without", "the same without the flush", each, 0, 20, partial(_flushed, database=each, without="flushes"), must_find=True)
        for each in BOTH
    ),
    *(
        Fault("full", f"the disk is full: {way.rpartition(', ')[2]}", SQLITE_, 1, 20, partial(_filled, way=way)) for way in SQLITE
    ),
    Fault("full", "the disk is full: tablespace", POSTGRES, 0, 20, partial(_filled, way="small tablespace")),
    Fault("full-log", "the disk of the server's log is full", POSTGRES, 0, 20, _filled_log),
    Fault("damaged", "damage", SQLITE_, 1, 20, _damaged),
    Fault("moved", "the file is moved", SQLITE_, 0, 5, _moved),
    *(
        Fault("restored", "an older backup is restored", each, 0, 20 if each == SQLITE_ else 10, partial(_restored, database=each))
        for each in BOTH
    ),
    *(
        Fault("slow-reader", "a reader works long on a page", each, 1, 120, partial(_read_slowly, database=each))
        for each in BOTH
    ),
    Fault("open-cursor", "another program keeps a cursor open", SQLITE_, 0, 20, partial(_read_slowly, database=SQLITE_, by_cursor=True), must_find=True),
    *(Fault("clock", "the clock jumps", each, 1, 30, partial(_jumped, database=each)) for each in BOTH),
    Fault("cluster", "servers of a cluster fail", NATS, 0, 6, _clustered),
    Fault("documents", "kill -9 of writers and the server", MONGODB, 0, 20, _documented),
]  # fmt: skip
