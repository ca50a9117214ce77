"""Words: filters, `tail`, `count`, `help`, the words of other tools, and where a wrong turn leads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from evstore import EventData, Metadata, connect
from evstore.cli.commands.helping import TOPICS
from evstore.cli.elsewhere import POINTERS
from tests.support.terminal import seen

if TYPE_CHECKING:
    from tests.support.command import Command

NAMES_A_FILE = pytest.mark.sqlite_only("it names the store by its file")
pytestmark = pytest.mark.sqlite_first("filters and counts keep clauses that hold every adapter")


@pytest.fixture
def shop(store: Command) -> Command:
    alice = Metadata("c", user_id="alice", tenant_id="acme", custom={"k": "v", "l": "w"})
    with connect(store.url) as opened:
        opened.append("Order-1", [EventData.from_json("OrderPlaced", '{"total":19.90}', alice)])
        opened.append("Order-3", [EventData("OrderPaid", 1, Metadata(user_id="Alice", custom={"k": "v"}))])
        opened.append("Cart-1", [EventData("ItemAdded", 2, Metadata(user_id="bob"))])
    return store


def positions(evstore: Command, *words: str) -> list[int]:
    return [json.loads(line)["globalPosition"] for line in evstore.ok(*words).lines]


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        (("--user-id", "alice"), [1]),
        (("--tenant-id", "acme"), [1]),
        (("--meta", "k=v"), [1, 2]),
        (("-m", "k=v", "-m", "l=w"), [1]),
        (("-m", "k=v", "-m", "l=x"), []),
        (("--user-id", "alice", "-t", "OrderPaid"), []),
    ],
)
def test_every_command_of_the_log_filters_by_user_tenant_and_custom_metadata(
    shop: Command, flags: tuple[str, ...], found: list[int]
) -> None:
    assert positions(shop, "replay", "--all", *flags) == found
    assert positions(shop, "export", *flags) == found
    assert positions(shop, "tail", *flags, "-n", str(len(found)), "--within", "5s") == found
    assert json.loads(shop.ok("count", *flags).out) == {"events": len(found)}


def test_a_pair_without_a_key_is_refused(shop: Command) -> None:
    for pair in ("k", "=v"):
        assert shop("count", "-m", pair).code == 2


@pytest.mark.parametrize(
    ("categories", "flags"),
    [
        ((), ()),
        (("Order",), ()),
        (("Order", "Cart"), ("-t", "OrderPaid", "-t", "ItemAdded")),
        ((), ("--after", "1")),
        ((), ("--to", "2", "-t", "OrderPlaced")),
        ((), ("--correlation-id", "c")),
        ((), ("--since", "1h")),
        ((), ("--until", "1h")),
    ],
)
def test_count_counts_what_replay_prints(
    shop: Command, categories: tuple[str, ...], flags: tuple[str, ...]
) -> None:
    printed = positions(shop, "replay", *(categories or ("--all",)), *flags)
    assert json.loads(shop.ok("count", *categories, *flags).out) == {"events": len(printed)}


def test_tail_prints_the_last_ten_and_goes_on(shop: Command) -> None:
    shop.ok("append", "Log-1", "-t", "Logged", "-", stdin=b"1 2 3 4 5 6 7 8 9 10 11")
    done = shop("tail", "-n", "11", "--within", "300ms")
    assert done.code == 124
    assert [json.loads(line)["globalPosition"] for line in done.lines] == [*range(5, 15)]
    assert positions(shop, "tail", "Order", "-n", "2", "--within", "5s") == [1, 2]


def test_streams_come_in_the_order_asked_for(shop: Command) -> None:
    shop.ok("append", "Order-1", "-t", "OrderPaid", "-d", "1")
    for words, names in (
        ((), ["Cart-1", "Order-1", "Order-3"]),
        (("-r",), ["Order-3", "Order-1", "Cart-1"]),
        (("--sort", "version"), ["Cart-1", "Order-3", "Order-1"]),
        (("--sort", "version", "-r", "-n", "1"), ["Order-1"]),
        (("--sort", "updated", "-n", "2"), ["Order-3", "Cart-1"]),
        (("--sort", "updated", "-r"), ["Order-1", "Cart-1", "Order-3"]),
    ):
        assert shop.ok("streams", "--names", *words).lines == names, words
    assert shop("streams", "--sort", "size").code == 2


def test_one_event_on_a_terminal_is_a_page_with_its_cause_and_effects(shop: Command) -> None:
    first = json.loads(shop.ok("replay", "--all", "--to", "1").out)["id"]
    shop.ok(
        "append", "Mail-1", "-t", "MailSent", "-d", '{"to":["a",{"b":1.10}]}',
        "--correlation-id", "c", "--causation-id", first,
    )  # fmt: skip
    effect = json.loads(shop.ok("read", "Mail-1").out)["id"]
    page = seen(shop, "get", first, "--utc", columns=80, NO_COLOR="1")
    for text in (
        first,
        "Order-1",
        "OrderPlaced",
        "alice",
        "acme",
        "custom.k",
        '"total": 19.90',
        "MailSent",
        effect,
    ):
        assert text in page
    assert "caused by" not in page
    page = seen(shop, "get", effect, NO_COLOR="1")
    assert "caused by       OrderPlaced  Order-1  " + first in page
    assert '      "b": 1.10' in page
    assert json.loads(shop.ok("get", first).out)["id"] == first
    assert "custom.k" not in seen(shop, "get", first, "-F", "table", columns=80)


@pytest.mark.parametrize(
    ("words", "notes"),
    [
        (("replay", "Ordr"), ['the store has no category "Ordr"; did you mean "Order"?']),
        (("count", "order", "Nothing"), ['the store has no category "order"; did you mean "Order"?', 'the store has no category "Nothing"']),
        (("replay", "--all", "-t", "OrderPlacd", "-t", "OrderPaid"), ['the store has no event type "OrderPlacd"; did you mean "OrderPlaced"?']),
        (("read", "Order-1", "-t", "OrderPlacd"), ['the store has no event type "OrderPlacd"; did you mean "OrderPlaced"?']),
        (("streams", "Ordr"), ['the store has no category "Ordr"; did you mean "Order"?']),
        (("types", "Ordr"), ['the store has no category "Ordr"; did you mean "Order"?']),
        (("replay", "Order", "-t", "OrderPaid"), []),
    ],
)  # fmt: skip
def test_a_filter_that_names_what_is_not_there_is_noted_and_succeeds(
    shop: Command, words: tuple[str, ...], notes: list[str]
) -> None:
    done = shop.ok(*words)
    assert done.err.splitlines() == [f"note: {each}" for each in notes]


def test_a_follower_reports_a_name_that_is_not_there_before_it_waits(shop: Command) -> None:
    done = shop("replay", "Ordr", "-f", "-n", "1", "--within", "200ms")
    assert done.code == 124
    assert done.err.splitlines()[0] == 'note: the store has no category "Ordr"; did you mean "Order"?'


def test_history_from_elsewhere_keeps_its_times_and_is_loaded_once(shop: Command) -> None:
    lines = (
        b'{"streamId":"Old-1","type":"Kept","data":19.90,"timestamp":"2020-01-02T03:04:05Z","key":"a"}\n'
        b'{"streamId":"Old-1","type":"Kept","data":2,"key":"b","metadata":{"userId":"carol"}}\n'
    )
    assert json.loads(shop.ok("import", "--renumber", stdin=lines).out)["imported"] == 2
    assert json.loads(shop.ok("import", "--renumber", stdin=lines).out)["skipped"] == 2
    first, second = map(json.loads, shop.ok("read", "Old-1").lines)
    assert (first["version"], first["timestamp"]) == (1, "2020-01-02T03:04:05.000000Z")
    assert (second["version"], second["metadata"]) == (2, {"userId": "carol"})


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('{"timestamp":"2020-01-01T00:00:00Z"}', 'missing "streamId", "type", "data"'),
        ('{"streamId":"A-1","type":"T","data":1,"timestamp":"yesterday"}', '"timestamp" is no time'),
        ('{"streamId":"A-1","type":"T","data":1,"id":"17"}', 'call it "key"'),
        (
            '{"streamId":"A-1","type":"T","data":1,"id":"0198e5c4-0000-7000-8000-000000000007","key":"k"}',
            "exclude",
        ),
        ('{"streamId":1,"type":"T","data":1}', "not an event"),
    ],
)
def test_history_that_cannot_be_read_is_named(shop: Command, line: str, fault: str) -> None:
    done = shop("import", "--renumber", stdin=line.encode())
    assert (done.code, done.out) == (5, b"")
    assert fault in done.err
    assert json.loads(shop.ok("count").out) == {"events": 3}


def test_a_line_from_elsewhere_without_renumber_leads_to_it(shop: Command) -> None:
    done = shop("import", stdin=b'{"streamId":"A-1","type":"T","data":1}')
    assert done.code == 5
    assert "hint: --renumber takes events from elsewhere" in done.err


def test_a_key_in_an_envelope_makes_the_id_whatever_its_place(shop: Command) -> None:
    line = b'{"type":"Paid","data":1,"key":"evt_17"}'
    first = json.loads(shop.ok("append", "Hook-1", "-", stdin=line).out)
    shop.ok("append", "Hook-1", "-t", "Other", "-d", "1")
    again = json.loads(shop.ok("append", "Hook-1", "-", "--each", stdin=line).out)
    assert (again["id"], again["duplicate"]) == (first["ids"][0], True)
    many = shop.ok("append", "--many", "-", stdin=line.replace(b"{", b'{"streamId":"Hook-1",', 1))
    assert json.loads(many.out)["duplicate"] is True
    assert (
        shop(
            "append", "Hook-1", "-", stdin=line.replace(b"{", b'{"id":"0198e5c4-0000-7000-8000-000000000007",', 1)
        ).code
        == 5
    )


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("append", "Order-1", "-t", "A", '{"a":1}'), """evstore append Order-1 -t A -d '{"a":1}'"""),
        (("append", "Order-1", "Placed", '{"a":1}'), """evstore append Order-1 -t Placed -d '{"a":1}'"""),
        (("append", "Order-1", "Placed"), "evstore append Order-1 -t Placed -d JSON"),
        (("init", "foo"), "evstore init --db foo"),
        (("read", "Order3"), 'did you mean "Order-3"?'),
        (("read", "order-3"), 'did you mean "Order-3"?'),
        (("read", "Order9"), "evstore streams"),
        (("get", "Order-1"), "evstore read Order-1 prints a stream"),
        (("stats",), POINTERS["stats"]),
        (("help", "sql"), 'did you mean "evstore help sqlite"?'),
    ],
)
def test_a_wrong_turn_gets_the_command_that_was_meant(shop: Command, words: tuple[str, ...], hint: str) -> None:
    done = shop(*words)
    assert done.code in (2, 3, 5)
    assert done.err.splitlines()[1] == f"hint: {hint}"


def test_an_argument_is_shown_as_it_was_given(shop: Command) -> None:
    assert shop("get", "Order-1").err.startswith('evstore: "Order-1" is not an event id')


def test_no_data_at_all_is_reported_below_the_help(shop: Command) -> None:
    last = seen(shop, "append", "Order-1", "-t", "X", columns=80).rstrip().splitlines()[-1]
    assert last == "evstore: no events: give --data JSON, a FILE, or - for stdin"


def test_more_lines_under_a_key_lead_to_skip_stored(shop: Command) -> None:
    shop.ok("append", "Bill-1", "-t", "Sent", "--key", "k", "-", stdin=b"1")
    done = shop("append", "Bill-1", "-t", "Sent", "--key", "k", "-", stdin=b"1 2")
    assert done.code == 4
    assert "hint: --skip-stored " in done.err


def test_a_cloud_event_leads_to_type(shop: Command) -> None:
    done = shop(
        "append", "Order-1", "-", stdin=b'{"specversion":"1.0","type":"t","source":"/s","id":"1","data":1}'
    )
    assert done.code == 5
    assert "--type TYPE takes each value as data" in done.err
    assert "expectedVersion" not in done.err


@pytest.mark.sqlite_only("no store is asked")
class TestHelp:
    @pytest.mark.parametrize("word", POINTERS)
    def test_a_word_from_elsewhere_leads_to_a_command(self, evstore: Command, word: str) -> None:
        done = evstore(word)
        assert (done.code, done.out) == (2, b"")
        assert done.err.splitlines() == [f'evstore: there is no command "{word}"', f"hint: {POINTERS[word]}"]

    @pytest.mark.parametrize("topic", TOPICS)
    def test_a_topic_is_a_page_of_the_guide(self, evstore: Command, topic: str) -> None:
        page = evstore.ok("help", topic).out.decode()
        assert page.startswith("# ")
        drawn = seen(evstore, "help", topic, columns=80, NO_COLOR="1")
        assert page.splitlines()[0].removeprefix("# ") in drawn
        assert max(map(len, drawn.splitlines())) <= 80

    def test_the_help_of_a_command_is_its_own(self, evstore: Command) -> None:
        assert evstore.ok("help", "append").out == evstore.ok("append", "--help").out
        assert "evstore help scripts" in " ".join(evstore.ok("help").out.decode().split())

    def test_no_hint_repeats_a_url_whose_secret_is_hidden(self, evstore: Command) -> None:
        done = evstore("read", "A-1", "--db", "postgresql://u:secret@localhost:1/x", "--timeout", "1s")
        assert done.code != 0
        assert "***" not in "".join(line for line in done.err.splitlines() if line.startswith("hint:"))
        done = evstore("init", "postgresql://u:secret@localhost:1/x")
        assert done.err.splitlines()[1] == "hint: evstore init --db URL"

    def test_a_parameter_that_nobody_knows_leads_to_the_nearest(self, evstore: Command) -> None:
        done = evstore("count", "--db", "postgresql://u@localhost:1/x?shema=a")
        assert done.code == 2
        assert done.err.splitlines()[1] == 'hint: did you mean the parameter "schema"?'


def test_two_values_of_one_key_are_anded_like_any_others(store: Command) -> None:
    for value in ("1", "2"):
        store.ok("append", "A-1", "-t", "T", "-d", value, "-m", f"a={value}")
    both = ("-m", "a=1", "-m", "a=2")
    assert store.ok("count", *both).out == b'{"events":0}\n'
    assert store.ok("replay", "--all", *both).out == b""
    assert store.ok("count", "-m", "a=1", "-m", "a=1").out == b'{"events":1}\n'


@pytest.mark.parametrize("name", ["Events.ndjson", "Orders.json", "Log.jsonl.gz", "orders.json"])
def test_a_file_that_is_not_there_is_taken_for_no_event_type(store: Command, name: str) -> None:
    done = store("append", "Order-1", name)
    assert done.err.splitlines()[0].startswith(f"evstore: cannot read {name}: ")


def test_times_without_a_zone_are_utc_for_a_count_as_well(store: Command) -> None:
    store.ok("append", "A-1", "-t", "T", "-d", "1")
    assert store.ok("count", "--since", "today", "--utc").out == b'{"events":1}\n'


@NAMES_A_FILE
def test_a_command_in_a_note_can_be_pasted(store: Command) -> None:
    store.ok("append", "A-1", "-t", "T", "-d", "1")
    done = store.ok("replay", "Order 1-x; rm", "--db", "evstore.db")
    assert "did you mean \"evstore read 'Order 1-x; rm' --db evstore.db\"?" in done.err


@NAMES_A_FILE
def test_the_command_for_further_effects_can_be_pasted(store: Command) -> None:
    cause = json.loads(store.ok("append", "A-1", "-t", "T", "-d", "1", "--correlation-id", "x; y z").out)["ids"][0]
    ids = ("--correlation-id", "x; y z", "--causation-id", cause)
    store.ok("append", "A-1", "-t", "T", "-", *ids, stdin=b"1 " * 21)
    assert "… evstore trace 'x; y z' --db evstore.db" in seen(store, "get", cause, "--db", "evstore.db")


@pytest.mark.parametrize("words", [("append",), ("append", "Order-2"), ("import",), ()])
def test_with_errors_as_json_no_line_on_a_terminal_is_anything_else(
    store: Command, words: tuple[str, ...]
) -> None:
    (line,) = seen(store, "--errors", "json", *words).splitlines()
    assert json.loads(line)["error"]["code"] == "usage"
