"""In which form things are printed, and what the options of every command do."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from evstore import connect
from tests.support.command_store import writing
from tests.support.data import DATA, id_of, objects
from tests.support.sentences import names
from tests.support.terminal import seen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.command import Command

pytestmark = pytest.mark.sqlite_first("how events are printed seldom depends on where they are stored")

PRINTING = pytest.mark.sqlite_only("how an event is printed does not depend on where it was stored")
LINES = f"""
{{"streamId":"A-1","type":"T","id":"{id_of(1)}","metadata":{{"userId":"me","correlationId":"c","custom":{{"k":"v"}}}},
  "data":{{"n":1.10,"deep":{{"list":[true,"x\\ty"]}},"empty":"","nothing":null,"back":"a\\\\b\\nc"}}}}
{{"streamId":"A-1","type":"U","id":"{id_of(2)}","data":"plain"}}
{{"streamId":"B-1","type":"T","id":"{id_of(3)}","data":1e400}}
"""


@pytest.fixture(scope="module")
def shared(module_store: Command) -> Command:
    module_store.ok("append", "--many", "-", stdin=LINES.encode())
    return module_store


LISTS = {
    "read": ("read", "A-1"),
    "replay": ("replay", "--all"),
    "get": ("get", id_of(3), id_of(1)),
    "categories": ("categories",),
    "types": ("types",),
    "streams": ("streams",),
    "trace": ("trace", "c"),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_lines_by_default_and_one_array_as_json(shared: Command, name: str) -> None:
    words = LISTS[name]
    lines = shared.ok(*words).out
    assert shared.ok("-F", "ndjson", *words).out == lines
    assert shared.ok(*words, "-F", "auto").out == lines
    array = shared(*words, env={"EVSTORE_FORMAT": "json"}).out
    assert array.endswith(b"]\n")
    assert json.loads(array) == objects(lines)
    assert all(line in array for line in lines.splitlines())  # the text itself, not a value printed anew


@pytest.mark.parametrize("name", LISTS)
def test_a_list_has_a_line_of_tabs_for_each_and_a_header_as_a_table(shared: Command, name: str) -> None:
    words = LISTS[name]
    lines = objects(shared.ok(*words).out)
    rows = [row.split("\t") for row in shared.ok(*words, "--format", "tsv").lines]
    assert [len(row) for row in rows] == [len(line) for line in lines]
    drawn = shared.ok(*words, "--format=table").lines
    heads, *shown = drawn[1:] if name == "trace" else drawn  # a tree has a summary above it
    assert len(shown) == len(lines)
    assert heads.split()[0] in {"version", "position", "category", "type", "stream"}


@pytest.mark.parametrize("words", [("init",), ("info",), ("info", "A-1"), (*DATA, "-d", "1", "--id", id_of(9))])
def test_one_object_is_the_same_object_as_lines_and_as_json(evstore: Command, words: tuple[str, ...]) -> None:
    evstore.ok("init")
    evstore.ok("append", "A-1", "-t", "T", "-d", "1")
    evstore(*words)  # so that it is the same thing each time: a duplicate, or a store that is there
    lines = evstore.ok(*words).out
    assert lines.count(b"\n") == 1
    assert evstore.ok(*words, "-F", "json").out == lines
    assert len(evstore.ok(*words, "-F", "tsv").lines[0].split("\t")) == len(json.loads(lines))
    assert not evstore.ok(*words, "-F", "table").out.startswith(b"{")


@pytest.mark.parametrize("words", [("streams", "No"), ("categories", "--prefix", "No"), ("types", "No"), ("trace", "no"), ("get", id_of(7), "--missing-ok"), ("read", "No-1", "--missing-ok")])  # fmt: skip
def test_nothing_found_is_an_empty_array_or_nothing_at_all(shared: Command, words: tuple[str, ...]) -> None:
    assert shared.ok(*words, "-F", "json").out == b"[]\n"
    assert shared.ok(*words).out == b""


@PRINTING
def test_the_flag_wins_over_the_environment_and_the_later_flag_over_the_earlier(shared: Command) -> None:
    done = shared("-F", "json", "categories", "-F", "tsv", "--names", env={"EVSTORE_FORMAT": "table"})
    assert done.out == b"A\nB\n"
    assert shared("categories", "--names", env={"EVSTORE_FORMAT": "csv"}).code == 2
    assert shared("categories", "--names", "-F", "csv").code == 2


# --- fields ---

FIELDS = "data.n,id,data.deep.list,data.deep.list.1,data.nothing,data.gone,data.empty,metadata.custom.k,category"


def test_fields_are_picked_by_path_and_keep_their_text(shared: Command) -> None:
    first, *_ = shared.ok("read", "A-1", "--fields", FIELDS).lines
    assert first == (
        f'{{"data.n":1.10,"id":"{id_of(1)}","data.deep.list":[true,"x\\ty"],"data.deep.list.1":"x\\ty",'
        '"data.nothing":null,"data.gone":null,"data.empty":"","metadata.custom.k":"v","category":"A"}'
    )
    assert shared.ok("replay", "B", "--fields", "data").out == b'{"data":1e400}\n'


def test_fields_stand_in_their_order_in_tsv_and_what_is_missing_is_empty(shared: Command) -> None:
    wanted = "data.n,type,data.gone,data.deep.list.1,data.back,version"
    first, second = shared.ok("read", "A-1", "--fields", wanted, "-F", "tsv").lines
    assert first == "1.10\tT\t\tx\\ty\ta\\\\b\\nc\t1"
    assert second == "\tU\t\t\t\t2"


@PRINTING
def test_fields_are_the_columns_of_a_table(shared: Command) -> None:
    heads, first, _ = shared.ok("read", "A-1", "--fields", "type,data.n", "-F", "table").lines
    assert (heads.split(), first.split()) == (["type", "data.n"], ["T", "1.10"])


@pytest.mark.parametrize("fields", ["", "id.x", "type,,id", "data.\udcff"])
@PRINTING
def test_fields_that_no_event_has_are_refused(shared: Command, fields: str) -> None:
    done = shared("read", "A-1", "--fields", fields)
    assert (done.code, done.out) == (2, b""), done


# --- lists ---


def test_names_alone_are_lines_or_an_array_of_strings(shared: Command) -> None:
    assert shared.ok("streams", "--names").out == b"A-1\nB-1\n"
    assert json.loads(shared.ok("streams", "--names", "-F", "json").out) == ["A-1", "B-1"]
    assert json.loads(shared.ok("categories", "--names", "-F", "json").out) == ["A", "B"]
    assert json.loads(shared.ok("types", "--names", "-F", "json").out) == ["T", "U"]


def test_streams_are_told_with_all_their_facts(shared: Command) -> None:
    (stream,) = objects(shared.ok("streams", "A").out)
    times = [stream.pop(name) for name in ("createdAt", "updatedAt")]
    assert stream == {"streamId": "A-1", "category": "A", "version": 2, "events": 2, "lastType": "U"}
    assert all(len(each) == 27 and each.endswith("Z") for each in times)


def test_streams_are_picked_by_prefix_and_limit(store: Command) -> None:
    names = ["A-1", "A-2", "A_-1", "AB-1", "a-1"]
    with connect(store.url) as opened:
        for name in names:
            opened.append_many([(name, [event()], -1)])
    for words, expected in {
        (): names,
        ("A",): ["A-1", "A-2"],
        ("--prefix", "A-"): ["A-1", "A-2"],
        ("--prefix", "A_"): ["A_-1"],
        ("--limit", "2"): ["A-1", "A-2"],
        ("--limit", "0"): [],
        ("--limit", "all"): names,
        ("--limit", "99999999999999999999"): names,
    }.items():
        assert store.ok("streams", "--names", *words).lines == sorted(expected)


def event() -> object:
    from evstore import EventData

    return EventData("T", 1)


# --- get ---


def test_get_prints_in_the_order_asked(shared: Command) -> None:
    asked = [id_of(3), id_of(1), id_of(3)]
    assert [each["id"] for each in objects(shared.ok("get", *asked).out)] == asked
    assert objects(shared.ok("get", id_of(1).upper()).out)[0]["id"] == id_of(1)


def test_get_of_what_is_missing_prints_nothing_at_all(shared: Command) -> None:
    done = shared("get", id_of(1), id_of(7))
    assert (done.code, done.out) == (3, b"")
    assert id_of(7) in done.err
    kept = shared.ok("get", id_of(1), id_of(7), "--missing-ok")
    assert [each["id"] for each in objects(kept.out)] == [id_of(1)]


@PRINTING
def test_get_of_what_is_no_id_is_bad_input(shared: Command) -> None:
    assert shared("get", "1").code == 5
    assert shared("get").code == 2


# --- notes ---


@PRINTING
def test_quiet_drops_notes_and_keeps_errors(shared: Command) -> None:
    assert shared.ok("-q", "replay", "A-1").err == ""
    assert shared.ok("replay", "A-1", "--quiet").err == ""
    error = shared("read", "No-1", "-q").err
    assert error.startswith("evstore: ")
    assert names(error, '"No-1"')


def test_verbose_tells_the_resolved_store_and_the_time(shared: Command) -> None:
    done = shared.ok("categories", "-v")
    notes = done.err.splitlines()
    assert all(note.startswith("note: ") for note in notes)
    assert any(shared.place in note for note in notes)
    assert any(re.search(r"\b\d+ ", note) for note in notes if shared.place not in note)
    assert done.out == shared.ok("categories").out


@pytest.mark.parametrize(("asked", "meant"), [("A-11", "A-1"), ("a-1", "A-1"), ("AA-1", "A-1"), ("B-2", "B-1")])
def test_a_mistyped_stream_is_suggested(shared: Command, asked: str, meant: str) -> None:
    done = shared("read", asked)
    message, hint = done.err.splitlines()
    assert message.startswith("evstore: ")
    assert names(message, f'"{asked}"')
    assert hint.startswith("hint: ")
    assert names(hint, f'"{meant}"')


# --- colour ---

COLOUR = [
    ((), {}, False),
    (("--color", "always"), {}, True),
    (("--color", "always"), {"NO_COLOR": "1"}, True),
    (("--color", "never"), {"FORCE_COLOR": "1"}, False),
    ((), {"FORCE_COLOR": "1"}, True),
    ((), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ((), {"NO_COLOR": ""}, False),
]


@pytest.mark.parametrize(("words", "env", "coloured"), COLOUR)
@PRINTING
def test_a_table_in_a_pipe_has_colour_only_where_it_is_forced(
    shared: Command, words: tuple[str, ...], env: dict[str, str], coloured: bool
) -> None:
    done = shared("read", "A-1", "-F", "table", *words, env=env)
    assert (b"\x1b[" in done.out) is coloured
    # Whether there is colour, not only bold: the type is green.
    assert (b"\x1b[32m" in done.out) is coloured


@pytest.mark.parametrize("form", ["ndjson", "json", "tsv"])
@PRINTING
def test_data_is_never_coloured(shared: Command, form: str) -> None:
    plain = shared.ok("read", "A-1", "-F", form).out
    assert shared("read", "A-1", "-F", form, "--color", "always", env={"FORCE_COLOR": "1"}).out == plain


@PRINTING
def test_colour_on_a_terminal_can_be_switched_off(shared: Command) -> None:
    assert "\x1b[" in seen(shared, "read", "A-1")
    assert "\x1b" not in seen(shared, "read", "A-1", "--color", "never")
    assert shared("read", "A-1", "--color", "sometimes").code == 2


@PRINTING
def test_tabs_are_tabs_also_on_a_terminal(shared: Command) -> None:
    assert seen(shared, "streams", "A", "-F", "tsv").split("\t")[:3] == ["A-1", "A", "2"]
    assert "A-1\tT" in seen(shared, "read", "A-1", "-F", "tsv")


# --- the store ---


@pytest.fixture
def held(shared: Command) -> Iterator[Command]:
    """Somebody else writes, and does not end."""
    with writing(shared):
        yield shared


@pytest.mark.parametrize(
    ("before", "timeout"), [(True, "300ms"), (False, "0.3s"), (True, "0.005m"), (False, "0s"), (True, "0ms")]
)
def test_a_lock_is_waited_for_as_long_as_was_said(held: Command, timeout: str, before: bool) -> None:
    words = ("--timeout", timeout)
    process = held.start(*words, *DATA, "-d", "1") if before else held.start(*DATA, "-d", "1", *words)
    try:
        out, err = process.communicate(timeout=6)
    finally:
        process.kill()
    assert (process.returncode, out) == (7, b"")
    assert held.place in err.decode()


def test_reading_waits_for_no_lock(held: Command) -> None:
    assert held.ok("read", "A-1", "--timeout", "1ms").out


@pytest.mark.parametrize("timeout", ["5", "-1s", "soon", "1w"])
@PRINTING
def test_a_timeout_is_a_duration(shared: Command, timeout: str) -> None:
    assert shared("--timeout", timeout, "get", id_of(1)).code == 2


@pytest.mark.parametrize("timeout", ["99999999999d", "9" * 400 + "s"])
def test_a_timeout_beyond_what_a_clock_can_count_is_no_bug(store: Command, timeout: str) -> None:
    done = store(*DATA, "-d", "1", "--timeout", timeout)
    assert done.code in (0, 2), done


def test_the_url_may_be_in_a_variable_that_is_named(shared: Command) -> None:
    url = shared.url
    done = shared("--db", "env:SHOP_DB", "categories", "--names", env={"SHOP_DB": url, "EVSTORE_DB": "no.db"})
    assert done.out == b"A\nB\n"
    assert shared("categories", "--names", env={"SHOP_DB": url, "EVSTORE_DB": "env:SHOP_DB"}).out == b"A\nB\n"
    for name in ("env:SHOP_DB", "env:"):
        missing = shared("--db", name, "categories")
        assert (missing.code, missing.out) == (2, b"")
