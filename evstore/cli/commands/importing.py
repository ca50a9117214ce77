"""`import`: a log from another place."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from evstore.cli import settings
from evstore.cli.opening import opened, stdin_is_terminal
from evstore.cli.options import exit_with_help
from evstore.cli.output import forms, writer

if TYPE_CHECKING:
    from evstore import EventStore
    from evstore.transfer import Arrival, Imported


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
