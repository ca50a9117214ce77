"""Whatever a store holds, it cannot drive a real terminal; and in a pipe it is not touched."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from evstore import EventData, Metadata, connect
from tests.support.command_store import remove
from tests.support.hostile_text import BIDI, C0, C1, NAMES, TEXTS, WORST
from tests.support.terminal import seen

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from tests.support.command import Command

PRINTING = pytest.mark.sqlite_only("how an event is printed does not depend on where it was stored")
# A line break is the output's own, and so is what moves a terminal's cursor back before it.
FORBIDDEN = {*C0, *C1, *BIDI} - {"\n"}
STYLE = re.compile(r"\x1b\[([0-9;]*)m")
STYLES = {"0", "1", "2", "32", "36"}  # what tables are drawn with: bold, dim, green, cyan


def of(parts: list[str], least: int = 0) -> SearchStrategy[str]:
    return st.lists(st.sampled_from(parts), min_size=least, max_size=8).map("".join)


@st.composite
def events(draw: Any) -> tuple[str, str, str, dict[str, str]]:
    """A stream, a type, the text of the data, metadata."""
    names = [draw(of(NAMES)) for _ in range(2)]
    # Half of the time as it is, as far as JSON lets it; what is left is always escaped.
    value = {draw(of(TEXTS, 1)): draw(of(TEXTS)), "list": [draw(of(TEXTS))]}
    text = json.dumps(value, ensure_ascii=draw(st.booleans()))
    custom = {draw(of(TEXTS, 1)).replace("\0", "?"): draw(of(TEXTS)).replace("\0", "?")}
    return f"A{names[0]}-1", f"T{names[1]}", text, custom


def fill(command: Command, batch: list[tuple[str, str, str, dict[str, str]]]) -> list[str]:
    """A new store with these events, and their ids."""
    remove(command)
    with connect(command.url) as store:
        store.initialize()
        writes = [(s, [EventData.from_json(t, d, Metadata("c", custom=m))], -1) for s, t, d, m in batch]
        return [event.id for event in store.append_many(writes)]


def harmless(screen: str, *, colour: bool, tabs: bool = False) -> str:
    """The screen without the styles of tables; nothing else on it may be a control."""
    if colour:
        assert set(STYLE.findall(screen)) <= STYLES
        screen = STYLE.sub("", screen)
    found = set(screen) & (FORBIDDEN - {"\t"} if tabs else FORBIDDEN)
    assert not found, (sorted(found), screen[:2000])
    return screen


FIELDS = "id,streamId,type,data.v,data.list.0,metadata.custom.k,data"
SOME = settings(
    max_examples=2,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


FORMS = ("table", "ndjson", "json", "tsv")


def shown(command: Command, form: str, *words: str) -> None:
    colour = form == "table"
    env = {} if colour else {"NO_COLOR": "1"}
    screen = harmless(seen(command, "-F", form, *words, **env), colour=colour, tabs=form == "tsv")
    assert screen.strip()
    if form == "json":
        assert json.loads(screen)
    elif form == "ndjson" and "--names" not in words:
        assert all(json.loads(line) for line in screen.strip("\n").split("\n"))


@pytest.mark.parametrize("form", FORMS)
@PRINTING
def test_no_command_lets_the_worst_drive_the_terminal(evstore: Command, form: str) -> None:
    first = fill(evstore, WORST)[0]
    shown(evstore, form, "read", "--", WORST[0][0])
    shown(evstore, form, "replay", "--all")
    shown(evstore, form, "get", first, "--fields", FIELDS)
    shown(evstore, form, "streams")
    shown(evstore, form, "categories", "--names")


@SOME
@given(st.lists(events(), min_size=30, max_size=50))
@PRINTING
def test_nothing_that_is_stored_drives_the_terminal(evstore: Command, batch: list[Any]) -> None:
    fill(evstore, batch)
    for form in FORMS:
        shown(evstore, form, "replay", "--all", "--limit", "all", "--fields", FIELDS)
        shown(evstore, form, "streams", "--limit", "all")


@SOME
@given(st.lists(events(), min_size=20, max_size=40))
@example(WORST)
def test_in_a_pipe_nothing_is_changed(evstore: Command, batch: list[Any]) -> None:
    fill(evstore, batch)
    for words in (("replay", "--all"), ("replay", "--all", "-F", "ndjson")):
        lines = evstore.ok(*words).out.decode().split("\n")[:-1]  # only this ends a line
        assert len(lines) == len(batch)
        for line, (stream, kind, text, custom) in zip(lines, batch, strict=True):
            assert f'"data":{text},"metadata":' in line
            event = json.loads(line)
            assert (event["streamId"], event["type"], event["metadata"]["custom"]) == (stream, kind, custom)
    rows = [row.split("\t") for row in evstore.ok("replay", "--all", "-F", "tsv").out.decode().split("\n")[:-1]]
    assert {len(row) for row in rows} == {8}
    assert len(rows) == len(batch)


@pytest.mark.parametrize("form", ["table", "ndjson", "json"])
@PRINTING
def test_appending_shows_nothing_that_could_drive_the_terminal(store: Command, form: str) -> None:
    stream, kind, text, _ = WORST[0]
    said = ("-t", kind, "-d", text.replace("\0", ""), "--", stream)
    for more in ((), ("--echo",), ("--each",), ("--dry-run",)):
        harmless(seen(store, "append", *more, "-F", form, *said), colour=form == "table")


HOSTILE = "A\x1b[31m\x9b2J\u202e[red]\r\x07-1"


MESSAGES = [
    ("read", HOSTILE),
    ("read", "A\u202e[/x]-1"),
    ("get", HOSTILE),
    ("append", "S-1", "-t", HOSTILE, "-d", "1"),
    ("append", "S-1", "-t", "T", "-d", f'"{HOSTILE}'),
    ("append", "S-1", "-t", "T", "-d", "1", "--metadata", json.dumps({HOSTILE: "x"})),
    ("read", f"--{HOSTILE}"),
    ("read", "S-1", "--since", HOSTILE),
    ("read", "S-1", "--fields", HOSTILE),
    ("--db", f"{HOSTILE}://x", "categories"),
    ("--db", f"{HOSTILE}.db", "categories", "-v"),
    (HOSTILE,),
]


@pytest.mark.parametrize("words", MESSAGES, ids=ascii)
@PRINTING
def test_no_message_lets_what_was_said_drive_the_terminal(evstore: Command, words: tuple[str, ...]) -> None:
    fill(evstore, WORST)
    harmless(seen(evstore, *words), colour=False)


@pytest.mark.parametrize("words", MESSAGES[:3], ids=ascii)
@PRINTING
def test_a_message_as_json_is_json_on_a_terminal_too(evstore: Command, words: tuple[str, ...]) -> None:
    fill(evstore, WORST)
    screen = harmless(seen(evstore, *words, EVSTORE_ERRORS="json"), colour=False)
    assert all(json.loads(line) for line in screen.splitlines())


def test_white_space_between_tokens_stays_json_on_a_terminal(store: Command) -> None:
    store.ok("append", "S-1", "-t", "T", "-d", '{"a"\t:\t[1,\t"b\\tc"]}')
    for form in ("ndjson", "json"):
        screen = json.loads(seen(store, "read", "S-1", "-F", form))
        event = screen[0] if form == "json" else screen
        assert event["data"] == {"a": [1, "b\tc"]}


@PRINTING
def test_a_row_of_a_table_is_one_line_whatever_breaks_lines_elsewhere(store: Command) -> None:
    text = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg"
    store.ok("append", "S-1", "-", stdin=json.dumps({"type": "T", "data": text}, ensure_ascii=False).encode())
    for fields in ((), ("--fields", "type,data")):
        rows = seen(store, "read", "S-1", *fields, NO_COLOR="1").split("\n")
        assert len(rows) == 3, rows
        assert rows[0].split()[0] in {"version", "type"}
        assert "g" in rows[1]
