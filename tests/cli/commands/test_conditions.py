"""`append` with `--unless` and `--require`: it is refused if an event matches, or another stream is elsewhere."""

from __future__ import annotations

import json
import shlex
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from evstore import AppendCondition, AppendConditionError, EventData, Query, connect
from tests.support.data import DATA, envelopes, id_of, objects, stored
from tests.support.sentences import names

if TYPE_CHECKING:
    from tests.support.command import Command, Ended

pytestmark = pytest.mark.sqlite_first("the core decides, and the contract holds the adapter to what it is asked")
INPUT = pytest.mark.sqlite_only("the flags and the input are understood before a store is asked")
SEAT = ("-t", "SeatTaken", "--tag", "show:7")


def take(store: Command, seat: int, *more: str) -> Ended:
    """Take a seat that nobody has taken."""
    guard = ("--unless", f"type=SeatTaken tag=show:7 tag=seat:{seat}")
    return store("append", f"Buyer-{seat}", *SEAT, "--tag", f"seat:{seat}", "-d", str(seat), *guard, *more)


def error_of(done: Ended) -> dict[str, Any]:
    return dict(json.loads(done.err.splitlines()[-1])["error"])


def guarded(number: int, *tags: str, after: int | None = None) -> bytes:
    """An envelope with a tag, which no event may have that is stored."""
    condition = {"query": [{"tags": [tag]} for tag in tags]} | ({} if after is None else {"after": after})
    return envelopes(number, tags=[f"n:{number}"], unless=[condition])


# --- conditions ---


def test_a_seat_is_sold_once(store: Command) -> None:
    assert [take(store, seat).code for seat in (1, 2, 1)] == [0, 0, 4]
    assert (stored(store, "Buyer-1"), stored(store, "Buyer-2")) == ([1], [2])


def test_a_refusal_names_the_position_and_its_hint_shows_the_events(store: Command) -> None:
    for seat in (1, 2):
        store.ok("append", "B", *SEAT, "--tag", f"seat:{seat}", "-d", str(seat))
    done = store("append", "B", "-t", "T", "-d", "0", "--unless", "type=X,SeatTaken tag=seat:2", "--after", "1")
    assert (done.code, done.out) == (4, b"")
    message, hint = done.err.splitlines()
    assert names(message, 2, 1, "type=X,SeatTaken", "tag=seat:2")
    command = hint.removeprefix("hint: ")
    assert command == "evstore replay --match 'type=X,SeatTaken tag=seat:2' --after 1 --all"
    assert [event["data"] for event in objects(store.ok(*shlex.split(command)[1:]).out)] == [2]
    assert stored(store, "B") == [1, 2]


@pytest.mark.sqlite_only("the database is a file that the command names")
def test_the_hint_names_the_store_that_the_command_named(store: Command) -> None:
    (store.folder / "a b.db").write_bytes((store.folder / "evstore.db").read_bytes())
    words = ("--db", "a b.db", *DATA, "-d", "1", "--tag", "it's", "--unless", "tag=it's")
    store.ok(*words)
    hint = store(*words).err.splitlines()[1].removeprefix("hint: ")
    assert [event["tags"] for event in objects(store.ok(*shlex.split(hint)[1:]).out)] == [["it's"]]


def test_every_violation_is_reported_in_the_message_in_the_facts_and_by_the_hint(store: Command) -> None:
    store.ok(*DATA, "-d", "1", "--tag", "a")
    store.ok(*DATA, "-d", "2", "--tag", "b")
    guards = ("--unless", "tag=a", "--unless", "tag=none", "--unless", "type=T tag=b")
    error = error_of(
        store(*DATA, "-d", "3", *guards, "--after", "0", "--after", "0", "--after", "1", "--errors", "json")
    )
    assert (error["class"], error["code"], error["exitCode"], error["retryable"]) == (
        "AppendConditionError", "conflict", 4, True,
    )  # fmt: skip
    assert (error["query"], error["after"], error["position"]) == ([{"tags": ["a"]}], 0, 1)
    assert error["more"] == [{"query": [{"types": ["T"], "tags": ["b"]}], "after": 1, "position": 2}]
    assert error["hint"] == "evstore replay --match tag=a --match 'type=T tag=b' --after 0 --all"


@pytest.mark.parametrize(
    ("after", "code"),
    [((), 4), (("0",), 4), (("1",), 4), (("2",), 0), (("2", "0"), 0), (("1", "0"), 4), (("2", "2"), 0)],
)
def test_a_condition_looks_after_its_position(store: Command, after: tuple[str, ...], code: int) -> None:
    for seat in (1, 2):
        store.ok(*DATA, "-d", str(seat), "--tag", "a")
    guards = ("--unless", "tag=a", "--unless", "tag=b")
    words = [word for position in after for word in ("--after", position)]
    assert store(*DATA, "-d", "3", *guards, *words).code == code


def test_of_writers_that_append_at_once_one_wins(store: Command) -> None:
    """Each is alone in its stream, so only the tag is shared; all have started when they get their events."""
    writers = [
        store.start(
            *("append", f"W-{n}", "-t", "Won", "--tag", "prize", "--unless", "tag=prize", "-"),
            quick=True,
            stdin=subprocess.PIPE,
        )
        for n in range(4)
    ]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"{}")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=60)
    assert sorted(writer.returncode for writer in writers) == [0, 4, 4, 4]
    assert len(objects(store.ok("replay", "--all", "--tag", "prize").out)) == 1


def test_a_condition_stands_beside_an_expected_version_which_is_judged_first(store: Command) -> None:
    store.ok(*DATA, "-d", "1", "--tag", "a")
    refused = store(*DATA, "-d", "2", "-e", "no-stream", "--unless", "tag=a", "--errors", "json")
    assert error_of(refused)["class"] == "ConcurrencyError"
    assert store(*DATA, "-d", "2", "-e", "1", "--unless", "tag=a").code == 4
    assert store(*DATA, "-d", "2", "-e", "1", "--unless", "tag=b").code == 0


def test_a_retry_is_a_duplicate_though_its_own_events_match(store: Command) -> None:
    words = (*DATA, "-d", "1", "--key", "k", "--tag", "a", "--unless", "tag=a")
    assert [objects(store.ok(*words).out)[0]["duplicate"] for _ in range(2)] == [False, True]
    assert store(*DATA, "-d", "1", "--key", "other", "--tag", "a", "--unless", "tag=a").code == 4


# --- conditions in envelopes ---


@pytest.mark.parametrize("many", [True, False])
def test_envelopes_bring_conditions_of_their_own(store: Command, many: bool) -> None:
    words = ("append", "--many", "-") if many else ("append", "S-1", "-")
    more: dict[str, Any] = {"stream": "S-1"} if many else {}

    def one(number: int, after: int) -> bytes:
        condition = {"query": [{"types": ["T"], "tags": ["a"]}, {"types": ["U"]}], "after": after}
        return envelopes(number, tags=["a"], unless=[condition], **more)

    store.ok(*words, stdin=one(1, 0) + one(2, 0))  # all are judged as of the store before the append
    error = error_of(store(*words, "--errors", "json", stdin=one(3, 2) + one(4, 1)))
    assert (error["position"], error["after"]) == (2, 1)
    assert error["query"] == [{"types": ["T"], "tags": ["a"]}, {"types": ["U"]}]
    assert store.ok(*words, stdin=one(3, 2)).lines
    assert stored(store) == [1, 2, 3]


def test_a_condition_of_an_envelope_without_items_admits_no_event_at_all(store: Command) -> None:
    words = ("append", "--many", "-")
    store.ok(*words, stdin=envelopes(1, stream="S-1", unless=[{"query": []}]))
    done = store(*words, stdin=envelopes(2, stream="S-1", unless=[{"query": []}]))
    assert done.code == 4
    hint = done.err.splitlines()[1].removeprefix("hint: ")
    assert [event["data"] for event in objects(store.ok(*shlex.split(hint)[1:]).out)] == [1]


def test_the_hint_shows_an_event_of_a_type_that_no_query_can_name(store: Command) -> None:
    given = {
        "streamId": "S-1",
        "type": "Seat taken",
        "data": 1,
        "unless": [{"query": [{"types": ["Seat taken"]}]}],
    }
    store.ok("append", "--many", "-", stdin=json.dumps(given).encode())
    done = store("append", "--many", "-", stdin=json.dumps(given).encode())
    assert done.code == 4
    hint = done.err.splitlines()[1].removeprefix("hint: ")
    assert [event["type"] for event in objects(store.ok(*shlex.split(hint)[1:]).out)] == ["Seat taken"]


FAULTS = [
    ("unless", {}), ("unless", [1]), ("unless", [{}]), ("unless", [{"query": {}}]), ("unless", None),
    ("unless", [{"query": [{"tag": ["a"]}]}]), ("unless", [{"query": [{"tags": "a"}]}]),
    ("unless", [{"query": [{"tags": ["a b"]}]}]), ("unless", [{"query": [{"types": [""]}]}]),
    ("unless", [{"query": [], "after": -1}]), ("unless", [{"query": [], "after": "1"}]),
    ("unless", [{"query": [], "after": 1.5}]), ("unless", [{"query": [], "after": 2**63}]),
    ("unless", [{"query": [], "behind": 1}]),
    ("tags", "a"), ("tags", None), ("tags", [1]), ("tags", ["a", "a"]), ("tags", [""]), ("tags", ["a,b"]),
    ("tags", ["a b"]), ("tags", ["x" * 256]), ("tags", ["\x7f"]), ("tags", [f"t{n}" for n in range(65)]),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), FAULTS, ids=str)
@INPUT
def test_a_fault_in_an_envelope_names_its_place(store: Command, key: str, value: object) -> None:
    done = store("append", "S-1", "-", stdin=envelopes(1) + envelopes(2, **{key: value}))
    assert (done.code, done.out) == (5, b""), done
    (message,) = done.err.splitlines()
    assert message.startswith("evstore: -:2: ")
    assert stored(store) == []


@pytest.mark.parametrize(
    "text",
    [
        b'"unless":[{"query":[{"tags":["\xff"]}]}]',
        b'"tags":["\xff"]',
        b'"unless":[{"query":[],"query":[]}]',
        b'"unless":[{"query":[],"after":' + b"9" * 5000 + b"}]",
        b'"unless":' + b"[" * 500 + b"]" * 500,
        b'"unless":[],"unless":[]',
        b'"tags":["a"],"tags":["b"]',
    ],
)
@INPUT
def test_a_member_that_no_json_library_would_write_is_refused_too(store: Command, text: bytes) -> None:
    done = store("append", "S-1", "-", stdin=b'{"type":"T","data":1,' + text + b"}\n")
    assert (done.code, done.out) == (5, b""), done
    (message,) = done.err.splitlines()
    assert message.startswith("evstore: -:1: ")


# --- in every mode ---


def test_conditions_of_flags_are_asked_of_every_batch(store: Command) -> None:
    words = ("append", "S-1", "-", "--batch", "2", "--tag", "load:1", "--unless", "tag=load:1")
    done = store(*words, stdin=envelopes(1, 2, 3))
    assert (done.code, [receipt["version"] for receipt in objects(done.out)]) == (4, [2])
    assert stored(store) == [1, 2]


def test_conditions_of_an_event_are_asked_of_its_batch_alone(store: Command) -> None:
    given = guarded(1, "n:1") + guarded(2, "n:2") + guarded(3, "n:3") + guarded(4, "n:1")
    done = store("append", "S-1", "-", "--batch", "2", stdin=given)
    assert (done.code, [receipt["version"] for receipt in objects(done.out)]) == (4, [2])
    assert stored(store) == [1, 2]


def test_each_asks_every_event_with_its_own_conditions_and_those_of_the_flags(store: Command) -> None:
    given = guarded(1, "n:1") + guarded(2, "n:2") + guarded(3, "n:2") + guarded(4, "n:4")
    done = store("append", "S-1", "-", "--each", "--unless", "tag=stop", stdin=given)
    assert (done.code, [receipt["version"] for receipt in objects(done.out)]) == (4, [1, 2])
    assert names(done.err.splitlines()[1], 2)  # how many are stored comes before what else could be hinted at
    store.ok(*DATA, "-d", "0", "--tag", "stop")
    assert store("append", "S-1", "-", "--each", "--unless", "tag=stop", stdin=guarded(4, "n:4")).code == 4
    assert stored(store) == [1, 2, 0]


@pytest.mark.parametrize("mode", [("--each",), ("--skip-stored",), ("--batch", "2", "--skip-stored")])
def test_a_load_run_again_is_not_refused_for_what_it_stored_itself(store: Command, mode: tuple[str, ...]) -> None:
    store.ok("append", "S-1", "-", *mode, stdin=guarded(1, "n:1"))
    store.ok("append", "S-1", "-", *mode, stdin=guarded(1, "n:1") + guarded(2, "n:2"))
    assert stored(store) == [1, 2]
    assert store("append", "S-1", "-", *mode, stdin=guarded(2, "n:2") + guarded(3, "n:1")).code == 4
    assert stored(store) == [1, 2]


def test_a_dry_run_judges_conditions_and_requirements(store: Command) -> None:
    store.ok(*DATA, "-d", "1", "--tag", "a")
    trial = (*DATA, "-d", "2", "--tag", "b", "--dry-run")
    assert store(*trial, "--unless", "tag=a").code == 4
    assert store(*trial, "--require", "S-1=2").code == 4
    done = store.ok(*trial, "--unless", "tag=b", "--require", "S-1=1")
    assert [list(line) for line in objects(done.out)] == [["id", "streamId", "type", "data", "metadata", "tags"]]
    assert stored(store) == [1]
    store.ok("append", "S-1", "-", stdin=done.out)
    assert [event["tags"] for event in objects(store.ok("read", "S-1", "--last", "1").out)] == [["b"]]


def test_more_events_than_fit_into_memory_keep_their_tags_and_conditions(store: Command) -> None:
    more = {"tags": ["a"], "unless": [{"query": [{"tags": ["b"]}]}]}
    lines = [json.dumps({"type": "T", "data": "x" * 5000, "id": id_of(n), **more}) for n in range(1, 400)]
    given = "\n".join(lines).encode()
    store.ok("append", "S-1", "-", stdin=given)
    assert objects(store.ok("tags").out) == [{"tag": "a", "events": 399, "firstPosition": 1, "lastPosition": 399}]
    store.ok(*DATA, "-d", "1", "--tag", "b")
    assert store("append", "S-2", "--copy", "-", stdin=given).code == 4


# --- requirements ---


@pytest.mark.parametrize(
    ("required", "code"),
    [
        ("Other-1=2", 0), ("Other-1=1", 4), ("Other-1=3", 4), ("Other-1=exists", 0), ("Other-1=none", 4),
        ("Missing-1=none", 0), ("Missing-1=1", 4), ("Missing-1=exists", 3), ("a=b-1=2", 0), ("a=b-1=none", 4),
    ],
)  # fmt: skip
def test_another_stream_is_where_the_append_requires_it(store: Command, required: str, code: int) -> None:
    for stream in ("Other-1", "a=b-1"):
        store.ok("append", stream, "-t", "T", "-", stdin=b"1 2")
    done = store(*DATA, "-d", "1", "--require", required)
    assert (done.code, stored(store)) == (code, [1] if code == 0 else []), done


def test_several_requirements_hold_together_and_for_every_batch_and_event(store: Command) -> None:
    store.ok("append", "A", "-t", "T", "-d", "1")
    assert store(*DATA, "-d", "1", "--require", "A=1", "--require", "B=exists").code == 3
    for mode in (("--each",), ("--batch", "1"), ()):
        assert store(*DATA, "-", *mode, "--require", "A=1", "--require", "B=none", stdin=b"1\n2\n").code == 0
    done = store("append", "A", "-t", "T", "-", "--each", "--require", "A=1", stdin=b"2\n3\n")
    assert (done.code, stored(store, "A")) == (4, [1, 2])


@pytest.mark.parametrize(
    ("required", "hint"),
    [
        ("Other-1=1", "evstore read Other-1 --after 1"),
        ("Other-1=none", "evstore read Other-1"),
        ("Missing-1=2", "evstore streams"),
        ("Missing-1=exists", "evstore streams"),
    ],
)
def test_the_hint_of_a_requirement_looks_and_starts_nothing(store: Command, required: str, hint: str) -> None:
    store.ok("append", "Other-1", "-t", "T", "-", stdin=b"1 2")
    done = store(*DATA, "-d", "1", "--require", required)
    assert done.err.splitlines()[1] == f"hint: {hint}"


# --- flags ---

REFUSED = [
    ("--unless", ""), ("--unless", " "), ("--unless", "a"), ("--unless", "typ=A"), ("--unless", "type=A B"),
    ("--unless", "type="), ("--unless", "type=A,"), ("--unless", "tag="), ("--unless", "tag=a,b"),
    ("--unless", "Tag=a"), ("--after", "1"), ("--unless", "tag=a", "--after", "-1"),
    ("--unless", "tag=a", "--after", "x"), ("--unless", "tag=a", "--after", "9" * 20),
    ("--unless", "tag=a", "--after", "1", "--after", "2"),
    ("--unless", "tag=a", "--unless", "tag=b", "--unless", "tag=c", "--after", "1", "--after", "2"),
    ("--require", "A"), ("--require", "A="), ("--require", "=1"), ("--require", "A=any"), ("--require", "A=-1"),
    ("--require", "A=1.5"), ("--require", "A=" + "9" * 30), ("--require", "A=" + "9" * 5000),
    ("--tag-from", "a"), ("--tag-from", "a=b"), ("--tag-from", "=data.b"), ("--tag-from", "a=data."),
    ("--tag-from", "a b=data.b"), ("--tag-from", "a=data.b..c"), ("--tag-from", "a=metadata.userId"),
]  # fmt: skip


@pytest.mark.parametrize("words", REFUSED, ids=" ".join)
@INPUT
def test_a_flag_that_cannot_be_understood_is_refused_before_the_input_is_read(
    evstore: Command, words: tuple[str, ...]
) -> None:
    done = evstore(*DATA, "-", *words, stdin=b"{")  # there is no store, and the input is none
    assert (done.code, done.out) == (2, b""), done
    assert done.err.startswith("evstore: ")


@pytest.mark.parametrize(("text", "word"), [("tag=a sea:1 tag=b", "sea:1"), ("type=A,, tag=b", "type=A,,")])
@INPUT
def test_a_query_that_cannot_be_understood_is_refused_with_the_word_and_what_is_accepted(
    store: Command, text: str, word: str
) -> None:
    for words in ((*DATA, "-d", "1", "--unless", text), ("replay", "--all", "--match", text)):
        (message, *_) = store(*words).err.splitlines()
        assert names(message, f'"{word}"', "type=A,B", "tag=x"), message


@pytest.mark.parametrize("words", [("--tag", "a b"), ("--tag", ""), ("--require", "-x=1"), ("--require", "$a=1")])
@INPUT
def test_a_name_that_breaks_a_rule_is_bad_input(store: Command, words: tuple[str, ...]) -> None:
    assert store(*DATA, "-d", "1", *words).code == 5


def test_the_words_of_a_query_are_one_item_however_they_are_spaced(store: Command) -> None:
    for tags in (("a",), ("a", "b"), ("b",)):
        store.ok("append", "S-1", "-t", "X", "-d", json.dumps(tags), *(w for tag in tags for w in ("--tag", tag)))
    query = "  tag=b\ttype=Y,X   tag=a type=Z "
    found = objects(store.ok("replay", "--all", "--match", query).out)
    assert [event["data"] for event in found] == [["a", "b"]]
    with connect(store.url) as opened, pytest.raises(AppendConditionError):
        opened.append("S", [EventData("T", 1)], unless=AppendCondition(Query(["Z", "Y", "X"], ["b", "a"])))
