"""Given events, when something is asked of an aggregate, then other events: and a test that is wrong fails."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

import pytest

import evstore
from evstore import InvalidInputError, UnknownEventTypeError
from evstore.testing import given


@evstore.event
@dataclass(frozen=True)
class SeatHeld:
    seat: int


@evstore.event
@dataclass(frozen=True)
class ShowClosed:
    pass


class ClosedError(Exception):
    pass


class Show(evstore.Aggregate):
    def __init__(self, id):
        super().__init__(id)
        self.seats = set()
        self.closed = False

    def hold(self, seat):
        if self.closed:
            raise ClosedError(f"show {self.id} is closed")
        if seat not in self.seats:
            self.record(SeatHeld(seat))

    def close(self):
        self.record(ShowClosed())

    @evstore.when
    def seat_held(self, event: SeatHeld):
        self.seats.add(event.seat)

    @evstore.when
    def show_closed(self, _event: ShowClosed):
        self.closed = True


def test_the_events_that_follow_are_compared():
    given(SeatHeld(1)).when(lambda show: show.hold(2)).then(SeatHeld(2))
    given(SeatHeld(1)).when(lambda show: show.hold(1)).then()
    given(of=Show).when(lambda show: show.close()).then(ShowClosed())


def test_the_state_and_the_version_are_those_after_the_events():
    outcome = given(SeatHeld(1), SeatHeld(2), of=Show, id="7").when(lambda show: show.hold(3)).then(SeatHeld(3))
    outcome.then_state(lambda show: show.seats == {1, 2, 3})
    assert (outcome.aggregate.id, outcome.aggregate.version) == ("7", 2)


def test_an_exception_is_expected_by_its_class_and_text():
    closed = given(ShowClosed(), id="7").when(lambda show: show.hold(1))
    closed.then_raises(ClosedError)
    closed.then_raises(Exception, "show 7")
    with pytest.raises(ClosedError):
        closed.then(SeatHeld(1))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda: given(of=Show).when(lambda s: s.hold(1)).then(SeatHeld(2)), r"SeatHeld\(seat=2\)[^#]*SeatHeld\(seat=1\)"),
        (lambda: given(of=Show).when(lambda s: s.hold(1)).then(), "nothing"),
        (lambda: given(of=Show).when(lambda _: None).then(ShowClosed()), "nothing"),
        (lambda: given(of=Show).when(lambda s: s.hold(1)).then(SeatHeld(1), SeatHeld(1)), "SeatHeld"),
        (lambda: given(of=Show).when(lambda _: None).then_raises(ClosedError), "nothing raised"),
        (lambda: given(ShowClosed()).when(lambda s: s.hold(1)).then_raises(KeyError), "KeyError was expected"),
        (lambda: given(ShowClosed()).when(lambda s: s.hold(1)).then_raises(ClosedError, "open"), "'open'"),
        (lambda: given(of=Show).when(lambda _: None).then_state(lambda s: s.closed), "state"),
    ],
)  # fmt: skip
def test_what_is_not_so_fails_and_tells_both(wrong, told):
    with pytest.raises(AssertionError, match=told):
        wrong()


def test_events_of_a_class_without_equality_are_compared_by_their_json():
    @evstore.event
    @dataclass(eq=False)
    class Renamed:
        name: str

    class Named(evstore.Aggregate):
        def rename(self, name):
            self.record(Renamed(name))

    given(of=Named).when(lambda each: each.rename("x")).then(Renamed("x"))
    with pytest.raises(AssertionError):
        given(of=Named).when(lambda each: each.rename("x")).then(Renamed("y"))


def test_the_aggregate_must_be_named_where_it_is_not_one_alone():
    @evstore.event
    class Shared:
        pass

    class One(evstore.Aggregate):
        @evstore.when
        def shared(self, event: Shared): ...

    class Two(evstore.Aggregate):
        @evstore.when
        def shared(self, event: Shared): ...

    with pytest.raises(InvalidInputError, match=r"One.*Two.*of=Order"):
        given(Shared())
    assert type(given(Shared(), of=Two).aggregate) is Two
    with pytest.raises(InvalidInputError, match="none"):
        given()
    with pytest.raises(InvalidInputError, match=r"subclass of evstore\.Aggregate"):
        given(Shared(), of=str)  # type: ignore[type-var]
    with pytest.raises(UnknownEventTypeError):
        given("placed", of=One)


def test_pytest_is_not_needed():
    program = "import sys; from evstore.testing import given; sys.exit('pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
