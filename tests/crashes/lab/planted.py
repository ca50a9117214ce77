"""What could go wrong in an event log: each fault is planted into a clean case, and breaks a rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import uuid4

from msgspec import structs

from evstore import NO_STREAM, STREAM_EXISTS
from tests.crashes.lab.history import Followed, Invoked, Part, Read, Refused, Said, Seen, Shown, Started, Stored

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.crashes.lab.cases import Case


class Fault(NamedTuple):
    plant: Callable[[Case], None]
    rule: int
    words: str
    """Of the finding."""


FAULTS: Final[list[Fault]] = []


def fault(rule: int, words: str) -> Callable[[Callable[[Case], None]], Callable[[Case], None]]:
    def add(plant: Callable[[Case], None]) -> Callable[[Case], None]:
        FAULTS.append(Fault(plant, rule, words))
        return plant

    return add


@fault(1, "position 5 stands behind position 3")
def an_event_is_dropped(case: Case) -> None:
    del case.log[3]


@fault(1, "position 1 stands behind position 2")
def two_positions_are_swapped(case: Case) -> None:
    case.log[0], case.log[1] = case.log[1], case.log[0]


@fault(1, "stands behind version 2 of its stream")
def a_version_is_given_twice(case: Case) -> None:
    case.log[3] = case.log[3]._replace(version=2)


@fault(1, "append batch is stored in part: 2 of 3 events")
def a_batch_is_stored_in_part_without_a_gap(case: Case) -> None:
    del case.log[3]
    case.renumber()


@fault(1, "append unknown is stored in part: 1 of 2 events")
def a_batch_that_nobody_acknowledged_is_stored_in_part(case: Case) -> None:
    del case.log[8]
    case.renumber()


@fault(1, "append batch is not in one piece and in order, but at [1, 3, 4]")
def a_batch_is_torn_apart(case: Case) -> None:
    case.log[0], case.log[1] = case.log[1], case.log[0]
    case.renumber()


@fault(1, "append batch is not in one piece and in order, but at [2, 4, 3]")
def a_batch_is_out_of_order(case: Case) -> None:
    case.log[2], case.log[3] = case.log[3], case.log[2]
    case.renumber()


@fault(2, "append last was acknowledged, and 1 of its events are lost")
def the_last_acknowledged_event_is_lost(case: Case) -> None:
    case.log.pop()


@fault(2, "append batch was acknowledged, and 3 of its events are lost")
def an_acknowledged_batch_is_lost_without_a_gap(case: Case) -> None:
    del case.log[1:4]
    case.renumber()


@fault(2, "append unknown was acknowledged, and 2 of its events are lost")
def what_was_called_a_duplicate_is_lost(case: Case) -> None:
    del case.log[7:9]
    case.renumber()


@fault(2, "append first sent another event than")
def a_byte_is_changed(case: Case) -> None:
    case.log[0] = case.log[0]._replace(data_json='{"sum":1.1}')


@fault(2, "append first sent another event than")
def an_event_has_another_type(case: Case) -> None:
    case.log[0] = case.log[0]._replace(type="paid")


@fault(2, "append last sent another event than")
def an_event_is_in_another_stream(case: Case) -> None:
    case.log[10] = case.log[10]._replace(stream_id="D-2")


@fault(2, "is stored 2 times")
def an_event_is_stored_twice(case: Case) -> None:
    case.log.append(case.log[10])
    case.renumber()


@fault(2, "append refused was refused, and is stored at [12]")
def a_refused_append_is_stored(case: Case) -> None:
    (sent,) = case.named(Invoked, "refused").parts[0].events
    case.log.append(case.log[0]._replace(id=sent.id))
    case.renumber()


@fault(2, "nobody appended")
def an_event_comes_from_nowhere(case: Case) -> None:
    case.log.append(case.log[10]._replace(id=str(uuid4())))
    case.renumber()


@fault(2, "append several was told position 6, versions (2, 4), but has 5, (2, 4)")
def a_receipt_tells_another_position(case: Case) -> None:
    case.change(Stored, "several", first=6)


@fault(2, "append several was told position 5, versions (2, 5), but has 5, (2, 4)")
def a_receipt_tells_another_version(case: Case) -> None:
    case.change(Stored, "several", versions=(2, 5))


@fault(2, "append first was told other events than the log's at [1]")
def a_receipt_tells_another_event(case: Case) -> None:
    case.change(Stored, "first", prints=case.named(Stored, "last").prints)


@fault(2, "append unknown was told other events than the log's at [8, 9]")
def a_duplicate_was_lost_behind_its_receipt_and_stored_anew(case: Case) -> None:
    for index in (7, 8):
        case.log[index] = case.log[index]._replace(timestamp_us=case.log[index].timestamp_us + 1)


@fault(2, "append withdrawn was taken back, and is stored at [12]")
def what_was_taken_back_is_stored(case: Case) -> None:
    (sent,) = case.named(Invoked, "withdrawn").parts[0].events
    case.log.append(case.log[0]._replace(id=sent.id))
    case.renumber()


@fault(3, "append first is at 1, but began after 4 was acknowledged")
def a_later_append_lies_below_an_earlier_one(case: Case) -> None:
    case.change(Invoked, "first", at=case.named(Stored, "batch").at + 1)
    case.change(Stored, "first", at=case.named(Stored, "batch").at + 2)


@fault(3, "append last is at 10, but began after 11 was acknowledged")
def an_append_overtakes_one_that_was_acknowledged(case: Case) -> None:
    case.log[9], case.log[10] = case.log[10], case.log[9]
    case.renumber()


@fault(3, "append unknown is at 8, but began after 11 was acknowledged")
def an_append_without_an_answer_lies_too_low(case: Case) -> None:
    case.change(Invoked, "unknown", at=case.named(Stored, "last").at + 1)


@fault(4, "expected version 7, and took effect at 3")
def an_exact_expectation_is_violated(case: Case) -> None:
    expect(case, "several", 1, 7)


@fault(4, "expected version 0, and took effect at 3")
def an_append_to_no_stream_finds_one(case: Case) -> None:
    expect(case, "exists", 0, NO_STREAM)


@fault(4, "expected version -2, and took effect at 0")
def an_append_to_an_existing_stream_finds_none(case: Case) -> None:
    expect(case, "unknown", 0, STREAM_EXISTS)


@fault(4, "append never expected nothing, and was refused: no reason")
def an_append_that_expects_nothing_is_refused(case: Case) -> None:
    case.records.append(Refused("never", case.named(Stored, "last").at, "no reason"))


def expect(case: Case, op: str, nth: int, expected: int) -> None:
    parts = list(case.named(Invoked, op).parts)
    parts[nth] = Part(parts[nth].stream_id, expected, parts[nth].events)
    case.change(Invoked, op, parts=tuple(parts))


@fault(5, "the read after 0 ended at 6, when position 7 had been acknowledged")
def a_read_is_stale(case: Case) -> None:
    show(case, 0, lambda seen: seen[:-1])


@fault(5, "the read after 8 ended at 8, when position 11 had been acknowledged")
def a_read_shows_nothing(case: Case) -> None:
    show(case, 2, lambda seen: ())


@fault(5, "the read after 4 ended at 6, when position 9 had been acknowledged")
def a_read_with_a_limit_ends_before_it(case: Case) -> None:
    show(case, 1, lambda seen: seen[:-1])


@fault(5, "where position 3 of the log belongs")
def a_read_has_a_hole(case: Case) -> None:
    show(case, 0, lambda seen: seen[:2] + seen[3:])


@fault(5, "where position 1 of the log belongs")
def a_read_is_out_of_order(case: Case) -> None:
    show(case, 0, lambda seen: (seen[1], seen[0], *seen[2:]))


@fault(5, "where position 12 of the log belongs")
def a_read_showed_what_is_gone(case: Case) -> None:
    show(case, 2, lambda seen: (*seen, Seen(12, seen[0].print)))


@fault(5, "where position 1 of the log belongs")
def an_event_has_changed_since_it_was_read(case: Case) -> None:
    case.log[0] = case.log[0]._replace(timestamp_us=0)


@fault(5, "Seen(position=10, print=")
def an_event_that_was_shown_of_a_stream_is_gone(case: Case) -> None:
    case.log[9:] = [case.log[10]]
    case.renumber()


@fault(5, "was shown, and is not in the log")
def an_event_that_was_shown_by_its_id_has_another_position(case: Case) -> None:
    (shown,) = case.all(Shown)
    case.change(Shown, 0, seen=(Seen(9, shown.seen[0].print),))


def show(case: Case, nth: int, changed: Callable[[tuple[Seen, ...]], tuple[Seen, ...]]) -> None:
    case.change(Read, nth, seen=changed(case.all(Read)[nth].seen))


@fault(6, "follower skipped from 1 to 3")
def a_follower_skips_an_event(case: Case) -> None:
    case.records.remove(case.all(Followed)[1])


@fault(6, "follower skipped from 0 to 2")
def a_follower_skips_the_first_event(case: Case) -> None:
    case.records.remove(case.all(Followed)[0])


@fault(6, "follower started after 5, but had come to 4")
def a_follower_starts_again_behind_what_it_had(case: Case) -> None:
    case.change(Started, 1, after=5)


@fault(6, "follower went back from 4 to 4 without a new start")
def a_follower_is_handed_an_event_twice(case: Case) -> None:
    case.records.append(case.all(Followed)[3])
    case.records.insert(case.records.index(case.all(Followed)[3]), case.records.pop())


@fault(6, "follower went back from 4 to 3 without a new start")
def a_follower_goes_back_without_a_new_start(case: Case) -> None:
    case.records.insert(case.records.index(case.all(Followed)[3]) + 1, case.all(Followed)[2])


@fault(6, "follower was handed another event than the log's at 2")
def a_follower_was_handed_an_event_that_is_gone(case: Case) -> None:
    case.change(Followed, 1, seen=Seen(2, case.all(Followed)[0].seen.print))


@fault(7, "A-1 was said to be at 5, which is not there")
def a_conflict_rested_on_a_version_that_is_gone(case: Case) -> None:
    case.change(Refused, "refused", level=structs.replace(case.named(Refused, "refused").level, number=5))


@fault(7, "A-1 was said to be at 1 before that was stored")
def a_conflict_rested_on_a_version_that_was_lost_and_given_again(case: Case) -> None:
    level = case.named(Refused, "refused").level
    case.log[0] = case.log[0]._replace(timestamp_us=level.wall_us + 1)


@fault(7, "the log was said to be at 11, which is not there")
def the_head_that_was_told_is_gone(case: Case) -> None:
    case.log.pop()


@fault(7, "A was said to be at 5, which is not there")
def a_category_that_was_listed_has_fewer_events(case: Case) -> None:
    case.change(Said, 0, levels=(structs.replace(case.all(Said)[0].levels[1], number=5),))
