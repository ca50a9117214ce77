"""`export`: the log, for another place."""

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from evstore.cli import settings
from evstore.cli.errors import UsageError
from evstore.cli.opening import opened
from evstore.cli.options import (
    After,
    CorrelationId,
    From,
    Match,
    Meta,
    Since,
    Tags,
    TenantId,
    To,
    Types,
    Until,
    UserId,
    after_of,
    filters_of,
    not_negative,
    types_of,
)
from evstore.cli.output import forms, writer
from evstore.cli.output.events import in_lines, show_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from evstore import EventStore, StoredEvent


class ExportFlags(NamedTuple):
    output: Annotated[
        str | None,
        typer.Option(
            "-O",
            "--output",
            metavar="FILE",
            show_default=False,
            help="Write to FILE; compressed if its name ends in .gz. - is stdout.",
        ),
    ] = None
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it exists.")] = False
    consumers: Annotated[
        bool, typer.Option("--consumers", help="Add a line for each consumer, with its checkpoint, at the end.")
    ] = False
    from_: From = None
    after: After = None
    to: To = None
    type: Types = None
    tag: Tags = None
    match: Match = None
    correlation_id: CorrelationId = None
    user_id: UserId = None
    tenant_id: TenantId = None
    meta: Meta = None
    since: Since = None
    until: Until = None


def export(
    flags: ExportFlags,
    category: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CATEGORY...]", show_default=False, help="Only these categories."),
    ] = None,
) -> None:
    """Print the log as NDJSON, for `evstore import`.

    \b
    Examples:
      evstore export -O backup.ndjson.gz
      evstore --db shop.db export | evstore --db postgresql://db/shop import
      evstore export Order --since 7d | evstore --db orders.db import --renumber

    Everything comes out as it is stored. What is picked out of a log has gaps and
    needs `import --renumber`.
    """
    from evstore.cli.commands.readings import LogReading
    from evstore.cli.suggestions import note_unknown

    filters = filters_of(flags)
    after = after_of(flags.from_, flags.after)
    to = not_negative("--to", flags.to)
    output = _output(flags)
    with opened() as store:
        note_unknown(store, category, types_of(filters))
        picked = bool(category) or any(each is not None for each in filters.values())
        _note_part(picked=picked, after=after)
        head = store.head()
        log = LogReading(store, category or None, filters)
        events = log.in_range(after, to, None, backward=False)
        if output is None:
            show_lines(events)
            if flags.consumers:
                writer.lines(store.consumers.lines())
        else:
            with _new_file(store, output, force=flags.force) as file:
                count, last = _write(events, file, after=after, head=head)
                if flags.consumers:
                    file.write(writer.as_bytes(store.consumers.lines()))
            _print_written(output, count, last)


def _output(flags: ExportFlags) -> str | None:
    """The file to write, None for stdout. Raises UsageError."""
    output = None if flags.output == "-" else flags.output
    if flags.force and output is None:
        raise UsageError("--force goes with --output FILE")
    if output == "":
        raise UsageError("--output takes a FILE")
    return output


def _note_part(*, picked: bool, after: int) -> None:
    if picked:
        writer.note("this is a part of the log; `evstore import` accepts it with --renumber")
    elif after:
        writer.note(
            "this is the end of the log; `evstore import` accepts it in a store that has the earlier events, "
            "or with --renumber"
        )


@contextmanager
def _new_file(store: "EventStore", output: str, *, force: bool) -> "Iterator[BinaryIO]":
    from evstore.cli.input.files import new_file, to_the_end

    with to_the_end(), new_file(output, force=force, own=store.files) as file:
        yield file


def _write(events: "Iterator[StoredEvent]", file: "BinaryIO", *, after: int, head: int) -> tuple[int, int]:
    """The number of events written, and the position of the last."""
    from evstore.cli.output.progress import progress

    count, last = 0, 0
    with progress("exporting", head - after) as shown:
        for lines, number, last in in_lines(events):
            file.write(lines)
            count += number
            shown.at(last - after, count)
    return count, last


def _print_written(output: str, count: int, last: int) -> None:
    size = os.stat(output).st_size
    members = {"place": os.path.abspath(output), "events": count, "headPosition": last, "sizeBytes": size}
    with writer.after_the_fact(f"{output} is written", members):
        if settings.as_table():
            from evstore.cli.output.screen import counted

            writer.line(f"{counted(count, 'event')}, up to position {last:,}, in {output} ({size:,} bytes)")
        else:
            forms.one(members)
