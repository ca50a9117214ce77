"""The subjects of a store: one for each stream, and one for each event id.

A token is percent-encoded but for letters, digits, `_`, `-` and `~`, so that no name has a dot or a wildcard.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, unquote

from evstore.errors import CorruptStoreError
from evstore.model.names import category_of

MOST_KEPT: Final = 10_000
_TOKENS: Final = 4
"""The stream's name, `e`, the category and the stream id."""


class Subjects:
    """The subjects of the store whose stream has this name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.events = f"{name}.e.>"
        self.ids = f"{name}.i.*"
        self.all = (self.events, self.ids)
        self._read: dict[str, str] = {}
        """The stream ids of subjects that were read, for those that are read again."""

    def of_stream(self, stream_id: str) -> str:
        return f"{self.name}.e.{encoded(category_of(stream_id))}.{encoded(stream_id)}"

    def of_category(self, category: str) -> str:
        return f"{self.name}.e.{encoded(category)}.*"

    def of_id(self, event_id: str) -> str:
        return f"{self.name}.i.{event_id}"

    def stream_id(self, subject: str) -> str:
        """The stream id in a subject. Raises CorruptStoreError for a subject that evstore does not make."""
        found = self._read.get(subject)
        if found is None:
            if len(self._read) == MOST_KEPT:
                self._read.clear()
            found = self._read[subject] = self._stream_id(subject)
        return found

    def _stream_id(self, subject: str) -> str:
        tokens = subject.split(".")
        stream_id = decoded(tokens[-1])
        if len(tokens) != _TOKENS or self.of_stream(stream_id) != subject:
            raise CorruptStoreError(f'a message of another program has the subject "{subject}"')
        return stream_id

    def event_id(self, subject: str) -> str | None:
        """The event id in a subject, None if it is the subject of a stream."""
        head, _, event_id = subject.rpartition(".")
        return event_id if head == f"{self.name}.i" else None


def encoded(name: str) -> str:
    """The token of a name."""
    return quote(name, safe="").replace(".", "%2E")


def decoded(token: str) -> str:
    """The name of a token."""
    return unquote(token, errors="surrogateescape")
