"""From prepared events to units: the plan of an append. Nothing here reads, writes or remembers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from evstore.appending.spool import Events
from evstore.model.events import Write
from evstore.model.versions import ANY_VERSION, NO_STREAM
from evstore.port import Append

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evstore.appending.spool import Spool
    from evstore.cli.input.intake import InputEvent
    from evstore.model.conditions import AppendCondition, Requirement
    from evstore.model.events import Many
    from evstore.model.sources import Source
    from evstore.port import PreparedWrite


class ExpectedVersion(NamedTuple):
    """The version that the next append of a pipe expects of its stream."""

    number: int

    def after(self, version: int) -> ExpectedVersion:
        """The expectation once the stream has this version. `exists` is asked of the first append alone."""
        if self.number == ANY_VERSION:
            return self
        return ExpectedVersion(version if self.number >= NO_STREAM else ANY_VERSION)

    def after_one_new(self) -> ExpectedVersion:
        """The expectation once one event got a new version."""
        return self.after(self.number + 1)


class Plan(NamedTuple):
    """The stream to append to, None where the input names the streams, and what must hold for each append."""

    stream: str | None
    expected: ExpectedVersion
    conditions: tuple[AppendCondition, ...] = ()
    requirements: tuple[Requirement, ...] = ()
    source: Source | None = None

    def after(self, version: int) -> Plan:
        """The plan of the next append, once the stream has this version."""
        return self._replace(expected=self.expected.after(version))

    def unit(self, spool: Spool, watched: Many[PreparedWrite] | None = None) -> Append:
        """All the events as one append; `watched` are the same events, whose progress is reported."""
        writes = spool if watched is None else watched
        if self.stream is not None:
            writes = [Write(self.stream, Events(writes), self.expected.number)]
        return self._append(writes, spool.conditions, has_new_ids=spool.has_new_ids)

    def units(self, group: Iterable[InputEvent]) -> list[Append]:
        """Each event as an append of its own, if each gets a new version."""
        units, expected = [], self.expected
        for event in group:
            write = event.write
            if self.stream is not None and write.expected_version != expected.number:
                write = write._replace(expected_version=expected.number)
            units.append(self._append([write], event.conditions, has_new_ids=event.new_id))
            expected = expected.after_one_new()
        return units

    def _append(
        self, writes: Many[PreparedWrite], own: tuple[AppendCondition, ...], *, has_new_ids: bool
    ) -> Append:
        return Append(
            writes,
            conditions=(*self.conditions, *own),
            requirements=self.requirements,
            has_new_ids=has_new_ids,
            source=self.source,
        )
