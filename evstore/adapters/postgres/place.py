"""From a URL to what libpq connects to, the schema in which the store lies, and what may be shown of it."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

import psycopg
from psycopg.conninfo import conninfo_to_dict

from evstore.errors import InvalidUrlError
from evstore.urls import redacted

DEFAULT_SCHEMA: Final = "evstore"

_SCHEMA_NAME = re.compile("(?!pg_)[A-Za-z_][A-Za-z0-9_]{0,62}")
_SECRETS: Final = ("password", "sslpassword")


class Place(NamedTuple):
    """Where a store lies. Never shown as it is: `conninfo` holds the password."""

    conninfo: dict[str, Any]
    """What libpq takes, by keyword."""
    schema: str
    shown: str
    """The URL without its password."""

    def __repr__(self) -> str:
        return f"Place({self.shown})"


def place_of(url: str, connect_timeout: float | None = None) -> Place:
    """Read a URL as libpq does, but for `schema`, which libpq does not know.

    libpq's own words on a malformed URL repeat parts of it, perhaps of the password, so they are not passed on.
    """
    scheme, _, rest = url.partition(":")
    shown = redacted(url)
    if not rest.startswith("//"):
        raise InvalidUrlError(f'"{shown}" lacks the slashes of {scheme}://user@host/database')
    address, mark, query = rest.partition("?")
    parts = query.split("&") if mark else []
    schemas = [unquote(part.partition("=")[2]) for part in parts if part.partition("=")[0] == "schema"]
    _check_address(address, shown)
    _check_schema(schemas, shown)
    others = "&".join(part for part in parts if part.partition("=")[0] != "schema")
    given = _read(f"postgresql:{address}{'?' if others else ''}{others}", shown)
    return Place(_completed(given, connect_timeout), schemas[0] if schemas else DEFAULT_SCHEMA, shown)


def _check_address(address: str, shown: str) -> None:
    """Where a password holds @ or / as they are, a part of it is taken for the host, and would be shown."""
    host, _, database = address[2:].partition("/")
    if host.count("@") > 1 or "@" in database:
        raise InvalidUrlError(
            f'"{shown}" can be read in two ways; in a user or a password, write @ as %40, / as %2F and : as %3A'
        )


def _check_schema(schemas: list[str], shown: str) -> None:
    if len(schemas) > 1:
        raise InvalidUrlError(f'"{shown}" names more than one schema')
    if schemas and not _SCHEMA_NAME.fullmatch(schemas[0]):
        raise InvalidUrlError(
            f'"{schemas[0]}" cannot be the schema of a store: a letter or _, then letters, digits and _, '
            "63 at most, and not pg_ in front"
        )


def _read(url: str, shown: str) -> dict[str, Any]:
    try:
        return {**conninfo_to_dict(url)}
    except psycopg.Error as error:
        if "@" in url or "password" in url.lower() or ":" in url.partition("//")[2]:
            reason = "in a user or a password, write @ as %40, / as %2F, : as %3A, ? as %3F and % as %25"
        else:
            reason = str(error).strip()
    raise InvalidUrlError(f'"{shown}" is not a URL that PostgreSQL understands: {reason}')


def _completed(given: dict[str, Any], connect_timeout: float | None) -> dict[str, Any]:
    """What the URL leaves open. A peer that is gone without a word is noticed within a minute, also by who waits
    for an answer."""
    defaults = {
        "connect_timeout": 5,
        "fallback_application_name": "evstore",
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
    }
    if connect_timeout is not None:
        given["connect_timeout"] = max(
            2, round(connect_timeout)
        )  # libpq waits for whole seconds, two at the least
    return {**defaults, **given, "client_encoding": "utf8"}


def without_secrets(text: str, place: Place) -> str:
    """The text of somebody else's message, with whatever is secret cut out."""
    for name in _SECRETS:
        secret = place.conninfo.get(name)
        if secret:
            text = text.replace(secret, "***")
    return redacted(text) if "://" in text else text
