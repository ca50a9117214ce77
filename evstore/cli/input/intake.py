"""From flags and files to checked events. Every fault is found here, before the store is opened."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import contextmanager
from itertools import count, islice
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

from evstore.appending.envelopes import envelope_from_json
from evstore.cli.errors import InputOutputError, UsageError
from evstore.cli.output.writer import note
from evstore.errors import (
    DeniedError,
    InvalidInputError,
    InvalidPayloadError,
    InvalidVersionError,
    NoEventsError,
)
from evstore.jsontext.judging import check_json, keep_json, raw_value
from evstore.jsontext.splitting import Values
from evstore.model.events import Write
from evstore.model.ids import key_id
from evstore.model.metadata import NO_METADATA, Metadata, check_metadata
from evstore.model.names import check_stream_id
from evstore.model.versions import ANY_VERSION, EXPECTED_WORDS, expected_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from evstore.jsontext.judging import KeptJson
    from evstore.port import PreparedWrite
    from evstore.store import EventStore

_READ_BYTES: Final = 1 << 16
_IDS: Final = ("CORRELATION_ID", "CAUSATION_ID", "USER_ID", "TENANT_ID")


class Checked(NamedTuple):
    """One event on its way, and where its id is from; one that is neither given nor new is made of a key."""

    write: PreparedWrite
    given_id: bool
    new_id: bool
    place: tuple[str, int] | None = None
    """Its file, and the line on which it ends."""


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
    """Metadata for all events: flags before `--metadata` before the environment."""
    custom = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f'--meta takes KEY=VALUE, not "{pair}"')
        custom[key] = value
    said = Metadata(*ids, custom)
    check_metadata(said)
    if text is not None:
        try:
            given = Metadata.from_json(_utf8(text))
            check_metadata(given)
            said = said.over(given)
        except InvalidInputError as error:
            error.source = "--metadata"
            raise
    correlation, causation, user, tenant = (os.environ.get(f"EVSTORE_{name}") for name in _IDS)
    around = Metadata(correlation, causation, user, tenant)
    check_metadata(around)
    return said.over(around)


class Intake:
    """What the flags of `append` say of its input."""

    def __init__(
        self,
        store: EventStore,
        default: Metadata,
        *,
        stream: str | None,
        type: str | None,
        id: str | None,
        key: str | None,
        copy: bool,
    ) -> None:
        if stream is not None:
            check_stream_id(stream)
        self._preparing = store.appender.preparing(default)
        self._stream = stream
        self._type = type
        self._id = id
        self._key = key
        self._copy = copy
        self._ordinals = count(1)

    def inline(self, said: str) -> list[Checked]:
        """The one event of `--data`, which may be read from `@FILE` or `@-`."""
        name = "--data"
        try:
            if not said.startswith("@"):
                return [self._payload(check_json(said))]
            name = said[1:]
            with _input(name) as file:
                raw = file.read().removeprefix(b"\xef\xbb\xbf")
            return [self._payload(keep_json(raw_value(raw)))]
        except InvalidPayloadError as error:
            error.source = name
            raise

    def values(self, files: Iterable[str]) -> Iterator[Checked]:
        """The events of the files, in order."""
        for name in files:
            values = Values(name, self._read)
            with _input(name) as lines:
                yield from _placed(name, values.feed(lines))
            yield from _placed(name, values.end())

    def ready(self, files: Iterable[str]) -> Iterator[list[Checked]]:
        """The events of the files in groups: what is there without waiting. A fault comes behind what precedes."""
        for name in files:
            values = Values(name, self._read)
            with _input(name) as file:
                for lines in _ready_lines(file):
                    yield from _before_fault(_placed(name, values.feed(lines)))
            yield from _before_fault(_placed(name, values.end()))

    def _read(self, value: bytes) -> Checked:
        if self._type is not None:
            return self._payload(keep_json(raw_value(value)))
        found = envelope_from_json(value)
        stream_id = found.stream_id
        if self._copy:
            found = found._replace(id=None)
        if self._stream is None:
            if stream_id is None:
                raise InvalidInputError('missing "streamId"')
            check_stream_id(stream_id)
        else:
            if stream_id not in (None, self._stream) and not self._copy:
                raise InvalidInputError(
                    f'"streamId" is "{stream_id}", not "{self._stream}"; --many appends to several streams, '
                    "--copy takes events of another"
                )
            if found.expected_version is not None:
                raise InvalidInputError('unknown key "expectedVersion"; it goes with --many, here say --expect')
            stream_id = self._stream
        wanted = ANY_VERSION if found.expected_version is None else found.expected_version
        return self._checked(stream_id, found.type, found.data, found.metadata, found.id, wanted)

    def _payload(self, text: KeptJson) -> Checked:
        assert self._stream is not None
        assert self._type is not None
        return self._checked(self._stream, self._type, text, NO_METADATA, None, ANY_VERSION)

    def _checked(
        self, stream_id: str, type: str, data: KeptJson, metadata: Metadata, id: str | None, wanted: int
    ) -> Checked:
        made = None if self._key is None else key_id(stream_id, self._key, next(self._ordinals))
        given_id = self._id if id is None else id
        complete = self._preparing.kept(type, data, metadata, given_id, made)
        given = given_id is not None
        return Checked(Write(stream_id, (complete,), wanted), given, new_id=not given and made is None)


def batches(events: Iterable[Checked], most: int) -> Iterator[list[Checked]]:
    """Groups of `most` events; the last one may be smaller, also the one before a fault."""
    source = iter(events)
    while True:
        group: list[Checked] = []
        for found in _before_fault(islice(source, most)):
            group = found
            yield found
        if len(group) < most:
            return


def check_files(files: Iterable[str]) -> None:
    """Find a missing file before anything of the others is stored, without opening what may be a pipe."""
    for name in files:
        if name == "-":
            continue
        try:
            found = os.stat(name)
        except (OSError, ValueError) as error:
            raise UsageError(f"cannot read {name}: {getattr(error, 'strerror', error)}") from error
        if stat.S_ISDIR(found.st_mode):
            raise UsageError(f"cannot read {name}: Is a directory")
        if not os.access(name, os.R_OK):
            raise DeniedError(f"cannot read {name}: permission denied")


def no_events(files: Sequence[str]) -> NoEventsError:
    return NoEventsError(f"no events in {', '.join(files)}")


def _placed(name: str, found: Iterable[tuple[int, Checked]]) -> Iterator[Checked]:
    return (checked._replace(place=(name, number)) for number, checked in found)


def _before_fault(events: Iterable[Checked]) -> Iterator[list[Checked]]:
    """All the events as one group, or those before a fault and then the fault."""
    group: list[Checked] = []
    fault: InvalidInputError | None = None
    source = iter(events)
    while fault is None:
        try:
            group.append(next(source))
        except StopIteration:
            break
        except InvalidInputError as error:
            fault = error
    if group:
        yield group
    if fault is not None:
        raise fault


def _ready_lines(file: BinaryIO) -> Iterator[list[bytes]]:
    """Whole lines as they come: all that one read gives, and at the end what has no line break."""
    pieces: list[bytes] = []
    while chunk := file.read1(_READ_BYTES):  # type: ignore[attr-defined]
        if b"\n" not in chunk:
            pieces.append(chunk)
            continue
        *lines, rest = b"".join([*pieces, chunk]).split(b"\n")
        pieces = [rest]
        yield [line + b"\n" for line in lines]
    yield [b"".join(pieces)]


@contextmanager
def _input(name: str) -> Iterator[BinaryIO]:
    if name == "-":
        if sys.stdin is None:
            raise UsageError("stdin is closed")
        with _readable(name):
            yield sys.stdin.buffer
        return
    try:
        file = open(name, "rb")  # noqa: SIM115 - pathlib loads more
    except PermissionError as error:
        raise DeniedError(f"cannot read {name}: permission denied") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {name}: {getattr(error, 'strerror', error)}") from error
    with file, _readable(name):
        yield file


@contextmanager
def _readable(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputOutputError(f"cannot read {name}: {error.strerror}") from error


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidPayloadError("not valid UTF-8") from None
