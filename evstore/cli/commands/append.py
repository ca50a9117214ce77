"""`append`: events in, a receipt out."""

import sys
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evstore.cli.errors import UsageError
from evstore.cli.opening import opened, stdin_is_terminal
from evstore.cli.output import writer

if TYPE_CHECKING:
    from evstore.cli.commands.append_modes import Appending


def _option(*names: str, metavar: str, help: str) -> Any:
    return typer.Option(*names, metavar=metavar, show_default=False, help=help)


def append(
    context: typer.Context,
    stream: Annotated[
        str | None, typer.Argument(metavar="STREAM", show_default=False, help="As in Order-1.")
    ] = None,
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE...|-]", show_default=False, help="JSON values; - is stdin."),
    ] = None,
    type: Annotated[str | None, _option("-t", "--type", metavar="TYPE", help="The event type.")] = None,
    data: Annotated[
        str | None, _option("-d", "--data", metavar="JSON", help="The data of one event; @FILE or @- read it.")
    ] = None,
    many: Annotated[
        bool, typer.Option("--many", help='The input says the streams: every value has a "streamId".')
    ] = False,
    expect: Annotated[
        str | None,
        _option(
            "-e",
            "--expect",
            metavar="any|no-stream|exists|N",
            help="Append only if the stream is at version N, is missing, or exists.  [default: any]",
        ),
    ] = None,
    id: Annotated[str | None, _option("--id", metavar="UUID", help="The event's id, to try again safely.")] = None,
    key: Annotated[
        str | None,
        _option("--key", metavar="TEXT", help="Make the ids from stream, TEXT and place, to run again safely."),
    ] = None,
    each: Annotated[
        bool,
        typer.Option("--each", help="Each event is an append of its own, receipted when it is durable."),
    ] = False,
    batch: Annotated[int | None, _option("--batch", metavar="N", help="Commit every N events.")] = None,
    skip_stored: Annotated[
        bool,
        typer.Option("--skip-stored", help="Events that are stored already, and the same, are passed over."),
    ] = False,
    copy: Annotated[
        bool, typer.Option("--copy", help='Append anew what was read: "streamId" and "id" are ignored.')
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, print what would be stored, write nothing.")
    ] = False,
    echo: Annotated[bool, typer.Option("--echo", help="Print the stored events instead of a receipt.")] = False,
    correlation_id: Annotated[
        str | None, _option("--correlation-id", metavar="TEXT", help="What belongs together.")
    ] = None,
    causation_id: Annotated[str | None, _option("--causation-id", metavar="TEXT", help="What caused it.")] = None,
    user_id: Annotated[str | None, _option("--user-id", metavar="TEXT", help="Who did it.")] = None,
    tenant_id: Annotated[str | None, _option("--tenant-id", metavar="TEXT", help="For whom.")] = None,
    meta: Annotated[
        list[str] | None, _option("-m", "--meta", metavar="KEY=VALUE", help='Into "custom"; repeatable.')
    ] = None,
    metadata: Annotated[str | None, _option("--metadata", metavar="JSON", help="Metadata as one object.")] = None,
) -> None:
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
    import gc

    from evstore.cli.commands.append_modes import Appending
    from evstore.cli.input import intake

    gc.disable()  # the events live to the end; looking for garbage among them takes a fifth of the time
    if many and stream is not None:
        files, stream = [stream, *(files or ())], None
    files = files or []
    _check_together(context, locals())
    intake.check_files(files)
    wanted = intake.expected(expect)
    ids = (correlation_id, causation_id, user_id, tenant_id)
    default = intake.metadata_of(ids, meta or [], metadata)
    if files == ["-"] and stdin_is_terminal():
        writer.note("reading events from the terminal; Ctrl-D ends them")
    with opened() as store:
        source = intake.Intake(store, default, stream=stream, type=type, id=id, key=key, copy=copy)
        job = Appending(store, stream, wanted, one_id=id is not None, skip_stored=skip_stored, echo=echo)
        events: Iterator[intake.Checked] = iter(source.inline(data)) if data is not None else source.values(files)
        one = data is not None or id is not None  # then nothing is stored before the input's end is seen
        if each:
            groups = iter([[*job.spool_of_one(events, files)]]) if one else source.ready(files)
            job.each(
                chain.from_iterable(intake.batches(group, min(batch or 1000, sys.maxsize)) for group in groups),
                files,
            )
        elif batch is not None:
            found = iter(job.spool_of_one(events, files)) if one else events
            job.batches(intake.batches(found, min(batch, sys.maxsize)), files)
        else:
            _whole(job, events, files, dry_run=dry_run)


def _whole(job: "Appending", events: Iterator[Any], files: list[str], *, dry_run: bool) -> None:
    spool = job.spool(events, files)
    if dry_run:
        job.dry_run(spool)
    else:
        job.whole(spool)


# What may not stand with what.
_EXCLUDE: tuple[tuple[str, str], ...] = (
    ("many", "type"), ("many", "data"), ("many", "expect"), ("many", "id"),
    ("dry_run", "each"), ("dry_run", "batch"), ("key", "id"), ("copy", "type"), ("data", "files"),
)  # fmt: skip


def _check_together(context: typer.Context, flags: dict[str, Any]) -> None:
    """The flags that exclude or need each other."""
    for one, other in _EXCLUDE:
        if flags[one] not in (None, False) and flags[other] not in (None, False, []):
            shown = "FILE" if other == "files" else f"--{other}"
            message = f"--{one} and {shown} exclude each other".replace("_", "-")
            raise UsageError(message, 'say "expectedVersion" in the envelopes' if other == "expect" else None)
    data, files = flags["data"], flags["files"]
    if data is None and not files and stdin_is_terminal():
        writer.err_text(f"{context.get_help()}\n")
        raise typer.Exit(2)
    batch = flags["batch"]
    faults = (
        (not flags["many"] and flags["stream"] is None, "say a STREAM"),
        (data is not None and flags["type"] is None, "--data needs --type"),
        (data is None and not files, "no events: say --data JSON, a FILE, or - for stdin"),
        (files.count("-") > 1, "- may stand once"),
        (batch is not None and batch < 1, f"--batch takes a number from 1, not {batch}"),
        (flags["key"] == "", "--key takes a TEXT that is not empty"),
    )
    for wrong, message in faults:
        if wrong:
            raise UsageError(message, "evstore append --help")
