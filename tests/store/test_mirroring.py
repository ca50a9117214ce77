"""A mirror is equal: positions, ids, times, metadata, tags and redactions, on whatever both stores lie."""

from __future__ import annotations

from threading import Thread

import pytest

from evstore import (
    AppendOutcomeUnknownError,
    DeniedError,
    EventData,
    LogsDifferError,
    Metadata,
    UnavailableError,
    UnsupportedError,
    comparing,
    connect,
)
from evstore.adapters.memory import MemoryAdapter
from evstore.model.events import Write
from evstore.port import Append, Receipt
from evstore.store import EventStore
from evstore.testing import an_id
from tests.support.sentences import names
from tests.support.waiting import PATIENCE, wait_for

HOSTILE = ["1e400", "-0", '"\\u0000 \\ud83d\\ude00"', '{"b":1.10,"a":[],"a":{}}', '" \x7f\u2028\ufeff"', "1" * 30]


def fill(store, count, streams=3):
    """Events of several streams in turn, with tags, metadata, and times that step back."""
    head = store.head()
    writes = [
        (
            f"Order-{n % streams}",
            [
                EventData.from_json(
                    f"T{n % 2}",
                    HOSTILE[n % len(HOSTILE)],
                    Metadata("c", str(n), custom={"k": "é"}),
                    None,
                    ["b", "a:1"],
                )
            ],
            -1,
        )
        for n in range(count)
    ]
    unit = store.appender.unit(writes)
    store.appender.submit([Append(unit.writes, [1_700_000_000_000_000 + head - n for n in range(count)])])


def put(target, events):
    """Store events as they are, in one unit at the next positions."""
    events, preparing = [*events], target.appender.preparing()
    writes = [Write(each.stream_id, [preparing.stored(each)], -1) for each in events]
    (outcome,) = target.appender.submit([Append(writes, [each.timestamp_us for each in events])])
    assert isinstance(outcome, Receipt)


def mirrored(source, target):
    """What a mirror reports at its end."""
    *_, last = source.mirror(target, once=True)
    return last


def differences(source, target):
    return [(each.kind, each.position, each.fields) for each in source.diff(target)]


@pytest.fixture
def target(adapter, tmp_path, place):
    """Another empty store on the same adapter."""
    folder = tmp_path / "target"
    folder.mkdir()
    with place(adapter, folder) as url, connect(url) as store:
        yield store


@pytest.fixture(params=[("sqlite", "postgres"), ("postgres", "sqlite")], ids=" to ".join)
def places(request, tmp_path, place):
    """The places of two empty stores on two databases."""
    with place(request.param[0], tmp_path) as one, place(request.param[1], tmp_path) as other:
        yield one, other


@pytest.fixture
def across(places):
    """Two empty stores on two databases."""
    with connect(places[0]) as source, connect(places[1]) as target:
        yield source, target


# --- equal ---


def test_a_mirror_has_every_event_as_it_is(store, target):
    fill(store, 30)
    assert mirrored(store, target) == (30, 0, 30, 30)
    assert list(target.replay()) == list(store.replay())
    assert differences(store, target) == []


def test_a_mirror_on_another_database_has_every_event_as_it_is(across):
    source, target = across
    fill(source, 3000, 500)
    source.redact([next(source.replay(after=7)).id], "wrong", metadata=True)
    assert mirrored(source, target).position == 3001
    fill(source, 30)
    assert mirrored(source, target) == (30, 0, 3031, 3031)
    assert list(target.replay()) == list(source.replay())
    assert differences(source, target) == []
    assert list(target.verify()) == []


def test_a_mirror_of_nothing_is_equal(store, target):
    assert mirrored(store, target) == (0, 0, 0, 0)
    comparison = store.diff(target)
    assert list(comparison) == []
    assert (comparison.head, comparison.equal_to) == (0, 0)


def test_a_mirror_goes_on_by_what_is_there(store, target):
    fill(store, 5)
    mirrored(store, target)
    fill(store, 4)
    assert [*store.mirror(target, once=True)] == [(0, 0, 5, 9), (4, 0, 9, 9)]


def test_a_mirror_goes_on_after_a_part_of_a_unit(store, target):
    fill(store, 9)
    put(target, store.replay(to=4))
    assert mirrored(store, target) == (5, 0, 9, 9)
    assert list(target.replay()) == list(store.replay())


@pytest.mark.sqlite_too("the digests of a database are chained")
def test_a_tamper_evident_mirror_chains_its_own_log(store, tmp_path):
    fill(store, 5)
    first = next(store.replay()).id
    with connect(f"sqlite:{tmp_path}/chained.db") as target:
        target.initialize(tamper_evident=True)
        mirrored(store, target)
        store.redact([first], "wrong")
        mirrored(store, target)
        assert list(target.verify()) == []
        assert target.info().tamper_evident
        assert differences(store, target) == []


# --- redactions ---


def test_what_is_redacted_after_it_was_mirrored_is_redacted_in_the_mirror(store, target):
    fill(store, 5)
    mirrored(store, target)
    ids = [event.id for event in store.replay(to=3)]
    store.redact(ids[:2], "wrong")
    store.redact(ids[1:], "wrong", metadata=True, by=Metadata(user_id="amy"))
    assert differences(store, target) == [
        ("differs", 1, ("data", "redacted")),
        ("differs", 2, ("data", "metadata", "redacted")),
        ("differs", 3, ("data", "metadata", "redacted")),
        ("missing-there", 6, ()),
    ]
    assert mirrored(store, target) == (2, 4, 7, 7)
    assert list(target.replay()) == list(store.replay())
    assert differences(store, target) == []


def test_what_was_redacted_before_it_was_mirrored_needs_no_redaction_in_the_mirror(store, monkeypatch):
    fill(store, 5)
    store.redact([event.id for event in store.replay(to=3)], "wrong", metadata=True)
    with EventStore(Unredacting()) as target:
        assert mirrored(store, target) == (6, 0, 6, 6)
        assert list(target.replay()) == list(store.replay())


def test_what_is_redacted_between_two_pages_is_redacted_in_the_mirror(store, target):
    fill(store, 100)  # a first page has 64
    pages = store.mirror(target, once=False)
    next(pages)
    assert next(pages).position == 64
    store.redact([event.id for event in store.replay(after=60, to=70)], "wrong")
    while next(pages).position < 101:
        pass
    assert list(target.replay()) == list(store.replay())


@pytest.mark.parametrize("metadata", [False, True])
def test_what_an_event_told_to_redact_that_was_redacted_itself_is_redacted_in_the_mirror(store, target, metadata):
    """Whoever has the event afterwards cannot read which events it named."""
    fill(store, 9)
    mirrored(store, target)
    told = store.redact([event.id for event in store.replay(after=2, to=5)], "wrong", metadata=metadata)
    store.redact([told.id, next(store.replay()).id], "a name in the reason")
    assert mirrored(store, target).redacted == 4
    assert list(target.replay()) == list(store.replay())
    assert differences(store, target) == []


def test_the_differences_that_a_redacted_event_told_of_may_be_there_when_a_mirror_begins(store, target):
    fill(store, 9)
    mirrored(store, target)
    told = store.redact([next(store.replay(after=2)).id], "wrong")
    store.redact([told.id], "a name in the reason")
    assert next(store.mirror(target, once=True)) == (0, 0, 9, 11)


class Unredacting(MemoryAdapter):
    """A store whose role may not redact."""

    def redact(self, ids, unit, *, metadata):
        raise DeniedError("permission denied")


def test_a_redaction_that_is_denied_ends_the_mirror_before_the_event_that_tells_of_it(store):
    fill(store, 3)
    with EventStore(Unredacting()) as target:
        mirrored(store, target)
        fill(store, 2)
        store.redact([next(store.replay()).id], "wrong")
        fill(store, 2)
        with pytest.raises(DeniedError) as raised:
            mirrored(store, target)
        assert "position 6" in raised.value.__notes__[0]
        assert target.head() == 5
        with pytest.raises(DeniedError):
            mirrored(store, target)


def test_an_event_that_tells_of_no_redaction_is_an_event_like_others(store, target):
    for data in ({"ids": "x"}, [1], {"ids": [1, "x", None]}, {}, None, {"ids": [an_id()]}):
        store.append("A-1", [EventData("EventsRedacted", data)])
        (event,) = store.read("A-1", backward=True, limit=1)
        put(target, [event._replace(stream_id="$redactions", version=1, id=an_id())])
    with connect("memory:") as mirror:
        assert mirrored(target, mirror) == (6, 0, 6, 6)
        assert differences(target, mirror) == []


def test_a_redaction_that_only_the_mirror_made_is_a_difference(store, target):
    fill(store, 3)
    mirrored(store, target)
    target.redact([next(target.replay(after=1)).id], "wrong")
    refused(store, target, 2)
    assert differences(store, target)[0] == ("differs", 2, ("data", "redacted"))


def test_a_redaction_that_the_mirror_missed_is_a_difference(store, target):
    """As after an import of the events that tell of it into a store that has the redacted events."""
    fill(store, 3)
    mirrored(store, target)
    store.redact([next(store.replay(after=1)).id], "wrong")
    (told,) = store.read("$redactions")
    put(target, [told])
    refused(store, target, 2)


# --- different ---


def refused(source, target, position):
    before = list(target.replay())
    with pytest.raises(LogsDifferError) as raised:
        mirrored(source, target)
    assert raised.value.position == position
    assert names(raised.value, target.location, str(position))
    assert list(target.replay()) == before


def test_a_target_with_another_event_is_refused_with_its_position(store, target):
    fill(store, 3)
    mirrored(store, target)
    target.append("Foreign-1", [EventData("T", 1)])
    fill(store, 3)
    refused(store, target, 4)


def test_a_target_with_more_events_is_refused_with_the_first_of_them(store, target):
    fill(store, 3)
    mirrored(store, target)
    target.append("Foreign-1", [EventData("T", n) for n in range(5)])
    refused(store, target, 4)


@pytest.mark.parametrize(
    ("changed", "fields"),
    [
        ({"data_json": "[1]"}, ("data",)),
        ({"metadata_json": "{}"}, ("metadata",)),
        ({"joined_tags": "b"}, ("tags",)),
        ({"joined_tags": None}, ("tags",)),
        ({"timestamp_us": 1}, ("timestamp",)),
        ({"type": "U"}, ("type",)),
        ({"id": "00000000-0000-7000-8000-000000000002"}, ("id",)),
        ({"stream_id": "Order-9"}, ("streamId",)),
        ({"stream_id": "Order-0"}, ("streamId", "version")),
        ({"data_json": "null", "redacted": True}, ("data", "redacted")),
    ],
    ids=lambda value: next(iter(value), "") if isinstance(value, dict) else None,
)
def test_an_event_in_the_midst_that_differs_is_found_and_its_fields_are_named(store, target, changed, fields):
    fill(store, 9, streams=9)
    put(target, [event._replace(**changed) if event.global_position == 5 else event for event in store.replay()])
    assert differences(store, target) == [("differs", 5, fields)]
    refused(store, target, 5)


def test_differences_in_one_part_are_all_reported_and_later_parts_not_compared(store, target, monkeypatch):
    monkeypatch.setattr(comparing, "BLOCK", 50)
    count = 1000
    changed = {3, 5, 60, 300, 403}
    fill(store, count)
    put(target, [e._replace(data_json="[]") if e.global_position in changed else e for e in store.replay()])
    comparison = store.diff(target)
    assert [each.position for each in comparison] == [3, 5]
    assert (comparison.equal_to, comparison.head) == (2, count)
    refused(store, target, 3)


def test_a_log_that_ends_earlier_is_a_difference_with_its_ends(store, target):
    fill(store, 3)
    mirrored(store, target)
    fill(store, 4)
    (found,) = store.diff(target)
    assert (found.kind, found.position, found.last_position) == ("missing-there", 4, 7)
    (found,) = target.diff(store)
    assert (found.kind, found.position, found.last_position) == ("missing-here", 4, 7)


def test_a_store_of_a_file_with_gaps_differs_where_events_are_missing(store, tmp_path):
    fill(store, 9)
    (tmp_path / "part.ndjson").write_text(
        "".join(f"{each.to_json()}\n" for each in store.replay() if each.global_position not in (2, 4))
    )
    with connect(f"memory:{tmp_path}/part.ndjson") as part:
        assert differences(part, store) == [("missing-here", 2, ()), ("missing-here", 4, ())]
        assert differences(store, part) == [("missing-there", 2, ()), ("missing-there", 4, ())]
        with connect("memory:") as target:
            with pytest.raises(LogsDifferError) as raised:
                mirrored(part, target)
            assert raised.value.position == 2


def test_a_store_of_a_whole_file_is_equal_and_can_be_mirrored(store, target, tmp_path):
    fill(store, 9)
    (tmp_path / "whole.ndjson").write_text("".join(f"{each.to_json()}\n" for each in store.replay()))
    with connect(f"memory:{tmp_path}/whole.ndjson") as whole:
        assert differences(whole, store) == []
        assert mirrored(whole, target).position == 9
        assert list(target.replay()) == list(store.replay())


# --- others at work ---


class Raced(MemoryAdapter):
    """A store to which `others` append before each append."""

    others = staticmethod(lambda _store: None)

    def append(self, units, *, until_refused=False):
        others, self.others = self.others, staticmethod(lambda _store: None)
        others(self)
        return super().append(units, until_refused=until_refused)

    def redact(self, ids, unit, *, metadata):
        others, self.others = self.others, staticmethod(lambda _store: None)
        others(self)
        return super().redact(ids, unit, metadata=metadata)


def test_a_position_that_somebody_took_meanwhile_is_found(store):
    fill(store, 5)
    adapter = Raced()
    with EventStore(adapter) as target:
        foreign = target.appender.unit([("Foreign-1", [EventData("T", 1)], -1)])
        adapter.others = lambda its: MemoryAdapter.append(its, [foreign])
        with pytest.raises(LogsDifferError) as raised:
            mirrored(store, target)
        assert raised.value.position == 1
        assert [event.stream_id for event in target.replay()] == ["Foreign-1"]


@pytest.mark.parametrize("by", [3, 70, 100])
def test_a_mirror_that_another_one_overtakes_goes_on(store, by):
    fill(store, 100)
    adapter = Raced()
    with EventStore(adapter) as target, EventStore(Raced()) as copy:
        mirrored(store, copy)
        preparing = store.appender.preparing()
        units = [
            Append([Write(e.stream_id, [preparing.stored(e)], e.version - 1)], [e.timestamp_us])
            for e in store.replay(to=by)
        ]
        adapter.others = lambda its: MemoryAdapter.append(its, units)
        assert mirrored(store, target) == (100 - by, 0, 100, 100)
        assert list(target.replay()) == list(store.replay())


def test_a_mirror_that_another_one_overtakes_at_a_redaction_goes_on(store):
    fill(store, 3)
    adapter = Raced()
    with EventStore(adapter) as target:
        mirrored(store, target)
        store.redact([next(store.replay()).id], "wrong")
        with EventStore(adapter) as second:
            adapter.others = lambda _its: mirrored(store, second)
            assert mirrored(store, target) == (0, 0, 4, 4)
            assert list(target.replay()) == list(store.replay())


def test_two_mirrors_at_once_make_one_equal_store(places, across):
    source, target = across
    fill(source, 500)
    failed = []

    def mirror():
        try:
            with connect(places[0]) as one, connect(places[1]) as other:
                mirrored(one, other)
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    threads = [Thread(target=mirror, daemon=True) for _ in range(2)]
    for each in threads:
        each.start()
    fill(source, 100)
    source.redact([event.id for event in source.replay(to=70)], "wrong")
    for each in threads:
        each.join(PATIENCE)
    assert failed == []
    mirrored(source, target)
    assert list(target.replay()) == list(source.replay())
    assert differences(source, target) == []


class Away(MemoryAdapter):
    """A store that cannot be reached for so many calls; what is appended then is stored, and not acknowledged."""

    tries = 0
    lost = 0

    def append(self, units, *, until_refused=False):
        if self.tries:
            self.tries -= 1
            raise UnavailableError("away")
        outcomes = super().append(units, until_refused=until_refused)
        if self.lost:
            self.lost -= 1
            raise AppendOutcomeUnknownError(["x"])
        return outcomes


def test_a_live_mirror_waits_for_a_target_that_is_away(store, monkeypatch):
    monkeypatch.setattr("evstore.reading.following.time.sleep", lambda _: None)
    fill(store, 5)
    adapter = Away()
    with EventStore(adapter) as target:
        adapter.tries, adapter.lost = 3, 2
        pages = store.mirror(target)
        assert [next(pages), next(pages)] == [(0, 0, 0, 5), (0, 0, 5, 5)]
        assert list(target.replay()) == list(store.replay())


def test_a_mirror_that_stops_at_the_end_reports_a_target_that_is_away(store):
    fill(store, 5)
    adapter = Away()
    adapter.tries = 1
    with EventStore(adapter) as target, pytest.raises(UnavailableError):
        mirrored(store, target)


def test_a_live_mirror_stores_what_comes_until_its_store_is_closed(url, place, adapter, tmp_path):
    folder = tmp_path / "target"
    folder.mkdir()
    with place(adapter, folder) as there, connect(url) as source, connect(there) as target:
        states = []
        thread = Thread(target=lambda: states.extend(source.mirror(target)), daemon=True)
        thread.start()
        fill(source, 3)
        wait_for(lambda: target.head() == 3)
        fill(source, 2)
        source.redact([next(source.replay()).id], "wrong")
        wait_for(lambda: target.head() == 6)
        assert list(target.replay()) == list(source.replay())
        source.close()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        assert states[-1].position == 6


@pytest.mark.parametrize("same", ["itself", "its place"])
def test_a_store_is_no_mirror_of_itself(tmp_path, empty_store, same):
    empty_store.copy_to(tmp_path / "a.db")
    with connect(f"sqlite:{tmp_path}/a.db") as store, connect(f"{tmp_path}/../{tmp_path.name}/a.db") as other:
        with pytest.raises(UnsupportedError):
            store.mirror(store if same == "itself" else other)
