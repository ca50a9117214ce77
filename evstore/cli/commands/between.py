"""Commands between two stores: keep one equal to the other, and show where they differ."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from evstore.cli import settings
from evstore.cli.errors import UsageError
from evstore.cli.exits import CODES
from evstore.cli.opening import opened, opened_too
from evstore.cli.output import forms, writer

if TYPE_CHECKING:
    from evstore import EventStore
    from evstore.comparing import Comparison, Difference
    from evstore.mirroring import Mirrored

Url = Annotated[
    str, typer.Argument(metavar="URL", show_default=False, help="The other store, in any of the forms of --db.")
]


def mirror(
    url: Url,
    once: Annotated[bool, typer.Option("--once", help="Stop at the end that the log has now.")] = False,
) -> None:
    """Keep another store equal to this one.

    \b
    Examples:
      evstore --db postgresql://db/shop init
      evstore mirror postgresql://db/shop
      evstore --db postgresql://db/shop mirror --once /backups/shop.db

    The whole log, then what comes: ids, times, positions, versions, metadata and
    tags as they are. What is redacted here is redacted there, in the same step as
    the event that tells of it. Where the role may not do that, the mirror stops
    before that event (77).

    The other store must exist, may lie on another database, and is written by
    nobody else. What it holds is compared first, by digests, and must be in this
    log, else nothing is stored (10): the message has the first position that
    differs. So a mirror that was killed is run again, and goes on where it was.
    A connection that is lost is made again; with --once it is an error (7).
    """
    from evstore.errors import LogsDifferError

    _check(url)
    with opened() as store, opened_too(url) as target:
        place = target.location
        try:
            done = _mirrored(store, target, once=once)
        except LogsDifferError as error:
            error.add_note(_diff(url))
            raise
    _print_sum(done, place)


def _print_sum(done: "Mirrored", place: str) -> None:
    members = {"events": done.events, "redacted": done.redacted, "globalPosition": done.position}
    from evstore.cli.output.screen import counted

    stored = counted(done.events, "event") + (
        f" stored, {done.redacted:,} redacted" if done.redacted else " stored"
    )
    sentence = f"{stored}; {place} is equal up to position {done.position:,}"
    with writer.after_the_fact(sentence, members):
        if settings.as_table():
            writer.line(sentence)
        else:
            forms.one(members)


def _mirrored(store: "EventStore", target: "EventStore", *, once: bool) -> "Mirrored":
    """Mirror until the end, if there is one. A note reports when the target has come up to the head."""
    from evstore.cli.commands.readings import Waiting
    from evstore.cli.output.progress import progress

    with progress("mirroring", None) as shown:
        is_level = once
        for done in store.mirror(
            target,
            once=once,
            on_progress=lambda done, total: shown.at(done, done, total, "positions compared"),
            on_wait=Waiting().note,
            on_idle=writer.check_reader,
        ):
            shown.at(done.position, done.events, done.head)
            if not is_level and done.position == done.head:
                is_level = True
                writer.note(f"{target.location} is equal up to position {done.position}; mirroring what comes")
    return done


def diff(url: Url) -> None:
    """Show where another store differs from this one.

    \b
    Examples:
      evstore diff postgresql://db/shop
      evstore diff memory:export.ndjson.gz
      evstore --db env:SHOP diff env:MIRROR -q > /dev/null || echo they differ

    Equal stores give an object and exit code 0. Otherwise each event that differs is
    a line, with its position and the fields that differ, and the exit code is 1. The
    first part of the log that differs is reported, and a log that ends earlier;
    what comes after that part is not compared.

    Both stores digest their logs, part by part, each where it lies: a server sends
    no event. Events are read where digests differ. An event that is redacted in one
    store alone differs. Consumers are not compared.
    """
    _check(url)
    with opened() as store, opened_too(url) as other:
        compared = _print_differences(store, other)
    if compared.differences:
        raise typer.Exit(CODES["findings"])
    if settings.as_table():
        writer.line(f"the logs are equal, up to position {compared.head:,}")
    else:
        forms.one({"equal": True, "globalPosition": compared.head})


def _print_differences(store: "EventStore", other: "EventStore") -> "Comparison":
    """Print the differences."""
    from itertools import chain

    from evstore.cli.output.progress import progress

    with progress("comparing", None) as shown:
        compared = store.diff(other, on_progress=lambda done, total: shown.at(done, done, total, "positions"))
        differences = iter(compared)
        first = next(differences, None)
    if first is None:
        return compared
    found = chain([first], differences)
    if settings.as_table():
        from evstore.cli.output import findings
        from evstore.model.findings import Finding

        findings.show(Finding(each.kind, each.message, each.position, each.stream_id) for each in found)
    else:
        forms.many(map(_row, found), ())
    here, there = store.location, other.location
    writer.note(f"the logs differ after position {compared.equal_to}; here is {here}, there is {there}")
    return compared


def _row(found: "Difference") -> dict[str, Any]:
    """The difference as a line or an array has it."""
    row = {
        "finding": found.kind,
        "globalPosition": found.position,
        "streamId": found.stream_id,
        "fields": list(found.fields),
        "message": found.message,
        "lastPosition": found.last_position,
    }
    if settings.current.format == "tsv":  # there a column stays where it is
        return row
    return {name: value for name, value in row.items() if value is not None}


def _diff(url: str) -> str:
    """The command that shows the differences. A URL with a secret is not repeated."""
    from shlex import quote

    from evstore.urls import redacted

    return settings.again(f"diff {quote(url) if redacted(url) == url else 'URL'}")


def _check(url: str) -> None:
    if not url:
        raise UsageError("URL is empty")
