"""Units of an append, and their outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from evstore.errors import AppendOutcomeUnknownError, EvstoreError
from evstore.model.events import Write

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from evstore.jsontext.judging import KeptJson
    from evstore.model.conditions import AppendCondition, Requirement
    from evstore.model.events import Many
    from evstore.model.sources import Source

MOST_VERSIONS: Final = 100_000


class PreparedEvent(NamedTuple):
    """A checked event on its way in. Only `appending.preparing` makes one."""

    id: str
    """36 characters, lower case."""
    type: str
    data_json: KeptJson
    metadata_json: str
    """The wire form of its metadata, the append's defaults merged in."""
    correlation_id: str | None
    joined_tags: str | None = None
    """Its tags, sorted by code point, a space between; None if it has none."""
    redacted: bool = False
    """Another store replaced its data by null."""


PreparedWrite: TypeAlias = Write[PreparedEvent]


class Append(NamedTuple):
    """One atomic unit. Its writes and their events may be iterated again and again, but not indexed."""

    writes: Many[PreparedWrite]
    times_us: Sequence[int] | None = None
    """For each event, the time at which another store first stored it; None if this store is the first."""
    first_position: int | None = None
    """The global position that the first event must get; None accepts the next one."""
    conditions: Sequence[AppendCondition] = ()
    """No event that the store holds may match the query of one at a position greater than its `after`."""
    requirements: Sequence[Requirement] = ()
    """The versions that streams must have in the store, whatever the unit writes."""
    has_new_ids: bool = False
    """Some ids were made for this unit, so that nobody else has them; of no concern to an adapter."""
    source: Source | None = None
    """The outside source that it takes, and the position up to which."""

    def ids(self) -> Iterator[str]:
        """Of its events, in order."""
        return (event.id for write in self.writes for event in write.events)

    def size_within(self, most_events: int, most_characters: int) -> tuple[int, int] | None:
        """Its events, and the characters of their data and metadata; None where there are more than these."""
        events = characters = 0
        for write in self.writes:
            events += len(write.events)
            if events > most_events:
                return None
            for event in write.events:
                characters += len(event.data_json) + len(event.metadata_json)
                if characters > most_characters:
                    return None
        return events, characters


class Receipt(NamedTuple):
    """The numbers of a stored unit, whose events are contiguous in the log from `first_position` on."""

    first_position: int
    size: int
    first_versions: Sequence[int]
    """For each write, in order, the version of its first event, or at least for the first MOST_VERSIONS writes."""
    timestamp_us: int
    """The moment its first event was stored."""


class AlreadyStored(NamedTuple):
    """The store holds these ids of the unit already, so nothing of it was written."""

    ids: Sequence[str]
    after_lost_answer: bool = False
    """The answer to an earlier try within this very call was lost: that try may have stored them."""


class SourceTaken(NamedTuple):
    """An earlier append took the source up to this position or further, so nothing of the unit was written."""

    name: str
    position: int
    """The last position that the store holds of the source."""


Outcome: TypeAlias = Receipt | AlreadyStored | SourceTaken | EvstoreError


def source_taken(source: Source | None, last: int | None) -> SourceTaken | None:
    """The answer to a unit with this source, of which the store holds this last position; None accepts it."""
    if source is None or last is None or source.position > last:
        return None
    return SourceTaken(source.name, last)


def outcome_unknown(units: Iterable[Append], reason: str = "") -> AppendOutcomeUnknownError:
    """The error for units whose outcome is unknown."""
    return AppendOutcomeUnknownError([each for unit in units for each in unit.ids()], reason)


def error_of(unit: Append, error: EvstoreError) -> EvstoreError:
    """The error of a call, for one of its units: an instance of its own, which names no other unit's ids."""
    from copy import copy

    own = outcome_unknown([unit], error.reason) if isinstance(error, AppendOutcomeUnknownError) else copy(error)
    own.__cause__ = error.__cause__
    return own
