"""Run one command line; every failure becomes an exit code and at most two lines on stderr."""

from __future__ import annotations

import os
import re
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import typer

from evstore.cli import settings
from evstore.cli.errors import HandlerFailedError, InputOutputError, TimedOut, UsageError
from evstore.cli.exits import CODES, hint_for
from evstore.cli.output import writer
from evstore.cli.output.writer import err_line, flush, note, to_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def run(argv: Sequence[str]) -> int:
    """The exit code. Nothing is raised, whatever happens."""
    started = time.monotonic()
    settings.begin(argv)
    try:
        from evstore.cli.app import app

        if sys.stdout is None and {"-h", "--help"} & set(argv):  # which Typer would print nowhere
            writer.write("")
        code = typer.main.get_command(app).main(list(argv), prog_name="evstore", standalone_mode=False)
        flush()
    except Exception as error:  # noqa: BLE001 - the last line of defence
        code = _report(error)
        with suppress(InputOutputError):
            flush()
    if settings.current.verbose:
        note(f"took {(time.monotonic() - started) * 1000:.0f} ms")
    return code if isinstance(code, int) else 0


def _report(error: Exception) -> int:
    from evstore.errors import EvstoreError

    if isinstance(error, typer.TyperException):
        return _usage(error)
    if isinstance(error, UsageError):
        return _fail("usage", error, str(error), error.hint)
    if isinstance(error, TimedOut):
        return _fail("timed_out", error, str(error))
    if isinstance(error, HandlerFailedError):
        return _fail(
            "handler_failed",
            error,
            str(error),
            "run it again to go on from there, or --on-failure park",
            error.facts(),
        )
    if isinstance(error, InputOutputError):
        return _fail("io", error, str(error), error.hint, error.facts)
    if isinstance(error, OSError):  # whose file it is was reported where it is known
        return _fail("io", error, f"input or output failed: {error}")
    if isinstance(error, EvstoreError):
        if os.environ.get("EVSTORE_DEBUG") == "1":
            import traceback

            traceback.print_exc()
        return _fail(error.code, error, str(error), hint_for(error), error.facts())
    return _internal(error)


def _fail(
    code: str, error: Exception, message: str, hint: str | None = None, facts: Mapping[str, Any] | None = None
) -> int:
    one_line = " ".join(message.split("\n"))
    if settings.current.errors != "json":
        err_line(f"evstore: {one_line}")
        if hint:
            note(hint, "hint")
        return CODES[code]
    members = {
        "code": code,
        "class": type(error).__name__,
        "exitCode": CODES[code],
        "message": one_line,
        **({"hint": hint} if hint else {}),
        "retryable": getattr(error, "retryable", False),
        **{_key(name): value for name, value in (facts or {}).items()},
    }
    err_line(to_json({"error": members}))
    return CODES[code]


def _key(fact: str) -> str:
    """The key of a fact on the wire, where the location of a store and the source of a fault are its place."""
    return "place" if fact in ("source", "location") else re.sub("_([a-z])", lambda found: found[1].upper(), fact)


def _usage(error: Any) -> int:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "evstore"
    message = error.format_message().removesuffix(".")
    return _fail("usage", UsageError(""), message[:1].lower() + message[1:], f"{path} --help")


def _internal(error: Exception) -> int:
    import traceback

    trace = traceback.format_exc()
    if os.environ.get("EVSTORE_DEBUG") == "1":
        sys.stderr.write(trace)
        where = "above"
    else:
        import tempfile

        file = tempfile.NamedTemporaryFile("w", prefix="evstore-traceback-", suffix=".txt", delete=False)  # noqa: SIM115
        with file:
            file.write(trace)
        where = f"in {file.name}"
    message = f"a bug in evstore: {type(error).__name__}: {error}; the traceback is {where}"
    return _fail("internal", error, message)
