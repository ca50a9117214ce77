"""The stream and the key-value bucket of a store: how they are made, and how they are known again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from evstore.adapters.nats.errors import (
    NAME_IN_USE,
    NO_STREAM,
    SUBJECTS_OVERLAP,
    AnsweredError,
    NotReachedError,
    meant,
)
from evstore.adapters.nats.subjects import Subjects
from evstore.errors import (
    InvalidUrlError,
    NotAStoreError,
    NotInitializedError,
    SchemaTooNewError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from evstore.adapters.nats.client import Client
    from evstore.adapters.nats.location import Location

VERSION: Final = 1
MARK: Final = "evstore"
"""The key of the version in the metadata of a stream."""
LEAST_SERVER: Final = (2, 15)
_KEEPING: Final[dict[str, Any]] = {
    "retention": "limits",
    "storage": "file",
    "discard": "new",
    "max_msgs": -1,
    "max_bytes": -1,
    "max_age": 0,
    "max_consumers": -1,
    "allow_direct": True,
    "metadata": {MARK: str(VERSION)},
}
LOG: Final[dict[str, Any]] = {
    **_KEEPING,
    "max_msgs_per_subject": -1,
    "allow_atomic": True,
    "deny_delete": True,
    "deny_purge": True,
}
"""The configuration that every log has."""
_BUCKET: Final[dict[str, Any]] = {
    **_KEEPING,
    "max_msgs_per_subject": 1,
    "allow_rollup_hdrs": True,
    "deny_delete": True,
}


def bucket_of(name: str) -> str:
    """The bucket with the checkpoints of a store."""
    return f"{name}_evstore"


def bucket_stream(name: str) -> str:
    """The stream of that bucket."""
    return f"KV_{bucket_of(name)}"


async def initialize(client: Client, location: Location) -> None:
    """Make the store if it is not there yet."""
    await _check_server(client, location)
    name = location.name
    try:
        await checked(client, location)
    except NotInitializedError:
        bucket, subjects = bucket_stream(name), [f"$KV.{bucket_of(name)}.>"]
        await _make(client, location, bucket, {**_BUCKET, "subjects": subjects})
        await _make(client, location, name, {**LOG, "subjects": [*Subjects(name).all]})
        await checked(client, location)


async def _make(client: Client, location: Location, name: str, configuration: dict[str, Any]) -> None:
    given = {"name": name, "num_replicas": location.replicas, **configuration}
    try:
        await client.patiently(lambda: client.api(f"STREAM.CREATE.{name}", given))
    except AnsweredError as error:
        if error.code == SUBJECTS_OVERLAP:
            raise NotAStoreError(location.shown, f"another stream has subjects of {name}") from error
        if error.code != NAME_IN_USE:
            raise _unmade(error, location) from error


def _unmade(error: AnsweredError, location: Location) -> Exception:
    if "replicas" in str(error) or "no suitable peers" in str(error):
        return InvalidUrlError(
            f"{location.shown}: a stream with {location.replicas} replicas cannot be made: {error}; "
            "a single server keeps one, with ?replicas=1 in the URL"
        )
    return meant(error, location.shown)


async def _check_server(client: Client, location: Location) -> None:
    connection = await client.connected()
    version = connection.connected_server_version
    if (version.major, version.minor) < LEAST_SERVER:
        raise UnsupportedError(
            f"{location.shown} is served by nats-server {version.major}.{version.minor}; a store needs the atomic "
            "batches of 2.15 or later"
        )


async def _check_jetstream(client: Client, location: Location) -> None:
    """Raise UnsupportedError where no server has JetStream. One that has none may still lead to others."""
    if (await client.connected()).has_jetstream:
        return
    try:
        await client.api("INFO")
    except (AnsweredError, NotReachedError) as error:
        raise UnsupportedError(f"the servers of {location.shown} have no JetStream: {error}") from error


async def checked(client: Client, location: Location, **filters: Any) -> dict[str, Any]:
    """The facts of the store's stream. Raises NotInitializedError, NotAStoreError or SchemaTooNewError."""
    await _check_jetstream(client, location)
    try:
        info = await client.patiently(lambda: client.api(f"STREAM.INFO.{location.name}", filters or None))
    except AnsweredError as error:
        if error.code == NO_STREAM:
            raise NotInitializedError(location.shown) from error
        raise
    found = info["config"].get("metadata", {}).get(MARK)
    if found is None:
        raise NotAStoreError(location.shown, f"the stream {location.name} has messages of something else")
    if found != str(VERSION):
        raise SchemaTooNewError(
            location.shown, f"its stream has version {found}, and this evstore knows {VERSION}"
        )
    return info


def protection_of(name: str) -> tuple[str, ...]:
    """The protection of the store, for whoever makes it. JetStream itself protects no log."""
    bucket = bucket_stream(name)
    api = [
        *(f"STREAM.INFO.{each}" for each in (name, bucket)),
        *(f"STREAM.MSG.GET.{each}" for each in (name, bucket)),
        f"DIRECT.GET.{name}",
        f"CONSUMER.CREATE.{name}",
        f"CONSUMER.CREATE.{name}.>",
        f"CONSUMER.DELETE.{name}.>",
    ]
    reading = ", ".join(["$JS.FC.>", *(f"$JS.API.{each}" for each in api)])
    return (
        "appends are durable only if every server has jetstream { sync_interval: always }: evstore cannot see it",
        "permissions alone protect the log: only users of evstore may publish to its subjects",
        "no user of evstore may update or delete its stream, for that removes events",
        f"a user that reads: subscribe to _INBOX.>, publish to {reading}",
        f"a user that appends: the same, and publish to {name}.> and $KV.{bucket_of(name)}.>",
    )
