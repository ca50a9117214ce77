"""The checks of a page of events, each of them over all its events at once. They only ever pass a sound page: what
is wrong with an event, the checks of that event report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evstore.errors import InvalidInputError, InvalidPayloadError
from evstore.jsontext.decoding import metadata_of_each
from evstore.jsontext.judging import are_stored_forms
from evstore.model.digests import content_hash
from evstore.model.findings import AuditedEvent
from evstore.model.ids import is_id
from evstore.model.metadata import keeps_rules
from evstore.model.names import joined_tags, tags_of
from evstore.verifying.checks import FIRST_US, LAST_US, correlation_id_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evstore.port import Audits


def contents_if_sound(page: Sequence[AuditedEvent], first: int, audits: Audits) -> Iterator[bytes] | None:
    """The content hashes of events at the positions from `first` on, None unless certainly none has a fault."""
    columns: Any = AuditedEvent._make(zip(*page, strict=True))  # of each field, the values of all events
    if not (
        _are_in_their_places(columns, first)
        and min(columns.timestamp_us) >= FIRST_US
        and max(columns.timestamp_us) <= LAST_US
        and are_stored_forms(columns.data_json)
        and _have_their_hashes(columns, audits)
    ):
        return None
    return map(
        content_hash,
        columns.id,
        columns.stream_id,
        columns.type,
        columns.version,
        columns.timestamp_us,
        columns.joined_tags,
        columns.metadata_json,
        columns.data_json,
    )


def _are_in_their_places(columns: Any, first: int) -> bool:
    here = columns.global_position
    return (
        not any(columns.strange)
        and not any(columns.redacted)
        and columns.content_hash.count(None) == len(here)
        and _are_tags({*columns.joined_tags})
        and here == (*range(first, first + len(here)),)
        and columns.found_by_id == columns.found_by_version == here
        and all(
            version == 1 if before is None else version > 1 and before < position
            for version, before, position in zip(columns.version, columns.predecessor, here, strict=True)
        )
        and columns.category_number == (*[(before or 0) + 1 for before in columns.number_before],)
        and None not in columns.stream_id
        and None not in columns.type
        and None not in columns.category
        and columns.category == columns.stream_category
        and all(map(all, (columns.in_category, columns.in_type, columns.in_timestamp, columns.in_correlation)))
        and all(map(is_id, columns.id))
    )


def _are_tags(found: set[str | None]) -> bool:
    try:
        return all(each is None or joined_tags(tags_of(each)) == each for each in found)
    except InvalidInputError:
        return False


def _have_their_hashes(columns: Any, audits: Audits) -> bool:
    try:
        ids = _correlation_ids({*columns.metadata_json})
    except InvalidPayloadError:
        return False
    hashes = {text: audits.correlation_hash(found) if found else None for text, found in ids.items()}
    return [*columns.correlation_hash] == [hashes[text] for text in columns.metadata_json]


def _correlation_ids(texts: set[str]) -> dict[str, str | None]:
    """The correlation id of each metadata. Raises InvalidPayloadError for bad metadata."""
    together = "".join(texts)
    if keeps_rules(together, texts) and together.isprintable():  # a database may hold what no append lets in
        found = metadata_of_each(texts)
        if found is not None and not any("" in each.custom for each in found):
            return {text: each.correlation_id for text, each in zip(texts, found, strict=True)}
    return {text: correlation_id_of(text) for text in texts}
