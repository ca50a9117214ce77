"""Builds of projections: each is a consumer, the tables that it fills, and its turn in the views.

A build is named `NAME@VERSION`, and a further one of the same version `NAME@VERSION.2`. Its facts are kept with
the consumer, beside the filter, so that one step changes tables, checkpoint and facts.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from evstore.errors import ConsumerHeldError, ConsumerNotFoundError, InvalidInputError
from evstore.model.consumers import WHOLE
from evstore.model.versions import MAX_VERSION
from evstore.port import MOST_IN_PAGE, NamePage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evstore.model.consumers import ConsumerRecord, Interest
    from evstore.port import Consumers, Hold, Step

PREFIX: Final = "projection:"
MOST_NAME_BYTES: Final = 63
"""The longest name of a table on PostgreSQL, which cuts longer ones off in silence."""
_MEMBER: Final = "projection"
_NAME: Final = re.compile("[a-z][a-z0-9_-]{0,39}")
_CONSUMER: Final = re.compile(rf"{PREFIX}({_NAME.pattern})@(\d+)(?:\.(\d+))?")
_TABLE: Final = re.compile("[A-Za-z_][A-Za-z0-9_]*")


class Facts(NamedTuple):
    """The facts of a build whose tables are there."""

    schema: str
    """The schema of its tables; "" where there are no schemas."""
    tables: tuple[str, ...]
    """By the names of their views."""
    turn: int = 0
    """The build with the highest turn is the one that the views show; 0: it was never shown."""


class Build(NamedTuple):
    """A build of a projection."""

    projection: str
    version: int
    number: int = 1
    """Counts the builds of a version."""
    facts: Facts | None = None
    """None until its tables are made."""
    global_position: int = 0

    @property
    def label(self) -> str:
        """The version, and the number of the build from the second one on."""
        return f"{self.version}.{self.number}" if self.number > 1 else str(self.version)

    @property
    def consumer(self) -> str:
        """The name of its consumer."""
        return f"{PREFIX}{self.projection}@{self.label}"

    @property
    def turn(self) -> int:
        return self.facts.turn if self.facts else 0

    def named(self, what: str) -> str:
        """The name that a table, or an index, of the projection has in this build. Raises InvalidInputError."""
        if not _TABLE.fullmatch(what):
            raise InvalidInputError(
                f'"{what}" cannot be the name of a table here: a letter or "_", then letters, digits and "_"'
            )
        name = f"{what}@{self.projection}:{self.label}"
        if len(name) > MOST_NAME_BYTES:
            raise InvalidInputError(
                f'table "{what}" is named "{name}" in version {self.version}, and that is longer than '
                f"{MOST_NAME_BYTES} bytes"
            )
        return name

    @classmethod
    def of(cls, record: ConsumerRecord) -> Build | None:
        """The build that a consumer belongs to, None if it belongs to none."""
        found = _CONSUMER.fullmatch(record.name)
        if found is None:
            return None
        facts = json.loads(record.filter_json).get(_MEMBER)
        return cls(
            found[1],
            int(found[2]),
            int(found[3] or 1),
            facts and Facts(facts["schema"], tuple(facts["tables"]), facts["turn"]),
            record.global_position,
        )


def check_identity(name: Any, version: Any) -> None:
    """Raise InvalidInputError unless a projection may have this name and this version."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidInputError(
            f'{name!r} cannot be the name of a projection: a small letter, then small letters, digits, "-" and '
            '"_", 40 at most'
        )
    if type(version) is not int or not 1 <= version <= MAX_VERSION:
        raise InvalidInputError(f'the version of projection "{name}" is a number from 1, not {version!r}')


def check_no_build(name: str) -> None:
    """Raise InvalidInputError for the consumer of a build: its checkpoint moves with the tables alone."""
    if _CONSUMER.fullmatch(name):
        raise InvalidInputError(f'"{name}" is the checkpoint of a projection: store.projection(…) works for it')


class Builds:
    """The builds of a projection."""

    def __init__(self, consumers: Consumers, projection: str, interest: Interest) -> None:
        self._consumers = consumers
        self._projection = projection
        self._interest = interest

    def all(self) -> list[Build]:
        """All builds that are there."""
        return [*_with_prefix(self._consumers, f"{PREFIX}{self._projection}@")]

    def find(self, build: Build) -> Build | None:
        """The build as it is now."""
        record = self._consumers.find(build.consumer)
        return Build.of(record) if record else None

    def to_keep(self, version: int) -> Build:
        """The build that a process of this version works for, perhaps a new one.

        Raises InvalidInputError if the views show a later version.
        """
        there = self.all()
        live = shown(there)
        if live is not None and live.version == version:
            return live
        if live is not None and live.version > version:
            raise InvalidInputError(
                f'projection "{self._projection}" has version {live.version} in this store, and version {version} '
                "is older: rebuild() goes back to it"
            )
        own = [each for each in there if each.version == version]
        return max(own, key=lambda each: each.number, default=Build(self._projection, version))

    def new(self, version: int) -> Build:
        """A build to be begun; what another one of this version has left unfinished is removed.

        Raises ConsumerHeldError if a process works for that. One that works for a build that was shown earlier
        leaves it soon.
        """
        there = self.all()
        live = shown(there)
        own = [each for each in there if each.version == version]
        for each in own:
            if each != live:
                try:
                    self.remove(each)
                except ConsumerHeldError:
                    if not each.turn:
                        raise
        return Build(self._projection, version, max((each.number for each in own), default=0) + 1)

    def make(self, step: Step, facts: Facts) -> None:
        """Keep the facts of a build with its consumer."""
        step.refilter(_with_facts(self._interest.to_json(), facts))

    def show(self, hold: Hold, build: Build, position: int) -> bool:
        """Let the views show this build, which has come to this position; false if what they show is further."""
        try:
            with self._consumers.step(hold) as step:
                self._show(step, build, position)
        except _OvertakenError:
            return False
        return True

    def _show(self, step: Step, build: Build, position: int) -> None:
        assert build.facts is not None
        live = shown(self.all())
        _check_behind(live, position)
        step.move({WHOLE: position})
        schema, tables, _ = build.facts
        for table in tables:
            self.check_free(step, schema, table)
            step.tables.show(schema, table, build.named(table))
        if live is not None and live.facts is not None:
            for gone in live.facts.tables:
                if (live.facts.schema, gone) not in {(schema, each) for each in tables}:
                    step.tables.hide(live.facts.schema, gone)
        # Asked again with the views locked: meanwhile another build was shown, or what was shown came further,
        # and a reader has seen it.
        there = self.all()
        _check_behind(shown(there), position)
        turn = max((each.turn for each in there), default=0) + 1
        self.make(step, build.facts._replace(turn=turn))

    def check_free(self, step: Step, schema: str, table: str) -> None:
        """Raise InvalidInputError if the name of a view is that of something else."""
        there = step.tables.shown(schema, table)
        if there is not None and not there.startswith(f"{table}@{self._projection}:"):
            raise InvalidInputError(
                f'"{table}" is a view of "{there}", which is no table of projection "{self._projection}"'
            )

    def clean(self, there: Sequence[Build] = ()) -> None:
        """Remove builds that were shown earlier, and unfinished ones of older versions, unless they are held."""
        there = there or self.all()
        live = shown(there)
        for each in there:
            if live is not None and _is_over(each, live):
                with suppress(ConsumerHeldError, ConsumerNotFoundError):
                    self.remove(each)

    def remove(self, build: Build) -> None:
        """Remove a build that the views do not show. Raises ConsumerHeldError if somebody works for it."""
        hold = self._consumers.hold(build.consumer, [WHOLE])
        try:
            with self._consumers.step(hold) as step:
                now = self.find(build)
                if now is not None and now != shown(self.all()):
                    remove(step, now)
        finally:
            hold.release()


def remove(step: Step, build: Build) -> None:
    """Remove the tables of a build, the views that show them, and its consumer."""
    for table in build.facts.tables if build.facts else ():
        assert build.facts is not None
        with suppress(InvalidInputError):  # something else has the name by now
            if step.tables.shown(build.facts.schema, table) == build.named(table):
                step.tables.hide(build.facts.schema, table)
        step.tables.drop(build.facts.schema, build.named(table))
    step.remove()


class _OvertakenError(Exception):
    """The views show more than the build has."""


def _check_behind(live: Build | None, position: int) -> None:
    if live is not None and live.global_position > position:
        raise _OvertakenError


def shown(builds: Sequence[Build]) -> Build | None:
    """The build that the views show, None if none has been shown yet."""
    found = max(builds, key=lambda each: each.turn, default=None)
    return found if found is not None and found.turn else None


def _is_over(build: Build, live: Build) -> bool:
    return 0 < build.turn < live.turn or (not build.turn and build.version < live.version)


def _with_prefix(consumers: Consumers, prefix: str) -> Iterator[Build]:
    after = None
    while True:
        page = consumers.page(NamePage(MOST_IN_PAGE, after, prefix))
        yield from filter(None, map(Build.of, page))
        if len(page) < MOST_IN_PAGE:
            return
        after = page[-1].name


def _with_facts(filter_json: str, facts: Facts) -> str:
    members = {**json.loads(filter_json), _MEMBER: facts._asdict()}
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"))
