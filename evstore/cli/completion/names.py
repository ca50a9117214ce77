"""The answers to TAB: `evstore --complete streams|categories|types|tags|consumers PREFIX [--db URL]`.

A person waits for this process at every TAB, so it loads neither Typer nor the library, and reads names alone. It
leaves no trace: opened as the library does it, a store at rest would get files beside it.
"""

from __future__ import annotations

import os
import re
import stat
import time
from _thread import start_new_thread
from contextlib import closing, suppress

TYPE_CHECKING = False  # as in typing, whose import would take a tenth of the time
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

MOST = 50
MOST_LOOKED_AT = 2000
"""Rows read in search of names that need no quoting."""
WITHIN = 0.150
WITHIN_REMOTE = 0.500
"""For those who asked for it: the driver of a database takes as long to load as all of the other may."""
AT_LEAST = 0.050
"""Left for the store where the start of the process has taken nearly all, so that a slow machine gets answers."""

DEFAULT_DB = "sqlite:///evstore.db"
APPLICATION_ID = 0x45565354

# Each goes by the index of its names and stops when the reader does.
STREAMS_UP = """
SELECT stream_id FROM streams
WHERE stream_id >= :low AND stream_id < :high
ORDER BY stream_id
LIMIT :limit
"""
STREAMS_DOWN = """
SELECT stream_id FROM streams
WHERE stream_id >= :low AND stream_id < :high
ORDER BY stream_id DESC
LIMIT :limit
"""
CATEGORIES_UP = """
SELECT name FROM categories
WHERE name >= :low AND name < :high
ORDER BY name
LIMIT :limit
"""
CATEGORIES_DOWN = """
SELECT name FROM categories
WHERE name >= :low AND name < :high
ORDER BY name DESC
LIMIT :limit
"""
TYPES_UP = """
SELECT name FROM types
WHERE name >= :low AND name < :high
ORDER BY name
LIMIT :limit
"""
TYPES_DOWN = """
SELECT name FROM types
WHERE name >= :low AND name < :high
ORDER BY name DESC
LIMIT :limit
"""
TAGS_UP = """
SELECT name FROM tags
WHERE name >= :low AND name < :high
ORDER BY name
LIMIT :limit
"""
TAGS_DOWN = """
SELECT name FROM tags
WHERE name >= :low AND name < :high
ORDER BY name DESC
LIMIT :limit
"""
CONSUMERS_UP = """
SELECT name FROM consumers
WHERE name >= :low AND name < :high
ORDER BY name
LIMIT :limit
"""
CONSUMERS_DOWN = """
SELECT name FROM consumers
WHERE name >= :low AND name < :high
ORDER BY name DESC
LIMIT :limit
"""
STATEMENTS = {
    "streams": (STREAMS_UP, STREAMS_DOWN),
    "categories": (CATEGORIES_UP, CATEGORIES_DOWN),
    "types": (TYPES_UP, TYPES_DOWN),
    "tags": (TAGS_UP, TAGS_DOWN),
    "consumers": (CONSUMERS_UP, CONSUMERS_DOWN),
}

# A word that no shell changes: outside ASCII all that can be printed, but no space. At its start "-" makes a
# flag, "~" a home and, in zsh, "=" the path of a command; "~" and "=" may mean the same after "=" or ":".
# (A class of its own for what is not ASCII: as a range of the first it takes milliseconds to compile.)
_SAFE = re.compile(r"(?![-~=])(?:[A-Za-z0-9._:@/+=~-]|[^\x00-\x7f])+")
_PREFIX = re.compile(r"(?:[A-Za-z0-9._:@/+=~-]|[^\x00-\x7f])*")
_EXPANDED = re.compile("[=:][~=]")
_SCHEME = re.compile("([A-Za-z][A-Za-z0-9.-]*(?:[+][A-Za-z0-9]+)?):")


def complete(argv: Sequence[str]) -> None:
    """Print the fitting names, one a line. Print nothing on a fault: nobody could read a message."""
    with suppress(Exception):
        remote = os.environ.get("EVSTORE_COMPLETE_REMOTE") == "1"
        spent = time.process_time()  # most of it before the first line of this program
        start_new_thread(_end_after, (max((WITHIN_REMOTE if remote else WITHIN) - spent, AT_LEAST),))
        kind, prefix, *rest = (os.fsencode(each).decode() for each in argv)  # UTF-8 in every locale
        if kind not in STATEMENTS or not _PREFIX.fullmatch(prefix):
            return
        url = _url(rest)
        path = path_of(url)
        if path is not None:
            found = _from_file(os.path.realpath(path), kind, prefix)
        else:
            found = _from_server(url, kind, prefix) if remote else []
        os.write(1, "".join(f"{name}\n" for name in found).encode())


def _end_after(seconds: float) -> None:
    """Whatever the process is busy with by then: a signal's handler would have to wait for SQLite."""
    time.sleep(seconds)
    os._exit(0)


def _url(rest: Sequence[str]) -> str:
    db = rest[1] if rest[:1] == ["--db"] else os.environ.get("EVSTORE_DB") or DEFAULT_DB
    return os.environ[db.removeprefix("env:")] if db.startswith("env:") else db


def path_of(url: str) -> str | None:
    """The file that the URL means, as the SQLite adapter has it; None if it is no file of SQLite."""
    found = _SCHEME.match(url)
    if found and found[1].lower() != "sqlite":
        return None
    rest = url[found.end() :] if found else url
    if rest.startswith("///"):
        rest = rest[3:]
    elif rest.startswith("//"):
        raise ValueError(url)  # a host
    if not rest:
        raise ValueError(url)
    return rest


def _from_file(path: str, kind: str, prefix: str) -> list[str]:
    import sqlite3

    if not stat.S_ISREG(os.stat(path).st_mode):
        return []
    with closing(sqlite3.connect(_uri(path), uri=True, timeout=WITHIN)) as connection:
        connection.execute("PRAGMA trusted_schema = OFF")
        if connection.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
            return []
        # In SQLite's order every blob stands above every text.
        high = _after(prefix) if prefix else b""
        given = {"low": prefix, "high": high, "limit": MOST_LOOKED_AT}
        up, down = (_names_from(connection, statement, given) for statement in STATEMENTS[kind])
        return choose(up, down)


def _after(prefix: str) -> str | bytes:
    """The first name that stands after all with this prefix."""
    last = ord(prefix[-1]) + 1
    if last > 0x10FFFF:  # noqa: PLR2004 - the last code point has no successor
        return _after(prefix[:-1]) if prefix[:-1] else b""
    return prefix[:-1] + chr(0xE000 if last == 0xD800 else last)  # noqa: PLR2004 - surrogates are no characters


def _uri(path: str) -> str:
    """A way to open the store that makes no file and changes none.

    A store at rest has no log: immutable, SQLite looks for none, where it would make one. A store in use has a
    log and an index of it, and `readonly_shm` keeps SQLite from writing to the index or making it anew. A log
    without an index is what a copy by hand leaves: only the library may merge it, and here it is passed over.
    """
    in_use = os.path.exists(f"{path}-wal") and os.path.exists(f"{path}-shm")
    quoted = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return f"file://{quoted}?mode=ro&{'readonly_shm=1' if in_use else 'immutable=1'}"


def _names_from(connection: Any, statement: str, given: dict[str, Any]) -> Iterator[str]:
    for (name,) in connection.execute(statement, given):
        yield name


def _from_server(url: str, kind: str, prefix: str) -> list[str]:
    from evstore.connecting import connect

    fields = {"streams": "stream_id", "categories": "category", "types": "type", "tags": "tag"}
    field = fields.get(kind, "name")
    with connect(url, timeout=WITHIN_REMOTE) as store:
        rows = store.consumers.all(prefix=prefix) if kind == "consumers" else getattr(store, kind)(prefix=prefix)
        return choose((getattr(row, field) for row in rows), ())


def choose(up: Iterable[str], down: Iterable[str]) -> list[str]:
    """The first names that need no quoting, at most MOST; `down` has the same names from the other end.

    Where there are more, the last one stands among them: a shell types what all that is offered has in common,
    and would else type what only the first have in common.
    """
    found: list[str] = []
    for looked_at, name in enumerate(up):
        if looked_at == MOST_LOOKED_AT - 1 or len(found) == MOST:
            last = next(filter(is_safe, down), None)
            return found if last is None or last in found else [*found[: MOST - 1], last]
        if is_safe(name):
            found.append(name)
    return found


def is_safe(name: str) -> bool:
    """True if every shell takes the name unchanged."""
    return bool(_SAFE.fullmatch(name)) and name.isprintable() and not _EXPANDED.search(name)
