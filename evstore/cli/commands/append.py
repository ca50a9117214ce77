"""`append`: events in, a receipt out."""

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from evstore.cli import settings
from evstore.cli.input.append_flags import NO_EVENTS, AppendFlags, check_exclusive, check_needed, check_wrong_turns
from evstore.cli.opening import opened, stdin_is_terminal
from evstore.cli.options import exit_with_help
from evstore.cli.output import writer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from evstore import EventStore
    from evstore.appending.preparing import Preparing
    from evstore.cli.commands.append_plan import Plan
    from evstore.model.conditions import Requirement
    from evstore.model.metadata import Metadata

MOST_IN_COMMIT = 1000
"""Events of --each that share a commit."""


def append(context: typer.Context, flags: AppendFlags) -> None:
    """Append events to a stream: all of them, durably, or none.

    \b
    Examples:
      evstore append Order-1 -t OrderPlaced -d '{"total": 99.9}' -e no-stream
      evstore append Order-1 -t ItemAdded items.ndjson
      jq -c '{type: .kind, data: .}' log.json | evstore append Log-1 -
      zcat events.ndjson.gz | evstore append --many -
      evstore append Show-7 -t SeatSold -d '{}' --tag seat:12 --unless tag=seat:12
      evstore append Orders-1 -t LineRead lines.ndjson --source lines.ndjson@500

    FILE and - hold JSON values in any layout. With --type each value is an event's
    data, else {"type", "data", "metadata"?, "id"?, "tags"?}. EVSTORE_CORRELATION_ID,
    EVSTORE_CAUSATION_ID, EVSTORE_USER_ID and EVSTORE_TENANT_ID are defaults.

    A QUERY is words type=A,B (one of these types) and tag=x (all of these tags), with
    spaces between. If an event matches, nothing is stored, and the exit code is 4.

    The last position of a --source is stored with the events. A receipt of a position
    that is not greater has "count":0, "duplicate":true and that last one in "source".
    """
    check_exclusive(flags)
    if flags.data is None and not flags.inputs and stdin_is_terminal():
        exit_with_help(context, NO_EVENTS if flags.stream is not None or flags.many else None)
    check_needed(flags)
    check_wrong_turns(flags)
    import gc

    gc.disable()  # the events live to the end; looking for garbage among them takes a fifth of the time
    _append(flags)


def _append(flags: AppendFlags) -> None:
    from evstore.cli.commands import append_modes
    from evstore.cli.input.intake import Intake, metadata_of
    from evstore.cli.input.sources import check_files
    from evstore.cli.output import progress
    from evstore.cli.output.receipts import Receipts

    check_files(flags.inputs)
    plan = _plan_of(flags)
    default = metadata_of(flags)
    typed = "-" in flags.inputs and stdin_is_terminal()
    if typed:
        writer.note("reading events from the terminal; Ctrl-D ends the input")
    if typed or ((flags.each or flags.batch is not None) and settings.on_terminal()):
        progress.cover()
    several = flags.each or flags.batch is not None or flags.skip_stored
    receipts = Receipts(flags.target, each=flags.each, several=several, echo=flags.echo)
    batch = None if flags.batch is None else min(flags.batch, sys.maxsize)
    with opened() as store, _hinting(plan.requirements):
        intake = Intake(flags, _preparing(store, default, flags.tag))
        if flags.dry_run:
            append_modes.dry_run(store, plan, intake, skip_stored=flags.skip_stored)
            return
        if flags.each:
            groups = receipts.flush_after_each(intake.ready(batch or MOST_IN_COMMIT))
            results = append_modes.watched(append_modes.each(store, plan, groups), intake)
        elif batch is not None:
            results = append_modes.batches(
                store,
                plan,
                append_modes.batched(intake, store.appender.most_at_once(batch)),
                skip_stored=flags.skip_stored,
            )
        else:
            results = append_modes.whole(store, plan, intake, skip_stored=flags.skip_stored)
        receipts.print(results)


def _plan_of(flags: AppendFlags) -> "Plan":
    from evstore.cli.commands.append_plan import ExpectedVersion, Plan
    from evstore.cli.input.intake import expected_of

    plan = Plan(flags.target, ExpectedVersion(expected_of(flags.expect)))
    if not (flags.unless or flags.after or flags.require or flags.source is not None):
        return plan
    from evstore.cli.input.conditions import conditions_of, requirements_of, source_of_flag

    return plan._replace(
        conditions=conditions_of(flags.unless, flags.after),
        requirements=requirements_of(flags.require),
        source=source_of_flag(flags.source),
    )


def _preparing(store: "EventStore", default: "Metadata", tags: list[str] | None) -> "Preparing":
    from evstore.errors import InvalidInputError

    try:
        return store.appender.preparing(default, tags or ())
    except InvalidInputError as error:
        error.source = "--tag"
        raise


@contextmanager
def _hinting(requirements: "Iterable[Requirement]") -> "Iterator[None]":
    """Hint at other streams where a required stream is missing, which this append would not start."""
    from evstore.errors import ConcurrencyError

    try:
        yield
    except ConcurrencyError as error:
        if error.actual == 0 and any(each.stream_id == error.stream_id for each in requirements):
            error.add_note(settings.again("streams"))
        raise
