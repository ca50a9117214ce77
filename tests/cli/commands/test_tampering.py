"""A tamper-evident store, and an attacker who may write to every table of it, past all triggers.

What the chain of digests finds is found with the position; what it cannot find without a digest that was noted
elsewhere is shown as well.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Final

import pytest

from evstore import EventData, Metadata, connect
from evstore.model.digests import EMPTY, chained, content_hash
from tests.support.damage import both, plant
from tests.support.verify_report import places, verified

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evstore import StoredEvent
    from tests.support.command import Command

LAST: Final = 6
A: Final = "(SELECT key FROM streams WHERE stream_id = 'A-1')"


def hexed(digest: bytes, database: str) -> str:
    return f"'\\x{digest.hex()}'" if database else f"x'{digest.hex()}'"


@pytest.fixture
def store(evstore: Command) -> Command:
    """Events A-1 to A-3, two each, that are alike but for their data."""
    with connect(evstore.url) as made:
        made.initialize(tamper_evident=True)
        for n in range(LAST):
            event = EventData("T", {"total": n}, Metadata(user_id="u"), tags=["x"])
            made.append(f"A-{n // 2 + 1}", [event])
    return evstore


def digest(store: Command) -> str:
    with connect(store.url) as opened:
        found = opened.info().digest
    assert found is not None
    return found


def test_a_sound_store_verifies_up_to_its_digest(store: Command, capfd: pytest.CaptureFixture[str]) -> None:
    code, found, notes = verified(store, capfd, "--expect", digest(store))
    assert (code, found) == (0, [])
    assert digest(store) in notes


CHANGES: Final = {
    "data": "data = '{\"total\":9}'",
    "metadata": 'metadata = \'{"userId":"v"}\'',
    "a space in data": "data = '{\"total\": 3}'",
    "the time": "timestamp = timestamp + 1",
    "the id": "id = {id}",
    "its digest": "chain_hash = {hash}",
    "its digest goes": "chain_hash = NULL",
}


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("position", [1, LAST])
def test_a_change_is_found_where_it_is(
    store: Command, what: str, position: int, capfd: pytest.CaptureFixture[str]
) -> None:
    plant(store, both(f"UPDATE events SET {CHANGES[what]} WHERE global_position = {position}"))
    code, found, _ = verified(store, capfd)
    assert code == 1
    assert ("chain", position) in places(found)
    after = {position + 1} if "digest" in what else set()  # what follows rests on the digest itself
    assert {at for _, at in places(found)} <= {position} | after


def test_a_tag_that_was_taken_away_is_found(store: Command, capfd: pytest.CaptureFixture[str]) -> None:
    sql = (
        "UPDATE events SET tags = NULL WHERE global_position = 3; DELETE FROM event_tags WHERE global_position = 3"
    )
    plant(store, both(sql))
    assert places(verified(store, capfd)[1]) == [("chain", 3)]


def test_a_type_with_another_name_is_found_in_each_of_its_events(
    store: Command, capfd: pytest.CaptureFixture[str]
) -> None:
    plant(store, both("UPDATE types SET name = 'U'"))
    assert places(verified(store, capfd)[1]) == [("chain", position) for position in range(1, LAST + 1)]


def test_two_events_that_change_places_are_found(store: Command, capfd: pytest.CaptureFixture[str]) -> None:
    """Their contents are whole, and each is where the other was, with all its numbers."""
    swap = (
        "UPDATE events SET data = (SELECT other.data FROM events AS other WHERE other.global_position = 9 - {0}) "
        "WHERE global_position = {0}"
    )
    plant(store, both(f"UPDATE events SET data = '{{\"total\":4}}' WHERE global_position = 4; {swap.format(5)}"))
    assert [place for place in places(verified(store, capfd)[1]) if place[0] == "chain"] == [("chain", 4)]
    plant(store, both("UPDATE events SET data = '{\"total\":3}' WHERE global_position = 5"))
    found = places(verified(store, capfd)[1])
    assert found == [("chain", 4), ("chain", 5)]


def test_the_last_events_that_are_cut_off_are_found_by_a_noted_digest_alone(
    store: Command, capfd: pytest.CaptureFixture[str]
) -> None:
    noted = digest(store)
    sql = "DELETE FROM event_tags WHERE global_position > 4; DELETE FROM events WHERE global_position > 4;"
    plant(store, both(f"{sql} DELETE FROM streams WHERE stream_id = 'A-3'"))
    assert verified(store, capfd)[:2] == (0, [])
    assert places(verified(store, capfd, "--expect", noted)[1]) == [("digest", LAST)]


def test_an_event_that_was_removed_is_found_though_all_numbers_were_closed_up(
    store: Command, capfd: pytest.CaptureFixture[str]
) -> None:
    plant(
        store,
        both(
            "DELETE FROM event_tags WHERE global_position = 2; DELETE FROM events WHERE global_position = 2;"
            + "".join(
                f"UPDATE event_tags SET global_position = {at - 1} WHERE global_position = {at};"
                f"UPDATE events SET global_position = {at - 1}, category_number = category_number - 1"
                f" WHERE global_position = {at};"
                for at in range(3, LAST + 1)
            ).rstrip(";")
        ),
    )
    assert places(verified(store, capfd)[1]) == [("chain", 2)]


def test_an_event_that_was_put_at_the_end_is_found(store: Command, capfd: pytest.CaptureFixture[str]) -> None:
    columns = "stream_key, category_key, type_key, metadata, data, timestamp"
    plant(
        store,
        both(
            f"INSERT INTO events (global_position, version, category_number, id, chain_hash, {columns})"
            f" SELECT 7, 3, 7, {{id}}, chain_hash, {columns} FROM events WHERE global_position = {LAST}"
        ),
    )
    assert places(verified(store, capfd)[1]) == [("chain", LAST + 1)]


def test_a_trigger_that_was_made_anew_and_does_nothing_is_found(
    store: Command, backend: str, capfd: pytest.CaptureFixture[str]
) -> None:
    anew = {
        "sqlite": "DROP TRIGGER events_are_not_updated; CREATE TRIGGER events_are_not_updated BEFORE UPDATE ON events"
        " WHEN false BEGIN SELECT raise(ABORT, 'never'); END",
        "postgres": "DROP TRIGGER events_never_change ON events; CREATE TRIGGER events_never_change BEFORE UPDATE ON"
        " events FOR EACH ROW WHEN (false) EXECUTE FUNCTION refuse_change_v1()",
    }[backend]
    plant(store, both(anew))
    assert places(verified(store, capfd)[1]) == [("changed-trigger", None)]


def test_a_store_that_no_longer_says_that_it_keeps_digests_is_found(
    store: Command, capfd: pytest.CaptureFixture[str]
) -> None:
    flag = "false" if store.database else "0"
    plant(store, both(f"UPDATE store SET tamper_evident = {flag}; UPDATE events SET data = '9' WHERE version = 2"))
    assert places(verified(store, capfd)[1]) == [("chain", 1)]


def test_who_chains_all_digests_anew_is_found_by_a_noted_digest_alone(
    store: Command, capfd: pytest.CaptureFixture[str]
) -> None:
    noted = digest(store)
    with connect(store.url) as opened:
        events = [*opened.replay()]
    forged = [event._replace(data_json='{"total":9}') if n == 1 else event for n, event in enumerate(events)]
    sql = ["UPDATE events SET data = '{\"total\":9}' WHERE global_position = 2"]
    for position in range(1, LAST + 1):
        chain = hexed(digest_of(forged[:position]), store.database)
        sql.append(f"UPDATE events SET chain_hash = {chain} WHERE global_position = {position}")
    plant(store, both("; ".join(sql)))
    assert verified(store, capfd)[:2] == (0, [])  # it proves nothing of whoever wrote it
    code, found, _ = verified(store, capfd, "--expect", noted)
    assert (code, places(found)) == (1, [("digest", LAST)])


def test_a_redaction_leaves_the_chain_whole_and_a_later_change_of_it_is_found(
    store: Command, capfd: pytest.CaptureFixture[str]
) -> None:
    noted = digest(store)
    with connect(store.url) as opened:
        ids = [event.id for event in opened.replay(to=2)]
        opened.redact(ids, "a request", metadata=True)
    assert verified(store, capfd, "--expect", noted)[:2] == (0, [])
    plant(store, both("UPDATE events SET content_hash = {hash} WHERE global_position = 2"))
    assert places(verified(store, capfd)[1]) == [("chain", 2)]


def test_a_verification_may_begin_in_the_middle(store: Command, capfd: pytest.CaptureFixture[str]) -> None:
    plant(store, both("UPDATE events SET data = '9' WHERE global_position IN (2, 5)"))
    assert places(verified(store, capfd, "--from", "4")[1]) == [("chain", 5)]
    assert verified(store, capfd, "--from", "6")[:2] == (0, [])


def digest_of(events: Sequence[StoredEvent]) -> bytes:
    contents = [
        content_hash(
            e.id, e.stream_id, e.type, e.version, e.timestamp_us, e.joined_tags, e.metadata_json, e.data_json
        )
        for e in events
    ]
    return reduce(chained, contents, EMPTY)
