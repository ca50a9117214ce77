"""Run one command line and turn whatever happens into an exit code and at most two lines on stderr."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import typer

from evstore.cli.exits import CODES, OutputError, UsageError, hint_for
from evstore.cli.render import flush, note, visible

if TYPE_CHECKING:
    from collections.abc import Sequence


def run(argv: Sequence[str]) -> int:
    """The exit code. Nothing is raised, whatever happens."""
    from evstore.cli.app import app  # noqa: PLC0415 - errors of loading are caught below, too

    try:
        code = typer.main.get_command(app).main(list(argv), prog_name="evstore", standalone_mode=False)
        flush()
    except typer.TyperException as error:
        return _usage(error)
    except UsageError as error:
        return _fail("usage", str(error), error.hint)
    except OutputError as error:
        _silence_stdout()
        return _fail("io", str(error))
    except Exception as error:  # noqa: BLE001 - the last line of defence
        from evstore.errors import EvstoreError  # noqa: PLC0415

        if isinstance(error, EvstoreError):
            _debug()
            return _fail(error.code, str(error), hint_for(error, _db_of(argv)))
        return _internal(error)
    return code if isinstance(code, int) else 0


def _fail(code: str, message: str, hint: str | None = None) -> int:
    one_line = " ".join(message.split("\n"))
    print(visible(f"evstore: {one_line}"), file=sys.stderr)  # noqa: T201
    if hint:
        note(hint, "hint")
    return CODES[code]


def _usage(error: Any) -> int:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "evstore"
    message = error.format_message().removesuffix(".")
    return _fail("usage", message[:1].lower() + message[1:], f"{path} --help")


def _internal(error: Exception) -> int:
    import tempfile  # noqa: PLC0415
    import traceback  # noqa: PLC0415

    trace = traceback.format_exc()
    if os.environ.get("EVSTORE_DEBUG") == "1":
        sys.stderr.write(trace)
        where = "above"
    else:
        with tempfile.NamedTemporaryFile("w", prefix="evstore-traceback-", suffix=".txt", delete=False) as file:
            file.write(trace)
        where = f"in {file.name}"
    return _fail("internal", f"a bug in evstore: {type(error).__name__}: {error}; the traceback is {where}")


def _debug() -> None:
    if os.environ.get("EVSTORE_DEBUG") == "1":
        import traceback  # noqa: PLC0415

        traceback.print_exc()


def _silence_stdout() -> None:
    """What Python would still write at exit would fail again, with a message of its own."""
    if sys.stdout is not None and sys.stdout is sys.__stdout__:
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, 1)
        os.close(devnull)


def _db_of(argv: Sequence[str]) -> str | None:
    """The `--db` of the command line, for hints; what the environment says needs no repeating."""
    for at, word in enumerate(argv):
        if word == "--db" and at + 1 < len(argv):
            return argv[at + 1]
        if word.startswith("--db="):
            return word.removeprefix("--db=")
    return None
