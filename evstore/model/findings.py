"""Findings of a verification, and the records that it judges."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal, TypeAlias

    What: TypeAlias = Literal["category", "type", "tag", "stream"]
    """The records that have a name."""


class Finding(NamedTuple):
    """A contradiction in a store, or a record that evstore cannot have written."""

    kind: str
    """A stable word, such as `position-gap`."""
    message: str
    position: int | None = None
    """The position of the event concerned, if there is an event."""
    stream_id: str | None = None
    advice: str = ""
    """The next step for the operator."""


class AuditedEvent(NamedTuple):
    """An event as the database holds it, with the facts its indexes lead to; None where a fact is missing.

    Bytes that are not UTF-8 appear as lone surrogates (`surrogateescape`).
    """

    # The fields of StoredEvent, in its order.
    id: str
    stream_id: str | None
    type: str | None
    data_json: str
    metadata_json: str
    version: int
    global_position: int
    timestamp_us: int
    joined_tags: str | None
    redacted: bool
    category: str | None
    """The category in the event's own record."""
    stream_category: str | None
    """The category in the record of its stream."""
    found_by_id: int | None
    """The position of the first event that a search for the id finds."""
    found_by_version: int | None
    """The position of the first event that a search for its stream and version finds."""
    predecessor: int | None
    """The position of the event with the version before."""
    category_number: int = 1
    """Its number within its category. A store without such numbers keeps both defaults."""
    number_before: int | None = None
    """The number of the previous event of the category, None for the first event."""
    correlation_hash: int | None = None
    content_hash: bytes | None = None
    """The hash of the content that a redacted event had."""
    chain_hash: bytes | None = None
    """The digest of the log up to the event, of a store that is tamper-evident."""
    in_category: bool = True
    """True if a search in its category finds it; likewise for the next three fields."""
    in_type: bool = True
    in_timestamp: bool = True
    in_correlation: bool = True
    """True as well for an event without a correlation id."""
    strange: Sequence[str] = ()
    """The columns whose value has the wrong kind; their fields here hold a placeholder."""


class AuditedName(NamedTuple):
    """A stream, a type, a tag or a category as the database holds it."""

    key: int | str
    """The cursor after which the next page begins."""
    name: str
    found: int | str | None
    """The key of the first record that a search for the name finds."""
    has_events: bool
    category: str | None = None
    """The category of a stream; all the following fields concern streams alone."""
    number: int = 1
    """Its number within its category."""
    number_before: int | None = None
    """The next lower number in its category, None if there is none."""
    found_by_number: int | str | None = None
    """The key of the first stream of the category that has this number."""
    in_category: bool = True
    """True if a search in its category finds it."""
    strange: Sequence[str] = ()
    """As in AuditedEvent."""
