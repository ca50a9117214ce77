"""Steps from schema to schema: the files of an adapter, compared with those that a store has on record.

A file is `NNNN_what.sql`. It leads to schema NNNN, so a store whose schema is NNNN or later needs it no more.
`NNNN_what.finish.sql` takes away what older evstores need, and is applied only where that step was.
"""

from __future__ import annotations

import os
import re
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

from evstore.errors import MigrationError
from evstore.model.facts import Migration

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_STEP: Final = re.compile(r"(\d{4})_\w+(\.finish)?")


class StepFile(NamedTuple):
    """A step as it is shipped."""

    schema: int
    finishes: bool
    step: str
    text: str

    @property
    def checksum(self) -> str:
        return sha256(self.text.encode()).hexdigest()


class Record(NamedTuple):
    """A step as a store has it on record."""

    step: str
    checksum: str
    applied_us: int


def folder_of(engine: str) -> str:
    """The folder of an adapter's steps, which is a part of the package."""
    return os.path.join(os.path.dirname(__file__), engine, "migrations")


def step_files(engine: str) -> list[StepFile]:
    """The steps of an adapter by number, those that finish others last. Other files are no steps."""
    found = []
    folder = folder_of(engine)
    for name in os.listdir(folder):
        step = name.removesuffix(".sql")
        named = _STEP.fullmatch(step)
        if named and step != name:
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                found.append(StepFile(int(named[1]), bool(named[2]), step, file.read()))
    return sorted(found, key=lambda each: (each.finishes, each.schema))


def steps_of(files: Sequence[StepFile], schema: int, records: Iterable[Record], location: str) -> list[Migration]:
    """The applied steps and the pending ones of a store with this schema. Raises MigrationError if an applied step
    is not the one that is shipped."""
    applied = {each.step: each for each in records}
    _check(files, applied, location)
    found = [*map(_as_applied, applied.values())]
    begun = {each.schema for each in found} | {each.schema for each in files if each.schema > schema}
    found += (
        Migration(each.step, each.schema, each.finishes, None)
        for each in files
        if each.step not in applied and (each.schema in begun if each.finishes else each.schema > schema)
    )
    return sorted(found, key=lambda each: (each.finishes, each.schema))


def _as_applied(record: Record) -> Migration:
    number, _, rest = record.step.partition("_")
    return Migration(record.step, int(number), rest.endswith(".finish"), record.applied_us)


def _check(files: Sequence[StepFile], applied: dict[str, Record], location: str) -> None:
    last = max((each.schema for each in files), default=0)
    own = {each.step: each.checksum for each in files}
    for step, record in applied.items():
        if step in own and own[step] != record.checksum:
            raise _changed(location, step, "its text has changed since it was applied")
        if step not in own and _as_applied(record).schema <= last:
            raise _changed(location, step, "it was applied, and this evstore has no such step")


def _changed(location: str, step: str, detail: str) -> MigrationError:
    error = MigrationError(location, step, detail)
    error.add_note("migrate with the evstore that applied it, or with a later release of that one")
    return error


def refused(location: str, step: str, message: str) -> MigrationError:
    """The error for a step that the database refuses."""
    error = MigrationError(location, step, message)
    error.add_note("the store is as the steps before it left it, and in use; a second run goes on with this step")
    return error
