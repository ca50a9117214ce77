"""`verify` of stores where nothing is wrong, and what it tells of them."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from evstore import EventData, Metadata, connect
from tests.support.concurrent_writers import PATIENCE, written
from tests.support.damage import DAMAGES, both, healthy, plant
from tests.support.hostile_text import WORST
from tests.support.sentences import names
from tests.support.terminal import STYLE, seen
from tests.support.verify_report import digest_in, places, verified

if TYPE_CHECKING:
    from tests.support.command import Command

ZEROS = "0" * 64
PAYLOADS = [
    "1e400", "-0", "1.10", "null", '""', '{"a":1,"a":2}', r'"\u0000\ud83d\ude00"', "[" * 512 + "]" * 512,
    f'"{"x" * 3_000_000}"', '"\u2028\x7f\x85"', "[1 ,\t2]",
]  # fmt: skip
METADATA = [
    Metadata(),
    Metadata("c" * 512, "é" * 256, "\x1b[31m", "[red]"),
    Metadata(custom={f"k{n}": "\u2028" * 20 for n in range(900)}),
    Metadata("\U0001f600", custom={"-": ""}),
]


# --- health ---


def test_a_store_of_hostile_events_is_healthy(evstore: Command, capfd: pytest.CaptureFixture[str]) -> None:
    events = [(s, EventData.from_json(t, d, Metadata("c", custom=m))) for s, t, d, m in WORST]
    events += [(f"P-{n}", EventData.from_json("T", text)) for n, text in enumerate(PAYLOADS)]
    events += [("M-1", EventData("t" * 255, None, metadata)) for metadata in METADATA]
    events += [("x-", EventData("T", 1)), ("NoHyphen", EventData("T", 1)), ("n" * 512, EventData("T", 1))]
    with connect(evstore.url) as store:
        store.initialize()
        store.append_many([(stream_id, [event], -1) for stream_id, event in events])
    code, found, notes = verified(evstore, capfd, "--engine")
    assert (code, found) == (0, [])
    assert notes.startswith(f"note: {len(events)} ")


def test_an_empty_store_is_healthy_and_has_a_digest(store: Command, capfd: pytest.CaptureFixture[str]) -> None:
    code, found, notes = verified(store, capfd, "--expect", f"0:{ZEROS}")
    assert (code, found, digest_in(notes)) == (0, [], f"0:{ZEROS}")


def test_a_store_under_writers_is_never_called_damaged(store: Command) -> None:
    heads = [0]
    with written(store.url) as appended, connect(store.url) as reader:
        for _ in range(6):
            while reader.head() < heads[-1] + 20:
                assert appended.acquire(timeout=PATIENCE)
            verification = reader.verify()
            assert list(verification) == []
            assert verification.checked == verification.head
            heads.append(verification.head)
    assert heads == sorted(set(heads))


def test_progress_is_told_page_after_page(store: Command) -> None:
    told: list[tuple[int, int]] = []
    with connect(store.url) as made:
        made.append("S-1", [EventData("T", n) for n in range(400)])
        assert list(made.verify(on_progress=lambda *said: told.append(said))) == []
        assert told == [*[(0, 400)] * 3, (64, 400), (320, 400), (400, 400)]  # first the kinds of names
        told.clear()
        assert list(made.verify(after=390, on_progress=lambda *said: told.append(said))) == []
        assert told == [*[(0, 10)] * 3, (10, 10)]


# --- from ---


def test_from_leaves_out_what_is_before(evstore: Command, capfd: pytest.CaptureFixture[str]) -> None:
    healthy(evstore)
    plant(evstore, both("UPDATE events SET correlation_hash = 1 WHERE global_position IN (2, 6)"))
    for first, wrong in ((1, [2, 6]), (2, [2, 6]), (3, [6]), (6, [6]), (7, []), (99, [])):
        code, found, notes = verified(evstore, capfd, "--from", str(first))
        assert places(found) == [("correlation-hash", position) for position in wrong]
        assert code == (1 if wrong else 0)
        count = max(7 - first, 0)
        assert re.search(rf"^note: {count} .* 6(; .*)?$", notes, re.MULTILINE)
        assert ("digest" in notes) == (first == 1)


# --- digests ---


def test_the_digest_chains_the_contents_of_events(evstore: Command, capfd: pytest.CaptureFixture[str]) -> None:
    healthy(evstore)
    with connect(evstore.url) as store:
        event = EventData.from_json("漢", '{"a": 1.10}', Metadata(custom={"k": "\x9b"}), tags=["z:2", "a:1"])
        store.append("Ö-\u202e", [event])
        events = [*store.replay()]
    digest = bytes(32)
    for e in events:
        lines = (
            e.id,
            e.stream_id,
            e.type,
            e.version,
            e.timestamp_us,
            " ".join(e.tags),
            e.metadata_json,
            e.data_json,
        )
        content = "".join(f"{line}\n" for line in lines)
        digest = sha256(digest + sha256(content.encode()).digest()).digest()
    assert digest_in(verified(evstore, capfd)[2]) == f"7:{digest.hex()}"


def test_the_same_log_has_the_same_digest_elsewhere(evstore: Command, capfd: pytest.CaptureFixture[str]) -> None:
    healthy(evstore)
    (evstore.folder / "log.ndjson").write_bytes(evstore.ok("replay", "--all").out)
    digest = digest_in(verified(evstore, capfd)[2])
    assert evstore.ok("--db", "memory:log.ndjson", "verify", "--expect", digest).out == b""


def test_a_digest_is_expected_of_any_position(evstore: Command, capfd: pytest.CaptureFixture[str]) -> None:
    healthy(evstore)
    digest = digest_in(verified(evstore, capfd)[2])
    with connect(evstore.url) as store:
        store.append("A-1", [EventData("T", 1)])
    assert verified(evstore, capfd, "--expect", digest.upper())[:2] == (0, [])
    hashed = digest.partition(":")[2]
    for expected, position in ((f"5:{hashed}", 5), (f"6:{ZEROS}", 6), (f"8:{hashed}", 8), (f"0:{hashed}", 0)):
        code, found, _ = verified(evstore, capfd, "--expect", expected)
        assert (code, places(found)) == (1, [("digest", position)])


def test_what_nothing_else_contradicts_contradicts_the_digest(
    evstore: Command, capfd: pytest.CaptureFixture[str]
) -> None:
    healthy(evstore)
    digest = digest_in(verified(evstore, capfd)[2])
    plant(evstore, both("""UPDATE events SET data = '{"total":8}' WHERE global_position = 2"""))
    assert verified(evstore, capfd)[:2] == (0, [])
    code, found, _ = verified(evstore, capfd, "--expect", digest)
    assert (code, places(found)) == (1, [("digest", 6)])


@pytest.mark.parametrize("name", ["an event is deleted", "an event of no stream", "an event of no type"])
def test_a_log_that_is_not_whole_has_no_digest(
    evstore: Command, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    healthy(evstore)
    digest = digest_in(verified(evstore, capfd)[2])
    plant(evstore, DAMAGES[name])
    _, found, notes = verified(evstore, capfd, "--expect", digest)
    assert "digest" not in notes
    assert places(found)[-1] == ("digest", 6)


@pytest.mark.parametrize(
    ("words", "facts"),
    [
        (("--expect", "5"), ["--expect:", '"5"']),
        (("--expect", f"-1:{ZEROS}"), ["--expect:", f'"-1:{ZEROS}"']),
        (("--expect", f"1:{ZEROS}0"), ["--expect:", f'"1:{ZEROS}0"']),
        (("--expect", f"1:{ZEROS}", "--from", "2"), ["--expect", "--from"]),
        (("--expect", f"1:{ZEROS}", "--from", "1"), ["--expect", "--from"]),
        (("--from", "-1"), ["--from", "-1"]),
    ],
)
def test_flags_that_do_not_go_together_are_refused(
    store: Command, words: tuple[str, ...], facts: list[str]
) -> None:
    done = store("verify", *words)
    assert (done.code, done.out) == (2, b"")
    assert names(done.err, *facts)


# --- other stores and forms ---


def test_a_part_of_a_log_in_a_file_has_gaps(evstore: Command) -> None:
    healthy(evstore)
    (evstore.folder / "part.ndjson").write_bytes(evstore.ok("replay", "B").out)
    done = evstore("--db", "memory:part.ndjson", "verify", "--engine")
    assert [json.loads(line)["finding"] for line in done.lines] == ["position-gap"]
    checked = evstore("--db", "memory:part.ndjson", "verify")
    skipped = set(done.err.splitlines()) - set(checked.err.splitlines())
    assert [note.startswith("note: ") for note in skipped] == [True]


def test_a_filtered_export_is_one_finding_however_many_gaps_it_has(evstore: Command) -> None:
    lines = [
        f'{{"id":"0198e5c4-0000-7000-8000-{n:012}","streamId":"B-{n % 7}","type":"T","data":{n},"metadata":{{}},'
        f'"version":{n},"globalPosition":{2 * n},"timestamp":"2026-11-23T14:30:00.000000Z"}}'
        for n in range(1, 501)
    ]
    (evstore.folder / "part.ndjson").write_text("".join(f"{line}\n" for line in lines))
    done = evstore("--db", "memory:part.ndjson", "verify")
    (found,) = (json.loads(line) for line in done.lines)
    assert (done.code, found["finding"], found["globalPosition"]) == (1, "position-gap", 1)
    assert found["message"].startswith(
        "500 of 1000 positions have no event, the first is 1, and 499 events follow"
    )
    assert "lost;" in found["advice"]
    assert "append nothing" not in found["advice"]


def test_a_person_sees_findings_whole_and_few_of_a_kind(store: Command) -> None:
    with connect(store.url) as opened:
        opened.append("Order-0198e5c4-0000-7000-8000-000000000007", [EventData("T", n) for n in range(30)])
    plant(store, both("UPDATE events SET category_number = category_number + 100"))
    everything = [json.loads(line) for line in store("verify").lines]
    lines = STYLE.sub("", seen(store, "verify", columns=80).rpartition("\x1b[2K")[2]).splitlines()
    kinds = {each["finding"] for each in everything}
    for kind in kinds:
        of_kind = [each for each in everything if each["finding"] == kind]
        shown = [line for line in lines if line.startswith(f"{kind}, ")]
        assert len(shown) == min(len(of_kind), 10)
        assert all(f"  {each['message']}" in lines for each in of_kind[:10])
        if len(of_kind) > 10:
            assert f"note: 10 of {len(of_kind)} findings of kind {kind}; -F ndjson prints all" in lines
        assert f"advice: {kind}: {of_kind[0]['advice']}" in lines
    assert any("category-number" in kind for kind in kinds)


def test_a_sound_store_is_called_so(store: Command) -> None:
    store.ok("append", "A-1", "-t", "T", "-d", "1")
    assert store.ok("verify").err.splitlines()[-1] == "note: no contradiction was found: the store is sound"
    assert store.ok("verify", "--from", "1").err.splitlines()[-1].endswith("the store is sound")
    assert (
        store.ok("verify", "--from", "2").err.splitlines()[-1]
        == "note: no contradiction was found from position 2 on"
    )
    plant(store, both("UPDATE events SET category_number = 9"))
    assert "sound" not in store("verify").err


def test_there_has_to_be_a_store(evstore: Command) -> None:
    done = evstore("verify")
    assert (done.code, done.out) == (6, b"")


def test_every_form_tells_the_same(evstore: Command) -> None:
    healthy(evstore)
    plant(evstore, DAMAGES["a reserved stream id"])
    lines = [json.loads(line) for line in evstore("verify").lines]
    assert json.loads(evstore("verify", "-F", "json").out) == lines
    rows = [line.split("\t") for line in evstore("verify", "-F", "tsv").lines]
    assert rows == [[each["finding"], "", each["streamId"], each["message"], each["advice"]] for each in lines]
    table = evstore("verify", "-F", "table")
    assert table.code == 1
    assert all(each["finding"] in table.out.decode() for each in lines)
    assert f"advice: wrong-category: {lines[1]['advice']}\n" in table.err


def test_nothing_found_is_an_empty_list(store: Command) -> None:
    assert [store.ok("verify", "-F", form).out for form in ("ndjson", "json", "tsv", "table")] == [
        b"",
        b"[]\n",
        b"",
        b"",
    ]
