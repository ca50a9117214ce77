"""From flags and files to prepared events. Every fault of the input is found here."""

from __future__ import annotations

import os
from contextlib import contextmanager
from itertools import chain, count, repeat
from typing import TYPE_CHECKING, Any, NamedTuple

from evstore.cli.errors import UsageError
from evstore.cli.input.groups import before_fault, in_groups, not_empty, only
from evstore.cli.input.sources import Input, input_of, size_of
from evstore.cli.options import pairs_of
from evstore.cli.output.writer import note
from evstore.errors import InvalidInputError, InvalidPayloadError, InvalidVersionError
from evstore.jsontext.judging import check_json, keep_json, raw_value
from evstore.model.columns import rows_of
from evstore.model.events import Write
from evstore.model.ids import key_id
from evstore.model.metadata import IDS, NO_METADATA, Metadata, check_metadata, metadata_from_input
from evstore.model.names import check_stream_id
from evstore.model.versions import ANY_VERSION, EXPECTED_WORDS, expected_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from evstore.appending.preparing import Preparing
    from evstore.cli.input.append_flags import AppendFlags
    from evstore.jsontext.judging import KeptJson
    from evstore.jsontext.splitting import Values
    from evstore.model.conditions import AppendCondition
    from evstore.port import PreparedWrite


class InputEvent(NamedTuple):
    """A prepared event, with the origin of its id; an id neither given nor new is made of a key."""

    write: PreparedWrite
    given_id: bool
    new_id: bool
    source: tuple[str, int] | None = None
    """Its file, and the line on which it ends."""
    conditions: tuple[AppendCondition, ...] = ()
    """Those that it brought for the unit that it will be in."""


def expected_of(flag: str | None) -> int:
    """The expected version that `--expect` names."""
    if flag is None:
        return ANY_VERSION
    try:
        version = expected_version(int(flag) if flag.isascii() and flag.lstrip("-").isdigit() else flag)
    except (InvalidVersionError, ValueError):
        raise UsageError(f'--expect takes any, no-stream, exists or a version from 1, not "{flag}"') from None
    if flag not in EXPECTED_WORDS and version <= 0:
        word = next(word for word, number in EXPECTED_WORDS.items() if number == version)
        note(f'--expect {flag} means "{word}" here, and something else in other stores; better use the word')
    return version


def metadata_of(flags: AppendFlags) -> Metadata:
    """Metadata for all events: flags before `--metadata` before the environment."""
    found = Metadata(**{name: getattr(flags, name) for name in IDS.values()}, custom=dict(pairs_of(flags.meta)))
    check_metadata(found)
    if flags.metadata is not None:
        try:
            given = metadata_from_input(_utf8(flags.metadata))
            check_metadata(given)
            found = found.over(given)
        except InvalidInputError as error:
            error.source = "--metadata"
            raise
    return found.over(metadata_around())


def metadata_around(**given: str | None) -> Metadata:
    """Metadata out of the environment; members that are given come first."""
    ids: dict[str, Any] = {name: os.environ.get(f"EVSTORE_{name.upper()}") for name in IDS.values()}
    around = Metadata(**{**ids, **{name: value for name, value in given.items() if value is not None}})
    check_metadata(around)
    return around


class Intake:
    """The input of an append, as its flags name and read it."""

    def __init__(self, flags: AppendFlags, preparing: Preparing) -> None:
        if flags.target is not None:
            check_stream_id(flags.target)
        self._preparing = preparing
        self._flags = flags
        self._stream = flags.target
        self._tags_of = _tags_of(flags.tag_from) if flags.tag_from else None
        self._ordinals = count(1)
        self._done = 0  # bytes of the files before the current file
        self._current: Input | None = None

    def events(self) -> Iterator[InputEvent]:
        """All the events, in order; NoEventsError if there are none."""
        if self._flags.data is not None:
            return iter([self._inline(self._flags.data)])
        found = not_empty(self._values(), self._flags.inputs)
        return found if self._flags.id is None else only(found)

    def size(self) -> int | None:
        """The bytes of the input, if it is known how many they are."""
        return size_of(self._flags.inputs)

    def position(self) -> int:
        """The bytes of the input that were read by now."""
        return self._done + (self._current.position() if self._current else 0)

    def batches(
        self, most: int, over: Callable[[Iterator[InputEvent]], Iterator[InputEvent]]
    ) -> Iterator[list[InputEvent]]:
        """The events in groups of `most`; `over` watches them come."""
        return in_groups(over(self.events()), most)

    def ready(self, most: int) -> Iterator[list[InputEvent]]:
        """The events in groups of at most `most`: what is there without waiting."""
        if self._flags.data is not None or self._flags.id is not None:
            return iter([[*self.events()]])
        groups = not_empty(self._ready(), self._flags.inputs)
        return chain.from_iterable(in_groups(group, most) for group in groups)

    def _inline(self, flag: str) -> InputEvent:
        """The one event of `--data`, which may be read from `@FILE` or `@-`."""
        name = "--data"
        try:
            if not flag.startswith("@"):
                return self._payload(check_json(flag))
            name = flag[1:]
            from evstore.jsontext.splitting import only_text

            with input_of(name) as file:
                raw = b"".join(file.chunks)
            return self._payload(keep_json(raw_value(only_text(raw))))
        except InvalidPayloadError as error:
            error.source = name
            raise

    def _values(self) -> Iterator[InputEvent]:
        for name in self._flags.inputs:
            values = self._values_of(name)
            with self._opened(name) as file:
                yield from _events(values.feed(file.chunks))
            yield from _events(values.end())

    def _ready(self) -> Iterator[list[InputEvent]]:
        for name in self._flags.inputs:
            values = self._values_of(name)
            with self._opened(name) as file:
                for chunk in file.chunks:
                    yield from before_fault(_events(values.feed([chunk])))
            yield from before_fault(_events(values.end()))

    def _values_of(self, name: str) -> Values[InputEvent]:
        """A splitter of a file into events."""
        from evstore.jsontext.splitting import Values

        flags = self._flags
        plain = flags.key is flags.id is None and not flags.copy and not flags.tag_from
        values: Values[InputEvent] = Values(
            name,
            lambda value: self._read(value)._replace(source=(name, values.line)),
            read_lines=(lambda lines: self._read_lines(lines, name, values.line)) if plain else None,
        )
        return values

    @contextmanager
    def _opened(self, name: str) -> Iterator[Input]:
        with input_of(name) as opened:
            self._current = opened
            yield opened
            self._done += opened.size or 0
            self._current = None

    def _read(self, value: bytes) -> InputEvent:
        if self._flags.type is not None:
            return self._payload(keep_json(raw_value(value)))
        from evstore.appending.envelopes import envelope_from_json

        found = envelope_from_json(value)
        stream_id = found.stream_id
        if self._flags.copy:
            found = found._replace(id=None, key=None)
        if self._stream is None:
            stream_id = found.named_stream()
            check_stream_id(stream_id)
        else:
            if stream_id not in (None, self._stream) and not self._flags.copy:
                raise InvalidInputError(
                    f'"streamId" is "{stream_id}", not "{self._stream}"; --many appends to several streams, '
                    "--copy takes events of another"
                )
            if found.expected_version is not None:
                raise InvalidInputError('unknown key "expectedVersion"; it goes with --many, here say --expect')
            stream_id = self._stream
        wanted = ANY_VERSION if found.expected_version is None else found.expected_version
        made = found.id_of_key(stream_id, self._flags.id if found.id is None else found.id)
        members = (found.type, found.data, found.metadata, found.id, wanted, made, found.tags)
        return self._prepare(stream_id, *members)._replace(conditions=found.conditions)

    def _read_lines(self, lines: bytes, name: str, first: int) -> list[InputEvent] | None:
        """The events of lines that hold a plain value each, None if `_read` must see what else they hold."""
        from evstore.appending.plain import plain_envelopes, plain_payloads

        named, own = self._flags.type, self._stream
        found = plain_envelopes(lines) if named is None else plain_payloads(lines, named)
        if found is None or ({*found.stream_ids} - {None, own} if own else None in found.stream_ids):
            return None
        try:
            events = self._preparing.kept_each(found)
        except InvalidInputError:
            return None
        streams = repeat(own) if own else found.stream_ids
        given = [each is not None for each in found.ids]
        new = [each is None for each in found.ids]
        writes = rows_of(Write, streams, zip(events, strict=False), repeat(ANY_VERSION))
        sources = zip(repeat(name), count(first), strict=False)
        return [*rows_of(InputEvent, writes, given, new, sources, repeat(()))]

    def _payload(self, text: KeptJson) -> InputEvent:
        assert self._stream is not None
        assert self._flags.type is not None
        return self._prepare(self._stream, self._flags.type, text)

    def _prepare(
        self,
        stream_id: str,
        type: str,
        data: KeptJson,
        metadata: Metadata = NO_METADATA,
        id: str | None = None,
        wanted: int = ANY_VERSION,
        made: str | None = None,
        tags: Sequence[str] = (),
    ) -> InputEvent:
        key = self._flags.key
        keyed = None if key is None else key_id(stream_id, key, next(self._ordinals))
        made = keyed if made is None else made
        given_id = self._flags.id if id is None else id
        if self._tags_of is not None:
            tags = self._tags_of(data, tags)
        complete = self._preparing.kept(type, data, metadata, given_id, made, tags)
        given = given_id is not None
        return InputEvent(Write(stream_id, (complete,), wanted), given, new_id=not given and made is None)


def _tags_of(flags: Sequence[str]) -> Callable[[KeptJson, Sequence[str]], list[str]]:
    """The function that adds the tags of `--tag-from` to those that an event has."""
    from functools import partial

    from evstore.cli.input.tag_from import derived_tags, tag_sources

    return partial(derived_tags, tag_sources(flags))


def _events(found: Iterable[tuple[int, InputEvent]]) -> Iterator[InputEvent]:
    return (event for _, event in found)


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidPayloadError("not valid UTF-8") from None
