"""What can be wrong with a store: each planted by hand, and all that `verify` must then say, and nothing else.

The healthy store has six events:

    position  stream  version  category number  type  correlation id  tags
    1         A-1     1        A 1              T
    2         A-2     1        A 2              T
    3         A-1     2        A 3              T
    4         B-1     1        B 1              U
    5         B-1     2        B 2              U     c               x y
    6         B-1     3        B 3              T                     x
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final, NamedTuple

from evstore import EventData, Metadata, connect
from evstore.adapters.sql import correlation_hash
from tests.support.command_store import server_of

if TYPE_CHECKING:
    from tests.support.command import Command

    Found = tuple[str, int | None, str | None]
    """Kind, position and stream of a finding."""


class Damage(NamedTuple):
    """Statements for both databases; None where that one does not let it happen."""

    sqlite: str | None
    postgres: str | None
    findings: set[Found]
    past: str = ""
    """An index that the statements pass by."""


def both(sql: str, *findings: Found) -> Damage:
    return Damage(sql, sql, {*findings})


def sqlite_only(sql: str, *findings: Found) -> Damage:
    """PostgreSQL refuses such a value, whoever writes it."""
    return Damage(sql, None, {*findings})


def loosened(sql: str, *findings: Found) -> Damage:
    """The statement stores what STRICT and NOT NULL forbid, while the tables do not say so."""
    change = "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = {} WHERE type = 'table'; PRAGMA writable_schema = RESET;"
    kept = "CREATE TEMP TABLE kept AS SELECT name, sql FROM sqlite_schema WHERE type = 'table';"
    off = change.format("replace(replace(sql, ') STRICT', ')'), 'NOT NULL', '')")
    on = change.format("(SELECT kept.sql FROM kept WHERE kept.name = sqlite_master.name)")
    return sqlite_only(f"{kept} {off} {sql}; {on}", *findings)


def remade(table: str, old: str, new: str) -> str:
    """SQLite alters no constraint; so whoever wants to, rewrites what the table says."""
    return (
        f"PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(sql, '{old}', '{new}') "
        f"WHERE name = '{table}'; PRAGMA writable_schema = RESET"
    )


def replacing(indexes: dict[str, str], sql: str, *findings: Found) -> Damage:
    """The statement does what these indexes forbid, so that they were replaced by others of their names."""
    made = "".join(f"DROP INDEX {name}; CREATE INDEX {name} ON {on}; " for name, on in indexes.items())
    return both(made + sql, ("changed-index", None, None), *findings)


def before_the_first(position: int) -> Damage:
    sql = f"UPDATE events SET global_position = {position} WHERE global_position = 1"
    check = "ALTER TABLE events {} CONSTRAINT events_global_position_check"
    known = f"{check.format('DROP')}; {sql}; {check.format('ADD')} CHECK (global_position > 0) NOT VALID"
    return Damage(sql, known, {("bad-position", position, "A-1"), ("position-gap", 1, None)})


def checkpoint(position: int) -> Damage:
    """A consumer that has handled an event of another log at this position."""
    made = "INSERT INTO consumers VALUES ({key}, 'mailer', '{}', 1); INSERT INTO checkpoints VALUES ({key}, 0, {position}, {id}, 1)"
    made = made.replace("{position}", str(position))
    return Damage(made.replace("{key}", "1"), made.replace("{key}", "{id}"), {("checkpoint", position, None)})


def past(index: str, sql: str, *findings: Found) -> Damage:
    return both(sql, *findings)._replace(past=index)


B1 = "B-1"
ZEROS: Final = "00" * 32
ID: Final = "0198e5c4-7a2b-7c3d-8e4f-0123456789ab"
DAMAGES: Final[dict[str, Damage]] = {
    # --- positions ---
    "an event is deleted": both(
        "DELETE FROM events WHERE global_position = 3", ("position-gap", 3, None),
    ),
    "a stream's events are deleted": both(
        "DELETE FROM events WHERE global_position = 2",
        ("position-gap", 2, None), ("category-number", 3, "A-1"), ("empty-stream", None, "A-2"),
    ),
    "an event is moved beyond the end": both(
        "UPDATE events SET global_position = 9 WHERE global_position = 6", ("position-gap", 6, None),
        ("tag-not-found", 9, None), ("wrong-tag", 6, None),
    ),
    "two events at one position": Damage(
        None,
        "ALTER TABLE events DROP CONSTRAINT events_pkey; CREATE INDEX events_pkey ON events (global_position);"
        "UPDATE events SET global_position = 3 WHERE global_position = 4",
        {("changed-index", None, None), ("duplicate-position", 3, None), ("position-gap", 4, None)},
    ),
    "an event before the first position": before_the_first(0),
    "an event before all positions": before_the_first(-(2**63)),
    # --- versions ---
    "a version is left out": both(
        "UPDATE events SET version = 4 WHERE global_position = 6", ("version-gap", 6, B1),
    ),
    "a version below 1": sqlite_only(
        "UPDATE events SET version = 0 WHERE global_position = 2", ("version-gap", 2, "A-2"),
    ),
    "two versions change places": both(
        "UPDATE events SET version = 9 WHERE global_position = 4; UPDATE events SET version = 1 WHERE global_position = 5;"
        "UPDATE events SET version = 2 WHERE global_position = 4",
        ("version-order", 4, B1),
    ),
    "a version comes twice": replacing(
        {"events_by_stream": "events (stream_key, version)"},
        "UPDATE events SET version = 1 WHERE global_position = 3",
        ("duplicate-version", 3, "A-1"),
    ),
    "a version is not in its index": past(
        "events_by_stream",
        "UPDATE events SET version = 7 WHERE global_position = 6",
        ("version-not-found", 6, B1), ("version-gap", 6, B1),
    ),
    # --- ids ---
    "an id comes twice": replacing(
        {"events_by_id": "events (id)"},
        "UPDATE events SET id = (SELECT id FROM events WHERE global_position = 1) WHERE global_position = 3",
        ("duplicate-id", 3, "A-1"),
    ),
    "an id is not in its index": past(
        "events_by_id", "UPDATE events SET id = {id} WHERE global_position = 3", ("id-not-found", 3, "A-1"),
    ),
    "an event is not in the index of its type": past(
        "events_by_type", "UPDATE events SET type_key = 2 WHERE global_position = 6", ("type-not-found", 6, B1),
    ),
    "an event is not in the index of its time": past(
        "events_by_timestamp", "UPDATE events SET timestamp = 5 WHERE global_position = 3",
        ("timestamp-not-found", 3, "A-1"),
    ),
    "an event is not in the index of its correlation id": past(
        "events_by_correlation",
        """UPDATE events SET metadata = '{"correlationId":"c"}', correlation_hash = {hash of c} WHERE global_position = 6""",
        ("correlation-not-found", 6, B1),
    ),
    "the last event of a category is not in its index": past(
        "events_by_category", "UPDATE events SET category_key = 1, category_number = 4 WHERE global_position = 6",
        ("category-not-found", 6, B1), ("wrong-category", 6, B1),
    ),
    "a stream is not in the index of its category": past(
        "streams_by_category", "UPDATE streams SET stream_id = 'A-3' WHERE key = 2", ("category-not-found", None, "A-3"),
    ),
    "an id is too short": sqlite_only(
        "UPDATE events SET id = x'00' WHERE global_position = 3", ("bad-id", 3, "A-1"),
    ),
    # --- categories ---
    "an event's number in its category": both(
        "UPDATE events SET category_number = 7 WHERE global_position = 6", ("category-number", 6, B1),
    ),
    "an event in another category than its stream": both(
        "UPDATE events SET category_key = 1, category_number = 4 WHERE global_position = 6", ("wrong-category", 6, B1),
    ),
    "a stream in another category than its name says": both(
        "UPDATE streams SET category_key = 2, category_number = 2 WHERE stream_id = 'A-2'",
        ("wrong-category", None, "A-2"), ("wrong-category", 2, "A-2"),
    ),
    "a stream's number in its category": both(
        "UPDATE streams SET category_number = 5 WHERE stream_id = 'A-2'", ("stream-number", None, "A-2"),
    ),
    "a stream's number comes twice": replacing(
        {"streams_by_number": "streams (category_key, category_number)"},
        "UPDATE streams SET category_number = 1 WHERE stream_id = 'A-2'",
        ("duplicate-number", None, "A-2"),
    ),
    "a stream's number is not in its index": past(
        "streams_by_number",
        "UPDATE streams SET category_number = 3 WHERE stream_id = 'A-2'",
        ("number-not-found", None, "A-2"),
    )._replace(postgres=None),  # there the index still leads to number 2, and there it does not
    "and leads nowhere from the old one": past(
        "streams_by_number",
        "UPDATE streams SET category_number = 3 WHERE stream_id = 'A-2'",
        ("number-not-found", None, "A-2"), ("stream-number", None, "A-2"),
    )._replace(sqlite=None),
    # --- keys and names ---
    "an event of no stream": both(
        "UPDATE events SET stream_key = 99, version = 1 WHERE global_position = 6", ("unknown-stream", 6, None),
    ),
    "an event of no type": both(
        "UPDATE events SET type_key = 99 WHERE global_position = 6", ("unknown-type", 6, B1),
    ),
    "an event in no category": both(
        "UPDATE events SET category_key = 99, category_number = 1 WHERE global_position = 6",
        ("unknown-category", 6, B1),
    ),
    "a stream in no category": both(
        "UPDATE streams SET category_key = 99, category_number = 1 WHERE stream_id = 'A-2'",
        ("unknown-category", None, "A-2"),
    ),
    "a stream without events": both(
        "INSERT INTO streams (key, stream_id, category_key, category_number) VALUES (9, 'A-9', 1, 3)",
        ("empty-stream", None, "A-9"),
    ),
    "a type without events": both("INSERT INTO types (key, name) VALUES (9, 'V')", ("empty-type", None, None)),
    "a tag without events": both("INSERT INTO tags (key, name) VALUES (9, 'a:1')", ("empty-tag", None, None)),
    "a tag without a name": both(
        "UPDATE tags SET name = '' WHERE key = 2", ("bad-name", None, None), ("tag-not-found", 5, None),
    ),
    "a tag comes twice": replacing(
        {"tags_by_name": "tags (name)"},
        "INSERT INTO tags (key, name) VALUES (9, 'x')",
        ("duplicate-name", None, None), ("empty-tag", None, None),
    ),
    "a tag is not in its index": past(
        "tags_by_name", "UPDATE tags SET name = 'z' WHERE key = 2", ("name-not-found", None, None),
    )._replace(postgres=None),  # there the index still leads to its old name, and there it does not
    "and nowhere from its old name": past(
        "tags_by_name",
        "UPDATE tags SET name = 'z' WHERE key = 2",
        ("name-not-found", None, None), ("tag-not-found", 5, None),
    )._replace(sqlite=None),
    "a category without events": both(
        "INSERT INTO categories (key, name) VALUES (9, 'C')", ("empty-category", None, None)
    ),
    "a stream id with a control character": both(
        "UPDATE streams SET stream_id = 'A-\x07' WHERE key = 2", ("bad-name", None, "A-\x07")
    ),
    "a reserved stream id": both(
        "UPDATE streams SET stream_id = '$A-2' WHERE key = 2",
        ("bad-name", None, "$A-2"), ("wrong-category", None, "$A-2"),
    ),
    "a type without a name": both("UPDATE types SET name = '' WHERE key = 2", ("bad-name", None, None)),
    "a category with a hyphen": both(
        "UPDATE categories SET name = 'B-' WHERE key = 2", ("bad-name", None, None), ("wrong-category", None, B1)
    ),
    "a stream id that is not UTF-8": sqlite_only(
        "UPDATE streams SET stream_id = CAST(x'412dff' AS TEXT) WHERE key = 2", ("bad-name", None, "A-\udcff")
    ),
    "a type that is not UTF-8": sqlite_only(
        "UPDATE types SET name = CAST(x'ff' AS TEXT) WHERE key = 2", ("bad-name", None, None)
    ),
    "a category that is not UTF-8": sqlite_only(
        "UPDATE categories SET name = CAST(x'42ff' AS TEXT) WHERE key = 2",
        ("bad-name", None, None), ("wrong-category", None, B1),
    ),
    "a type comes twice": replacing(
        {"types_by_name": "types (name)"},
        "INSERT INTO types (key, name) VALUES (9, 'T')",
        ("duplicate-name", None, None), ("empty-type", None, None),
    ),
    "a stream comes twice": replacing(
        {"streams_by_id": "streams (stream_id)", "streams_by_category": "streams (category_key, stream_id)"},
        "INSERT INTO streams (key, stream_id, category_key, category_number) VALUES (9, 'A-1', 1, 3)",
        ("duplicate-name", None, "A-1"), ("empty-stream", None, "A-1"),
    ),
    "a stream is not in its index": past(
        "streams_by_id", "UPDATE streams SET stream_id = 'A-3' WHERE key = 2", ("name-not-found", None, "A-3")
    ),
    "a category is not in its index": past(
        "categories_by_name", "UPDATE categories SET name = 'Z' WHERE key = 2",
        ("name-not-found", None, None), ("wrong-category", None, B1),
    ),
    # --- tags ---
    "an event is not in the index of its tag": both(
        "DELETE FROM event_tags WHERE global_position = 6", ("tag-not-found", 6, None),
    ),
    "an event is in the index of a tag that it lacks": both(
        "INSERT INTO event_tags (tag_key, global_position) VALUES (2, 6)", ("wrong-tag", 6, None),
    ),
    "an event far from others of its tag is in the index": both(
        "INSERT INTO tags (key, name) VALUES (3, 'z'); INSERT INTO event_tags (tag_key, global_position) VALUES (3, 1)",
        ("wrong-tag", None, None),
    ),
    "an event lost a tag": both(
        "UPDATE events SET tags = 'y' WHERE global_position = 5", ("wrong-tag", 5, None),
    ),
    "tags in another order": both(
        "UPDATE events SET tags = 'y x' WHERE global_position = 5", ("bad-tags", 5, B1),
    ),
    "a tag with a comma": both(
        "UPDATE events SET tags = 'x y,' WHERE global_position = 5; UPDATE tags SET name = 'y,' WHERE key = 2",
        ("bad-tags", 5, B1), ("bad-name", None, None),
    ),
    # --- content ---
    "data of a redacted event": both(
        "UPDATE events SET redacted_at = 5, content_hash = {hash} WHERE global_position = 6", ("bad-data", 6, B1),
    ),
    "a redacted event without its hash": both(
        "UPDATE events SET redacted_at = 5, data = 'null' WHERE global_position = 6", ("bad-hash", 6, B1),
    ),
    "a hash of an event that is not redacted": both(
        "UPDATE events SET content_hash = {hash} WHERE global_position = 6", ("bad-hash", 6, B1),
    ),
    "data that is no JSON": sqlite_only(
        "UPDATE events SET data = 'NaN' WHERE global_position = 3", ("bad-data", 3, "A-1")
    ),
    "data that is no text": loosened(
        "UPDATE events SET data = x'31' WHERE global_position = 3", ("bad-value", 3, "A-1")
    ),
    "data that is missing": loosened(
        "UPDATE events SET data = NULL WHERE global_position = 3", ("bad-value", 3, "A-1")
    ),
    "a version that is no number": loosened(
        "UPDATE events SET version = 'one' WHERE global_position = 6", ("bad-value", 6, B1)
    ),
    "an id that is no blob": loosened(
        "UPDATE events SET id = 'one' WHERE global_position = 6", ("bad-value", 6, B1)
    ),
    "a stream's number that is none": loosened(
        "UPDATE streams SET category_number = 'two' WHERE stream_id = 'A-2'", ("bad-value", None, "A-2")
    ),
    "a type whose name is no text": loosened(
        "UPDATE types SET name = x'55' WHERE name = 'U'",
        ("bad-value", None, None), ("bad-value", 4, B1), ("bad-value", 5, B1),
    ),
    "data with a line break": both(
        """UPDATE events SET data = '{"a":\n1}' WHERE global_position = 3""", ("bad-data", 3, "A-1")
    ),
    "data with white space around it": both(
        "UPDATE events SET data = ' 1' WHERE global_position = 3", ("bad-data", 3, "A-1")
    ),
    "data with half a character": both(
        r"""UPDATE events SET data = '"\ud800"' WHERE global_position = 3""", ("bad-data", 3, "A-1")
    ),
    "data that is nested too deep": both(
        f"UPDATE events SET data = '{'[' * 600}{']' * 600}' WHERE global_position = 3", ("bad-data", 3, "A-1")
    ),
    "data that is not UTF-8": sqlite_only(
        "UPDATE events SET data = CAST(x'22ff22' AS TEXT) WHERE global_position = 3", ("bad-data", 3, "A-1")
    ),
    "metadata with an unknown key": both(
        """UPDATE events SET metadata = '{"traceId":"x"}' WHERE global_position = 3""", ("bad-metadata", 3, "A-1")
    ),
    "metadata with a number": both(
        """UPDATE events SET metadata = '{"userId":1}' WHERE global_position = 3""", ("bad-metadata", 3, "A-1")
    ),
    "metadata with a line break": both(
        """UPDATE events SET metadata = '{\n}' WHERE global_position = 3""", ("bad-metadata", 3, "A-1")
    ),
    "metadata with U+0000": both(
        r"""UPDATE events SET metadata = '{"userId":"\u0000"}' WHERE global_position = 3""", ("bad-metadata", 3, "A-1")
    ),
    "metadata that is not UTF-8": sqlite_only(
        "UPDATE events SET metadata = CAST(x'ff' AS TEXT) WHERE global_position = 3", ("bad-metadata", 3, "A-1")
    ),
    "a correlation id that is not searched for": both(
        "UPDATE events SET correlation_hash = NULL WHERE global_position = 5", ("correlation-hash", 5, B1)
    ),
    "a correlation id that is searched for in vain": both(
        "UPDATE events SET correlation_hash = 5 WHERE global_position = 5", ("correlation-hash", 5, B1)
    ),
    "a correlation id that is none": both(
        "UPDATE events SET correlation_hash = 5 WHERE global_position = 6", ("correlation-hash", 6, B1)
    ),
    "a time beyond the calendar": both(
        "UPDATE events SET timestamp = 9000000000000000000 WHERE global_position = 6", ("bad-timestamp", 6, B1)
    ),
    "a time before the calendar": both(
        "UPDATE events SET timestamp = -62135596800000001 WHERE global_position = 6", ("bad-timestamp", 6, B1)
    ),
    # --- the schema ---
    "an index is missing": both("DROP INDEX events_by_id", ("missing-index", None, None)),
    "an index of other columns": both(
        "DROP INDEX events_by_type; CREATE INDEX events_by_type ON events (type_key, version)", ("changed-index", None, None)
    ),
    "an index of other rows": both(
        "DROP INDEX events_by_correlation;"
        "CREATE INDEX events_by_correlation ON events (correlation_hash)",
        ("changed-index", None, None),
    ),
    "the primary key is missing": Damage(
        None, "ALTER TABLE events DROP CONSTRAINT events_pkey", {("missing-index", None, None)}
    ),
    "a trigger is missing": Damage(
        "DROP TRIGGER events_are_not_deleted", "DROP TRIGGER events_never_change ON events",
        {("missing-trigger", None, None)},
    ),
    "a trigger does nothing": Damage(
        "DROP TRIGGER events_are_not_deleted;"
        "CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events BEGIN SELECT 1; END",
        "ALTER TABLE events DISABLE TRIGGER events_never_change",
        {("changed-trigger", None, None)},
    ),
    "a trigger of other statements": Damage(
        None,
        "DROP TRIGGER events_never_change ON events; CREATE TRIGGER events_never_change BEFORE UPDATE ON events"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_v1()",
        {("changed-trigger", None, None)},
    ),
    "a trigger that swallows events": Damage(
        "CREATE TRIGGER swallows BEFORE INSERT ON events BEGIN SELECT raise(IGNORE); END",
        r"CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL\; END';"
        "CREATE TRIGGER swallows BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION swallow()",
        {("unknown-trigger", None, None)},
    ),
    "an index that lets no second event have a type": both(
        "CREATE UNIQUE INDEX theirs ON events (type_key, global_position)", ("unknown-index", None, None),
    ),
    "a rule that swallows events": Damage(
        None, "CREATE RULE swallows AS ON INSERT TO events DO INSTEAD NOTHING", {("unknown-rule", None, None)},
    ),
    "a check of others": Damage(
        None, "ALTER TABLE events ADD CHECK (global_position < 500)", {("changed-table", None, None)},
    ),
    "a check is missing": Damage(
        remade("events", " CHECK (version > 0)", ""),
        "ALTER TABLE events DROP CONSTRAINT events_version_check",
        {("changed-table", None, None)},
    ),
    "a column is missing": Damage(
        "ALTER TABLE parked DROP COLUMN reason", "ALTER TABLE staged DROP COLUMN stored_at", {("changed-table", None, None)},
    ),
    "a column of another type": Damage(
        remade("events", "metadata TEXT", "metadata ANY"),
        "ALTER TABLE staged ALTER COLUMN metadata TYPE jsonb",
        {("changed-table", None, None)},
    ),
    "a name that is ordered otherwise": Damage(
        remade("types", "name TEXT", "name TEXT COLLATE NOCASE"),
        'ALTER TABLE staged ALTER COLUMN type TYPE text COLLATE "POSIX"',
        {("changed-table", None, None)},
    ),
    "a table is missing": Damage("DROP TABLE sources", "DROP TABLE staged", {("missing-table", None, None)}),
    "the table of events is missing": sqlite_only(
        "DROP TABLE events", ("missing-table", None, None), ("unreadable", 1, None),
    ),
    "and the view of it": Damage(
        None, "DROP TABLE events CASCADE",
        {("missing-table", None, None), ("missing-view", None, None), ("unreadable", 1, None)},
    ),
    "the table of streams is missing": sqlite_only(
        "DROP TABLE streams", ("missing-table", None, None), ("unreadable", 1, None),
    ),
    "the table of streams and the view of it": Damage(
        None, "DROP TABLE streams CASCADE",
        {("missing-table", None, None), ("missing-view", None, None), ("unreadable", 1, None)},
    ),
    "a view is missing": both("DROP VIEW log", ("missing-view", None, None)),
    "a view of other columns": both(
        "DROP VIEW log; CREATE VIEW log AS SELECT global_position AS position FROM events",
        ("changed-view", None, None),
    ),
    "a view of other rows": both(
        "DROP VIEW log_tags; CREATE VIEW log_tags AS SELECT event_tags.global_position AS position, tags.name AS tag"
        " FROM event_tags JOIN tags ON tags.key = event_tags.tag_key",
        ("changed-view", None, None),
    ),
    # --- consumers ---
    "a checkpoint beyond the log": checkpoint(7),
    "a checkpoint at another event": checkpoint(6),
    # --- functions ---
    "a function does nothing": Damage(
        None,
        "CREATE OR REPLACE FUNCTION make_durable_v1() RETURNS void LANGUAGE plpgsql AS 'BEGIN END'",
        {("changed-function", None, None)},
    ),
    "a function is missing": Damage(
        None, "DROP FUNCTION sweep_staged_v1", {("missing-function", None, None)}
    ),
}  # fmt: skip


def healthy(command: Command) -> None:
    """Make the store above."""
    with connect(command.url) as store:
        store.initialize()
        for stream_id in ("A-1", "A-2", "A-1"):
            store.append(stream_id, [EventData("T", {"total": 9})])
        second = EventData("U", 2, Metadata("c"), tags=["x", "y"])
        store.append("B-1", [EventData("U", 1), second, EventData("T", 3, tags=["x"])])


def plant(command: Command, damage: Damage) -> None:
    """Carry the statements out on its store, past all that defends it, and let that stand again afterwards."""
    if command.database:
        assert damage.postgres is not None
        _plant_on_postgres(command, _completed(damage.postgres, f"'{ID}'", rf"'\x{ZEROS}'"), damage.past)
    else:
        assert damage.sqlite is not None
        blob = ID.replace("-", "")
        _plant_on_sqlite(
            f"{command.folder}/evstore.db", _completed(damage.sqlite, f"x'{blob}'", f"x'{ZEROS}'"), damage.past
        )


def _completed(sql: str, an_id: str, a_hash: str) -> str:
    return sql.replace("{id}", an_id).replace("{hash}", a_hash).replace("{hash of c}", str(correlation_hash("c")))


def _keeps_triggers(sql: str) -> bool:
    return "TRIGGER" in sql or "DROP TABLE" in sql


def _plant_on_postgres(command: Command, sql: str, past: str) -> None:
    server, schema = server_of(command)
    statements = [each.replace("\0", ";") for each in sql.replace("\\;", "\0").split(";")]
    if not _keeps_triggers(sql):
        tables = ("events", "streams", "categories", "types", "tags", "event_tags")
        off, on = ([f"ALTER TABLE {each} {what} TRIGGER ALL" for each in tables] for what in ("DISABLE", "ENABLE"))
        statements = [*off, *statements, *on]
    with server.connect(options=f"-c search_path={schema}") as connection:
        for statement in [_kept_up(past, False), *statements, _kept_up(past, True)]:
            connection.execute(statement.encode())


def _kept_up(index: str, ready: bool) -> str:
    return f"UPDATE pg_catalog.pg_index SET indisready = {ready} WHERE indexrelid = to_regclass('{index}')"


def _plant_on_sqlite(path: str, sql: str, past: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        triggers = []
        if not _keeps_triggers(sql):
            triggers = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        hidden = connection.execute("SELECT * FROM sqlite_schema WHERE name = ?", [past]).fetchall()
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("DELETE FROM sqlite_schema WHERE name = ?", [past])
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:  # which does not know the index
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.executescript(sql)
        for _, text in triggers:
            connection.execute(text)
        connection.execute("PRAGMA writable_schema = ON")
        connection.executemany("INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)", hidden)
