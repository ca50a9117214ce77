"""The objects that schema.sql makes, compared with those of a store.

schema.sql is read, not repeated. Both sides are brought into one form, with nothing in it that another version of
the server, a search_path or quoting says in another way.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from evstore.adapters.postgres.errors import rename_back, renamed_from
from evstore.model.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

# What there is of a store beside its rows: kind, name, table, definition, and whether it is in force.
OBJECTS: Final = """
SELECT 'table', relname, relname, (
  SELECT pg_catalog.string_agg(part, E'\\n') FROM (
    SELECT
      attname || ' ' || pg_catalog.format_type(atttypid, atttypmod)
      || CASE collname WHEN 'C' THEN ' COLLATE "C"' ELSE '' END
      || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END
    FROM pg_catalog.pg_attribute
    LEFT JOIN pg_catalog.pg_collation ON pg_collation.oid = attcollation
    WHERE attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT 'CHECK ' || pg_catalog.pg_get_expr(conbin, conrelid)
    FROM pg_catalog.pg_constraint
    WHERE conrelid = pg_class.oid AND contype = 'c'
  ) AS parts (part)
), true
FROM pg_catalog.pg_class
WHERE relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = %(schema)s) AND relkind = 'r'
UNION ALL
SELECT 'index', its.relname, on_table.relname, pg_catalog.pg_get_indexdef(indexrelid), indisvalid AND indisready
FROM pg_catalog.pg_index
JOIN pg_catalog.pg_class AS its ON its.oid = indexrelid
JOIN pg_catalog.pg_class AS on_table ON on_table.oid = indrelid
WHERE its.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = %(schema)s)
UNION ALL
SELECT 'view', relname, '', pg_catalog.pg_get_viewdef(oid), true
FROM pg_catalog.pg_class
WHERE relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = %(schema)s) AND relkind = 'v'
UNION ALL
SELECT 'trigger', tgname, relname, pg_catalog.pg_get_triggerdef(pg_trigger.oid), tgenabled IN ('O', 'A')
FROM pg_catalog.pg_trigger
JOIN pg_catalog.pg_class ON pg_class.oid = tgrelid
WHERE relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = %(schema)s) AND NOT tgisinternal
UNION ALL
SELECT 'rule', rulename, relname, pg_catalog.pg_get_ruledef(pg_rewrite.oid), true
FROM pg_catalog.pg_rewrite
JOIN pg_catalog.pg_class ON pg_class.oid = ev_class
WHERE relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = %(schema)s) AND relkind = 'r'
UNION ALL
SELECT 'function', proname, '', prosrc, true
FROM pg_catalog.pg_proc
WHERE pronamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = %(schema)s)
"""

_COMMENT = re.compile("--[^\n]*")
_STATEMENT = re.compile(
    r"^CREATE (?:UNLOGGED |UNIQUE )?(TABLE|INDEX|TRIGGER|VIEW) (?:\S+\.)?(\w+)(?: \((.*?)^\)| [^;]*);$",
    re.MULTILINE | re.DOTALL,
)
_ROUTINE = re.compile(
    r"^CREATE (?:FUNCTION|PROCEDURE) \S+\.(\w+)\(.*?AS \$\$(.*?)\$\$;$", re.MULTILINE | re.DOTALL
)
_COLUMN = re.compile(r"^  ([a-z]\w*) (\w+)( COLLATE \"C\")?( NOT NULL| PRIMARY KEY)?", re.MULTILINE)
_CHECK = re.compile(r"CHECK \(.*?\)")
_KEY = re.compile(r"^  (\w+) \w+ PRIMARY KEY|^  PRIMARY KEY \((.*)\)", re.MULTILINE)
_ON = re.compile(r" ON \S+\.(\w+)")
_INDEX = re.compile(r"CREATE (UNIQUE )?INDEX \S+ ON \S+ (?:USING \W?btree\W? )?(.*)", re.DOTALL)
_VIEW = re.compile(r"CREATE VIEW \S+ AS ")
_RESTORE: Final = "restore a backup that has it"
_DROP: Final = "drop the constraint, because it may refuse appends"
_MADE_AGAIN: Final = ("index", "trigger", "view")


def made(schema_sql: str) -> Iterator[tuple[str, str, str, str]]:
    """Kind, name, table and definition of everything that makes a store."""
    text = _COMMENT.sub("", schema_sql)
    for found in _STATEMENT.finditer(text):
        kind, name = found[1].lower(), found[2]
        if kind != "table":
            on = _ON.search(found[0]) if kind != "view" else None  # which belongs to no single table
            yield kind, name, on[1] if on else "", " ".join(found[0].removesuffix(";").split())
            continue
        columns = (
            f"{column} {_type(type_)}{collation or ''}{' NOT NULL' if constraint else ''}"
            for column, type_, collation, constraint in _COLUMN.findall(found[3])
        )
        yield kind, name, name, "\n".join([*columns, *_CHECK.findall(found[3])])
        key = _KEY.search(found[3])
        if key:  # the server names its index
            table = found[0].partition(" (")[0].split()[-1]
            yield "index", f"{name}_pkey", name, f"CREATE UNIQUE INDEX {name}_pkey ON {table} ({key[1] or key[2]})"
    for found in _ROUTINE.finditer(text):
        yield "function", found[1], "", found[2]


def _type(name: str) -> str:
    return {"timestamptz": "timestamp with time zone"}.get(name, name)


def renamed(there: list[tuple[Any, ...]], former: str, schema: str) -> tuple[list[Finding], list[tuple[Any, ...]]]:
    """The finding of a renamed schema, and the objects as if the functions did not name the former one."""
    if former == schema:
        return [], there
    name = re.compile(rf'(?<!\w)"?{former}"?\.')
    moved = [
        (kind, *names, name.sub(f'"{schema}".', text) if kind == "function" else text, in_force)
        for kind, *names, text, in_force in there
    ]
    return [Finding("changed-function", renamed_from(former, schema), advice=rename_back(former, schema))], moved


def differences(schema_sql: str, schema: str, there: list[tuple[Any, ...]]) -> Iterator[Finding]:
    found = {(kind, name): (definition, in_force) for kind, name, _, definition, in_force in there}
    wanted = {(kind, name): (table, definition) for kind, name, table, definition in made(schema_sql)}
    for (kind, name), (table, definition) in wanted.items():
        what = f'{kind} "{name}"'
        again = f"make it again: {definition}" if kind in _MADE_AGAIN else _RESTORE
        if table and ("table", table) not in found:
            if kind == "table":
                yield Finding("missing-table", f"{what} is missing", advice=again)
            continue  # and all that belongs to it
        if (kind, name) not in found:
            yield Finding(f"missing-{kind}", f"{what} is missing", advice=again)
            continue
        its, in_force = found[kind, name]
        parts, its_parts = _parts(kind, definition, schema), _parts(kind, its or "", schema)
        if not in_force:
            yield Finding(f"changed-{kind}", f"{what} is not in force", advice=f"enable it, or drop and {again}")
        elif kind == "table":
            yield from _of_table(what, parts, its_parts)
        elif parts.keys() != its_parts.keys():
            advice = f"drop it, and {again}" if kind != "function" else again
            yield Finding(f"changed-{kind}", f"{what} is not what evstore makes", advice=advice)
    yield from _of_others(wanted, there)


def _of_table(what: str, parts: dict[str, str], its_parts: dict[str, str]) -> Iterator[Finding]:
    """Findings where a table lacks a part, or has a check, which may refuse appends; a column may not."""
    if lost := [line for part, line in parts.items() if part not in its_parts]:
        yield Finding("changed-table", f"{what} is without {', '.join(lost)}", advice=_RESTORE)
    elif more := [line for part, line in its_parts.items() if part.startswith("CHECK") and part not in parts]:
        yield Finding("changed-table", f"{what} has {', '.join(more)}, which is not evstore's", advice=_DROP)


def _of_others(wanted: Container[tuple[str, str]], there: list[tuple[Any, ...]]) -> Iterator[Finding]:
    """Findings of what may change or refuse an append, and is not evstore's."""
    for kind, name, table, text, _ in there:
        if (kind, name) in wanted or ("table", table) not in wanted:
            continue
        if kind in ("trigger", "rule") or (kind == "index" and text.startswith("CREATE UNIQUE")):
            yield Finding(f"unknown-{kind}", f'{kind} "{name}" of table "{table}" is not evstore\'s')


def _parts(kind: str, definition: str, schema: str) -> dict[str, str]:
    """The parts of a definition by their meaning, however they are written."""
    if kind == "table":
        return {_squeezed(line): line for line in definition.splitlines()}
    if kind == "trigger":  # the server has an order of its own
        return dict.fromkeys({*re.findall(r"\w+", definition)} - {schema}, "")
    if kind == "function":
        return {" ".join(_COMMENT.sub("", definition).split()): ""}
    if kind == "view":
        return {_squeezed(_VIEW.sub("", definition)).removesuffix(";"): ""}
    found = _INDEX.match(definition)
    return {f"{found[1] or ''}{_squeezed(found[2])}" if found else "": ""}


def _squeezed(text: str) -> str:
    return re.sub(r'[()\s"]', "", text)
