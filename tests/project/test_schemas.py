"""The shipped JSON Schemas say what the commands print: all of it, and nothing else."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from evstore import EventData, Metadata, connect
from evstore.cli.exits import CODES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.command import Command

ID = "01890000-0000-7000-8000-000000000001"
FULL = Metadata("c", "b", "u", "t", {"k": "v", "\x9b": ""})
RARE = {"tags", "redacted"}
OF_DIGESTS = {"tamperEvident", "digest"}
OF_SHOW = {"slots", "parkedEvents"}
APPEND = ("append", "S-1", "-t", "T")


def schema_of(name: str) -> dict[str, Any]:
    return dict(json.loads((files("evstore") / "schemas" / f"{name}.json").read_text()))


SCHEMAS = {
    name: schema_of(name)
    for name in (
        "event",
        "receipt",
        "error",
        "info",
        "stream",
        "category",
        "type",
        "tag",
        "difference",
        "consumer",
        "migration",
    )
}


def check(name: str, value: object) -> None:
    jsonschema.Draft202012Validator(SCHEMAS[name]).validate(value)


@pytest.fixture
def store(evstore: Command) -> Command:
    """Three events: with all metadata and tags, with none, with data of another kind."""
    with connect(evstore.url) as made:
        made.initialize()
        made.append("Ö-[/x]\u202e", [EventData("T", {"n": 1}, FULL, ID, ["é", "order:17"])])
        made.append("B", [EventData("t" * 255, None), EventData("U", [1])])
    return evstore


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one_by_the_rules_of_2020_12(name: str) -> None:
    assert SCHEMAS[name]["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMAS[name]["$id"] == f"urn:evstore:{name}"
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])


# --- what is printed fits ---


@pytest.mark.parametrize(
    "words",
    [("replay", "--all"), ("read", "B"), ("get", ID), ("trace", "c"), (*APPEND, "-d", "1", "--echo")],
)
def test_printed_events_fit_and_the_schema_names_all_their_keys_in_order(
    store: Command, words: tuple[str, ...]
) -> None:
    lines = store.ok(*words).lines
    assert lines
    for line in lines:
        event = json.loads(line)
        check("event", event)
        assert list(event) == [key for key in SCHEMAS["event"]["properties"] if key not in RARE or key in event]


def test_a_redacted_event_fits_and_has_all_keys_in_order(store: Command) -> None:
    made = RIGHT["event"] | {"data": None}
    (store.folder / "log.ndjson").write_text(json.dumps(made))
    (line,) = store.ok("--db", "memory:log.ndjson", "replay", "--all").lines
    check("event", json.loads(line))
    assert list(json.loads(line)) == list(SCHEMAS["event"]["properties"])


RECEIPTS = {
    "stream": [(*APPEND, "-d", "1"), (*APPEND, "-", "--batch", "1"), (*APPEND, "-d", '{"n":1}', "--key", "k")],
    "many": [("append", "--many", "-"), ("append", "--many", "-", "--batch", "1")],
    "each": [(*APPEND, "-", "--each"), ("append", "--many", "-", "--each", "--key", "k")],
}


@pytest.mark.parametrize("shape", RECEIPTS)
def test_receipts_fit_and_the_schema_names_all_their_keys_in_order(store: Command, shape: str) -> None:
    given = b"".join(b'{"streamId":"S-%d","type":"T","data":1}\n' % n for n in (1, 2))
    for words in RECEIPTS[shape]:
        for stdin in (given, given):  # the second time, what has a key is a duplicate
            for line in store.ok(*words, stdin=stdin).lines:
                receipt = json.loads(line)
                check("receipt", receipt)
                assert list(receipt) == list(SCHEMAS["receipt"]["$defs"][shape]["properties"])


@pytest.mark.parametrize(
    ("shape", "words"),
    [("taken", (*APPEND, "-d", "1")), ("takenOfMany", ("append", "--many", "-"))],
)
def test_the_receipt_of_a_taken_source_fits_and_has_all_keys_in_order(
    store: Command, shape: str, words: tuple[str, ...]
) -> None:
    for position in (7, 6):  # the first is stored
        line = store.ok(
            *words, "--source", f"orders.csv@{position}", stdin=b'{"streamId":"S-1","type":"T","data":1}'
        ).out
        check("receipt", json.loads(line))
    assert list(json.loads(line)) == list(SCHEMAS["receipt"]["$defs"][shape]["properties"])


def test_a_receipt_without_ids_fits_above_a_hundred(store: Command) -> None:
    receipt = json.loads(store.ok(*APPEND, "-", stdin=b"1 " * 101).out)
    check("receipt", receipt)
    assert "ids" not in receipt


FAILURES = [
    ("read",),
    ("read", "B-9"),
    ("get", "f" + ID[1:]),
    ("append", "B", "-t", "T", "-d", "1", "-e", "0"),
    ("append", "B", "-t", "T", "-d", "1", "--id", ID),
    (*APPEND, "-d", "{"),
    (*APPEND, "-d", "1", "--unless", "type=T"),
    (*APPEND, "-d", "1", "--unless", "type=T tag=order:17", "--unless", "type=U", "--unless", "type=None"),
    (*APPEND, "-d", "1", "--require", "B=7"),
    ("--db", "no.db", "categories", "-v"),
    ("--db", "x:", "categories"),
    ("read", "B-9", "-f", "-n", "1", "--within", "1ms"),
    ("consumers", "show", "nobody"),
    ("subscribe", "mailer", "B", "--once", "--retries", "1", "--backoff", "1ms", "--", "false"),
]


@pytest.mark.parametrize("words", FAILURES, ids=" ".join)
def test_every_line_on_stderr_fits(store: Command, words: tuple[str, ...]) -> None:
    done = store("--errors", "json", *words)
    lines = [json.loads(line) for line in done.err.splitlines()]
    assert lines
    for line in lines:
        check("error", line)
    assert [line["error"]["exitCode"] for line in lines if "error" in line] == [done.code]


def test_the_schema_knows_every_code() -> None:
    rows = SCHEMAS["error"]["$defs"]["facts"]["oneOf"]
    known = {row["properties"]["code"]["const"]: row["properties"]["exitCode"]["const"] for row in rows}
    assert known == {code: number for code, number in CODES.items() if code != "findings"}  # which is no error


@pytest.mark.parametrize(
    "words",
    [("init",), ("info",), ("init", "--db", "new.db"), ("init", "--db", "memory:"), ("info", "--db", "memory:")],
    ids=" ".join,
)
def test_what_init_and_info_print_fits_and_the_schema_names_all_its_keys_in_order(
    store: Command, words: tuple[str, ...]
) -> None:
    info = json.loads(store.ok(*words).out)
    check("info", info)
    assert list(info) == [key for key in SCHEMAS["info"]["properties"] if key not in OF_DIGESTS]


def test_a_tamper_evident_store_fits_and_has_all_keys_in_order(store: Command) -> None:
    store.ok("--db", "digests.db", "init", "--tamper-evident")
    store.ok("--db", "digests.db", *APPEND, "-d", "1")
    info = json.loads(store.ok("--db", "digests.db", "info").out)
    check("info", info)
    assert list(info) == list(SCHEMAS["info"]["properties"])


def test_an_error_of_a_consumer_that_another_process_holds_fits(store: Command) -> None:
    with connect(store.url) as made, made.consumer("mailer", categories=["B"]):
        done = store("subscribe", "mailer", "B", "--once", "--errors", "json", "--", "true")
    line = json.loads(done.err)
    check("error", line)
    assert (line["error"]["code"], line["error"]["name"]) == ("held", "mailer")


CONSUMERS = {
    "whole": ("subscribe", "mailer", "B", "-t", "U", "--once", "--", "true"),
    "parking": ("subscribe", "mailer", "--all", "--once", "--retries", "0", "--on-failure", "park", "--", "false"),
    "divided": ("subscribe", "mailer", "B", "--member", "1/2", "--once", "--", "true"),
}


@pytest.mark.parametrize("made", CONSUMERS)
def test_consumers_fit_and_the_schema_names_all_their_keys_in_order(store: Command, made: str) -> None:
    store.ok(*CONSUMERS[made])
    keys = list(SCHEMAS["consumer"]["properties"])
    for words in (("consumers",), ("consumers", "reset", "mailer", "--to", "0"), ("consumers", "show", "mailer")):
        if "reset" in words and made == "parking":
            continue  # and forget what is parked
        (line,) = store.ok(*words).lines
        consumer = json.loads(line)
        check("consumer", consumer)
        rare = OF_SHOW if "show" not in words else set() if made == "divided" else {"slots"}
        assert list(consumer) == [key for key in keys if key not in rare]
    parked = SCHEMAS["consumer"]["$defs"]["parked"]["properties"]
    assert bool(consumer["parkedEvents"]) == (made == "parking")
    assert all(list(each) == list(parked) for each in consumer["parkedEvents"])


LISTS = {"category": ("categories",), "type": ("types",), "stream": ("streams",), "tag": ("tags",)}


@pytest.mark.parametrize(
    ("name", "words"), [*LISTS.items(), ("type", ("types", "B")), ("stream", ("info", "B"))], ids=str
)
def test_what_is_listed_fits_and_the_schema_names_all_its_keys_in_order(
    store: Command, name: str, words: tuple[str, ...]
) -> None:
    lines = store.ok(*words).lines
    assert lines
    for line in lines:
        listed = json.loads(line)
        check(name, listed)
        assert list(listed) == list(SCHEMAS[name]["properties"])


# --- what is wrong does not fit ---

RIGHT: dict[str, Any] = {
    "event": {
        "id": ID, "streamId": "A-1", "type": "T", "data": 1, "metadata": {"userId": "me", "custom": {"k": "v"}},
        "version": 1, "globalPosition": 1, "timestamp": "2026-11-23T14:30:00.123456Z", "tags": ["a", "b"],
        "redacted": True,
    },
    "stream": {
        "streamId": "A-1", "count": 1, "firstVersion": 1, "version": 1, "globalPosition": 1, "ids": [ID],
        "duplicate": False,
    },
    "many": {"streams": 2, "count": 3, "firstGlobalPosition": 1, "globalPosition": 3, "duplicate": False},
    "each": {"streamId": "A-1", "version": 1, "globalPosition": 1, "id": ID, "duplicate": True},
    "taken": {
        "streamId": "A-1", "count": 0, "ids": [], "duplicate": True, "source": {"name": "orders.csv", "position": 0},
    },
    "takenOfMany": {
        "streams": 0, "count": 0, "duplicate": True, "source": {"name": "orders.csv", "position": 7},
    },
    "error": {
        "code": "conflict", "class": "ConcurrencyError", "exitCode": 4, "message": "m", "hint": "h",
        "retryable": True, "streamId": "A-1", "expected": 3, "actual": 7,
    },
    "violation": {
        "code": "conflict", "class": "AppendConditionError", "exitCode": 4, "message": "m", "hint": "h",
        "retryable": True, "query": [{"types": ["T"], "tags": ["a"]}], "after": 0, "position": 1,
        "more": [{"query": [], "after": 0, "position": 1}],
    },
    "failure": {
        "code": "handler_failed", "class": "HandlerFailedError", "exitCode": 8, "message": "m", "hint": "h",
        "retryable": False, "name": "mailer", "eventId": ID, "streamId": "A-1", "globalPosition": 1,
    },
    "held": {
        "code": "held", "class": "ConsumerHeldError", "exitCode": 9, "message": "m", "hint": "h",
        "retryable": False, "name": "mailer", "holder": "process 17",
    },
    "info": {
        "backend": "sqlite", "backendVersion": "3.46", "place": "/x.db", "schemaVersion": 1, "streams": 0,
        "categories": 0, "events": 0, "headPosition": 0, "sizeBytes": 0, "durability": {"synchronous": "full"},
        "warnings": [],
    },
    "stream_info": {
        "streamId": "A-1", "category": "A", "version": 1, "events": 1, "createdAt": "2026-11-23T14:30:00.123456Z",
        "updatedAt": "2026-11-23T14:30:00.123456Z", "lastType": "T",
    },
    "category": {
        "category": "A", "streams": 1, "events": 1, "firstPosition": 1, "lastPosition": 1,
        "lastTimestamp": "2026-11-23T14:30:00.123456Z",
    },
    "type": {"type": "T", "events": 1, "firstPosition": 1, "lastPosition": 1},
    "tag": {"tag": "a", "events": 1, "firstPosition": 1, "lastPosition": 1},
    "consumer": {
        "name": "mailer", "categories": ["A"], "types": None, "globalPosition": 3, "lag": 2, "lagSeconds": 1.5,
        "parked": 1, "members": True, "holder": "process 17", "createdAt": "2026-11-23T14:30:00.123456Z",
        "updatedAt": "2026-11-23T14:30:00.123456Z", "slots": [3] * 64,
        "parkedEvents": [
            {
                "id": ID, "streamId": "A-1", "globalPosition": 1, "reason": "", "state": "parked",
                "parkedAt": "2026-11-23T14:30:00.123456Z",
            }
        ],
    },
    "migration": {
        "step": "0002_what.finish", "schemaVersion": 2, "finishes": True, "state": "applied",
        "appliedAt": "2026-11-23T14:30:00.123456Z",
    },
    "difference": {
        "finding": "differs", "globalPosition": 1, "streamId": "A-1", "fields": ["data", "tags"], "message": "m",
        "lastPosition": 1,
    },
}  # fmt: skip
OF: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "event": ("event", lambda value: value),
    "stream": ("receipt", lambda value: value),
    "many": ("receipt", lambda value: value),
    "each": ("receipt", lambda value: value),
    "taken": ("receipt", lambda value: value),
    "takenOfMany": ("receipt", lambda value: value),
    "error": ("error", lambda value: {"error": value}),
    "violation": ("error", lambda value: {"error": value}),
    "failure": ("error", lambda value: {"error": value}),
    "held": ("error", lambda value: {"error": value}),
    "info": ("info", lambda value: value),
    "stream_info": ("stream", lambda value: value),
    "category": ("category", lambda value: value),
    "type": ("type", lambda value: value),
    "tag": ("tag", lambda value: value),
    "consumer": ("consumer", lambda value: value),
    "difference": ("difference", lambda value: value),
    "migration": ("migration", lambda value: value),
}
OPTIONAL = {
    ("difference", "streamId"),
    ("difference", "lastPosition"),
    *((shape, "hint") for shape in ("error", "violation", "failure", "held")),
    ("violation", "more"),
    ("held", "holder"),
    *(("event", key) for key in RARE),
    *(("consumer", key) for key in OF_SHOW),
}
PARKED: dict[str, Any] = RIGHT["consumer"]["parkedEvents"][0]
WRONG = [
    ("event", "id", ID.replace("9", "A")), ("event", "id", ID.replace("-", "")), ("event", "streamId", "-1"),
    ("event", "streamId", "$all"), ("event", "streamId", "A\x1b"), ("event", "streamId", ""), ("event", "type", ""),
    ("event", "type", "T\n"), ("event", "metadata", None), ("event", "metadata", {"traceId": "x"}),
    ("event", "metadata", {"userId": ""}), ("event", "metadata", {"custom": {"": "x"}}),
    ("event", "metadata", {"custom": {"k": 1}}), ("event", "version", 0), ("event", "version", "1"),
    ("event", "globalPosition", 0), ("event", "timestamp", "2026-11-23T14:30:00Z"),
    ("event", "timestamp", "2026-11-23T14:30:00.123456+01:00"), ("event", "tags", []), ("event", "tags", ["a", "a"]),
    ("event", "tags", ["a b"]), ("event", "tags", ["a,b"]), ("event", "tags", "a"), ("event", "redacted", False),
    ("event", "tags", [f"{n}" for n in range(65)]), ("violation", "query", {}), ("violation", "query", [{}]),
    ("violation", "query", [{"tags": []}]), ("violation", "after", -1), ("violation", "position", 0),
    ("violation", "more", []), ("violation", "more", [{"query": []}]), ("tag", "tag", "a b"), ("tag", "tag", ""),
    ("tag", "events", 0),
    ("stream", "ids", []), ("stream", "ids", ["x"]), ("stream", "ids", [ID] * 101), ("stream", "version", 0),
    ("stream", "duplicate", "no"), ("many", "streams", 0), ("many", "count", "3"), ("each", "id", "x"),
    ("each", "count", 1), ("taken", "count", 1), ("taken", "ids", [ID]), ("taken", "duplicate", False),
    ("taken", "version", 1), ("taken", "source", {"name": "x"}), ("taken", "source", {"name": "", "position": 1}),
    ("taken", "source", {"name": "x", "position": -1}), ("takenOfMany", "streams", 1), ("takenOfMany", "count", 1),
    ("takenOfMany", "globalPosition", 1), ("takenOfMany", "duplicate", False), ("error", "code", "oops"), ("error", "exitCode", 5), ("error", "retryable", 1),
    ("error", "message", ""), ("error", "_Notes__", ["x"]), ("error", "actual", -1), ("error", "expected", "3"),
    ("info", "events", -1), ("info", "warnings", "none"), ("info", "durability", {"synchronous": 2}),
    ("stream_info", "streamId", "-1"), ("stream_info", "category", "A-1"), ("stream_info", "version", 0),
    ("stream_info", "updatedAt", "2026-11-23 14:30:00"), ("stream_info", "lastType", ""),
    ("category", "category", ""), ("category", "events", "1,000"), ("category", "lastTimestamp", None),
    ("difference", "finding", "other"), ("difference", "globalPosition", 0), ("difference", "streamId", ""),
    ("migration", "step", "what"), ("migration", "schemaVersion", 1), ("migration", "finishes", None),
    ("migration", "state", "done"), ("migration", "appliedAt", "2026-11-23 14:30:00"),
    ("difference", "fields", ["data", "data"]), ("difference", "fields", "data"), ("difference", "lastPosition", None),
    ("type", "type", ""), ("type", "events", 0), ("type", "firstPosition", "1"),
    ("failure", "exitCode", 9), ("failure", "name", 1), ("failure", "globalPosition", 0), ("held", "exitCode", 8),
    ("held", "holder", None), ("consumer", "name", ""), ("consumer", "name", "a\t"), ("consumer", "name", "n" * 256),
    ("consumer", "categories", "A"), ("consumer", "types", [""]), ("consumer", "globalPosition", -1),
    ("consumer", "lag", None), ("consumer", "lagSeconds", -0.1), ("consumer", "lagSeconds", "1 s"),
    ("consumer", "parked", True), ("consumer", "members", 64), ("consumer", "holder", ""),
    ("consumer", "createdAt", None), ("consumer", "updatedAt", "2026-11-23 14:30:00"), ("consumer", "slots", [3]),
    ("consumer", "slots", [-1] * 64), ("consumer", "parkedEvents", {}), ("consumer", "parkedEvents", [{}]),
    ("consumer", "parkedEvents", [{**PARKED, "state": "dropped"}]),
    ("consumer", "parkedEvents", [{**PARKED, "globalPosition": 0}]),
    ("consumer", "parkedEvents", [{**PARKED, "id": "x"}]), ("consumer", "parkedEvents", [{**PARKED, "reason": None}]),
]  # fmt: skip


@pytest.mark.parametrize("shape", RIGHT)
def test_what_is_missing_does_not_fit(shape: str) -> None:
    name, whole = OF[shape]
    check(name, whole(RIGHT[shape]))
    for key in RIGHT[shape].keys() - {key for of, key in OPTIONAL if of == shape}:
        with pytest.raises(jsonschema.ValidationError):
            check(name, whole({other: value for other, value in RIGHT[shape].items() if other != key}))


def test_what_is_wrong_does_not_fit(subtests: pytest.Subtests) -> None:
    for shape, key, value in WRONG:
        with subtests.test(shape=shape, key=key, value=value):
            name, whole = OF[shape]
            with pytest.raises(jsonschema.ValidationError):
                check(name, whole({**RIGHT[shape], key: value}))


@pytest.mark.parametrize(
    "shape",
    [
        *("event", "stream", "many", "each", "taken", "takenOfMany", "info", "stream_info", "category", "type"),
        *("tag", "difference", "consumer", "migration"),
    ],
)
def test_a_key_of_a_later_evstore_fits(shape: str) -> None:
    name, whole = OF[shape]
    check(name, whole({**RIGHT[shape], "later": True}))


@pytest.mark.parametrize(
    "line", [{}, {"note": ""}, {"note": 1}, {"note": "n", "error": {}}, {"error": {}}, "note"]
)
def test_a_line_that_is_neither_note_nor_error_does_not_fit(line: object) -> None:
    with pytest.raises(jsonschema.ValidationError):
        check("error", line)
