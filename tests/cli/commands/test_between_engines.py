"""`export | import` between any two kinds of store: the same bytes come out.

The export of each kind is byte for byte what it took in, so that the next store gets the same, whichever it is.
"""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

from evstore import EventData, EventStore, Metadata, connect
from evstore.cli.commands.importing import _arrivals, _restore
from evstore.model.events import lines_of
from evstore.transfer import import_events
from tests.support.command import Command
from tests.support.hostile_text import WORST
from tests.support.odd_names import ODD_BUT_FINE

if TYPE_CHECKING:
    from pathlib import Path

NUMBERS = ["1e400", "-0", "1.10", "1E+2", "123456789012345678901234567890", '{"b":1.0,"a":[],"a":{}}', '"\\u0000"']


def a_log(path: Path) -> bytes:
    """A log of all that may be hard to keep, with a consumer that parked something, as SQLite exports it."""
    with connect(f"sqlite:{path}") as store:
        store.initialize()
        for name in ODD_BUT_FINE:
            store.append(name, [EventData(name, {name: name}, tags=[f"of:{len(name)}"])])
        store.append_many([("Order-1", [EventData.from_json("Number", each) for each in NUMBERS], -1)])
        for stream_id, kind, data, custom in WORST:
            metadata = Metadata("correlation", "causation", custom=custom)
            store.append(stream_id, [EventData.from_json(kind, data, metadata, tags=["b", "a"])])
        (secret,) = store.append("Person-1", [EventData("Named", {"name": "Ada"}, Metadata(user_id="ada"))])
        store.redact([secret.id], reason="asked for")
        store.append("Order-1", [EventData("Late", None, tags=["order:1"])])
        store.consumers.restore(_a_consumer(store).encode())
        lines = b"".join(f"{line}\n".encode() for line in store.consumers.lines())
    command = Command(path.parent, f"sqlite:{path}")
    events = command.ok("export").out.replace(b'"timestamp":"2', b'"timestamp":"1', 1)  # an imported time
    return events + lines


def _a_consumer(store: EventStore) -> str:
    *_, parked, last = store.replay()
    checkpoint = {"slot": 0, "globalPosition": last.global_position, "eventId": last.id}
    waiting = {
        "eventId": parked.id,
        "reason": "no answer \u2028",
        "state": "parked",
        "parkedUs": 1_700_000_000_000_001,
    }
    members = {"name": "mailer é", "categories": ["Order", "Person"], "types": None}
    return json.dumps(
        {"consumer": {**members, "checkpoints": [checkpoint], "parked": [waiting]}}, separators=(",", ":")
    )


def taken_in(store: EventStore, log: bytes) -> bytes:
    """The export of a store in memory after the import of this log, by what the commands themselves call."""
    consumers: list[bytes] = []
    for _ in import_events(store, _arrivals(store, iter([log]), "log", consumers, renumber=False)):
        pass
    _restore(store, consumers, renumber=False)
    return "".join(f"{line}\n" for line in (*lines_of(store.replay()), *store.consumers.lines())).encode()


def moved(folder: Path, log: bytes, url: str) -> bytes:
    """The export of a new store after the import of this log."""
    with closing(connect(url)) as store:
        store.initialize()
        if url == "memory:":
            return taken_in(store, log)
    command = Command(folder, url)
    command.ok("import", stdin=log)
    return command.ok("export", "--consumers").out


def test_a_log_comes_out_of_each_kind_of_store_as_it_went_in(tmp_path, nats_server, newest):
    log = a_log(tmp_path / "first.db")
    on_nats = nats_server.place()
    for url in ("memory:", f"sqlite:{tmp_path}/second.db", newest.place(), on_nats, "memory:"):
        log, before = moved(tmp_path, log, url), log
        assert log == before, url
    nats_server.drop([on_nats.rpartition("/")[2].partition("?")[0]])


def test_a_log_comes_out_of_mongodb_as_it_went_in(tmp_path, mongo_server):
    log = a_log(tmp_path / "first.db")
    assert moved(tmp_path, log, mongo_server.place()) == log
    mongo_server.drop_places()
