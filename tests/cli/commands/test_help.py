"""The help: what to do first stands first, and all of it can be read in a window of 80 columns."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import typer

from evstore.cli import app as module
from evstore.cli.app import GROUPS, app
from evstore.cli.exits import CODES
from tests.support.terminal import seen

if TYPE_CHECKING:
    from tests.support.command import Command

pytestmark = pytest.mark.sqlite_only("no store is asked")
COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def sections(text: str) -> dict[str, list[str]]:
    """The first words of the lines below each heading."""
    found: dict[str, list[str]] = {}
    heading = ""
    for line in text.splitlines():
        if re.fullmatch(r"[A-Z]\w+:", line):
            heading = line[:-1]
            found[heading] = []
        elif heading and re.match(r"  \S", line):
            found[heading].append(line.split()[0])
        elif not line.strip():
            heading = ""
    return found


def test_the_five_commands_stand_first_and_the_rest_by_what_they_are_for(evstore: Command) -> None:
    shown = sections(evstore.ok("--help").out.decode())
    groups = list(shown)[: list(shown).index("Options")]
    assert groups[0] == "Commands"
    assert shown["Commands"] == ["init", "append", "read", "replay", "categories"]
    assert shown["Look"] == ["tail", "count", "types", "tags", "streams", "get", "info", "trace"]
    assert sorted(name for group in groups for name in shown[group]) == COMMANDS


def test_evstore_alone_prints_its_help_in_few_lines_on_stderr(evstore: Command) -> None:
    done = evstore()
    assert (done.code, done.out) == (2, b"")
    lines = done.err.splitlines()
    assert len(lines) <= 15
    assert max(map(len, lines)) <= 80
    assert lines[0] == evstore.ok("--help").out.decode().splitlines()[0]
    for name in GROUPS["Commands"]:
        (row,) = (line for line in lines if line.startswith(f"  {name} "))
        assert "..." not in row
    assert "evstore COMMAND --help" in done.err


def test_a_command_that_no_group_names_is_shown_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GROUPS", {**GROUPS, "Look": ("types", "nonsense")})
    group = typer.main.get_command(app)
    shown = sections(group.get_help(typer.Context(group, info_name="evstore")))  # type: ignore[arg-type]
    assert shown["Look"] == ["types"]
    assert shown["Other"] == [name for name in GROUPS["Look"] if name != "types"]


def test_the_help_says_that_a_store_can_be_on_postgresql(evstore: Command) -> None:
    text = evstore.ok("--help").out.decode()
    assert "--db postgresql://user@host/db" in text
    for words in (("--help",), ("read", "--help")):
        about_db = evstore.ok(*words).out.decode().partition("  --db URL ")[2]
        assert "postgresql://user@host/db" in about_db.partition("default:")[0]


@pytest.mark.parametrize("columns", [80, 140])
@pytest.mark.parametrize("words", [(), *((name,) for name in COMMANDS)], ids=" ".join)
def test_every_page_has_examples_first_and_the_exit_codes_and_fits(
    evstore: Command, words: tuple[str, ...], columns: int
) -> None:
    text = seen(evstore, *words, "--help", columns=columns)
    usage, about, *_ = text.split("\n\n")
    assert usage.startswith("Usage: evstore")
    assert len(about.splitlines()) == 1, "what it does is one line"
    assert text.split("\n\n")[2].startswith("  Examples:\n    evstore ")
    assert max(map(len, text.splitlines())) <= 80
    codes = set(map(int, re.findall(r"\b(\d+) [a-z]", re.sub(r"\s+", " ", text.partition("Exit codes:")[2]))))
    assert codes - {1, 8, 9} == {0, *CODES.values()} - {1, 8, 9}
    assert "..." not in text.partition("Options:")[2].replace("ARGS...", "")
