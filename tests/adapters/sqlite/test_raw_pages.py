"""Pages that go out as the bytes of the file: what is not as an append writes it, is read as events."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evstore import CorruptStoreError, EventData, Metadata, connect
from evstore.adapters.sqlite import connect as adapter_of
from evstore.adapters.sqlite import rows
from evstore.cli.output.writer import as_bytes
from evstore.model.events import lines_of
from evstore.port import Page
from tests.support.command import Command
from tests.support.json_texts import TEXTS
from tests.support.odd_names import NAMES, TAGS
from tests.support.sqlite_files import update_past_kinds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

CONTENTS = st.tuples(NAMES, NAMES, TEXTS, st.lists(TAGS, unique=True, max_size=2))
EVENTS = 5
DAMAGES = {
    "data that is not UTF-8": "data = CAST(x'22ff22' AS TEXT)",
    "metadata that is not UTF-8": "metadata = CAST(x'7b22ff227d' AS TEXT)",
    "tags that are not UTF-8": "tags = CAST(x'ff' AS TEXT)",
    "a version that is a fraction": "version = 1.5",
    "a time that is text": "timestamp = 'today'",
    "an id that is short": "id = x'01'",
    "a stream without a name": "stream_key = 17",
    "a position that is passed over": "global_position = 17",
}

OTHER_KINDS = [
    f"{column} = {value}"
    for column, values in {
        "id": ("NULL", "'sixteen letters.'"),
        "timestamp": ("NULL", "1.5", "'today'", "x'FF'"),
        "version": ("NULL", "1.5", "'first'", "x'FF'"),
        "tags": ("x'FF'",),
        "metadata": ("NULL", "x'7B7D'"),
        "data": ("NULL", "x'7B7D'"),
    }.items()
    for value in values
]
"""Each is of a kind that the column forbids. A damaged page can hold it."""


@pytest.fixture
def evstore(tmp_path: Path) -> Command:
    command = Command(tmp_path)
    with connect(command.url) as store:
        store.initialize()
        store.append("Order-größe", [EventData("Placed", n, tags=["a"]) for n in range(EVENTS)])
    return command


def damage(command: Command, change: str, *, nullable: bool = False) -> None:
    """Change the third event past triggers, checks and kinds of columns."""
    update = f"UPDATE events SET {change} WHERE global_position = 3"
    update_past_kinds(command.folder / "evstore.db", update, nullable=nullable)


@pytest.fixture(params=[16_384, 0])
def most_known(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many names as are kept, and so few that each page after the first has its own."""
    monkeypatch.setattr(rows, "MOST_KNOWN", request.param)


@pytest.mark.usefixtures("most_known")
@pytest.mark.parametrize("change", DAMAGES.values(), ids=DAMAGES)
def test_a_raw_page_with_a_damaged_event_is_read_as_events(evstore: Command, change: str) -> None:
    damage(evstore, change)
    with closing(adapter_of(evstore.url)) as adapter:
        assert adapter.read_raw(Page(1)).events == 1
        assert adapter.read_raw(Page(100)) is None


NAMELESS = {
    "a name that is bytes": "CAST(stream_id AS BLOB)",
    "a name that is not UTF-8": "CAST(x'22ff22' AS TEXT)",
}


@pytest.mark.usefixtures("most_known")
@pytest.mark.parametrize("name", NAMELESS.values(), ids=NAMELESS)
def test_no_raw_page_goes_out_with_a_name_that_is_no_text(evstore: Command, name: str) -> None:
    with connect(evstore.url) as store:
        store.append("User-1", [EventData("Named", 1)])
    update_past_kinds(evstore.folder / "evstore.db", f"UPDATE streams SET stream_id = {name} WHERE key = 2")
    with connect(evstore.url) as store:
        assert next(store.replay(limit=1).raw_pages()).events == 1
        with pytest.raises(CorruptStoreError):
            [*store.replay().raw_pages()]
        assert [event.stream_id for event in store.replay(limit=1)] == ["Order-größe"]
        with pytest.raises(CorruptStoreError):
            [*store.replay()]


@pytest.mark.parametrize("value", ["'text'", "3", "1.5"])
def test_an_id_of_another_kind_is_damage_to_each_reader(evstore: Command, value: str) -> None:
    damage(evstore, f"id = {value}")
    for words in (("replay", "--all"), ("read", "Order-größe"), ("replay", "Order", "--type", "Placed")):
        done = evstore(*words)
        assert done.code == 10, (words, done)
        assert "the id at position 3 is of another kind" in done.err


@pytest.mark.parametrize("time", [2**63 - 1, -(2**63), 253402300800000000])
def test_a_time_that_no_calendar_has_is_damage_to_each_reader(evstore: Command, time: int) -> None:
    damage(evstore, f"timestamp = {time}")
    for words in (
        ("replay", "--all"),
        ("replay", "Order"),
        ("export",),
        ("read", "Order-größe", "--format", "table"),
    ):
        done = evstore(*words)
        assert done.code == 10, (words, done)
        assert f"it holds the time {str(time)[:8]}" in done.err
    with connect(evstore.url) as store, pytest.raises(CorruptStoreError, match=f"the time {time}"):
        _ = [event.timestamp for event in store.replay()]


def test_a_number_of_another_kind_is_damage_to_readers_of_the_category(evstore: Command) -> None:
    damage(evstore, "category_number = x'00'")
    done = evstore("replay", "Order", "-n", "3")
    assert done.code == 10, done


def answered(read: Callable[[], Iterable[bytes]]) -> object:
    """The bytes that are read, or the error."""
    try:
        return b"".join(read())
    except Exception as error:  # noqa: BLE001 - whatever it is, it must be the same
        return type(error), str(error)


@pytest.mark.usefixtures("most_known")
@pytest.mark.parametrize("change", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_log_goes_out_as_its_events_do_and_is_refused_as_they_are(evstore: Command, change: str) -> None:
    with connect(evstore.url) as store:
        assert next(store.replay(limit=1).raw_pages()).events == len([*store.replay(limit=1)]) == 1
        damage(evstore, change)
        found = store.replay()
        raw = answered(lambda: (page.lines for page in found.raw_pages()))
        assert raw == answered(lambda: (as_bytes(lines_of(page)) for page in store.replay().pages))


@pytest.mark.parametrize("change", OTHER_KINDS)
def test_an_event_with_a_value_that_its_column_cannot_hold_is_refused_as_damage(
    evstore: Command, change: str
) -> None:
    damage(evstore, change, nullable=True)
    with connect(evstore.url) as store:
        for events in (store.replay(), store.replay(types=["Placed"]), store.read("Order-größe")):
            with pytest.raises(CorruptStoreError, match="at position"):
                list(events)


@pytest.mark.usefixtures("most_known")
def test_whatever_a_store_holds_its_raw_pages_are_the_lines_of_its_events(evstore: Command) -> None:
    @given(st.lists(CONTENTS, min_size=1, max_size=3))
    @settings(deadline=None, max_examples=25, print_blob=True)
    def whatever_it_holds(given_events: list[tuple[str, str, Any, list[str]]]) -> None:
        for name, user, text, tags in given_events:
            data = EventData.from_json(name, text.kept, Metadata(user_id=user), tags=tags)
            store.append(f"{name}-{user}"[:100], [data])
        after = max(0, store.head() - len(given_events))
        raw = b"".join(page.lines for page in store.replay(after=after).raw_pages())
        assert raw == as_bytes(lines_of(store.replay(after=after)))

    with connect(evstore.url) as store:
        whatever_it_holds()
