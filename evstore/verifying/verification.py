"""The verification of a store against the promises of evstore. The adapter reports records; this module judges.

Events up to the head at the start stay for ever, also under writers. Nothing is judged beyond that head, so
that a store under writers is never called damaged.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from evstore.errors import CorruptStoreError, DeniedError, IncompleteLogError, InvalidInputError, UnsupportedError
from evstore.model.digests import EMPTY, chained, shown
from evstore.model.findings import Finding
from evstore.model.versions import MIN_INTEGER
from evstore.port import MOST_IN_PAGE
from evstore.reading.pages import FIRST_PAGE, next_size
from evstore.verifying.advice import ADVICE, PART
from evstore.verifying.chain import Chain
from evstore.verifying.checks import content_of, faults_of_event, faults_of_name
from evstore.verifying.tags import Tags
from evstore.verifying.together import contents_if_sound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from evstore.model.findings import AuditedEvent, What
    from evstore.port import Adapter, Audits

_DIGEST = re.compile("([0-9]{1,19}):([0-9a-f]{64})")


class Verification:
    """A verification. Iterate it once for the findings; its attributes describe them afterwards."""

    checked: int = 0
    """The number of events checked."""
    names: int = 0
    """The number of names checked: of categories, types, tags and streams."""
    head: int = 0
    """The position up to which events were checked."""
    digest: str | None = None
    """`POSITION:HASH` of the log up to the head; None if it was not read from its start, or has gaps."""
    skipped: str = ""
    """The reason why the engine's own check was skipped, if it was."""
    uncompared: str = ""
    """The reason why tables, indexes, triggers and functions were not compared, if they were not."""
    unchecked: str = ""
    """The reason why events and names were not checked, if they were not."""

    def __init__(
        self,
        adapter: Adapter,
        audits: Audits,
        *,
        after: int = 0,
        expect: str | None = None,
        engine: bool = False,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._adapter = adapter
        self._audits = audits
        self._after = after
        self._expected = parse_digest(expect) if expect is not None else None
        if self._expected and after:
            raise InvalidInputError("a digest covers the log from its start: verify it without a later start")
        self._engine = engine
        self._on_progress = on_progress or (lambda _done, _total: None)
        self._hash: bytes | None = None if after else EMPTY
        self._chain = Chain()
        self._tags = Tags(audits, whole=not after)
        self._next = after + 1
        self._part: _Part | None = None
        """The gaps of a log that is a part of another, as a filtered export is; None for the log of a store."""
        self._failed: dict[str, list[str]] = {}
        """The parts that could not be read, by reason."""

    def __iter__(self) -> Iterator[Finding]:
        end = None
        try:
            self.head = self._head()
            info = self._adapter.info()
            if not self._adapter.capabilities.has_audits and info.missing:
                self._part = _Part()
            if info.tamper_evident:
                self._chain = Chain(self._stored_digest(), is_kept=True)
        except CorruptStoreError as error:
            end = error
        for what, phase in (
            ("the schema", self._schema()),
            ("the names", self._names()),
            ("the log", self._log(end)),
            ("the consumers", self._consumers()),
            ("the store", self._engine_says()),
        ):
            try:
                for found in phase:
                    yield found if found.advice else found._replace(advice=ADVICE[found.kind])
            except CorruptStoreError as error:
                self._failed.setdefault(str(error), []).append(what)
        for reason, parts in self._failed.items():
            what = " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
            yield Finding(
                "unreadable", f"{what} cannot be read on: {reason}", self._next, advice=ADVICE["unreadable"]
            )
        if self._hash and not self._failed and not self.unchecked:
            self.digest = shown(self.head, self._hash)

    def _stored_digest(self) -> bytes | None:
        """The digest that is stored with the event before the first that is verified."""
        if not self._after:
            return EMPTY
        found = self._audits.events(self._after, self._after, 1)
        return found[0].chain_hash if found else None

    def _schema(self) -> Iterator[Finding]:
        try:
            for found in self._audits.schema():
                if found.kind == "missing-index":
                    self.unchecked = "without all indexes each search would read the whole table"
                yield found
        except UnsupportedError as error:
            self.uncompared = str(error)

    def _names(self) -> Iterator[Finding]:
        kinds: tuple[What, ...] = () if self.unchecked else ("category", "type", "tag", "stream")
        for what in kinds:
            after: int | str | None = None
            while page := self._audits.names(what, after, MOST_IN_PAGE):
                after = _further(what, after, page[-1].key)
                self.names += len(page)
                self._on_progress(0, self._total())
                for name in page:
                    stream_id = name.name if what == "stream" else None
                    yield from (Finding(*fault, None, stream_id) for fault in faults_of_name(what, name))

    def _head(self) -> int:
        try:
            return self._adapter.head(-1, 0)
        except IncompleteLogError:  # what is missing is among the findings
            return self._adapter.info().head

    def _log(self, end: CorruptStoreError | None) -> Iterator[Finding]:
        """The findings of the log. `end`: the error if the head cannot be read."""
        yield from self._compared(0)
        if end:
            raise end
        size = FIRST_PAGE
        low = self._after + 1 if self._after else MIN_INTEGER
        while not self.unchecked and low <= self.head:
            page = self._audits.events(low, self.head, size)
            if page:
                yield from self._page(page)
                low = _further("event", low - 1, page[-1].global_position) + 1
            else:
                yield from self._place(self.head + 1)
                low = self.head + 1
            self.checked += len(page)
            self._on_progress(min(self._next - 1 - self._after, self._total()), self._total())
            size = next_size(page, size)
        if self._part is not None and self._part.absent:
            yield self._part.finding(self._total())
        if not self.unchecked:
            yield from self._tags.stray(self.head)
        if self._expected:
            position = self._expected[0]
            yield Finding(
                "digest", f"there is no event at this position: the log ends at position {self.head}", position
            )

    def _total(self) -> int:
        return max(self.head - self._after, 0)

    def _page(self, page: list[AuditedEvent]) -> Iterator[Finding]:
        yield from self._tags.of_page(page)
        contents = None
        if not (self._expected and page[0].global_position <= self._expected[0] <= page[-1].global_position):
            contents = contents_if_sound(page, self._next, self._audits)
        if contents is None:
            for event in page:
                yield from self._event(event)
            return
        self._next += len(page)
        if self._hash is not None or self._chain.is_kept:
            for event, content in zip(page, contents, strict=True):
                yield from self._chain.after(event, content)
                if self._hash is not None:
                    self._hash = chained(self._hash, content)

    def _event(self, event: AuditedEvent) -> list[Finding]:
        found: list[Finding] = []
        if event.global_position > 0:
            found += self._place(event.global_position)
        else:
            self._hash = None
        for fault in faults_of_event(event, self._audits):
            if self._part is not None and fault[0] == "version-gap":
                self._part.versions += 1
                continue
            found.append(Finding(*fault, event.global_position, event.stream_id))
        content = content_of(event)
        found += self._chain.after(event, content)
        if content is None:
            self._hash = None
        elif self._hash is not None:
            self._hash = chained(self._hash, content)
        return found + self._compared(event.global_position)

    def _place(self, position: int) -> list[Finding]:
        """The findings of an event at this position."""
        found: list[Finding] = []
        if position > self._next and self._part is not None:
            self._part.add(self._next, position)
        elif position > self._next:
            last = position - 1
            lost = f"position {last}" if last == self._next else f"positions {self._next} to {last}"
            found = [Finding("position-gap", f"there is no event at {lost}", self._next)]
        elif position < self._next - 1:
            raise CorruptStoreError(f"position {position} follows position {self._next - 1}")
        elif position < self._next:
            found = [Finding("duplicate-position", "several events have this position", position)]
        if position != self._next:
            self._hash = None
        self._next = position + 1
        return found

    def _compared(self, position: int) -> list[Finding]:
        """The finding if the digest up to this position is not the expected digest."""
        if self._expected is None or self._expected[0] != position:
            return []
        expected, self._expected = self._expected[1], None
        if self._hash is None:
            return [Finding("digest", "the log up to here has gaps, so it has no digest", position)]
        if self._hash.hex() != expected:
            return [Finding("digest", f"the digest of the log up to here is {self._hash.hex()}", position)]
        return []

    def _consumers(self) -> Iterator[Finding]:
        from evstore.verifying.checkpoints import faults_of_checkpoints

        return iter(()) if self.unchecked else faults_of_checkpoints(self._adapter)

    def _engine_says(self) -> Iterator[Finding]:
        if self._engine:
            try:
                yield from self._audits.engine()
            except (UnsupportedError, DeniedError) as error:
                self.skipped = str(error)
            except CorruptStoreError as error:
                yield Finding("engine", str(error))


class _Part:
    """The gaps of a log that is a part of another, counted."""

    def __init__(self) -> None:
        self.absent = 0
        self.versions = 0
        """Events whose stream lacks the version before theirs."""
        self._first = 0

    def add(self, low: int, high: int) -> None:
        """Count the positions from `low` to before `high`."""
        self._first = self._first or low
        self.absent += high - low

    def finding(self, total: int) -> Finding:
        positions = f"{self.absent} of {total} positions have no event, the first is {self._first}"
        follow = "1 event follows" if self.versions == 1 else f"{self.versions} events follow"
        versions = f", and {follow} a version that is missing" if self.versions else ""
        return Finding("position-gap", f"{positions}{versions}", self._first, advice=PART)


def _further(what: str, after: Any, key: Any) -> Any:
    """The key, which must follow the previous key: a damaged table could lead round for ever."""
    if after is not None and not key > after:
        raise CorruptStoreError(f"{what} {key} follows {what} {after}")
    return key


def parse_digest(text: str) -> tuple[int, str]:
    """The position and the hash of a digest. Raises InvalidInputError."""
    found = _DIGEST.fullmatch(text.lower())
    if not found:
        raise InvalidInputError(f'"{text}" is no digest: a position, a colon and 64 hexadecimal digits')
    return int(found[1]), found[2]
