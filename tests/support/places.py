"""What contract classes do to a place behind the back of an adapter."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from hashlib import sha256


def lose_in_sqlite(folder, what, name):
    table, column = {"type": ("types", "name"), "stream": ("streams", "stream_id")}[what]
    with closing(sqlite3.connect(folder / "events.db", isolation_level=None)) as connection:
        ((trigger, text),) = connection.execute(
            "SELECT name, sql FROM sqlite_schema WHERE name = ?", [f"{table}_are_not_deleted"]
        )
        connection.execute(f"DROP TRIGGER {trigger}")
        assert connection.execute(f"DELETE FROM {table} WHERE {column} = ?", [name]).rowcount == 1
        connection.execute(text)


def occupy_sqlite(folder):
    (folder / "events.db").write_text("Letters, not events.\n" * 100)
    return lambda: {path.name: path.read_bytes() for path in folder.iterdir()}


def lose_in_postgres(server, schema, what, name):
    table, column = {"type": ("types", "name"), "stream": ("streams", "stream_id")}[what]
    place = f"{schema}.{table}"
    server.execute(f"ALTER TABLE {place} DISABLE TRIGGER ALL")
    assert server.execute(f"DELETE FROM {place} WHERE {column} = %s RETURNING 1", name) == [(1,)]
    server.execute(f"ALTER TABLE {place} ENABLE TRIGGER ALL")


def occupy_postgres(server, schema):
    server.execute(f"CREATE SCHEMA {schema}")
    server.execute(f"CREATE TABLE {schema}.letters AS SELECT 'not an event' AS text")
    return lambda: server.execute(
        f"SELECT relname, (SELECT text FROM {schema}.letters) FROM pg_class"
        f" WHERE relnamespace = '{schema}'::regnamespace"
    )


def occupy_nats(server, name):
    server.ask(f"STREAM.CREATE.{name}", {"name": name, "subjects": [f"{name}.letters"]})
    server.publish(f"{name}.letters", b"not an event")

    def described():
        info = server.ask(f"STREAM.INFO.{name}")
        bucket = server.ask(f"STREAM.INFO.KV_{name}_evstore")
        return info["config"], info["state"], bucket.get("error")

    return described


def nats_name(folder):
    """The stream of a store whose test has this folder."""
    return f"T{sha256(str(folder).encode()).hexdigest()[:20]}"
