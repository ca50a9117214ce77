"""`subscribe`: a durable consumer for the shell."""

import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evstore.cli import settings
from evstore.cli.another import AFTER_DASHES
from evstore.cli.errors import HandlerFailedError
from evstore.cli.input.subscribe_flags import Asked, SubscribeFlags, asked_of
from evstore.cli.opening import opened
from evstore.cli.output import events, writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from evstore.cli.handlers import Handler
    from evstore.consumers.consumer import Consumer
    from evstore.model.consumers import Parked
    from evstore.model.events import StoredEvent

PAUSE_SECONDS = 1.0
"""The pause of a member whose slots are all held."""


def subscribe(
    flags: SubscribeFlags,
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False, help="The name of the consumer.")],
    category: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CATEGORY]... [-- COMMAND ARG...]",
            show_default=False,
            help="The text before the first hyphen of stream ids; the command to run for each event.",
        ),
    ] = None,
) -> None:
    """Run a command for each event, and keep how far NAME has come.

    \b
    Examples:
      evstore subscribe mailer Order -- ./send-mail
      evstore subscribe stock Order --once --on-failure park -- ./update-stock
      evstore subscribe mails Order --append -- jq -c -f react.jq
      evstore subscribe mailer Order | jq .data

    COMMAND gets the events as NDJSON on its stdin, and of one event
    EVSTORE_STREAM_ID, EVSTORE_EVENT_TYPE, EVSTORE_GLOBAL_POSITION and
    EVSTORE_EVENT_ID. The checkpoint of NAME moves only when it exits with 0: each
    event is handled at least once, and again after a crash. Without COMMAND the
    events are printed, and the checkpoint stays. More: evstore help handling
    """
    command = AFTER_DASHES.get("words")
    asked = asked_of(flags, category, command)
    with opened() as store:
        from evstore.cli.suggestions import note_unknown
        from evstore.errors import ConsumerHeldError

        note_unknown(store, category, flags.type, takes_streams=False)
        consumer = store.consumer(
            name,
            categories=category or None,
            types=flags.type,
            start=asked.start,
            member=asked.member,
            refilter=flags.refilter,
        )
        try:
            _work(consumer, flags, asked, command)
        except ConsumerHeldError as error:
            if flags.if_held != "skip":
                error.add_note("--if-held skip makes that a success, as for cron")
                raise
            writer.note(str(error))


def _work(
    consumer: "Consumer",
    flags: SubscribeFlags,
    asked: Asked,
    command: "Sequence[str] | None",
) -> None:
    if command is None and flags.ack is None:
        found: Iterator[StoredEvent] = consumer.peek(once=flags.once, on_idle=writer.check_reader)
        events.show(found, asked.fields, live=not flags.once)
        return
    from evstore.cli.handlers import Handler

    handler = Handler(command or (), consumer.stop, lambda: consumer.files)
    with handler.heeding_signals():
        _run(consumer, handler, flags, asked, command)


def _run(
    consumer: "Consumer",
    handler: "Handler",
    flags: SubscribeFlags,
    asked: Asked,
    command: "Sequence[str] | None",
) -> None:
    from evstore.cli.handlers import CommandFailedError, NotStarted, not_started
    from evstore.errors import ConflictError, InvalidInputError, StreamNotFoundError

    last: list[Sequence[StoredEvent]] = [()]
    printed = events.Parts(asked.fields)
    handle = _handle(handler, flags, command) if command else printed.show

    def noted(batch: "Sequence[StoredEvent]") -> Any:
        last[0] = batch
        return handle(batch)

    def idle() -> None:
        handler.idle()
        if command is None:
            writer.check_reader()

    try:
        with ExitStack() as held:
            _hold(held, consumer, flags, handler)
            consumer.run(
                noted,
                flags.batch,
                appends=flags.append,
                once=flags.once,
                retries=flags.retries if command else 0,
                backoff=asked.backoff,
                on_failure=flags.on_failure,
                on_retry=_note_retry,
                on_park=partial(_note_parked, consumer.name),
                on_wait=lambda error: writer.note(f"waiting: {error}"),
                on_idle=idle,
            )
        if not command:
            printed.close()
    except (CommandFailedError, ConflictError, InvalidInputError, StreamNotFoundError) as error:
        if not last[0]:
            raise
        raise HandlerFailedError(consumer.name, str(error), last[0]) from error
    except NotStarted as error:
        not_started(error)


def _handle(
    handler: "Handler", flags: SubscribeFlags, command: "Sequence[str]"
) -> "Callable[[Sequence[StoredEvent]], Any]":
    """The function that runs the command for a batch and returns what that wants to be appended."""
    if not flags.append:
        return handler.run
    from evstore.cli.handlers import printed_writes

    return lambda batch: printed_writes(handler.output(batch), command[0])


def _note_retry(error: Exception, left: int, seconds: float) -> None:
    tries = "1 try is" if left == 1 else f"{left} tries are"
    writer.note(f"{error}; {tries} left, the next in {seconds:.1f} s")


def _note_parked(name: str, event: "Parked") -> None:
    from shlex import quote

    where = f"{event.stream_id}, position {event.global_position}"
    writer.note(f"event {event.event_id} ({where}) is parked: {event.reason}; the later events of the stream wait")
    if not settings.current.quiet:
        writer.note(settings.again(f"consumers retry {quote(name)} {event.event_id}"), "hint")


def _hold(held: ExitStack, consumer: "Consumer", flags: SubscribeFlags, handler: "Handler") -> None:
    """Hold the consumer. A member waits for a slot to come free, unless it is told not to."""
    from evstore.errors import ConsumerHeldError

    noted = False
    while True:
        try:
            held.enter_context(consumer)
        except ConsumerHeldError as error:
            if flags.member is None or flags.once or flags.if_held is not None:
                raise
            if not noted:
                writer.note(f"waiting for slots: {error}")
                noted = True
            handler.idle()
            time.sleep(PAUSE_SECONDS)
        else:
            return
