"""From a URL to the servers of a deployment, and the database in which the store lies."""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import unquote

from pymongo.errors import ConfigurationError, InvalidURI
from pymongo.uri_parser import parse_uri

from evstore.errors import InvalidUrlError
from evstore.urls import parts_of, redacted

DEFAULT_NAME: Final = "evstore"
_NAME: Final = "[A-Za-z0-9_-]{1,63}"
_SRV: Final = "mongodb+srv"
_EXAMPLE: Final = "mongodb://host:27017,host2:27017/DATABASE"


class Location(NamedTuple):
    """The location of a store. `url` holds the password and is never shown."""

    url: str
    name: str
    """The database's."""
    shown: str
    """The URL without its password."""

    def __repr__(self) -> str:
        return f"Location({self.shown})"


def location_of(url: str) -> Location:
    """Read a URL. Raises InvalidUrlError."""
    found = parts_of(url)
    if found is None or not found["hosts"]:
        raise InvalidUrlError(f'"{redacted(url)}" is not the URL of a store on MongoDB, which is {_EXAMPLE}')
    name = unquote((found["path"] or "").strip("/")) or DEFAULT_NAME
    if not re.fullmatch(_NAME, name):
        raise InvalidUrlError(f'"{name}" cannot be the database of a store: letters, digits, _ and -, 63 at most')
    if found["scheme"].lower() != _SRV:  # of which the driver asks the name server
        try:
            parse_uri(url, warn=False)
        except (ConfigurationError, InvalidURI, ValueError) as error:
            raise InvalidUrlError(f'"{redacted(url)}": {error}') from error
    return Location(url, name, redacted(url))
