"""The records of a store for `verify`: every message of the log, those of other programs included.

The log is all there is: searches by stream, category and id are searches for its subjects. What can be wrong is a
message that evstore did not write, and one that is not there any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

from evstore.adapters.nats.layout import LOG, checked
from evstore.adapters.nats.lines import event_of, line_of, out_of_step, position_of, sequence_of
from evstore.adapters.nats.subjects import Subjects
from evstore.errors import UnsupportedError
from evstore.model.digests import content_hash_of
from evstore.model.findings import AuditedEvent, AuditedName, Finding
from evstore.model.names import tags_of
from evstore.port import MOST_IN_PAGE, PAGE_CHARACTERS, NamePage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evstore.adapters.nats.messages import Found
    from evstore.adapters.nats.parts import Call, Parts
    from evstore.adapters.nats.session import Session
    from evstore.model.events import StoredEvent
    from evstore.model.findings import What

_FOREIGN: Final = "another program published to the stream: export the log up to there, and import it elsewhere"
_UPDATED: Final = "whoever updated the stream must take that back: messages may be lost already"
_TRIES: Final = 20
_WHOLE: Final = NamePage(10**9)
_OF_CONFIGURATION: Final = tuple(name for name in LOG if name not in {"metadata", "max_consumers"})


class NatsAudits:
    """`port.Audits`."""

    def __init__(self, name: str, call: Call) -> None:
        self._subjects = Subjects(name)
        self._call = call
        self._names: dict[What, list[AuditedName]] = {}
        self._begin = self._next = 1
        """The positions from which on, and up to before which, pages were read one after the other."""
        self._versions: dict[str, tuple[int, int]] = {}
        """Version and position of the last event of each stream before the next page."""
        self._of_lines: tuple[set[str], set[str], list[int]] | None = None
        self._page: list[AuditedEvent] = []
        """The page that was read last, whose tags are asked for next."""

    def events(self, low: int, high: int, limit: int) -> list[AuditedEvent]:
        found: list[AuditedEvent] = self._call(
            lambda parts: self._events(parts, max(low, 1), high, min(limit, MOST_IN_PAGE))
        )
        self._page = found
        return found

    async def _events(self, parts: Parts, low: int, high: int, limit: int) -> list[AuditedEvent]:
        first, end = sequence_of(low), 2 * high
        found: list[tuple[StoredEvent, str | None]] = []
        characters = 0
        pages = parts.reading.messages(f"{self._subjects.name}.>", first, end, 2 * limit)
        async for message in (each async for page in pages for each in page):
            event_id = self._subjects.event_id(message.subject)
            if event_id is None:
                found.append((self._event(message), None))
                characters += len(message.body)
            elif found and found[-1][0].global_position == position_of(message.sequence):
                found[-1] = (found[-1][0], event_id)
                if characters > PAGE_CHARACTERS or len(found) == limit:
                    break
            else:
                raise out_of_step(message.sequence)
        if low != self._next:  # else the page follows the one before
            self._versions, self._begin = {}, low
        if self._begin > 1:
            await self._look_before(
                parts.session, first, {event.stream_id for event, _ in found} - {*self._versions}
            )
        self._next = found[-1][0].global_position + 1 if found else low
        return [self._audited(event, event_id) for event, event_id in found]

    def _event(self, message: Found) -> StoredEvent:
        return event_of(message.body, self._subjects.stream_id(message.subject), message.sequence)

    async def _look_before(self, session: Session, first: int, streams: set[str]) -> None:
        """Find version and position of the last event of each of these streams before the page."""
        subjects = {self._subjects.of_stream(each): each for each in streams}
        found = await session.lasts([*subjects], up_to=first - 1)
        for subject, message in found.items():
            version = line_of(message.body, message.sequence).version
            self._versions[subjects[subject]] = version, position_of(message.sequence)

    def _audited(self, event: StoredEvent, event_id: str | None) -> AuditedEvent:
        version, position = self._versions.get(event.stream_id, (0, 0))
        self._versions[event.stream_id] = (event.version, event.global_position)
        return AuditedEvent(
            **event._asdict(),
            category=event.category,
            stream_category=event.category,
            found_by_id=event.global_position if event_id == event.id else None,
            found_by_version=position if version == event.version else event.global_position,
            predecessor=position if version == event.version - 1 and version else None,
            content_hash=content_hash_of(event) if event.redacted else None,
        )

    # --- names ---

    def names(self, what: What, after: int | str | None, limit: int) -> list[AuditedName]:
        if what not in self._names:
            self._names[what] = [AuditedName(name, name, name, True, *more) for name, more in self._named(what)]
        return [each for each in self._names[what] if after is None or each.key > after][:limit]  # type: ignore[operator]

    def _named(self, what: What) -> list[tuple[str, tuple[Any, ...]]]:
        if what == "stream":
            streams = self._call(lambda parts: parts.lists.streams(_WHOLE, None))
            return [(s.stream_id, (s.category, 1, None, s.stream_id)) for s in streams]
        if what == "category":
            categories = self._call(lambda parts: parts.lists.categories(_WHOLE))
            return [(each.category, ()) for each in categories]
        types, tags, _ = self._in_lines()
        return [(name, ()) for name in sorted(tags if what == "tag" else types)]

    def _in_lines(self) -> tuple[set[str], set[str], list[int]]:
        """The types and the tags of all events, and how many tags each event has: of one pass over the log."""
        if self._of_lines is None:
            self._of_lines = self._call(self._read_lines)
        assert self._of_lines is not None
        return self._of_lines

    async def _read_lines(self, parts: Parts) -> tuple[set[str], set[str], list[int]]:
        types: set[str] = set()
        tags: set[str] = set()
        counts = [0]  # nothing is at position 0
        async for position, line in parts.lists.lines(self._subjects.events):
            its = tags_of(line.tags)
            types.add(line.type)
            tags.update(its)
            counts += [0] * (position - len(counts) + 1)
            counts[position] = len(its)
        return types, tags, counts

    def tagged(self, tags: Sequence[str], low: int, high: int) -> dict[str, list[int]]:
        page = self._page if self._page and self._page[0].global_position == low else self.events(low, high, high)
        found: dict[str, list[int]] = {tag: [] for tag in tags}
        for event in page:
            for tag in tags_of(event.joined_tags):
                if tag in found:
                    found[tag].append(event.global_position)
        return found

    def count_tags(self, high: int) -> int:
        _, _, counts = self._in_lines()
        return sum(counts[: high + 1])

    # --- the stream ---

    def schema(self) -> list[Finding]:
        found: list[Finding] = self._call(lambda parts: _of_stream(parts.session))
        return found

    def engine(self) -> NoReturn:
        raise UnsupportedError("JetStream checks its files when a server starts, and not on demand")

    def correlation_hash(self, _correlation_id: str) -> None:
        return None


async def _of_stream(session: Session) -> list[Finding]:
    for _ in range(_TRIES):
        end = await session.end()
        info = await checked(session.client, session.location)
        if info["state"]["last_seq"] == end.sequence:
            break  # else a unit is being stored, or the last message is of another program
    state, configuration = info["state"], info["config"]
    found = [
        Finding("configuration", f"the stream has {name} {configuration.get(name)!r} and not {LOG[name]!r}",
                advice=_UPDATED)
        for name in _OF_CONFIGURATION
        if configuration.get(name) != LOG[name]
    ]  # fmt: skip
    if state["last_seq"] != end.sequence:
        after = f"the stream ends at sequence {state['last_seq']}, and its last event at {end.sequence}"
        found.append(Finding("unknown-message", after, advice=_FOREIGN))
    lost = state["last_seq"] - state["messages"]
    if lost:
        found.append(Finding("configuration", f"{lost} messages of the stream are not there", advice=_UPDATED))
    return found
