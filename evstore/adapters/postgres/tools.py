"""The commands of PostgreSQL's own tools for a store."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from evstore.errors import UnsupportedError
from evstore.urls import is_secret, parts_of

if TYPE_CHECKING:
    from evstore.adapters.postgres.location import Location


def no_backup(location: Location, path: str) -> UnsupportedError:
    """The refusal, with the command that makes a backup."""
    error = UnsupportedError("a store on PostgreSQL is backed up by pg_dump, not by evstore")
    # In a pattern of pg_dump, what is not quoted is folded to lower case.
    schema = location.schema if location.schema.islower() else f'"{location.schema}"'
    words = ["pg_dump", "--format=custom", f"--schema={schema}", f"--file={path}", url_for_tools(location)]
    error.add_note(shlex.join(words))
    return error


def url_for_tools(location: Location) -> str:
    """The store's URL as libpq reads it, without a password; that comes from ~/.pgpass, or is asked for."""
    found = parts_of(location.shown)
    assert found is not None
    user = "" if found["user"] is None else f"{found['user']}@"
    parts = [part for part in (found["query"] or "").split("&") if part and not _is_ours(part.partition("=")[0])]
    return f"postgresql://{user}{found['hosts']}{found['path'] or ''}{'?' if parts else ''}{'&'.join(parts)}"


def _is_ours(parameter: str) -> bool:
    return parameter == "schema" or is_secret(parameter)
