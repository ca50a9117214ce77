"""`append`: events in, a receipt out."""

from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from evstore.cli import render
from evstore.cli.exits import UsageError
from evstore.cli.opening import opened, stdin_is_terminal
from evstore.cli.options import Db

if TYPE_CHECKING:
    from evstore.adapters.base import Append, Receipt
    from evstore.store import Duplicate

MOST_IDS_IN_RECEIPT = 100


def append(
    context: typer.Context,
    stream: Annotated[
        str | None, typer.Argument(metavar="STREAM", show_default=False, help="As in Order-1.")
    ] = None,
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE...|-]", show_default=False, help="JSON values; - is stdin."),
    ] = None,
    type: Annotated[
        str | None, typer.Option("-t", "--type", metavar="TYPE", show_default=False, help="The event type.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("-d", "--data", metavar="JSON", show_default=False, help="The data of one event."),
    ] = None,
    many: Annotated[
        bool, typer.Option("--many", help='The input says the streams: every value has a "streamId".')
    ] = False,
    expect: Annotated[
        str | None,
        typer.Option(
            "-e",
            "--expect",
            metavar="any|no-stream|exists|N",
            show_default=False,
            help="Append only if the stream is at version N, is missing, or exists.  [default: any]",
        ),
    ] = None,
    id: Annotated[
        str | None,
        typer.Option("--id", metavar="UUID", show_default=False, help="The event's id, to try again safely."),
    ] = None,
    correlation_id: Annotated[
        str | None,
        typer.Option("--correlation-id", metavar="TEXT", show_default=False, help="What belongs together."),
    ] = None,
    causation_id: Annotated[
        str | None, typer.Option("--causation-id", metavar="TEXT", show_default=False, help="What caused it.")
    ] = None,
    user_id: Annotated[
        str | None, typer.Option("--user-id", metavar="TEXT", show_default=False, help="Who did it.")
    ] = None,
    tenant_id: Annotated[
        str | None, typer.Option("--tenant-id", metavar="TEXT", show_default=False, help="For whom.")
    ] = None,
    meta: Annotated[
        list[str] | None,
        typer.Option("-m", "--meta", metavar="KEY=VALUE", show_default=False, help='Into "custom"; repeatable.'),
    ] = None,
    metadata: Annotated[
        str | None,
        typer.Option("--metadata", metavar="JSON", show_default=False, help="Metadata as one object."),
    ] = None,
    db: Db = None,
) -> None:
    """Append events to a stream: all of them, durably, or none.

    \b
    Examples:
      evstore append Order-1 -t OrderPlaced -d '{"total": 99.9}' -e no-stream
      evstore append Order-1 -t ItemAdded items.ndjson
      jq -c '{type: .kind, data: .}' log.json | evstore append Log-1 -
      zcat events.ndjson.gz | evstore append --many -

    FILE and - hold JSON values in any layout. With --type each value is an event's
    data, else {"type", "data", "metadata"?, "id"?}.
    """
    import gc  # noqa: PLC0415

    from evstore.cli import intake  # noqa: PLC0415

    gc.disable()  # the events live to the end, so that looking for garbage among them takes a fifth of the time
    if many and stream is not None:
        files, stream = [stream, *(files or ())], None
    files = files or []
    _check_together(context, stream, files, type, data, many, expect, id)
    wanted = intake.expected(expect)
    if data is None and files == ["-"] and stdin_is_terminal():
        render.note("reading events from the terminal; Ctrl-D ends them")
    ids = (correlation_id, causation_id, user_id, tenant_id)
    default = intake.metadata_of(ids, meta or [], metadata)
    with opened(context, db) as store:
        if many:
            unit = store.unit(intake.writes_of(store, files, default))
        else:
            assert stream is not None
            if data is not None:
                events = [intake.inline(store, type or "", data, id, default)]
            else:
                events = intake.events_of(store, stream, files, type, id, default)
            unit = store.unit([(stream, events, wanted)])
        (outcome,) = store.submit([unit])
    if isinstance(outcome, Exception):
        raise outcome
    (_print_receipt_of_many if many else _print_receipt)(unit, _told(outcome))


def _check_together(
    context: typer.Context,
    stream: str | None,
    files: list[str],
    type: str | None,
    data: str | None,
    many: bool,
    expect: str | None,
    id: str | None,
) -> None:
    if many:
        for flag, given in (("--type", type), ("--data", data), ("--expect", expect), ("--id", id)):
            if given is not None:
                hint = 'say "expectedVersion" in the envelopes' if flag == "--expect" else None
                raise UsageError(f"--many and {flag} exclude each other", hint)
    elif stream is None:
        raise UsageError("say a STREAM", "evstore append --help")
    if data is not None and type is None:
        raise UsageError("--data needs --type")
    if data is not None and files:
        raise UsageError("--data and FILE exclude each other")
    if data is None and not files:
        if stdin_is_terminal():
            typer.echo(context.get_help(), err=True)
            raise typer.Exit(2)
        raise UsageError("no events: say --data JSON, a FILE, or - for stdin", "evstore append --help")
    if files.count("-") > 1:
        raise UsageError("- may stand once")


class _Told(NamedTuple):
    """What a receipt tells, of an append or of its retry."""

    size: int
    first_version: int
    first_position: int
    position: int
    duplicate: bool


def _told(outcome: "Receipt | Duplicate") -> _Told:
    from evstore.adapters.base import Receipt  # noqa: PLC0415

    if isinstance(outcome, Receipt):
        first = outcome.first_position
        return _Told(outcome.size, outcome.first_versions[0], first, first + outcome.size - 1, duplicate=False)
    first_event, last = outcome.first, outcome.last
    return _Told(
        outcome.size,
        first_event.version,
        first_event.global_position,
        last.global_position,
        duplicate=True,
    )


def _print_receipt(unit: "Append", told: _Told) -> None:
    (write,) = unit.writes
    version = told.first_version + told.size - 1
    if render.on_terminal():
        done = f"{_events(told.size)} already stored," if told.duplicate else f"appended {_events(told.size)}, now"
        at = f"at version {version} (position {told.position})"
        render.write(f"{render.visible(write.stream_id)}: {done} {at}\n")
        if told.first_position == 1 and not told.duplicate:
            render.note(f"evstore read {write.stream_id}", "next")
        return
    members = {
        "streamId": write.stream_id,
        "count": told.size,
        "firstVersion": told.first_version,
        "version": version,
        "globalPosition": told.position,
    }
    if told.size <= MOST_IDS_IN_RECEIPT:
        members["ids"] = [event.id for event in write.events]
    render.object_line({**members, "duplicate": told.duplicate})


def _print_receipt_of_many(unit: "Append", told: _Told) -> None:
    streams = len({write.stream_id for write in unit.writes})
    if render.on_terminal():
        done = f"{_events(told.size)} already stored in" if told.duplicate else f"appended {_events(told.size)} to"
        where = "1 stream" if streams == 1 else f"{streams} streams"
        render.write(f"{done} {where}, position {told.first_position} to {told.position}\n")
        return
    render.object_line(
        {
            "streams": streams,
            "count": told.size,
            "firstGlobalPosition": told.first_position,
            "globalPosition": told.position,
            "duplicate": told.duplicate,
        }
    )


def _events(count: int) -> str:
    return "1 event" if count == 1 else f"{count} events"
