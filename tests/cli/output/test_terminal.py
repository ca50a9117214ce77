"""What a person sees, on a real pseudo-terminal."""

from __future__ import annotations

import json
import os
import re
import resource
from typing import TYPE_CHECKING

import pexpect
import pytest

from evstore import EventData, Metadata, connect
from tests.support.sentences import names
from tests.support.terminal import STYLE, seen
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from tests.support.command import Command

pytestmark = pytest.mark.sqlite_first("what a terminal shows seldom depends on where events are stored")

PRINTING = pytest.mark.sqlite_only("how an event is printed does not depend on where it was stored")


@pytest.fixture
def busy(store: Command) -> Command:
    lines = [f'{{"streamId":"A-{n % 3}","type":"T","data":{{"n":{n}}}}}' for n in range(1, 151)]
    store.ok("append", "--many", "-", stdin="\n".join(lines).encode())
    return store


def test_a_terminal_shows_a_table_with_the_data(busy: Command) -> None:
    rows = STYLE.sub("", seen(busy, "read", "A-1", "-n", "2")).splitlines()
    assert rows[0].split() == ["version", "time", "type", "data"]
    assert rows[1].split()[0] == "1"
    assert rows[1].endswith('{"n":1}')
    assert rows[2].endswith('{"n":4}')


@pytest.mark.parametrize("columns", [80, 140])
@PRINTING
def test_a_table_is_as_wide_as_the_terminal_and_cuts_long_values(store: Command, columns: int) -> None:
    store.ok("append", "A-1", "-t", "T" * 200, "-d", f'"{"x" * 500}"')
    screen = STYLE.sub("", seen(store, "replay", "--all", columns=columns))
    assert max(map(len, screen.splitlines())) <= columns
    assert len(screen.splitlines()) == 2
    assert "…" in screen


STREAM = "Order-0198e5c4-0000-7000-8000-000000000007"


@pytest.fixture
def long_ids(store: Command) -> Command:
    """Streams as they are named in practice, and a correlation."""
    data = '{"orderId":"order-1","total":19.90,"customer":"Ann"}'
    with connect(store.url) as opened:
        for stream_id in (STREAM, "Order-2"):
            opened.append(stream_id, [EventData.from_json("OrderShippedToCustomer", data, Metadata("c"))])
    return store


@pytest.mark.parametrize("columns", [60, 80, 100, 140])
@pytest.mark.parametrize(
    "words",
    [
        ("replay", "--all"), ("replay", "Order", "-r"), ("streams",), ("trace", "c"), ("read", STREAM, "--fields", "stream,data"),
        ("replay", "--all", "--last", "2", "-f", "-n", "2"), ("append", "--many", "in", "--dry-run"),
    ],
)  # fmt: skip
@PRINTING
def test_the_id_of_a_stream_is_never_cut_where_a_column_can_give_way(
    long_ids: Command, words: tuple[str, ...], columns: int
) -> None:
    (long_ids.folder / "in").write_text(f'{{"streamId":"{STREAM}","type":"{"T" * 30}","data":"{"x" * 99}"}}')
    lines = STYLE.sub("", seen(long_ids, *words, columns=columns)).splitlines()
    assert any(STREAM in line for line in lines)
    assert max(len(line) for line in lines if not line.startswith("note:")) <= columns


@PRINTING
def test_a_column_without_room_is_named_below_the_table(long_ids: Command) -> None:
    shown = {
        columns: seen(long_ids, "replay", "--all", columns=columns, NO_COLOR="1") for columns in (60, 80, 140)
    }
    assert "note:" not in shown[140]
    assert shown[80].splitlines()[0].split() == ["position", "stream", "type", "data"]
    assert shown[80].splitlines()[-1] == "note: no room for time; a wider window or -F json shows everything"
    assert shown[60].splitlines()[0].split() == ["position", "stream"]
    assert shown[60].splitlines()[-1].startswith("note: no room for time, type and data; ")
    streams = seen(long_ids, "streams", columns=60, NO_COLOR="1").splitlines()
    assert streams[-1].startswith("note: no room for updated and last type; ")
    assert "no room for" not in seen(long_ids, "replay", "--all", "-q", columns=60)


@PRINTING
def test_times_of_today_go_without_the_date_where_room_is_short(store: Command) -> None:
    store.ok("append", "Order-1", "-t", "OrderPlaced", "-d", f'"{"x" * 99}"')
    wide, narrow = (seen(store, "read", "Order-1", columns=columns, NO_COLOR="1") for columns in (100, 50))
    assert re.search(r"  [0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}  OrderPlaced  ", wide)
    assert re.search(r"^ +1  [0-9:]{8}  OrderPlaced  \"x", narrow, re.MULTILINE)
    old = (
        '{"id":"0198e5c4-0000-7000-8000-000000000001","streamId":"Old-1","type":"T","data":"%s","metadata":{},'
        % ("x" * 99)
    )
    old += '"version":1,"globalPosition":1,"timestamp":"2020-11-23T14:30:00.000000Z"}'
    store.ok("import", "--renumber", stdin=old.encode())
    assert "2020-11-23 14:30:00" in seen(store, "read", "Old-1", columns=50, NO_COLOR="1", TZ="UTC0")


@PRINTING
def test_columns_are_picked_by_their_titles_as_well(store: Command) -> None:
    store.ok("append", "A-1", "-t", "T", "-d", '{"n":1}')
    titles = "position,time,stream,type,data"
    assert seen(store, "replay", "--all", "--fields", titles) == seen(store, "replay", "--all")
    assert store.ok("replay", "--all", "--fields", "position,stream").lines == ['{"position":1,"stream":"A-1"}']
    (time_,), (stamp,) = (
        store.ok("replay", "--all", "--fields", name, "-F", "tsv").lines for name in ("time", "timestamp")
    )
    assert time_ == stamp


@PRINTING
def test_json_is_indented_on_a_terminal_and_keeps_its_tokens(store: Command) -> None:
    data = r'{"n":1.10,"n":1e400,"text":"\u00e9","none":[]}'
    store.ok("append", "A-1", "-t", "T", "-d", data)
    shown = seen(store, "read", "A-1", "-F", "json", NO_COLOR="1")
    for line in ('    "n": 1.10,', '    "n": 1e400,', r'    "text": "\u00e9",', '    "none": []'):
        assert line in shown.splitlines()
    assert json.loads(shown) == json.loads(store.ok("read", "A-1", "-F", "json").out)
    assert store.ok("read", "A-1", "-F", "json").lines[0].count(data) == 1
    assert len(seen(store, "read", "A-1", "-F", "ndjson").splitlines()) == 1
    assert '  "streams": 1,' in seen(store, "info", "-F", "json", NO_COLOR="1").splitlines()


@PRINTING
def test_a_page_of_long_data_takes_memory_by_its_length(store: Command) -> None:
    length = 4_000_000
    stored = store.ok("append", "A-1", "-t", "T", "-", stdin=b'"%b"' % (b"x" * length))
    most = 100 * length  # of addresses: with libraries, and a few copies of the text
    program, *argv = store.argv("get", *json.loads(stored.out)["ids"])
    child = pexpect.spawn(
        program,
        argv,
        cwd=str(store.folder),
        env=store.env(TERM="xterm-256color"),
        timeout=PATIENCE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (most, most)),
    )
    shown = child.read()
    child.close()
    assert (child.exitstatus, shown.count(b"x") >= length) == (0, True), shown[-300:]


def test_without_a_limit_a_terminal_shows_the_last_hundred_oldest_first_and_says_so(busy: Command) -> None:
    _, *rows, note = STYLE.sub("", seen(busy, "replay", "--all")).splitlines()
    assert note == "note: the last 100 of 150 events; --limit all shows everything"
    assert [int(row.split()[0]) for row in rows] == list(range(51, 151))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("replay", "--all", "--after", "20", "--to", "140"), "the last 100 of 120 events"),
        (("replay", "--all", "-r"), "the last 100 of 150 events"),
        (("replay", "A"), "the last 100 events"),
        (("replay", "--all", "--until", "1d", "-t", "T", "--since", "1d"), None),
        (("replay", "--all", "-n", "120"), None),
        (("replay", "--all", "--after", "50"), None),
        (("read", "A-1", "--to", "2"), None),
    ],
)
def test_the_note_of_a_cut_list_stands_below_it_with_the_numbers(
    busy: Command, words: tuple[str, ...], said: str | None
) -> None:
    *_, last = STYLE.sub("", seen(busy, *words)).splitlines() or [""]
    if said is None:
        assert not last.startswith("note:")
    else:
        assert last == f"note: {said}; --limit all shows everything"


@pytest.mark.parametrize(
    ("words", "total"),
    [((), " of 121"), (("S",), " of 120"), (("--prefix", "S-"), " of 120"), (("S", "--prefix", "S-1"), None)],
)
def test_streams_that_are_not_shown_are_counted_below_the_list(
    store: Command, words: tuple[str, ...], total: str | None
) -> None:
    lines = [f'{{"streamId":"S-{n}","type":"T","data":{n}}}' for n in range(1, 121)]
    store.ok("append", "--many", "-", stdin="\n".join([*lines, lines[0].replace("S-1", "R-1")]).encode())
    *rows, last = STYLE.sub("", seen(store, "streams", *words)).splitlines()
    if total is None:
        assert last.startswith("S-")
    else:
        assert last == f"note: the first 100{total} streams; --limit all shows everything"
        assert len(rows) == 101


def test_limit_all_shows_everything_on_a_terminal(busy: Command) -> None:
    rows = STYLE.sub("", seen(busy, "replay", "--all", "--limit", "all")).splitlines()
    assert [int(row.split()[0]) for row in rows[1:]] == list(range(1, 151))


def test_follow_on_a_terminal_begins_with_the_last_ten(busy: Command) -> None:
    argv = busy.argv("replay", "A", "-f")
    child = pexpect.spawn(argv[0], argv[1:], cwd=str(busy.folder), env=busy.env(TERM="xterm"), encoding="utf-8")
    child.expect('"n":150')
    assert str(child.before).count('"n":') == 9
    child.expect(r"note: the last 10 events; --limit all shows everything")
    busy.ok("append", "A-1", "-t", "T", "-d", '"fresh"')
    child.expect('"fresh"')
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.signalstatus == 2


def test_an_append_answers_in_a_sentence(store: Command) -> None:
    screen = seen(store, "append", "Order-1", "-t", "T", "-d", "1")
    receipt, following = screen.splitlines()
    assert receipt.startswith("Order-1: ")
    assert re.findall(r"\d+", receipt.partition(": ")[2]) == ["1", "1", "1"]  # count, version, position
    assert following == "next: evstore read Order-1"
    (again,) = seen(store, "append", "Order-1", "-t", "T", "-d", "1").splitlines()
    assert again.startswith("Order-1: ")
    assert re.findall(r"\d+", again.partition(": ")[2]) == ["1", "2", "2"]


@pytest.mark.parametrize("mode", [("--each",), ("--batch", "1")])
def test_several_receipts_end_with_their_sum_and_the_next_step(store: Command, mode: tuple[str, ...]) -> None:
    (store.folder / "in").write_text("1\n2\n3\n")
    words = ("append", "Order-1", "-t", "T", "in", "--key", "k", *mode)
    *receipts, total, following = seen(store, *words).splitlines()
    assert [line.partition(":")[0] for line in receipts] == ["Order-1"] * 3
    assert total == "1 stream: appended 3 events, up to position 3"
    assert following == "next: evstore read Order-1"
    (store.folder / "in").write_text("1\n2\n3\n4\n")
    *receipts, total = seen(store, *words, "--skip-stored").splitlines()
    assert len(receipts) == 4
    assert total == "1 stream: appended 1 event, 3 events already stored, up to position 4"


def test_a_sum_names_the_streams_of_an_append_to_many(store: Command) -> None:
    (store.folder / "in").write_text(
        "".join(f'{{"streamId":"S-{n % 2}","type":"T","data":{n}}}\n' for n in range(5))
    )
    *_, total, following = seen(store, "append", "--many", "in", "--each").splitlines()
    assert total == "2 streams: appended 5 events, up to position 5"
    assert following == "next: evstore streams"


def test_a_sum_is_for_people_alone(store: Command) -> None:
    (store.folder / "in").write_text("1\n2\n")
    for words in (("-F", "ndjson"), ("-q",), ("--echo",)):
        assert "appended" not in seen(store, "append", "A-1", "-t", "T", "in", "--each", *words)
    assert "up to position" not in seen(store, "append", "B-1", "-t", "T", "-d", "1", "--each")


def test_init_says_where_the_store_is_and_what_to_try_next(evstore: Command) -> None:
    first, hint = seen(evstore, "init").splitlines()
    assert names(first, evstore.place, 0)
    assert hint.startswith("next: evstore append ")


@PRINTING
def test_nothing_to_do_at_a_terminal_prints_the_help_at_once(store: Command) -> None:
    assert "Examples:" in seen(store, "append", "Order-1")


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
@PRINTING
def test_without_colour_not_one_escape_byte_leaves(busy: Command, env: dict[str, str]) -> None:
    argv = busy.argv("replay", "--all", "-n", "3")
    child = pexpect.spawn(
        argv[0], argv[1:], cwd=str(busy.folder), env={**busy.env(TERM="xterm"), **env}, encoding="utf-8"
    )
    child.expect(pexpect.EOF)
    child.close()
    assert "\x1b" not in str(child.before)
    assert '"n":1' in str(child.before)


@PRINTING
def test_data_cannot_drive_the_terminal_nor_be_taken_for_markup(store: Command) -> None:
    store.ok("append", "A-[red]", "-t", "[/x]\u202e", "-d", '"\x7f\u009b2J\u202e[bold]"')
    screen = seen(store, "replay", "--all", columns=140, NO_COLOR="1")
    for text in ("A-[red]", "[/x]\\u202e", '"\\u007f\\u009b2J\\u202e[bold]"'):
        assert text in screen
    assert not {"\x7f", "\x9b", "\u202e", "\x1b"} & set(screen)


@PRINTING
def test_messages_cannot_drive_the_terminal(store: Command) -> None:
    screen = seen(store, "read", "A-\u202e1")
    assert "A-\\u202e1" in screen
    assert "\u202e" not in screen


@PRINTING
def test_times_are_local_on_a_terminal(store: Command) -> None:
    store.ok("append", "A-1", "-t", "T", "-d", "1")
    utc = seen(store, "read", "A-1", TZ="UTC0", NO_COLOR="1").splitlines()[1].split()[1:3]
    west = seen(store, "read", "A-1", TZ="WST10", NO_COLOR="1").splitlines()[1].split()[1:3]
    assert utc != west
    assert os.linesep == "\n"
