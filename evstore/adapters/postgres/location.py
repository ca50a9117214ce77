"""From a URL to what libpq connects to, the schema in which the store lies, and what may be shown of it."""

from __future__ import annotations

import os
import re
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

import psycopg
from psycopg.conninfo import conninfo_to_dict

from evstore.did_you_mean import nearest
from evstore.errors import InvalidUrlError
from evstore.urls import is_secret, parts_of, redacted

DEFAULT_SCHEMA: Final = "evstore"
SCHEMA_NUMBER: Final = 1
"""The number of the schema that this evstore makes, reads and writes."""
KNOWS_PRIMARY: Final = 140000
"""The first libpq that finds the primary among hosts. An older one finds a session that is not read-only, which a
role may have on the primary, too."""

_SCHEMA_NAME = re.compile("(?!pg_)[A-Za-z_][A-Za-z0-9_]{0,62}")
_NO_ENCODING = re.compile("%(?![0-9A-Fa-f]{2})")


class Location(NamedTuple):
    """The location of a store. `conninfo` holds the password and is never shown."""

    conninfo: dict[str, Any]
    """The parameters of libpq, by keyword."""
    schema: str
    shown: str
    """The URL without its password."""

    def __repr__(self) -> str:
        return f"Location({self.shown})"

    @property
    def has_several_hosts(self) -> bool:
        """True if another host can take the place of the one that answers."""
        return has_several_hosts(self.conninfo)


def location_of(url: str, connect_timeout: float | None = None) -> Location:
    """Read a URL as libpq does, but for `schema`, which libpq does not know.

    libpq's own words on a malformed URL repeat parts of it, perhaps of the password, so they are not passed on.
    """
    parts = [part for part in url.partition("?")[2].split("&") if part]
    schemas = [unquote(part.partition("=")[2]) for part in parts if part.partition("=")[0] == "schema"]
    others = "&".join(part for part in parts if part.partition("=")[0] != "schema")
    _check_schema(schemas)
    given = _read(url, f"postgresql:{url.partition(':')[2].partition('?')[0]}{'?' if others else ''}{others}")
    return Location(_completed(given, connect_timeout), schemas[0] if schemas else DEFAULT_SCHEMA, redacted(url))


def _check_schema(schemas: list[str]) -> None:
    if len(schemas) > 1:
        raise InvalidUrlError("the database URL names more than one schema")
    if schemas and not _SCHEMA_NAME.fullmatch(schemas[0]):
        raise InvalidUrlError(
            f'"{schemas[0]}" cannot be the schema of a store: a letter or _, then letters, digits and _, '
            "63 at most, and not pg_ in front"
        )


def _read(text: str, url: str) -> dict[str, Any]:
    if parts_of(text) and _decodes(text):
        try:
            given = {**conninfo_to_dict(url)}
            int(given.get("connect_timeout") or 0)
        except (psycopg.Error, ValueError):
            pass
        else:
            return given
    error = InvalidUrlError(
        "the database URL is not one that PostgreSQL understands: postgresql://user:password@host:5432/database, "
        "with parameters of libpq after a ?; in a user or a password, write @ as %40, / as %2F, : as %3A, ? as "
        "%3F, # as %23, % as %25 and a blank as %20"
    )
    meant = _parameter_meant(text)
    if meant is not None:
        error.add_note(f'did you mean the parameter "{meant}"?')
    raise error


def _parameter_meant(url: str) -> str | None:
    """The parameter that is probably meant by one that nobody knows, which itself may be part of a password."""
    known = ["schema", *(each.keyword.decode() for each in psycopg.pq.Conninfo.get_defaults())]
    names = (part.partition("=")[0] for part in url.partition("?")[2].split("&"))
    return next((nearest(name, known) for name in names if name and name not in known), None)


def _decodes(url: str) -> bool:
    """True if every percent-encoded part decodes to text."""
    try:
        url.encode()
        text = unquote(url, errors="strict")
    except UnicodeError:
        return False
    return "\0" not in text and not _NO_ENCODING.search(url)


def has_several_hosts(given: dict[str, Any]) -> bool:
    """True if these parameters, or else the environment, name more than one host."""
    found = (_given(given, "host", "PGHOST"), _given(given, "hostaddr", "PGHOSTADDR"))
    return any("," in hosts for hosts in found)


def _given(given: dict[str, Any], name: str, variable: str) -> str:
    return str(given.get(name) or os.environ.get(variable) or "")


def _chosen_host(given: dict[str, Any]) -> dict[str, str]:
    """The primary of several hosts, unless it is said which: a replica refuses appends, and may lag."""
    choices = {"target_session_attrs": "PGTARGETSESSIONATTRS", "load_balance_hosts": "PGLOADBALANCEHOSTS"}
    is_said = any(_given(given, name, variable) for name, variable in choices.items())
    if is_said or not has_several_hosts(given):
        return {}
    return {"target_session_attrs": "primary" if psycopg.pq.version() >= KNOWS_PRIMARY else "read-write"}


def _completed(given: dict[str, Any], connect_timeout: float | None) -> dict[str, Any]:
    """Defaults for parameters that the URL leaves open. A silent peer is noticed within a minute, also while a
    call waits for an answer."""
    defaults = {
        "connect_timeout": 5,
        "fallback_application_name": "evstore",
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
    }
    if connect_timeout is not None:  # in whole seconds, two at the least
        given["connect_timeout"] = round(max(2, min(connect_timeout, 1_000_000)))
    return {**defaults, **_chosen_host(given), **given, "client_encoding": "utf8"}


def without_secrets(text: str, location: Location) -> str:
    """A foreign message with all secrets cut out."""
    for name, value in location.conninfo.items():
        if value and is_secret(name):
            text = text.replace(str(value), "***")
    return text
