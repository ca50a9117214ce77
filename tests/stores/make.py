"""Make the kept stores anew, with the schema of this evstore.

    python -m tests.stores.make

Before the first release that is done whenever the schema changes. From then on what a release has kept stays as it
is, and a new schema gets files of its own.
"""

from __future__ import annotations

import gzip
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, cast

from evstore import EventData, Metadata, Write, connect
from evstore.port import Snapshot
from tests.stores import EMPTY, FULL, database_file, dump_file, export_file
from tests.support.installed_postgres import KINDS
from tests.support.servers import OwnServer, Servers

if TYPE_CHECKING:
    from evstore import EventStore, StoredEvent
    from evstore.port import HasSnapshots

MOST_BYTES: Final = 100_000
WHOLE: Final = Metadata("correlation-1", "causation-1", "user-1", "tenant-1", {"région": "ü", "empty": ""})
EXACT: Final = r'{"amount": 1.10, "amount": 1e400, "zero": -0, "escaped": "\u00e9\u0000\/"}'
SCHEMA: Final = "evstore"
DUMP: Final = ("--no-owner", "--no-toast-compression", "--inserts", f"--schema={SCHEMA}")


def fill(url: str, *, tamper_evident: bool) -> None:
    """Make a store with events, and what stands beside them, of every kind."""
    with connect(url) as store:
        store.initialize(tamper_evident=tamper_evident)
        append(store)
        evstore("--db", url, "append", "Amount-1", "-t", "Exact", "-d", EXACT)
        consume(store)


def append(store: EventStore) -> None:
    placed = EventData("OrderPlaced", {"customer": "Zoë"}, WHOLE, tags=["customer:4", "order:1"])
    store.append("Order-1", [placed])
    paid, shipped = store.append(
        "Order-1", [EventData("OrderPaid", {"card": 4111}), EventData("OrderShipped", None)]
    )
    store.append_many(
        [
            Write("Order-2", [EventData("OrderPlaced", [1, [2, {}]], WHOLE, tags=["order:2"])], 0),
            Write("Ördér-2-b", [EventData("T\U0001f4e6", True)], 0),
            Write("Order-2", [EventData("OrderPaid", {"card": 4222}, WHOLE)], 1),
        ]
    )
    store.append("NoHyphen", [EventData("Noted", " \u2028\U0001f4e6")], source=("orders.csv", 7))
    store.append("NoHyphen", [EventData("Noted", 0)], source=("orders.csv", 9))
    store.append("Archive-1", [EventData("Archived", {"text": "0123456789abcdef" * 1000})])
    other = next(e for e in store.read("Order-2") if e.type == "OrderPaid")
    store.redact([paid.id], "card number in clear", by=Metadata(user_id="amy"))
    store.redact([other.id], "wrong customer", metadata=True)
    snapshots = cast("HasSnapshots", store._adapter).snapshots()
    snapshot = Snapshot("Order-1", "shop.Order", shipped.version, shipped.id, "a digest", '{"shipped":true}')
    assert snapshots.keep(snapshot, redactions=2)


def consume(store: EventStore) -> None:
    def mail(events: list[StoredEvent]) -> None:
        if events[0].stream_id == "Order-2":
            raise ValueError("no such customer")

    store.consumer("mailer", categories=["Order"]).run(mail, once=True, on_failure="park")
    with suppress(StopIteration):
        store.consumer("counter", types=["OrderPlaced"], member=(1, 2)).run(lambda _: None, once=True)


def evstore(*words: str) -> bytes:
    """What the command prints."""
    return subprocess.run([sys.executable, "-m", "evstore", *words], check=True, stdout=subprocess.PIPE).stdout


def packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def make_sqlite(name: str, folder: Path) -> None:
    path = folder / f"{name}.db"
    url = f"sqlite:{path}"
    if name == EMPTY:
        evstore("--db", url, "init")
    else:
        fill(url, tamper_evident=name != FULL[0])
        export_file("sqlite", name).write_bytes(packed(evstore("--db", url, "export", "-O", "-")))
    assert not path.with_name(f"{path.name}-wal").exists()
    database_file(name).write_bytes(packed(path.read_bytes()))


def make_postgres(name: str, server: OwnServer) -> None:
    url = server.url()
    fill(url, tamper_evident=name != FULL[0])
    export_file("postgres", name).write_bytes(packed(evstore("--db", url, "export", "-O", "-")))
    said = subprocess.run(
        [server.bin / "pg_dump", *DUMP, url], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    # Without what only psql understands, and what only people read.
    lines = [line for line in said.split("\n") if line and not line.startswith(("\\", "--"))]
    dump_file(name).write_bytes(packed("\n".join([*lines, ""]).encode()))
    server.drop(SCHEMA)


def main() -> None:
    with TemporaryDirectory() as folder:
        for name in (EMPTY, *FULL):
            make_sqlite(name, Path(folder))
    with closing(Servers()) as servers:
        server = servers.of(KINDS[-1])  # the oldest, whose dump later ones understand
        assert isinstance(server, OwnServer)
        server.start()
        for name in FULL:
            make_postgres(name, server)
    made = [each for each in Path(__file__).parent.iterdir() if each.suffix == ".gz"]
    assert sum(each.stat().st_size for each in made) < MOST_BYTES


if __name__ == "__main__":
    main()
