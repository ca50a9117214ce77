"""`migrate`: bring a store up to the schema of this evstore."""

from typing import TYPE_CHECKING, Annotated

import typer

from evstore.cli import settings
from evstore.cli.errors import UsageError
from evstore.cli.exits import CODES
from evstore.cli.opening import opened
from evstore.cli.output import forms, writer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evstore import EventStore, Migration


def migrate(
    status: Annotated[
        bool, typer.Option("--status", help="Print each step and whether it is applied; exit 1 if one is pending.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the steps that would be applied, and apply none.")
    ] = False,
    finish: Annotated[
        bool, typer.Option("--finish", help="Take away what older versions of evstore need, once none is left.")
    ] = False,
) -> None:
    """Bring a store of an older evstore up to the schema of this one.

    \b
    Examples:
      evstore migrate --status
      evstore migrate --dry-run
      evstore migrate
      evstore migrate --finish

    Each step is a transaction, and is applied once: run the command again after
    whatever ended it. Events never change. Readers and writers go on meanwhile, and
    so do older versions of evstore, until --finish: run that when each of them is
    upgraded. After it, only a backup leads back.

    Each step is a line with the schema it leads to. The exit code is 1 only with
    --status.
    """
    if status and (dry_run or finish):
        raise UsageError("--status excludes --dry-run and --finish: it applies nothing, and prints all steps")
    with opened() as store:
        if status:
            waiting = _print_status(store)
        elif dry_run:
            _print_plan(store, finish=finish)
        else:
            _migrate(store, finish=finish)
    if status and waiting:
        raise typer.Exit(CODES["findings"])


def _print_status(store: "EventStore") -> int:
    """Print all steps, and return how many are pending."""
    steps = store.migrations()
    _print(steps)
    waiting = sum(each.applied_us is None for each in steps)
    if waiting:
        only = "" if any(each.applied_us is None and not each.finishes for each in steps) else " --finish"
        writer.note(settings.again(f"migrate{only}"), "next")
    else:
        _note_nothing(store)
    return waiting


def _print_plan(store: "EventStore", *, finish: bool) -> None:
    from evstore.migrating import pending

    wanted = pending(store.migrations(), finish=finish)
    _print(wanted)
    if not wanted:
        _note_nothing(store)


def _migrate(store: "EventStore", *, finish: bool) -> None:
    from evstore.cli.output.progress import progress

    with progress("migrating", None) as shown:
        applied = store.migrate(
            finish=finish, on_progress=lambda done, total: shown.at(done, done, total, "steps")
        )
    if not applied:
        _print(())
        _note_nothing(store)
    else:
        names = [each.step for each in applied]
        with writer.after_the_fact(f"the event store at {store.location} is migrated", {"steps": names}):
            _print(applied)
            writer.note(f"the event store at {store.location} has schema {store.info().schema_version}")
    if any(each.applied_us is None for each in store.migrations()):
        writer.note(f"when every evstore that uses the store is new: {settings.again('migrate --finish')}", "next")


def _print(steps: "Sequence[Migration]") -> None:
    from evstore.cli.output import objects

    forms.many(map(objects.of_migration, steps), ("step", "schemaVersion", "state", "appliedAt"))


def _note_nothing(store: "EventStore") -> None:
    number = store.info().schema_version
    writer.note(f"nothing to do: the event store at {store.location} has schema {number}")
