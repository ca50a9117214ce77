"""Commands that look at what a store holds."""

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from evstore.cli import settings
from evstore.cli.errors import UsageError
from evstore.cli.opening import opened
from evstore.cli.options import Fields, MissingOk
from evstore.cli.output import events, forms, writer
from evstore.cli.suggestions import find_stream

if TYPE_CHECKING:
    from evstore.model.facts import StreamInfo
    from evstore.store import EventStore


def get(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", show_default=False, help="Event ids.")],
    missing_ok: MissingOk = False,
    fields: Fields = None,
) -> None:
    """Print events by id, in the order asked.

    \b
    Examples:
      evstore get 0198e5c4-0000-7000-8000-000000000007
      evstore get "$ID" | jq .data

    On a terminal one event is a page, with what caused it and what it caused.
    """
    from evstore.errors import EventNotFoundError

    if not ids:
        raise UsageError("an event ID is missing")
    columns = events.fields_of(fields)
    wanted = [_id_of(each) for each in ids]
    as_page = len(wanted) == 1 and columns is None and settings.current.format == "auto" and settings.on_terminal()
    with opened() as store:
        held = store.get_many(wanted)
        if as_page and held:
            from evstore.cli.output import page

            page.show(store, held[wanted[0]])
            return
    for each in wanted:
        if each not in held and not missing_ok:
            raise EventNotFoundError(each)
    events.show([held[each] for each in wanted if each in held], columns)


def _id_of(given: str) -> str:
    """The id that an argument names. Raises InvalidInputError, with the command that reads a stream."""
    from shlex import quote

    from evstore.errors import InvalidInputError
    from evstore.model.ids import normalize_id
    from evstore.model.names import check_stream_id

    try:
        return normalize_id(given)
    except InvalidInputError as error:
        with suppress(InvalidInputError):
            check_stream_id(given)
            error.add_note(f"{settings.again(f'read {quote(given)}')} prints a stream")
        raise


def info(
    stream: Annotated[
        str | None, typer.Argument(metavar="[STREAM]", show_default=False, help="Describe this stream.")
    ] = None,
    missing_ok: MissingOk = False,
) -> None:
    """Describe the store, or one stream.

    \b
    Examples:
      evstore info
      evstore info Order-1
      evstore info > /dev/null || echo "no store, or it does not answer"
    """
    if missing_ok and stream is None:
        raise UsageError("--missing-ok goes with a STREAM")
    with opened() as store:
        if stream is None:
            _print_store(store)
        else:
            found = find_stream(store, stream, missing_ok=missing_ok)
            if found is not None:
                _print_stream(store, found)


def _print_store(store: "EventStore") -> None:
    found = store.info()
    if settings.as_table():
        from evstore.cli.output import info_report

        info_report.of_store(store, found)
    else:
        from evstore.cli.output import objects

        forms.one(objects.of_store(found))


def _print_stream(store: "EventStore", found: "StreamInfo") -> None:
    if settings.as_table():
        from evstore.cli.output import info_report

        info_report.of_stream(store, found)
    else:
        from evstore.cli.output import objects

        forms.one(objects.of_stream(found))


def trace(
    correlation_id: Annotated[
        str, typer.Argument(metavar="CORRELATION_ID", show_default=False, help="The correlation id of the events.")
    ],
    fields: Fields = None,
) -> None:
    """Print the events of a correlation, on a terminal as a tree.

    \b
    Examples:
      evstore trace req-7
      evstore trace req-7 | jq -r .type
      evstore trace "$(evstore get "$ID" | jq -r .metadata.correlationId)"

    In the tree an event stands below the one that caused it, whose id is its
    causation id. In a pipe events come by global position, as from replay.
    """
    columns = events.fields_of(fields)
    with opened() as store:
        found = store.replay(correlation_id=correlation_id)
        if settings.as_table() and columns is None:
            from evstore.cli.output import tree

            count = tree.show(store, found)
        else:
            count = events.show(found, columns)
    if count == 0 and (settings.as_table() or settings.on_terminal()):
        writer.note(f"no event has the correlation id {writer.to_json(correlation_id)}")
