"""The key-value bucket of a store. Each write names the revision that it replaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from evstore.adapters.nats.batches import Message, publish_one
from evstore.adapters.nats.layout import bucket_of, bucket_stream
from evstore.adapters.nats.subjects import decoded, encoded

if TYPE_CHECKING:
    from evstore.adapters.nats.client import Client

_MARK: Final = "="
"""In place of `%`, which no key of a bucket has."""


class Entry(NamedTuple):
    """The value of a key; empty if there is none."""

    value: bytes
    revision: int


class Bucket:
    """The bucket of the store whose stream has this name."""

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._stream = bucket_stream(name)
        self._root = f"$KV.{bucket_of(name)}."

    async def get(self, key: str) -> Entry:
        """The entry, by the leader."""
        found = await self._client.message(self._stream, {"last_by_subj": self._root + key})
        if found is None:
            return Entry(b"", 0)
        return Entry(found.body, found.sequence)

    async def put(self, key: str, value: bytes, revision: int) -> int:
        """Write the value in the place of this revision; an empty value takes the key away.

        Raises LostRaceError, and NoAnswerError if it is not known what became of it.
        """
        return await publish_one(self._client, Message(self._root + key, value, revision))

    async def names(self, kind: str) -> list[str]:
        """The names of the keys of a kind, also of those that were taken away."""
        prefix = f"{self._root}{kind}."
        found = await self._client.subjects(self._stream, f"{prefix}*")
        return [decoded(subject.removeprefix(prefix).replace(_MARK, "%")) for subject in found]


def key_of(kind: str, name: str) -> str:
    """The key of a name."""
    return f"{kind}.{encoded(name).replace('~', '%7E').replace('%', _MARK)}"
