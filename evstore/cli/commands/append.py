"""`append`: events in, a receipt out."""

import sys

import typer

from evstore.cli import settings
from evstore.cli.input.append_flags import NO_EVENTS, AppendFlags, check_exclusive, check_needed, check_wrong_turns
from evstore.cli.opening import opened, stdin_is_terminal
from evstore.cli.options import exit_with_help
from evstore.cli.output import writer

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

    FILE and - hold JSON values in any layout. With --type each value is an event's
    data, else {"type", "data", "metadata"?, "id"?}. EVSTORE_CORRELATION_ID,
    EVSTORE_CAUSATION_ID, EVSTORE_USER_ID and EVSTORE_TENANT_ID are defaults.
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
    from evstore.cli.commands.append_plan import ExpectedVersion, Plan
    from evstore.cli.input.intake import Intake, expected_of, metadata_of
    from evstore.cli.input.sources import check_files
    from evstore.cli.output import progress
    from evstore.cli.output.receipts import Receipts

    check_files(flags.inputs)
    plan = Plan(flags.target, ExpectedVersion(expected_of(flags.expect)))
    default = metadata_of(flags)
    typed = "-" in flags.inputs and stdin_is_terminal()
    if typed:
        writer.note("reading events from the terminal; Ctrl-D ends the input")
    if typed or ((flags.each or flags.batch is not None) and settings.on_terminal()):
        progress.cover()
    several = flags.each or flags.batch is not None or flags.skip_stored
    receipts = Receipts(flags.target, each=flags.each, several=several, echo=flags.echo)
    batch = None if flags.batch is None else min(flags.batch, sys.maxsize)
    with opened() as store:
        intake = Intake(flags, store.appender.preparing(default))
        if flags.dry_run:
            append_modes.dry_run(store, plan, intake, skip_stored=flags.skip_stored)
            return
        if flags.each:
            groups = receipts.flush_after_each(intake.ready(batch or MOST_IN_COMMIT))
            results = append_modes.watched(append_modes.each(store, plan, groups), intake)
        elif batch is not None:
            results = append_modes.batches(
                store, plan, append_modes.batched(intake, batch), skip_stored=flags.skip_stored
            )
        else:
            results = append_modes.whole(store, plan, intake, skip_stored=flags.skip_stored)
        receipts.print(results)
