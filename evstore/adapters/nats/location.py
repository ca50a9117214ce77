"""From a URL to the servers of a cluster, and the stream in which the store lies."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, unquote

from evstore.errors import InvalidUrlError
from evstore.urls import parts_of, redacted

DEFAULT_NAME: Final = "evstore"
DEFAULT_REPLICAS: Final = 3
PORT: Final = 4222
_NAME: Final = "[A-Za-z0-9_-]{1,200}"
_REPLICAS: Final = ("1", "3", "5")
_OPTIONS: Final = ("replicas", "creds", "ca")
_EXAMPLE: Final = "nats://host:4222,host2:4222/NAME"


class Location(NamedTuple):
    """The location of a store. `login` holds the password and is never shown."""

    servers: tuple[str, ...]
    login: dict[str, str]
    """The options of nats-py to log in."""
    name: str
    """The stream's."""
    replicas: int
    """The wish for a stream that is made."""
    ca: str | None
    """A file with the certificates that sign those of the servers, None for those of the system."""
    shown: str
    """The URL without its password."""

    def __repr__(self) -> str:
        return f"Location({self.shown})"


def location_of(url: str) -> Location:
    """Read a URL. Raises InvalidUrlError."""
    found = parts_of(url)
    if found is None or not found["hosts"]:
        raise InvalidUrlError(f'"{redacted(url)}" is not the URL of a store on NATS, which is {_EXAMPLE}')
    options = _options_of(found["query"] or "")
    name = unquote((found["path"] or "").strip("/")) or DEFAULT_NAME
    if not re.fullmatch(_NAME, name):
        raise InvalidUrlError(f'"{name}" cannot be the stream of a store: letters, digits, _ and -, 200 at most')
    scheme = found["scheme"].lower()
    servers = tuple(f"{scheme}://{_with_port(host)}" for host in found["hosts"].split(","))
    replicas = int(options.get("replicas", DEFAULT_REPLICAS))
    login = _login_of(found["user"], found["password"])
    if "creds" in options:
        login["user_credentials"] = options["creds"]
    return Location(servers, login, name, replicas, options.get("ca"), redacted(url))


def _with_port(host: str) -> str:
    return host if re.search(r":[0-9]+$", host) else f"{host.rstrip(':')}:{PORT}"


def _login_of(user: str | None, password: str | None) -> dict[str, str]:
    if user is None:
        return {}
    if password is None:
        return {"token": unquote(user)}
    return {"user": unquote(user), "password": unquote(password)}


def _options_of(query: str) -> dict[str, Any]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    for name in options:
        if name not in _OPTIONS:
            raise InvalidUrlError(f'unknown parameter "{name}" in the URL; known are {", ".join(_OPTIONS)}')
    if options.get("replicas", "3") not in _REPLICAS:
        raise InvalidUrlError(f'a stream has {", ".join(_REPLICAS)} replicas, not "{options["replicas"]}"')
    return options
