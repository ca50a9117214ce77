"""From a URL to an adapter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from evstore.errors import InvalidUrlError, MissingDependencyError, UnknownAdapterError
from evstore.urls import looks_like_postgres

if TYPE_CHECKING:
    from collections.abc import Callable

    from evstore.port import Adapter

# Looked at first, so that the adapters of this package need no scan of what is installed.
BUILT_IN: Final = {
    "memory": "evstore.adapters.memory:connect",
    "sqlite": "evstore.adapters.sqlite:connect",
    "postgresql": "evstore.adapters.postgres:connect",
    "postgres": "evstore.adapters.postgres:connect",
    "postgresql+psycopg": "evstore.adapters.postgres:connect",
}
ENTRY_POINTS: Final = "evstore.adapters"

_SCHEME = re.compile("([A-Za-z][A-Za-z0-9.-]*(?:[+][A-Za-z0-9]+)?):")


def open_adapter(url: str, **options: Any) -> Adapter:
    """The adapter that serves the URL's scheme; a URL without one is the path of a SQLite store.

    Nothing is opened yet. `options` go to the adapter; the built-in ones know `timeout` and `sqlite`.
    """
    if not url:
        raise InvalidUrlError("the database URL is empty")
    if url.startswith(":memory:"):
        raise InvalidUrlError('say "memory:" for a store in memory')
    found = _SCHEME.match(url)
    scheme, rest = (found[1].lower(), url[found.end() :]) if found else ("sqlite", url)
    if not found and ("://" in url or looks_like_postgres(url)):  # no file is called so
        raise InvalidUrlError(
            "the database URL is malformed; that of PostgreSQL is postgresql://user@host/database"
        )
    built_in = f"{scheme}:{rest}"  # in their one spelling; others get what was said
    adapter: Adapter = _factory(scheme)(built_in if scheme in BUILT_IN else url, **options)
    return adapter


def _factory(scheme: str) -> Callable[..., Any]:
    target = BUILT_IN.get(scheme)
    if target is None:
        from importlib.metadata import entry_points

        others = {each.name: each.value for each in entry_points(group=ENTRY_POINTS)}
        if scheme not in others:
            raise UnknownAdapterError(scheme, sorted({*BUILT_IN, *others}))
        target = others[scheme]
    from importlib import import_module

    module, _, path = target.partition(":")
    try:
        found: Any = import_module(module)
        for name in path.split("."):
            found = getattr(found, name)
    except (ImportError, AttributeError) as error:
        raise MissingDependencyError(
            f'the adapter of "{scheme}:" cannot be loaded from {target}: {error}; install the package it needs'
        ) from error
    factory: Callable[..., Any] = found
    return factory
