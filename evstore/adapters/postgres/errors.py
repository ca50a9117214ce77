"""The meanings of PostgreSQL's failures, distinguished by SQLSTATE, never by message.

Two exceptions: why a connection was not made, which libpq reports in words alone, in the server's language, beside
whether a password was asked for and used; and what a pooler refuses, which has one SQLSTATE for it all.
"""

from __future__ import annotations

import re
from enum import StrEnum, auto
from typing import TYPE_CHECKING, Any, Final, assert_never

import psycopg

from evstore.adapters.postgres.location import without_secrets
from evstore.adapters.wholeness import incomplete
from evstore.errors import (
    CorruptStoreError,
    DeniedError,
    EvstoreError,
    InvalidUrlError,
    NotInitializedError,
    SchemaError,
    StorageFullError,
    StoreBusyError,
    UnavailableError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from evstore.adapters.postgres.location import Location


class Meaning(StrEnum):
    """The meaning of a failure for the call."""

    NOT_WRITTEN = auto()
    """The server took everything back: the same may be tried again."""
    UNKNOWN = auto()
    """It may have been done or not: the same may be tried again only where that does no harm."""
    CANCELLED = auto()
    """The server has ended it, because of a limit of time or an administrator, perhaps after a commit."""
    BUSY = auto()
    DENIED = auto()
    FULL = auto()
    SCHEMA = auto()
    DAMAGED = auto()
    UNSUPPORTED = auto()
    STAGED_IS_GONE = auto()
    OTHER = auto()


REPLICA: Final = "EV001"
FILLED: Final = "EV010"
"""The detail of this failure is the name of a subscription."""
INCOMPLETE: Final = "EV007"
"""The detail of this failure is the head, its hint is the table in which some event lacks its name."""
POOLER: Final = "08P01"
"""The only SQLSTATE of pgbouncer, whose message distinguishes refusals; otherwise the connection was lost."""

PANIC: Final = "PANIC"
"""The severity of what ends the whole server, as a full disk under its log does: what it was about to make durable
may be there after the recovery."""

# https://www.postgresql.org/docs/current/errcodes-appendix.html; EV… are raised by schema.sql.
MEANINGS: Final[dict[str, Meaning]] = {
    "EV001": Meaning.DENIED,
    "EV004": Meaning.STAGED_IS_GONE,
    "EV006": Meaning.UNKNOWN,  # stored, but it could not be made durable
    "EV007": Meaning.DAMAGED,  # the tables disagree
    "EV008": Meaning.DAMAGED,  # a digest is missing
    "EV010": Meaning.DENIED,
    "EV011": Meaning.DAMAGED,  # a trigger or a rule swallows rows
    "25006": Meaning.DENIED,  # read_only_sql_transaction
    "28": Meaning.DENIED,  # invalid_authorization_specification
    "28P01": Meaning.DENIED,  # invalid_password
    "42501": Meaning.DENIED,  # insufficient_privilege
    "40": Meaning.NOT_WRITTEN,  # transaction_rollback: serialization, deadlock, a conflict with recovery
    "53300": Meaning.NOT_WRITTEN,  # too_many_connections
    "57P03": Meaning.NOT_WRITTEN,  # cannot_connect_now: starting up or shutting down
    "55P03": Meaning.BUSY,  # lock_not_available
    "08": Meaning.UNKNOWN,  # connection_exception
    "57014": Meaning.CANCELLED,  # query_canceled
    "57P": Meaning.UNKNOWN,  # admin_shutdown, crash_shutdown, idle_session_timeout
    "25P03": Meaning.UNKNOWN,  # idle_in_transaction_session_timeout
    "25P04": Meaning.CANCELLED,  # transaction_timeout
    "53": Meaning.FULL,  # insufficient_resources: disk_full, out_of_memory
    "58": Meaning.FULL,  # system_error, as io_error
    "3F000": Meaning.SCHEMA,  # invalid_schema_name
    "42P01": Meaning.SCHEMA,  # undefined_table
    "42703": Meaning.SCHEMA,  # undefined_column
    "42883": Meaning.SCHEMA,  # undefined_function
    "XX001": Meaning.DAMAGED,  # data_corrupted
    "XX002": Meaning.DAMAGED,  # index_corrupted
    "23": Meaning.DAMAGED,  # integrity_constraint_violation: only another hand than evstore's leads there
}

_FILTERED: Final = {("42501", "check_enable_rls"), ("0A000", "DoCopy")}
"""SQLSTATE and source of the failures of row level security, which have no SQLSTATE of their own."""
LIMITS_OF_TRANSACTIONS: Final = {
    "25P03": "idle_in_transaction_session_timeout",
    "25P04": "transaction_timeout",
}
ENDED_BY: Final = {"25P04": "transaction_timeout"}
"""The setting behind such a failure, where it is known."""


def meaning(error: Any) -> Meaning:
    """The meaning of a psycopg error; without a SQLSTATE the connection was lost."""
    state: str | None = error.sqlstate
    if error.diag and error.diag.severity_nonlocalized == PANIC:
        return Meaning.UNKNOWN
    if hides_rows(error):
        return Meaning.DENIED
    if state == POOLER and "statement pooling" in str(error):
        return Meaning.UNSUPPORTED
    if state is None:
        lost = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
        return Meaning.UNKNOWN if lost else Meaning.OTHER
    for length in (5, 3, 2):
        if state[:length] in MEANINGS:
            return MEANINGS[state[:length]]
    return Meaning.OTHER


def translated(error: Any, location: Location, timeout: float) -> EvstoreError:
    message = without_secrets(_message_of(error), location)
    at = f"the event store at {location.shown}"
    match meaning(error):
        case Meaning.BUSY:
            found: EvstoreError = StoreBusyError(location.shown, timeout)
        case Meaning.DENIED:
            found = _denial(error, location, at, message)
        case Meaning.FULL:
            found = StorageFullError(
                f"{at}: the server has no room or its disk fails ({message}); nothing was stored"
            )
        case Meaning.SCHEMA:
            found = NotInitializedError(location.shown)
        case Meaning.DAMAGED:
            found = _damage(error, location, message)
        case Meaning.UNSUPPORTED:
            found = UnsupportedError(
                f"{at} is behind a pooler in statement mode, where no two statements can belong together; "
                "evstore needs pool_mode = transaction, or session"
            )
        case Meaning.CANCELLED:
            reason = ENDED_BY.get(error.sqlstate, "statement_timeout or an administrator")
            found = UnavailableError(f"{at}: the server ended what it was asked, because of {reason} ({message})")
        case Meaning.NOT_WRITTEN | Meaning.UNKNOWN | Meaning.STAGED_IS_GONE:
            found = UnavailableError(f"{at} did not answer: {message}")
        case Meaning.OTHER:
            found = EvstoreError(f"PostgreSQL failed at {location.shown}: {message}")
        case never:
            assert_never(never)
    found.__cause__ = error
    return found


def _damage(error: Any, location: Location, message: str) -> CorruptStoreError:
    if error.sqlstate == INCOMPLETE:
        return incomplete(location.shown, int(error.diag.message_detail), error.diag.message_hint)
    return CorruptStoreError(f"the event store at {location.shown} is damaged: {message}")


def limit_of_transactions(error: object) -> str | None:
    """The setting by which the server ended a transaction that took too long, if it did."""
    state = error.sqlstate if isinstance(error, psycopg.Error) else None
    return LIMITS_OF_TRANSACTIONS.get(state or "")


def is_of_rows(error: Any) -> bool:
    """True if the server refused rows because of what they hold, as a constraint or a trigger may at a commit."""
    return (error.sqlstate or "")[:2] in ("23", "P0")


def hides_rows(error: Any) -> bool:
    """True if the server refused because row level security would hide rows from this role."""
    source = error.diag.source_function if error.diag else None
    return (error.sqlstate, source) in _FILTERED


def _denial(error: Any, location: Location, at: str, message: str) -> DeniedError:
    if error.sqlstate in (REPLICA, "25006"):
        return not_the_primary(location)
    if error.sqlstate == FILLED:
        return filled(location, error.diag.message_detail)
    if not hides_rows(error):
        return DeniedError(f"{at}: permission denied ({message})")
    found = DeniedError(
        f"{at}: row level security hides rows from this role, and a log without them is not the log ({message})"
    )
    found.add_note("use a role with BYPASSRLS, or disable row level security on the tables of the store")
    return found


def not_the_primary(location: Location) -> DeniedError:
    return DeniedError(
        f"the event store at {location.shown} cannot append: this server is a read replica, or read-only; "
        "append on the primary"
    )


def filled(location: Location, subscription: str) -> DeniedError:
    """The refusal to write beside a subscription."""
    error = DeniedError(
        f'the event store at {location.shown} is filled by subscription "{subscription}": what is written here '
        "would stop that replication; write to the store that it copies"
    )
    name = subscription.replace('"', '""')
    error.add_note(f'to write here from now on, promote this copy: DROP SUBSCRIPTION "{name}"')
    return error


def renamed(location: Location, former: str) -> SchemaError:
    error = SchemaError(location.shown, renamed_from(former, location.schema))
    error.add_note(rename_back(former, location.schema))
    return error


def renamed_from(former: str, schema: str) -> str:
    return f'its schema "{former}" was renamed to "{schema}", and its procedures still name "{former}"'


def rename_back(former: str, schema: str) -> str:
    """The next step where a schema was renamed."""
    return f'run ALTER SCHEMA "{schema}" RENAME TO "{former}", and put schema={former} into the URL'


def _message_of(error: Any) -> str:
    primary = error.diag.message_primary if error.diag else None
    return " ".join((primary or str(error) or type(error).__name__).split())


_DENIED_WORDS: Final = (
    "authentication failed",
    "pg_hba.conf",
    "permission denied",
    "no password supplied",
    "not permitted",
    'role "',
)
_WRONG: Final = re.compile("(?<!received )invalid |definition of service|service file|could not parse")
_UNWANTED_WORDS: Final = (
    "server is in hot standby mode",
    "session is read-only",
    "server closed the connection unexpectedly",
    "could not receive data from server",
    "could not send data to server",
    "timeout expired",
)
"""libpq's own, of a server that took the password and is not what target_session_attrs wants, and of a connection
that was lost over the password."""
_TAKEN_WORDS: Final = ("too many", "connection slots")
_RETRIED_WORDS: Final = (
    *_TAKEN_WORDS,
    "starting up",
    "shutting down",
    "not accepting",  # libpq asks whether a server is "accepting connections" when there is none
    "not yet accepting",
    "recovery mode",
)


def not_connected(error: Any, location: Location) -> EvstoreError:
    """The error that a failure to connect means."""
    message = without_secrets(_message_of(error), location)
    lost = getattr(error, "pgconn", None)
    asked = lost is not None and (lost.needs_password or lost.used_password)  # the words may be in any language
    asked = asked and not any(words in message for words in _UNWANTED_WORDS)
    at = f"the event store at {location.shown}"
    found: EvstoreError
    if _WRONG.search(message):  # libpq's own message, before it contacts a server
        found = InvalidUrlError(f"the database URL {location.shown} cannot be used: {message}")
    elif any(words in message for words in _RETRIED_WORDS):
        found = UnavailableError(f"{at} takes no connection now: {message}")
    elif 'FATAL:  database "' in str(error) and "does not exist" in message:
        found = NotInitializedError(location.shown, "there is no such database")
        found.add_note("createdb makes the database, evstore init the store in it")
    elif asked or any(words in message for words in _DENIED_WORDS):
        found = DeniedError(f"{at} refused the connection: {message}")
    else:
        found = UnavailableError(f"{at} cannot be reached: {message}")
    found.__cause__ = error
    return found


def all_taken(failed: EvstoreError) -> bool:
    """True if the server refused a connection only because all are taken."""
    return any(words in str(failed.__cause__) for words in _TAKEN_WORDS)
