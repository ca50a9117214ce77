"""`memory:FILE.ndjson`: a file that evstore printed, as a store."""

from __future__ import annotations

import gzip
import json
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from evstore import DeniedError, EventData, InvalidInputError, InvalidUrlError, connect
from evstore.adapters import open_adapter
from evstore.testing import an_append
from tests.support.sentences import names
from tests.support.users import ANNE, AS_ROOT, BERT, doing, folder_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.command import Command


OTHER = "0198e5c4-7a2b-7c3d-8e4f-0123456789ab"


@pytest.fixture
def lines() -> list[str]:
    with connect("memory:") as store:
        for n in range(1, 7):
            store.append(f"{'AB'[n % 2]}-1", [EventData("TU"[n % 2], {"n": n})])
        return [event.to_json() for event in store.replay()]


def written(folder: Path, lines: list[str]) -> str:
    path = folder / "events.ndjson"
    path.write_text("".join(f"{line}\n" for line in lines))
    return f"memory:{path}"


def test_the_events_of_a_file_are_there_as_they_were_stored(tmp_path: Path, lines: list[str]) -> None:
    with connect(written(tmp_path, lines)) as store:
        assert [event.to_json() for event in store.replay()] == lines
        assert [event.to_json() for event in store.replay(backward=True, limit=2)] == lines[:-3:-1]
        assert [event.version for event in store.read("A-1")] == [1, 2, 3]
        assert [(info.category, info.events) for info in store.categories()] == [("A", 3), ("B", 3)]
        assert store.info().head == 6


def test_an_event_of_a_file_is_found_by_its_id(tmp_path: Path, lines: list[str]) -> None:
    with connect(written(tmp_path, lines)) as store:
        assert [store.get(json.loads(line)["id"]).to_json() for line in lines] == lines


def test_a_file_is_read_once(tmp_path: Path, lines: list[str]) -> None:
    with connect(written(tmp_path, lines)) as store:
        assert store.head() == 6
        written(tmp_path, lines[:1])
        assert store.head() == 6


def test_a_whole_log_can_only_be_read(tmp_path: Path, lines: list[str]) -> None:
    url = written(tmp_path, lines)
    for _ in range(2):
        with connect(url) as store:
            with pytest.raises(DeniedError, match=r"events.ndjson can only be read"):
                store.append("A-1", [EventData("T", {})], expected_version=3)
            assert store.head() == 6


@pytest.mark.parametrize("compressed", [False, True])
def test_the_command_refuses_to_append_to_a_file(
    evstore: Command, tmp_path: Path, lines: list[str], compressed: bool
) -> None:
    path = tmp_path / ("events.ndjson.gz" if compressed else "events.ndjson")
    text = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(text) if compressed else text)
    before = path.read_bytes()
    db = ("--db", f"memory:{path.name}")
    event = json.dumps({**json.loads(lines[0]), "id": "0198e5c4-7a2b-7c3d-8e4f-0123456789ab"}).encode()
    for words, stdin in (
        (("append", "A-1", "-t", "T", "-d", "1"), b""),
        (("append", "New-1", "-t", "T", "-", "--each"), b"1"),
        (("append", "New-1", "-t", "T", "-", "--batch", "1"), b"1"),
        (("import", "--renumber"), event),
    ):
        done = evstore(*words, *db, stdin=stdin)
        assert (done.code, done.out) == (77, b"")
        assert f"memory:{path} can only be read" in done.err
    assert path.read_bytes() == before
    assert evstore.ok("replay", "--all", *db).out == text


@pytest.mark.parametrize("harm", [slice(0, -9), slice(0, 40)])
def test_a_compressed_file_that_is_damaged_is_named(tmp_path: Path, lines: list[str], harm: slice) -> None:
    path = tmp_path / "events.ndjson.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode())[harm])
    with (
        connect(f"memory:{path}") as store,
        pytest.raises(InvalidInputError, match=r"events.ndjson.gz is damaged"),
    ):
        store.info()


@pytest.mark.parametrize("kept", [slice(1, None), slice(0, None, 2), slice(0, 5, 3)])
def test_what_was_picked_out_of_a_log_keeps_its_places_and_can_only_be_read(
    tmp_path: Path, lines: list[str], kept: slice
) -> None:
    with connect(written(tmp_path, lines[kept])) as store:
        assert [event.to_json() for event in store.replay()] == lines[kept]
        assert store.head() == json.loads(lines[kept][-1])["globalPosition"]
        assert store.info().events == sum(info.events for info in store.categories()) == len(lines[kept])
        assert all(info.events == len([*store.read(info.stream_id)]) for info in store.streams())
        with pytest.raises(DeniedError, match=r"/events\.ndjson"):
            store.append("A-1", [EventData("T", {})])


def test_an_event_of_a_file_is_not_redacted(tmp_path: Path, lines: list[str]) -> None:
    with connect(written(tmp_path, lines)) as store:
        with pytest.raises(DeniedError, match="can only be read"):
            store.redact([json.loads(lines[0])["id"]], "a request")
        assert [event.to_json() for event in store.replay()] == lines


@AS_ROOT
def test_a_file_that_this_user_may_not_read_is_named(lines: list[str]) -> None:
    with folder_of(ANNE, 0o700) as folder:
        url = written(folder, lines)

        def read() -> None:
            with connect(url) as store, pytest.raises(DeniedError, match=r"events\.ndjson: permission denied"):
                store.info()

        doing(BERT, read)


def test_what_can_only_be_read_answers_each_unit_with_a_refusal(tmp_path: Path, lines: list[str]) -> None:
    with closing(open_adapter(written(tmp_path, lines[1:]))) as adapter:
        assert [type(each) for each in adapter.append([an_append(), an_append()])] == [DeniedError] * 2
        assert len(adapter.append([an_append(), an_append()], until_refused=True)) == 1


def test_the_order_of_the_lines_does_not_matter(tmp_path: Path, lines: list[str]) -> None:
    with connect(written(tmp_path, lines[::-1])) as store:
        assert [event.to_json() for event in store.replay()] == lines


def test_an_event_that_comes_twice_is_refused(tmp_path: Path, lines: list[str]) -> None:
    with connect(written(tmp_path, [*lines, lines[0]])) as store, pytest.raises(InvalidInputError) as raised:
        list(store.replay())
    assert names(raised.value, json.loads(lines[0])["id"])


@pytest.mark.parametrize(
    "twice",
    [
        {"globalPosition": 9, "version": 9},
        {"id": OTHER, "streamId": "C-1"},
        {"id": OTHER, "globalPosition": 9},
        {"id": OTHER, "globalPosition": 9, "version": 2},
    ],
    ids=["an id", "a position", "a version", "an earlier version"],
)
def test_what_cannot_be_twice_in_a_log_is_refused(
    tmp_path: Path, lines: list[str], twice: dict[str, object]
) -> None:
    other = json.dumps({**json.loads(lines[4]), **twice})
    with connect(written(tmp_path, [*lines, other])) as store, pytest.raises(InvalidInputError) as raised:
        store.head()
    assert names(raised.value, json.loads(other)["id"], "twice")


def test_a_line_that_is_no_event_is_named_by_its_place(tmp_path: Path, lines: list[str]) -> None:
    url = written(tmp_path, [lines[0], '{"streamId":"A-1"}'])
    with connect(url) as store, pytest.raises(InvalidInputError, match=r"/events\.ndjson:2: .*id") as raised:
        store.info()
    assert raised.value.source == f"{tmp_path}/events.ndjson:2"


def test_a_missing_file_is_named_by_the_first_call(tmp_path: Path) -> None:
    with connect(f"memory:{tmp_path}/nowhere.ndjson") as store, pytest.raises(InvalidUrlError, match="nowhere"):
        store.info()


def test_the_command_queries_an_export_without_a_note(evstore: Command, tmp_path: Path, lines: list[str]) -> None:
    url = written(tmp_path, lines)
    done = evstore.ok("--db", url, "replay", "A", "--type", "T", "--fields", "data.n")
    assert [json.loads(line) for line in done.lines] == [{"data.n": n} for n in (2, 4, 6)]
    assert done.err == ""
    picked = written(tmp_path, lines[1:])
    refused = evstore("append", "A-1", "-t", "T", "-d", "1", "--db", picked)
    assert (refused.code, refused.out) == (77, b"")
    assert evstore("read", "A-1", "--db", "memory:nowhere.ndjson").code == 2
