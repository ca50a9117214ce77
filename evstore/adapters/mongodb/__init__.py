"""The MongoDB adapter: a database of a server, or of a replica set, shared by many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evstore.errors import MissingDependencyError

if TYPE_CHECKING:
    from evstore.adapters.mongodb.adapter import MongoAdapter


def connect(url: str, *, timeout: float = 30.0) -> MongoAdapter:
    """The store of `mongodb://host,host2/DATABASE`. `timeout`: seconds to wait for servers and writers."""
    try:
        import pymongo  # noqa: F401 - without it nothing of the adapter can be loaded
    except ImportError as error:
        raise MissingDependencyError(
            "a store on MongoDB needs the package pymongo: pip install 'evstore[mongodb]'"
        ) from error
    from evstore.adapters.mongodb.adapter import MongoAdapter
    from evstore.adapters.mongodb.location import location_of

    return MongoAdapter(location_of(url), timeout)
