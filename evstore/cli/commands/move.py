"""Commands that move a log from one place to another."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from evstore.cli import settings
from evstore.cli.errors import UsageError
from evstore.cli.opening import opened, stdin_is_terminal
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
    exit_with_help,
    filters_of,
    not_negative,
    types_of,
)
from evstore.cli.output import forms, writer
from evstore.cli.output.events import pages_of

if TYPE_CHECKING:
    from typing import BinaryIO

    from evstore import EventStore, StoredEvent
    from evstore.transfer import Arrival, Imported


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
    from evstore.model.events import lines_of

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
            for page in pages_of(events):
                writer.lines(lines_of(page))
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
    from evstore.model.events import lines_of

    count, last = 0, 0
    with progress("exporting", head - after) as shown:
        for page in pages_of(events):
            file.write(writer.as_bytes(lines_of(page)))
            count += len(page)
            last = page[-1].global_position
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


def import_(
    context: typer.Context,
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE|-]", show_default=False, help="A file that export wrote, perhaps compressed."
        ),
    ] = None,
    renumber: Annotated[
        bool, typer.Option("--renumber", help="Store the events at the next positions and versions.")
    ] = False,
) -> None:
    """Store what `evstore export` wrote, as it was.

    \b
    Examples:
      evstore import backup.ndjson.gz
      evstore --db shop.db export | evstore --db postgresql://db/shop import
      evstore import --renumber history.ndjson

    With --renumber an event needs "streamId", "type" and "data" alone; it keeps its
    "timestamp", and a "key" makes its id, so that a second run stores nothing.

    Events that are stored already are passed over: an import that was interrupted
    is run again. Positions and versions must come out as in the file, else it stops.
    """
    if file is None and stdin_is_terminal():
        exit_with_help(context)
    import gc

    from evstore.cli.output.screen import counted

    gc.set_threshold(100_000)  # a batch is thousands of tuples, which hold no circles
    done, head = _import(file or "-", renumber=renumber)
    apart = f" ({done.differing:,} of them with another time or other metadata)" if done.differing else ""
    skipped = f", {done.skipped:,} were there{apart}" if done.skipped else ""
    sentence = f"imported {counted(done.stored, 'event')}{skipped}; the log is at position {head:,}"
    members = {"imported": done.stored, "skipped": done.skipped, "headPosition": head, "differing": done.differing}
    if done.differing:
        events, stay = ("event is", "stays") if done.differing == 1 else ("events are", "stay")
        writer.note(
            f"{done.differing:,} {events} stored with another time or other metadata, and {stay} as stored; "
            f"the first is at {done.first_differing}"
        )
    with writer.after_the_fact(sentence, members):
        if settings.as_table():
            writer.line(sentence)
        else:
            forms.one(members)


def _import(name: str, *, renumber: bool) -> "tuple[Imported, int]":
    """The sums of an import, and the head of the log after it."""
    from evstore.cli.input.sources import check_files, input_of
    from evstore.cli.output.progress import progress
    from evstore.errors import (
        ConcurrencyError,
        EventIdConflictError,
        EvstoreError,
        InvalidInputError,
        PositionConflictError,
    )
    from evstore.transfer import Imported, import_events

    check_files([name])
    done = Imported(0, 0)
    with opened() as store, input_of(name) as source, progress("importing", source.size) as shown:
        store.head()  # without a store there, nothing is read
        consumers: list[bytes] = []
        arrivals = _arrivals(store, source.chunks, name, consumers, renumber=renumber)
        try:
            for batch in import_events(store, arrivals, renumber=renumber):
                done = done.plus(batch)
                shown.at(source.position(), done.stored + done.skipped)
            _restore(store, consumers, renumber=renumber)
        except EvstoreError as error:
            if isinstance(error, PositionConflictError | ConcurrencyError):
                error.add_note("--renumber keeps ids and times, and gives the next positions and versions")
            elif isinstance(error, EventIdConflictError):
                error.add_note("the store holds another event with this id; import into a store of its own: --db")
            elif isinstance(error, InvalidInputError) and not renumber and "not a stored event" in str(error):
                error.add_note('--renumber takes events from elsewhere: {"streamId","type","data","timestamp"?}')
            if done.stored:
                are = "event before it is" if done.stored == 1 else "events before it are"
                writer.note(f"{done.stored:,} {are} imported; mend the input, then run the import again")
            raise
        return done, store.head()


def _restore(store: "EventStore", lines: list[bytes], *, renumber: bool) -> None:
    """Make the consumers of these lines."""
    if lines and renumber:
        writer.note("with --renumber the checkpoints of consumers mean nothing, and their lines are passed over")
        return
    there = sum(not store.consumers.restore(line) for line in lines)
    if there:
        are = (
            "consumer is there already, and stays as it is"
            if there == 1
            else "consumers are there already, and stay"
        )
        writer.note(f"{there:,} {are}")


def _arrivals(
    store: "EventStore", chunks: Iterator[bytes], name: str, consumers: list[bytes], *, renumber: bool
) -> "Iterator[Arrival]":
    """The events of the input. The lines of consumers are put to the list."""
    from evstore.appending.foreign import foreign_from_json
    from evstore.consumers.moving import BEGIN
    from evstore.jsontext.splitting import Values
    from evstore.model.events import StoredEvent
    from evstore.transfer import arrival, plain_arrivals

    dropped: set[str] = set()
    preparing = store.appender.preparing()

    def read(value: bytes) -> "Arrival | None":
        if value.startswith(BEGIN):
            consumers.append(value)
            return None
        stored, others = (foreign_from_json if renumber else StoredEvent.from_json_noting)(value)
        for key in others:
            if key not in dropped:
                dropped.add(key)
                writer.note(f'{name}:{values.line}: unknown key "{key}" is dropped, here and in later lines')
        return arrival(preparing, f"{name}:{values.line}", stored)

    values: Values[Arrival | None] = Values(
        name,
        read,
        read_lines=None if renumber else lambda lines: plain_arrivals(preparing, name, values.line, lines),
    )
    yield from (each for _, each in values.feed(chunks) if each is not None)
    yield from (each for _, each in values.end() if each is not None)
