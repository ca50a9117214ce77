"""Commands that prove a store right, and copy it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from evstore.cli import settings
from evstore.cli.errors import UsageError
from evstore.cli.exits import CODES
from evstore.cli.opening import opened
from evstore.cli.options import From, after_of
from evstore.cli.output import forms, writer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evstore.cli.output.progress import Progress
    from evstore.model.findings import Finding
    from evstore.verifying.verification import Verification


def verify(
    engine: Annotated[
        bool, typer.Option("--engine", help="Run the database's own check as well: integrity_check, amcheck.")
    ] = False,
    from_: From = None,
    expect: Annotated[
        str | None,
        typer.Option("--expect", metavar="P:HASH", show_default=False, help="The digest of the log up to P."),
    ] = None,
) -> None:
    """Check that the store does not contradict itself, while it is in use.

    \b
    Examples:
      evstore verify
      evstore verify --engine
      evstore verify --from 1000001
      evstore verify 2>&1 | sed -n 's/.*; digest //p' > digest.txt
      evstore verify --expect "$(cat digest.txt)"
      evstore --db memory:export.ndjson verify

    Positions, versions and numbers without a gap; ids, names, payloads, metadata
    and times that an append would take; every event and name found by each of the
    indexes that lead to it; tables, indexes, triggers and functions as evstore makes
    them. Everything up to the end that the log has when it starts. Without one of
    the indexes, events and names are not checked, and a note says so.

    Each contradiction is a line with its finding, globalPosition, streamId, message
    and advice; the exit code is then 1. A note on stderr reports how far it came, and
    the digest of the log up to there: a chain of SHA-256 over the contents of the
    events, which evstore help operations defines. Keep it elsewhere, and --expect
    shows whether the log up to there is still the same. It needs the log from its
    start, so not with --from. A tamper-evident store keeps the digest with each
    event, and verify names the event that is not what was appended.
    """
    after = after_of(from_, None)
    _check_expect(expect, from_)
    if _verify(after, expect, engine=engine):
        raise typer.Exit(CODES["findings"])


def _verify(after: int, expect: str | None, *, engine: bool) -> int:
    """Print findings and notes, and return the number of findings."""
    from evstore.cli.output.progress import progress

    with opened() as store, progress("verifying", None) as shown:
        verification = store.verify(
            after=after,
            expect=expect,
            engine=engine,
            on_progress=lambda done, total: _report(verification, shown, done, total),
        )
        counted = forms.Counter(verification)
        advice = _print_findings(counted)
    _print_notes(verification, advice)
    if not counted.count and not verification.unchecked:
        scope = f" from position {after + 1} on" if after else ": the store is sound"
        writer.note(f"no contradiction was found{scope}")
    return counted.count


def _print_findings(found: "Iterable[Finding]") -> dict[str, str]:
    """Print the findings, and return the advice for each kind if no line has it."""
    if settings.as_table():
        from evstore.cli.output import findings

        return findings.show(found)
    forms.many(map(_row, found), ())
    return {}


def _report(verification: "Verification", shown: "Progress", done: int, total: int) -> None:
    if verification.checked:
        shown.at(done, verification.checked, total)
    else:
        shown.at(0, verification.names, total, "names")


def _check_expect(expect: str | None, from_: int | None) -> None:
    from evstore.errors import InvalidInputError
    from evstore.verifying.verification import parse_digest

    if expect is None:
        return
    if from_ is not None:
        raise UsageError("--expect and --from exclude each other: a digest covers the log from its start")
    try:
        parse_digest(expect)
    except InvalidInputError as error:
        raise UsageError(f"--expect: {error}") from None


def _row(found: "Finding") -> dict[str, Any]:
    """The finding as a line or an array has it."""
    row = {"finding": found.kind, "globalPosition": found.position, "streamId": found.stream_id}
    if found.stream_id is None and settings.current.format != "tsv":  # there a column stays where it is
        del row["streamId"]
    return {**row, "message": found.message, "advice": found.advice}


def _print_notes(verification: "Verification", advice: dict[str, str]) -> None:
    for kind, what in advice.items():  # a person needs it once, not with every finding
        writer.note(f"{kind}: {what}", "advice")
    digest = f"; digest {verification.digest}" if verification.digest else ""
    events = "event" if verification.checked == 1 else "events"
    writer.note(f"{verification.checked} {events} checked, up to position {verification.head}{digest}")
    if verification.unchecked:
        writer.note(f"the events were not checked: {verification.unchecked}")
    if verification.uncompared:
        writer.note(f"tables, indexes, triggers and functions were not compared: {verification.uncompared}")
    if verification.skipped:
        writer.note(f"the engine's own check was skipped: {verification.skipped}")


def backup(
    file: Annotated[str, typer.Argument(metavar="FILE", show_default=False, help="The copy, a store itself.")],
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it exists.")] = False,
) -> None:
    """Copy a SQLite store, whole and consistent, while it is in use.

    \b
    Examples:
      evstore backup /backups/evstore-$(date +%F).db
      evstore backup --force nightly.db && evstore --db nightly.db verify

    Copying the file by hand can lose what was appended last, or everything. FILE
    gets its name when all of it is on disk, and can be read by its owner alone. It
    holds the log up to one position, which is printed.

    A store on PostgreSQL is backed up by pg_dump: there this command makes nothing,
    and prints the one to use. What that made comes back, into another database, by

    \b
      pg_restore --dbname=URL FILE
    """
    if not file:
        raise UsageError("FILE is empty")
    if file == "-":
        raise UsageError("a backup is a database file, stdout is none", "evstore export -O - prints the log")
    from evstore.cli.input.files import to_the_end

    with opened() as store, to_the_end():
        made = store.backup(file, force=force)
    members = {
        "place": made.location,
        "headPosition": made.head,
        "events": made.head,
        "sizeBytes": made.size_bytes,
    }
    with writer.after_the_fact(f"{made.location} is written", members):
        if settings.as_table():
            from evstore.cli.output.screen import counted

            writer.line(f"{counted(made.head, 'event')} in {made.location} ({made.size_bytes:,} bytes)")
        else:
            forms.one(members)
