"""Stores that an evstore has made and that later ones must open: see README.md."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from evstore import connect
from tests.support.emptied_stores import EmptiedStores

if TYPE_CHECKING:
    from tests.support.servers import Server

FOLDER: Final = Path(__file__).parent
EMPTY: Final = "empty"
FULL: Final = ("plain", "tamper-evident")
"""The stores with events of every kind."""
AGAIN: Final = "python -m tests.stores.make renews the kept stores"


def database_file(name: str) -> Path:
    return FOLDER / f"{name}.db.gz"


def dump_file(name: str) -> Path:
    return FOLDER / f"{name}.sql.gz"


def export_file(engine: str, name: str) -> Path:
    """What `export` printed of the store when it was made."""
    return FOLDER / f"{name}.{engine}.ndjson.gz"


def unpack(name: str, path: Path) -> None:
    """Put a copy of a kept SQLite store at the path."""
    path.write_bytes(gzip.decompress(database_file(name).read_bytes()))


def restore(name: str, server: Server, schema: str) -> None:
    """Put a copy of a kept PostgreSQL store into the schema, as psql restores a dump."""
    text = gzip.decompress(dump_file(FULL[0] if name == EMPTY else name).read_bytes()).decode()
    if name == EMPTY:
        text = re.sub(r"^INSERT INTO evstore\.(?!store ).*\n", "", text, flags=re.MULTILINE)
    text = text.replace('"evstore".', f'"{schema}".').replace("SCHEMA evstore", f"SCHEMA {schema}")
    with server.connect() as connection:
        connection.execute(re.sub(r"(?<![\w\"])evstore\.", f"{schema}.", text).encode())


class RestoredStores(EmptiedStores):
    """Stores of a server that are migrated copies of the kept empty one, and not made by this evstore."""

    def _begin(self, schema: str) -> None:
        restore(EMPTY, self._server, schema)
        with connect(self._server.url(schema)) as store:
            store.migrate()
