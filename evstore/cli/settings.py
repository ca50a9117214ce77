"""The global options of this run of the command."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final, TextIO

from evstore.cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEFAULT_DB: Final = "sqlite:///evstore.db"
FORMATS: Final = ("auto", "table", "ndjson", "json", "tsv")
ERRORS: Final = ("text", "json")
COLOURS: Final = ("auto", "always", "never")


class Settings:
    db: str = DEFAULT_DB
    given_db: str | None = None
    """The `--db` of the command line, for hints; what the environment says needs no repeating."""
    format: str = "auto"
    errors: str = "text"
    color: str = "auto"
    quiet: bool = False
    verbose: bool = False
    timeout: float | None = None
    utc: bool = False

    def take(self, given: Mapping[str, object]) -> None:
        """Take options in: they win over those before the command, and these over the environment."""
        for name, value in given.items():
            if value is not None:
                setattr(self, name, value)
        for name, allowed in (("format", FORMATS), ("errors", ERRORS), ("color", COLOURS)):
            value = getattr(self, name)
            if value not in allowed:
                setattr(self, name, allowed[0])  # the error that follows is printed by these settings, too
                raise UsageError(f'--{name} takes {", ".join(allowed)}, not "{value}"')
        if given.get("db") is not None:
            self.given_db = str(given["db"])


current = Settings()


def begin(argv: Sequence[str]) -> None:
    """Start from the environment. How errors are to be printed must be known before the flags are understood."""
    global current  # noqa: PLW0603 - one process runs one command
    current = Settings()
    env = os.environ
    current.db = env.get("EVSTORE_DB") or DEFAULT_DB
    current.format = env.get("EVSTORE_FORMAT") or "auto"
    current.errors = env.get("EVSTORE_ERRORS") or "text"
    words = argv[: argv.index("--")] if "--" in argv else argv
    for word, following in zip(words, [*words[1:], ""], strict=False):
        flag, _, value = word.partition("=")
        value = following if word == "--errors" else value
        if flag == "--errors" and value in ERRORS:  # any other is refused when the flags are understood
            current.errors = value


def again(words: str) -> str:
    """The command to type next. It names the store if this command named it; the environment needs no
    repetition. A URL with a secret is not repeated: what stands for the secret would be no command to paste."""
    from shlex import quote

    from evstore.urls import redacted

    url = current.given_db
    if url is None:
        return f"evstore {words}"
    return f"evstore {words} --db {quote(url)}" if redacted(url) == url else f"evstore {words}, with the same --db"


def on_terminal(stream: TextIO | None = None) -> bool:
    """True if the stream (stdout) is a terminal."""
    found = sys.stdout if stream is None else stream
    return found is not None and found.isatty()


def as_table() -> bool:
    """True if the output is a table."""
    return current.format == "table" or (current.format == "auto" and on_terminal())


def in_colour(stream: TextIO | None = None) -> bool:
    """True if the stream (stdout) may get colours; otherwise it gets no escape byte at all."""
    if current.color != "auto":
        return current.color == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return on_terminal(stream) and os.environ.get("TERM") != "dumb"
