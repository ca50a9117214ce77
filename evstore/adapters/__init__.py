"""The way from a URL to an adapter.

For each scheme there is a target, `module:factory`. Beside its factory, a module may have
`command_options(timeout)`: the options that the factory wants from a command, which does one thing and ends.
`timeout` is the one that the command's user gave, or None.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from evstore.errors import InvalidUrlError, MissingDependencyError, UnknownAdapterError
from evstore.urls import looks_like_server

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from evstore.port import Adapter

COMMAND_OPTIONS: Final = "command_options"

# Looked at first, so that the adapters of this package need no scan of what is installed.
BUILT_IN: Final = {
    "memory": "evstore.adapters.memory:connect",
    "sqlite": "evstore.adapters.sqlite:connect",
    "postgresql": "evstore.adapters.postgres:connect",
    "postgres": "evstore.adapters.postgres:connect",
    "postgresql+psycopg": "evstore.adapters.postgres:connect",
    "nats": "evstore.adapters.nats:connect",
    "tls": "evstore.adapters.nats:connect",
    "mongodb": "evstore.adapters.mongodb:connect",
    "mongodb+srv": "evstore.adapters.mongodb:connect",
}
ENTRY_POINTS: Final = "evstore.adapters"

_SCHEME = re.compile("([A-Za-z][A-Za-z0-9.-]*(?:[+][A-Za-z0-9]+)?):")


class _Found(NamedTuple):
    """The adapter of a URL's scheme, loaded."""

    url: str
    module: ModuleType
    factory: Callable[..., Any]


def open_adapter(url: str, **options: Any) -> Adapter:
    """The adapter that serves the URL's scheme; a URL without one is the path of a SQLite store.

    Nothing is opened yet. `options` go to the adapter; the built-in ones know `timeout` and `sqlite`.
    """
    found = _found(url)
    adapter: Adapter = found.factory(found.url, **options)
    return adapter


def open_for_command(url: str, timeout: float | None = None) -> Adapter:
    """The same with the options that the adapter wants for a command."""
    found = _found(url)
    options = {} if timeout is None else {"timeout": timeout}
    own = getattr(found.module, COMMAND_OPTIONS, None)
    adapter: Adapter = found.factory(found.url, **options, **(own(timeout) if own else {}))
    return adapter


def _found(url: str) -> _Found:
    if not url:
        raise InvalidUrlError("the database URL is empty")
    if url.startswith(":memory:"):
        raise InvalidUrlError('use "memory:" for a store in memory')
    found = _SCHEME.match(url)
    scheme, rest = (found[1].lower(), url[found.end() :]) if found else ("sqlite", url)
    if not found and ("://" in url or looks_like_server(url)):  # no file is called so
        raise InvalidUrlError(
            "the database URL is malformed; one of a server is postgresql://user@host/database, "
            "nats://user@host/name or mongodb://user@host/database"
        )
    built_in = f"{scheme}:{rest}"  # built-in adapters get one spelling, others the URL as given
    return _Found(built_in if scheme in BUILT_IN else url, *_loaded(scheme))


def _loaded(scheme: str) -> tuple[ModuleType, Callable[..., Any]]:
    target = BUILT_IN.get(scheme)
    if target is None:
        from importlib.metadata import entry_points

        others = {each.name: each.value for each in entry_points(group=ENTRY_POINTS)}
        if scheme not in others:
            raise UnknownAdapterError(scheme, sorted({*BUILT_IN, *others}))
        target = others[scheme]
    from importlib import import_module

    name, _, path = target.partition(":")
    try:
        module = import_module(name)
        found: Any = module
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise MissingDependencyError(
            f'the adapter of "{scheme}:" cannot be loaded from {target}: {error}; install the package it needs'
        ) from error
    return module, found
