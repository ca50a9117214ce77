"""From flags and files to checked events. Every fault is found here, before the store is opened."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from evstore.cli.exits import UsageError
from evstore.cli.render import note
from evstore.errors import (
    DeniedError,
    InvalidInputError,
    InvalidPayloadError,
    InvalidVersionError,
    NoEventsError,
)
from evstore.events import EventData, Metadata, Write
from evstore.jsontext import check_json, keep_json, raw_value
from evstore.streams import ANY_VERSION, check_stream_id
from evstore.values import read_values
from evstore.wire import (
    EXPECTED_WORDS,
    check_metadata,
    envelope_from_json,
    expected_version,
    metadata_from_json,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from evstore.store import EventStore


def expected(said: str | None) -> int:
    """What `--expect` says."""
    if said is None:
        return ANY_VERSION
    try:
        version = expected_version(int(said) if said.isascii() and said.lstrip("-").isdigit() else said)
    except (InvalidVersionError, ValueError):
        raise UsageError(f'--expect takes any, no-stream, exists or a version from 1, not "{said}"') from None
    if said not in EXPECTED_WORDS and version <= 0:
        word = next(word for word, number in EXPECTED_WORDS.items() if number == version)
        note(f'--expect {said} means "{word}" here, and something else in other stores; better say the word')
    return version


def metadata_of(
    ids: tuple[str | None, str | None, str | None, str | None], pairs: Sequence[str], text: str | None
) -> Metadata:
    """Metadata for all events: flags before `--metadata`."""
    custom = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f'--meta takes KEY=VALUE, not "{pair}"')
        custom[key] = value
    said = Metadata(*ids, custom)
    check_metadata(said)
    if text is None:
        return said
    try:
        whole = metadata_from_json(_utf8(text))
    except InvalidInputError as error:
        error.place = "--metadata"
        raise
    return said.over(whole)


def inline(store: EventStore, type_name: str, text: str, event_id: str | None, default: Metadata) -> EventData:
    """The one event of `--data`."""
    try:
        event = EventData.from_json(type_name, check_json(text), id=event_id)
    except InvalidPayloadError as error:
        error.place = "--data"
        raise
    return store.check(event, default, data_is_kept=True)


def events_of(
    store: EventStore,
    stream_id: str,
    files: Iterable[str],
    type_name: str | None,
    event_id: str | None,
    default: Metadata,
) -> list[EventData]:
    """The events of one stream: payloads if there is a type, else envelopes."""
    check_stream_id(stream_id)

    def payload(value: bytes) -> EventData:
        assert type_name is not None
        event = EventData.from_json(type_name, keep_json(raw_value(value)), id=event_id)
        return store.check(event, default, data_is_kept=True)

    def envelope(value: bytes) -> EventData:
        found = envelope_from_json(value)
        if found.stream_id is not None and found.stream_id != stream_id:
            raise InvalidInputError(
                f'"streamId" is "{found.stream_id}", not "{stream_id}"; --many appends to several streams'
            )
        if found.expected_version is not None:
            raise InvalidInputError('unknown key "expectedVersion"; it goes with --many, here say --expect')
        return store.check(found.event, default, data_is_kept=True)

    events = list(_values(files, envelope if type_name is None else payload))
    if not events:
        raise NoEventsError(f"no events in {', '.join(files)}")
    if event_id is not None and len(events) > 1:
        raise UsageError(f"--id names one event, the input has {len(events)}")
    return events


def writes_of(store: EventStore, files: Iterable[str], default: Metadata) -> list[Write]:
    """The writes of `--many`, one for each envelope."""

    def write(value: bytes) -> Write:
        found = envelope_from_json(value)
        if found.stream_id is None:
            raise InvalidInputError('missing "streamId"')
        check_stream_id(found.stream_id)
        wanted = ANY_VERSION if found.expected_version is None else found.expected_version
        return Write(found.stream_id, [store.check(found.event, default, data_is_kept=True)], wanted)

    writes = list(_values(files, write))
    if not writes:
        raise NoEventsError(f"no events in {', '.join(files)}")
    return writes


def _values(files: Iterable[str], read: Callable[[bytes], Any]) -> Iterator[Any]:
    for name in files:
        with _input(name) as lines:
            for _, value in read_values(lines, name, read):
                yield value


@contextmanager
def _input(name: str) -> Iterator[BinaryIO]:
    if name == "-":
        if sys.stdin is None:
            raise UsageError("stdin is closed")
        yield sys.stdin.buffer
        return
    try:
        file = open(name, "rb")  # noqa: PTH123, SIM115 - pathlib loads more
    except PermissionError as error:
        raise DeniedError(f"cannot read {name}: permission denied") from error
    except OSError as error:
        raise UsageError(f"cannot read {name}: {error.strerror}") from error
    with file:
        yield file


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidPayloadError("not valid UTF-8") from None
