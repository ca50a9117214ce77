"""The checks of one event and of one name. Pure functions over audited records."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from evstore.errors import InvalidInputError, InvalidPayloadError
from evstore.jsontext.judging import check_json
from evstore.model.digests import EMPTY, content_hash
from evstore.model.ids import normalize_id
from evstore.model.metadata import Metadata, check_metadata
from evstore.model.names import category_of, check_known_stream_id, check_name, check_tag, joined_tags, tags_of
from evstore.model.times import timestamp_us
from evstore.model.versions import MAX_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evstore.model.findings import AuditedEvent, AuditedName, What
    from evstore.port import Audits

    Fault = tuple[str, str]
    """Kind and message."""

# The range of times that can be printed.
FIRST_US: Final = timestamp_us(datetime.min.replace(tzinfo=UTC))
LAST_US: Final = timestamp_us(datetime.max.replace(tzinfo=UTC))


def content_of(event: AuditedEvent) -> bytes | None:
    """The hash of the event's content, None if it has none."""
    if event.strange or event.stream_id is None or event.type is None:
        return None
    if event.redacted:
        return event.content_hash
    return content_hash(
        event.id,
        event.stream_id,
        event.type,
        event.version,
        event.timestamp_us,
        event.joined_tags,
        event.metadata_json,
        event.data_json,
    )


def faults_of_event(event: AuditedEvent, audits: Audits) -> list[Fault]:
    if event.strange:
        return [_strange(event.strange)]
    found = [*_faults_of_place(event), *_faults_of_keys(event), *_faults_of_searches(event)]
    if not FIRST_US <= event.timestamp_us <= LAST_US:
        time = f"its time, {event.timestamp_us} µs from 1970, lies outside the years 1 to 9999"
        found.append(("bad-timestamp", time))
    try:
        if check_json(event.data_json, MAX_VERSION) != event.data_json:
            found.append(("bad-data", "data has line breaks, or white space around it"))
    except InvalidPayloadError as error:
        found.append(("bad-data", _said("data", event.data_json, error)))
    found += _faults_of_content(event)
    try:
        correlation_id = correlation_id_of(event.metadata_json)
    except InvalidPayloadError as error:
        found.append(("bad-metadata", _said("metadata", event.metadata_json, error)))
    else:
        wanted = audits.correlation_hash(correlation_id) if correlation_id else None
        if event.correlation_hash != wanted:
            hashed = f"the hash of its correlation id is {wanted}, not {event.correlation_hash}"
            found.append(("correlation-hash", hashed))
    return found


def _faults_of_content(event: AuditedEvent) -> Iterator[Fault]:
    if event.joined_tags is not None:
        try:
            if joined_tags(tags_of(event.joined_tags)) != event.joined_tags:
                yield "bad-tags", "its tags do not stand in their order"
        except InvalidInputError as error:
            yield "bad-tags", str(error)
    if event.redacted and event.data_json != "null":
        yield "bad-data", "it is redacted, and has data"
    if event.redacted and len(event.content_hash or b"") != len(EMPTY):
        yield "bad-hash", "it is redacted, and the hash of its content is missing"
    if not event.redacted and event.content_hash is not None:
        yield "bad-hash", "it is not redacted, and has the hash of another content"


def _strange(columns: Sequence[str]) -> Fault:
    return "bad-value", f"its {' and '.join(columns)} holds no value, or a value of another kind"


def _said(what: str, text: str, error: InvalidPayloadError) -> str:
    """The message of an append that was given this text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return f"{what} is not UTF-8"
    return str(error)


def correlation_id_of(text: str) -> str | None:
    """The correlation id of metadata, None if there is none. Raises InvalidPayloadError for bad metadata."""
    if "\n" in text or "\r" in text:
        raise InvalidPayloadError("metadata has line breaks")
    found = Metadata.from_json(text)
    check_metadata(found)
    return found.correlation_id


def _faults_of_place(event: AuditedEvent) -> Iterator[Fault]:
    here, version = event.global_position, event.version
    its = f'version {version} of stream "{event.stream_id}"'
    if here < 1:
        yield "bad-position", "positions count from 1"
    try:
        normalize_id(event.id)
    except InvalidInputError as error:
        yield "bad-id", str(error)
    if event.found_by_id is None:
        yield "id-not-found", f"a search for its id {event.id} does not find it"
    elif event.found_by_id != here:
        yield "duplicate-id", f"its id {event.id} is that of the event at position {event.found_by_id}"
    if event.found_by_version is None:
        yield "version-not-found", f"a search for {its} does not find it"
    elif event.found_by_version != here:
        yield "duplicate-version", f"{its} is at position {event.found_by_version}, too"
    if version < 1 or (version > 1 and event.predecessor is None):
        yield "version-gap", f"it is {its}, and there is no version {version - 1}"
    elif event.predecessor is not None and event.predecessor > here:
        yield "version-order", f"it is {its}, and version {version - 1} is at position {event.predecessor}"


def _faults_of_keys(event: AuditedEvent) -> Iterator[Fault]:
    if event.stream_id is None:
        yield "unknown-stream", "its stream is missing"
    if event.type is None:
        yield "unknown-type", "its event type is missing"
    if event.category is None:
        yield "unknown-category", "its category is missing"
    elif event.stream_category not in (None, event.category):
        yield "wrong-category", f'it is in category "{event.category}", its stream in "{event.stream_category}"'
    number, before = event.category_number, event.number_before or 0
    if number != before + 1:
        yield (
            "category-number",
            f'it is number {number} of category "{event.category}", but follows number {before}',
        )


def _faults_of_searches(event: AuditedEvent) -> Iterator[Fault]:
    if not event.in_category:
        yield "category-not-found", f'a search for the events of category "{event.category}" does not find it'
    if not event.in_type:
        yield "type-not-found", f'a search for the events of type "{event.type}" does not find it'
    if not event.in_timestamp:
        yield "timestamp-not-found", "a search for its time does not find it"
    if not event.in_correlation:
        yield "correlation-not-found", "a search for its correlation id does not find it"


def faults_of_name(what: What, name: AuditedName) -> Iterator[Fault]:
    shown = f'{what} "{name.name}"'
    if name.strange:
        yield _strange(name.strange)
        return
    try:
        if what == "type":
            check_name("event type", name.name)
        elif what == "tag":
            check_tag(name.name)
        else:
            check_known_stream_id(name.name)  # a category may be called what a stream without a hyphen may be
        if what == "category" and category_of(name.name) != name.name:
            yield "bad-name", f'{shown} has a "-", as no category has'
    except InvalidInputError as error:
        yield "bad-name", f"{shown}: {error}"
    if name.found is None:
        yield "name-not-found", f"a search for {shown} does not find it"
    elif name.found != name.key:
        yield "duplicate-name", f"{shown} is there more than once, as keys {name.found} and {name.key}"
    if not name.has_events:
        yield f"empty-{what}", f"{shown} has no events"
    if what == "stream":
        yield from _faults_of_stream(shown, name)


def _faults_of_stream(shown: str, name: AuditedName) -> Iterator[Fault]:
    if name.category is None:
        yield "unknown-category", f"{shown} has a category that is missing"
    elif name.category != category_of(name.name):
        yield "wrong-category", f'{shown} is in category "{name.category}"'
    number, before = name.number, name.number_before or 0
    if number != before + 1:
        yield "stream-number", f"{shown} is number {number} of its category, but follows number {before}"
    if name.found_by_number is None:
        yield "number-not-found", f"a search for number {number} of its category does not find {shown}"
    elif name.found_by_number != name.key:
        yield "duplicate-number", f"{shown} is number {number} of its category, as another stream is"
    if not name.in_category:
        yield "category-not-found", f"a search for the streams of its category does not find {shown}"
