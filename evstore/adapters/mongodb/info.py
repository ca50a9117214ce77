"""The facts of a store for `info`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pymongo.errors import OperationFailure

from evstore.adapters.mongodb.layout import VERSION
from evstore.model.facts import StoreInfo

if TYPE_CHECKING:
    from evstore.adapters.mongodb.facts import Facts
    from evstore.adapters.mongodb.session import Session

HOW_DURABLE: Final = (
    "as the servers are configured: an acknowledged append is in the journal of most members of a replica set; "
    "a server that only speaks MongoDB's protocol may ignore that evstore asks for it"
)
_ALONE: Final = "the server is no replica set: the loss of its disk is the loss of the store"


def info(session: Session, facts: Facts) -> StoreInfo:
    """The kind, location and size of the store."""
    hello = session.client.admin.command("hello")
    build = session.client.admin.command("buildInfo")
    name = hello.get("setName")
    members = len(hello.get("hosts", ())) if name else 0
    durability = {
        "write_concern": "majority, journaled",
        "replica_set": f"{name}, {members} members" if name else "none",
    }
    return StoreInfo(
        backend="mongodb",
        backend_version=_version(build),
        location=session.location.shown,
        schema_version=VERSION,
        streams=len(facts.streams),
        categories=len(facts.categories),
        head=facts.size,
        size_bytes=_size(session),
        durability=durability,
        warnings=() if name or hello.get("msg") == "isdbgrid" else (_ALONE,),
        durable=True,
        how_durable=HOW_DURABLE,
    )


def _version(build: dict[str, Any]) -> str:
    """The server's own version; FerretDB's where it names itself beside MongoDB's."""
    ferret = build.get("ferretdbVersion") or build.get("ferretdb", {}).get("version")
    return f"FerretDB {ferret}" if ferret else str(build.get("version", ""))


def _size(session: Session) -> int:
    """The bytes of the store, 0 where the server does not tell."""
    try:
        return int(session.database.command("dbStats").get("dataSize", 0))
    except OperationFailure:
        return 0
