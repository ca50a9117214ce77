"""Tags: given to events by flags, envelopes and data; asked for by filters; listed, printed, and moved."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from evstore import EventData, connect
from tests.support.data import DATA, envelopes, objects, stored
from tests.support.sentences import names
from tests.support.terminal import seen

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.command import Command

pytestmark = pytest.mark.sqlite_first("the core decides, and the contract holds the adapter to what it is asked")
INPUT = pytest.mark.sqlite_only("the input is understood before a store is asked")


def tags_of(store: Command, stream: str = "S-1") -> list[list[str]]:
    return [event.get("tags", []) for event in objects(store.ok("read", stream).out)]


# --- given ---


def test_tags_of_the_event_and_of_flags_come_together_once_each_and_sorted(store: Command) -> None:
    given = envelopes(1, tags=["é", "order:17", "b"]) + envelopes(2) + envelopes(3, tags=[])
    store.ok("append", "S-1", "-", "--tag", "b", "--tag", "a", stdin=given)
    assert tags_of(store) == [["a", "b", "order:17", "é"], ["a", "b"], ["a", "b"]]
    line = store.ok("read", "S-1").lines[1]
    assert list(json.loads(line))[-1] == "tags"


def test_a_line_without_tags_has_no_such_key(store: Command) -> None:
    store.ok("append", "S-1", "-", stdin=envelopes(1, tags=[]) + envelopes(2))
    assert not [line for line in store.ok("read", "S-1").lines if "tags" in line]


@pytest.mark.parametrize("mode", [(), ("--each",), ("--batch", "2"), ("--skip-stored",), ("--key", "k")])
def test_tags_are_stored_in_every_mode(store: Command, mode: tuple[str, ...]) -> None:
    lines = b"".join(b'{"type":"T","data":{"n":%d},"tags":["own:%d"]}\n' % (n, n) for n in (1, 2, 3))
    store.ok("append", "S-1", "-", *mode, "--tag", "flag", "--tag-from", "n=data.n", stdin=lines)
    assert tags_of(store) == [["flag", f"n:{n}", f"own:{n}"] for n in (1, 2, 3)]


def test_a_copy_keeps_its_tags(store: Command) -> None:
    store.ok(*DATA, "-d", "1", "--tag", "a")
    store.ok("append", "S-2", "--copy", "-", stdin=store.ok("read", "S-1").out)
    assert tags_of(store, "S-2") == [["a"]]


def test_an_event_may_have_sixty_four_tags_and_no_more(store: Command) -> None:
    sixty_four = [f"t:{n}" for n in range(64)]
    store.ok("append", "S-1", "-", "--tag", "t:7", stdin=envelopes(1, tags=sixty_four))
    done = store("append", "S-1", "-", "--tag", "one:more", stdin=envelopes(2) + envelopes(3, tags=sixty_four))
    assert (done.code, done.err.startswith("evstore: -:2: ")) == (5, True)
    assert names(done.err, 65, 64)
    assert tags_of(store) == [sorted(sixty_four)]


# --- from the data ---


@pytest.mark.parametrize(
    ("data", "path", "value"),
    [
        ('{"id":17}', "data.id", "17"),
        ('{"id":1.10}', "data.id", "1.10"),
        ('{"id":-1e400}', "data.id", "-1e400"),
        ('{"id":12345678901234567890123456789}', "data.id", "12345678901234567890123456789"),
        ('{"id":"a\\u00e9\\"/:="}', "data.id", 'aé"/:='),
        ('{"a":{"b":[0,{"c":"deep"}]}}', "data.a.b.1.c", "deep"),
        ('"plain"', "data", "plain"),
        ("7", "data", "7"),
        ('{"id":1,"id":2}', "data.id", "2"),
    ],
)
@pytest.mark.parametrize("form", ["-d", "payload", "envelope"])
@INPUT
def test_a_tag_is_made_of_a_string_or_a_number_as_it_is_spelled(
    store: Command, data: str, path: str, value: str, form: str
) -> None:
    flag = ("--tag-from", f"order={path}")
    if form == "-d":
        store.ok(*DATA, "-d", data, *flag)
    elif form == "payload":
        store.ok(*DATA, "-", *flag, stdin=data.encode())
    else:
        store.ok("append", "S-1", "-", *flag, stdin=f'{{"type":"T","data":{data}}}\n'.encode())
    assert tags_of(store) == [[f"order:{value}"]]


@pytest.mark.parametrize(
    "data",
    [
        '{"other":1}', '{"id":null}', '{"id":true}', '{"id":false}', '{"id":{}}', '{"id":[1]}', "[1]", "1", "null",
        '{"id":"a b"}', '{"id":"a,b"}', '{"id":"\\u0000"}', f'{{"id":"{"x" * 255}"}}',
    ],
)  # fmt: skip
@INPUT
def test_data_without_the_value_of_its_tag_is_refused_with_its_place(store: Command, data: str) -> None:
    flag = ("--tag-from", "order=data.id")
    fine = b'{"type":"T","data":{"id":1}}\n'
    for done, place in (
        (store("append", "S-1", "-", *flag, stdin=fine + b'{"type":"T","data":%b}\n' % data.encode()), "-:2"),
        (store(*DATA, "-d", data, *flag), "--data"),
    ):
        assert (done.code, done.out) == (5, b""), done
        (message,) = done.err.splitlines()
        assert message.startswith(f"evstore: {place}: ")
        assert names(message, "order")
    assert stored(store) == []


# --- asked for ---


@pytest.fixture
def shop(store: Command) -> Command:
    """Events 1 to 6: their data is their position."""
    given = [
        ("Order-1", "OrderPlaced", ["order:1", "customer:4"]), ("Order-2", "OrderPlaced", ["order:2"]),
        ("Order-1", "OrderPaid", ["order:1"]), ("Bill-1", "BillMade", ["customer:4", "order:1"]),
        ("Bill-2", "BillMade", []), ("Order-1", "OrderShipped", ["order:1", "customer:4", "z"]),
    ]  # fmt: skip
    with connect(store.url) as opened:
        for number, (stream, type_, tags) in enumerate(given, 1):
            opened.append(stream, [EventData(type_, number, tags=tags)])
    return store


FILTERS = [
    (("--tag", "order:1"), [1, 3, 4, 6]),
    (("--tag", "order:1", "--tag", "customer:4"), [1, 4, 6]),
    (("--tag", "order:1", "-t", "OrderPaid"), [3]),
    (("--tag", "nobody"), []),
    (("--match", "tag=order:1 tag=customer:4"), [1, 4, 6]),
    (("--match", "type=OrderPaid,BillMade"), [3, 4, 5]),
    (("--match", "type=BillMade tag=customer:4", "--match", "tag=order:2"), [2, 4]),
    (("--match", "type=BillMade", "--match", "tag=order:2", "--tag", "customer:4"), [4]),
    (("--match", "type=BillMade", "-t", "OrderPaid"), []),
    (("--match", "tag=order:1", "--after", "1", "--to", "4"), [3, 4]),
]


@pytest.mark.parametrize(("words", "found"), FILTERS, ids=str)
def test_tags_and_queries_filter_the_log_its_count_and_its_export(
    shop: Command, words: tuple[str, ...], found: list[int]
) -> None:
    assert [event["data"] for event in objects(shop.ok("replay", "--all", *words).out)] == found
    assert [event["data"] for event in objects(shop.ok("export", *words).out)] == found
    assert objects(shop.ok("count", *words).out) == [{"events": len(found)}]
    if found:
        backward = ("replay", "--all", *words, "-r", "-n", "1")
        assert [event["data"] for event in objects(shop.ok(*backward).out)] == found[-1:]
        followed = ("replay", "--all", "-f", "-n", str(len(found)), *words)
        if "--to" not in words:
            assert [event["data"] for event in objects(shop.ok(*followed).out)] == found


def test_a_stream_is_read_by_its_tags(shop: Command) -> None:
    for words, found in ((("order:1",), [1, 3, 6]), (("order:1", "z"), [6]), (("order:2",), [])):
        flags = [flag for tag in words for flag in ("--tag", tag)]
        assert [event["data"] for event in objects(shop.ok("read", "Order-1", *flags).out)] == found
    followed = shop.ok("read", "Order-1", "--tag", "customer:4", "-f", "-n", "2")
    assert [event["data"] for event in objects(followed.out)] == [1, 6]


def test_a_follower_prints_only_what_has_its_tag(shop: Command) -> None:
    process = shop.start("tail", "--last", "0", "-n", "1", "--match", "tag=order:3", "--within", "30s")
    while process.poll() is None:  # whatever is stored before the follower begins is not printed
        for tag in ("order:2", "order:3"):
            shop.ok(*DATA, "-d", json.dumps(tag), "--tag", tag)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, b"")
    assert [event["data"] for event in objects(out)] == ["order:3"]


def test_a_terminal_says_that_a_filter_by_tags_was_cut_without_a_number(store: Command) -> None:
    with connect(store.url) as opened:
        opened.append("S-1", [EventData("T", n, tags=["a"] if n % 2 else []) for n in range(210)])
    for words in (("read", "S-1"), ("replay", "--all")):
        assert "the last 100 of 210 events" in seen(store, *words)
        screen = seen(store, *words, "--tag", "a")
        assert "the last 100 events" in screen, screen


def test_a_type_that_a_query_names_and_the_store_lacks_is_noted_with_the_nearest(shop: Command) -> None:
    for words in (("replay", "--all"), ("count",), ("export",)):
        done = shop.ok(*words, "--match", "type=OrderPlacd,OrderPaid tag=order:1", "--match", "type=Bill")
        notes = [line for line in done.err.splitlines() if "event type" in line]
        assert len(notes) == 2
        assert names(notes[0], '"OrderPlacd"', '"OrderPlaced"')
        assert names(notes[1], '"Bill"')


@pytest.mark.parametrize("words", [("read", "S-1"), ("replay", "--all"), ("count",), ("export",)], ids=" ".join)
@pytest.mark.parametrize("tag", ["a b", "a,b", "", "\x7f"])
@INPUT
def test_a_tag_that_no_event_can_have_is_bad_input(store: Command, words: tuple[str, ...], tag: str) -> None:
    done = store(*words, "--tag", tag)
    assert (done.code, done.out) == (5, b"")


def test_what_is_picked_by_tags_is_noted_as_a_part_of_the_log(shop: Command) -> None:
    for words in (("--tag", "z"), ("--match", "tag=z")):
        assert "--renumber" in shop.ok("export", *words).err


# --- listed ---


def test_tags_are_listed_with_counts_by_name(shop: Command) -> None:
    rows = [("customer:4", 3, 1, 6), ("order:1", 4, 1, 6), ("order:2", 1, 2, 2), ("z", 1, 6, 6)]
    keys = ("tag", "events", "firstPosition", "lastPosition")
    assert objects(shop.ok("tags").out) == [dict(zip(keys, row, strict=True)) for row in rows]
    assert list(objects(shop.ok("tags").out)[0]) == list(keys)
    assert shop.ok("tags", "--names").lines == [row[0] for row in rows]
    assert shop.ok("tags", "--prefix", "order:", "--names").lines == ["order:1", "order:2"]
    assert json.loads(shop.ok("tags", "--names", "-F", "json").out) == [row[0] for row in rows]
    assert shop.ok("tags", "-F", "tsv").lines[0] == "customer:4\t3\t1\t6"
    assert "order:1" in seen(shop, "tags")


def test_a_store_without_tags_lists_none(store: Command) -> None:
    assert (store.ok("tags").out, json.loads(store.ok("tags", "-F", "json").out)) == (b"", [])
    assert "no tags" in seen(store, "tags")


# --- printed ---


def test_tags_are_a_field_in_every_form(shop: Command) -> None:
    words = ("read", "Order-1", "--to", "2", "--fields", "version,tags")
    assert shop.ok(*words).lines[0] == '{"version":1,"tags":["customer:4","order:1"]}'
    assert json.loads(shop.ok(*words, "-F", "json").out)[1] == {"version": 2, "tags": ["order:1"]}
    assert shop.ok(*words, "-F", "tsv").lines == ["1\tcustomer:4 order:1", "2\torder:1"]
    assert "customer:4 order:1" in shop.ok(*words, "-F", "table").out.decode()
    none = shop.ok("read", "Bill-2", "--fields", "tags,redacted")
    assert none.lines == ['{"tags":[],"redacted":false}']
    assert shop.ok("read", "Bill-2", "--fields", "tags,version", "-F", "tsv").lines == ["\t1"]


def test_the_page_of_an_event_shows_its_tags(shop: Command) -> None:
    (event,) = objects(shop.ok("read", "Order-1", "--last", "1").out)
    screen = seen(shop, "get", event["id"])
    assert "customer:4 order:1 z" in screen
    (bare,) = objects(shop.ok("read", "Bill-2").out)
    assert "tags" not in seen(shop, "get", bare["id"])


@pytest.mark.sqlite_only("it reads a file")
def test_a_redacted_event_says_so_in_its_line_its_field_and_its_page(evstore: Command, tmp_path: Path) -> None:
    line = (
        '{"id":"01890000-0000-7000-8000-000000000001","streamId":"S-1","type":"T","data":null,"metadata":{},'
        '"version":1,"globalPosition":1,"timestamp":"2026-11-23T14:30:00.123456Z","tags":["a"],"redacted":true}'
    )
    (tmp_path / "log.ndjson").write_text(line + "\n")
    db = ("--db", "memory:log.ndjson")
    assert evstore.ok(*db, "read", "S-1").lines == [line]
    assert evstore.ok(*db, "read", "S-1", "--fields", "redacted").lines == ['{"redacted":true}']
    assert "redacted" in seen(evstore, *db, "get", "01890000-0000-7000-8000-000000000001")


def test_what_is_exported_comes_back_with_its_tags(shop: Command) -> None:
    log = shop.ok("export").out
    (shop.folder / "log.ndjson").write_bytes(log)
    assert shop.ok("--db", "memory:log.ndjson", "export").out == log
    shop.ok("--db", "copy.db", "init")
    shop.ok("--db", "copy.db", "import", "log.ndjson")
    assert shop.ok("--db", "copy.db", "export").out == log
    assert shop.ok("--db", "copy.db", "tags").out == shop.ok("tags").out
