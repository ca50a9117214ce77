"""A schema of somebody else, listed before pg_catalog: whatever looks a name up in it fails, and says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.support.servers import Server

HIJACKED: Final = "a name was looked up in a foreign schema"

# What statements may call without a schema; `set_config` and the like among them, though none should.
_CALLED: Final = [
    "count", "max", "min", "sum", "bool_and", "string_agg", "array_agg", "unnest", "set_config",
    "current_setting", "cardinality", "array_position", "array_to_json", "json_build_object",
    "json_build_array", "json_array_elements_text", "greatest", "clock_timestamp", "now", "extract", "format",
    "format_type", "pg_get_expr", "pg_get_indexdef", "pg_get_triggerdef", "pg_is_in_recovery", "pg_backend_pid",
    "pg_advisory_xact_lock", "pg_advisory_xact_lock_shared", "pg_try_advisory_xact_lock", "hashtext",
    "hashtextextended", "has_function_privilege", "has_table_privilege", "row_security_active", "pg_notify",
    "pg_logical_emit_message", "pg_current_wal_insert_lsn", "pg_current_wal_flush_lsn",
    "pg_total_relation_size", "pg_current_xact_id", "aclexplode", "acldefault", "concat", "quote_ident",
    "row_number",
]  # fmt: skip
_TYPES: Final = ("text", "uuid", "json", "bytea", "oid", "regclass", "name", "pg_lsn", "timestamptz", "bool")

# Of each operator and of each of those functions a twin with the same arguments, which raises. The twins of
# pseudo-types cannot be made.
_TWINS: Final = """
DO $twins$
DECLARE
  twin record;
BEGIN
  SET LOCAL check_function_bodies = off;
  SET LOCAL client_min_messages = error;
  FOR twin IN
    SELECT oid, proname, pronargs, pg_get_function_identity_arguments(oid) AS arguments FROM pg_proc
    WHERE pronamespace = 'pg_catalog'::regnamespace AND proname = ANY (%(called)s)
  LOOP
    BEGIN
      EXECUTE format(
        'CREATE FUNCTION {0}.%%I(%%s) RETURNS int4 LANGUAGE plpgsql AS $b$BEGIN RAISE EXCEPTION %%L; END$b$',
        twin.proname, replace(twin.arguments, 'VARIADIC ', ''), %(says)s
      );
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
  END LOOP;
  FOR twin IN
    SELECT oprname, oprresult::regtype AS gives, oprleft::regtype AS one, oprright::regtype AS other FROM pg_operator
    WHERE oprnamespace = 'pg_catalog'::regnamespace AND oprkind = 'b'
      AND oprleft::regtype::text = ANY (%(types)s) AND oprright::regtype::text = ANY (%(types)s)
  LOOP
    BEGIN
      EXECUTE format(
        'CREATE FUNCTION {0}.twin(%%s, %%s) RETURNS %%s LANGUAGE plpgsql AS $b$BEGIN RAISE EXCEPTION %%L; END$b$',
        twin.one, twin.other, twin.gives, %(says)s
      );
    EXCEPTION WHEN duplicate_function OR invalid_function_definition THEN NULL;
    END;
    BEGIN
      EXECUTE format(
        'CREATE OPERATOR {0}.%%s (LEFTARG = %%s, RIGHTARG = %%s, FUNCTION = {0}.twin)',
        twin.oprname, twin.one, twin.other
      );
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
  END LOOP;
END $twins$
"""
_OPERANDS: Final = [
    "smallint", "integer", "bigint", "text", "uuid", "json", "oid", "name", "pg_lsn", "boolean", "interval", "bytea",
    "timestamp with time zone", "numeric", "double precision", "text[]", "regclass", '"char"', "xid",
]  # fmt: skip


def hostile(server: Server, schema: str) -> None:
    """Make the schema. A role is led into it by its search_path."""
    server.execute(f"CREATE SCHEMA {schema}")
    server.execute(f"GRANT USAGE ON SCHEMA {schema} TO PUBLIC")
    with server.connect() as connection:
        text = _TWINS.replace("{0}", schema)
        for name, value in (("called", _CALLED), ("types", _OPERANDS)):
            text = text.replace(f"%({name})s", "ARRAY[" + ", ".join(f"'{each}'" for each in value) + "]")
        text = text.replace("%(says)s", f"'{HIJACKED}'").replace("%%", "%")
        connection.execute(text.encode())
        for name in _TYPES:
            connection.execute(f"CREATE DOMAIN {schema}.{name} AS pg_catalog.int2 CHECK (false)".encode())
