"""Methods that handle events: the annotation of the first parameter names the class, and a wrong one is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

import pytest

import evstore
from evstore import InvalidInputError
from evstore.application.handlers import Handler, handlers_of

if TYPE_CHECKING:
    from evstore import StoredEvent


@evstore.event
@dataclass
class Placed:
    n: int


@evstore.event(name="paid")
@dataclass
class Paid:
    n: int


def test_the_annotation_of_the_first_parameter_names_the_class():
    class Mine:
        @evstore.when
        def placed(self, event: Placed, stored: StoredEvent, tx: object) -> None: ...

        @evstore.when
        def was_paid(self, event: Paid, tx: object) -> None: ...

        def other(self, event: Placed) -> None: ...

    assert handlers_of(Mine) == {"Placed": Handler("placed", Placed, 3), "paid": Handler("was_paid", Paid, 2)}


def test_a_class_that_a_function_defines_is_found():
    @evstore.event
    class Local:
        pass

    class Mine:
        @evstore.event
        class Inner:
            pass

        @evstore.when
        def local(self, event: Local, tx: object) -> None: ...

        @evstore.when
        def inner(self, event: Inner, tx: object) -> None: ...  # type: ignore[name-defined]

    assert {name: each.event_class for name, each in handlers_of(Mine).items()} == {
        "Local": Local,
        "Inner": Mine.Inner,
    }


def test_a_class_that_is_defined_later_is_found():
    class Mine:
        @evstore.when
        def later(self, event: Later, tx: object) -> None: ...

    assert handlers_of(Mine) == {"Later": Handler("later", Later, 2)}


@evstore.event
class Later:
    pass


def test_a_union_names_several_classes():
    class Mine:
        @evstore.when
        def both(self, event: Placed | Paid, tx: object) -> None: ...

    assert {*handlers_of(Mine)} == {"Placed", "paid"}


def test_types_and_classes_may_be_named_outright():
    class Mine:
        @evstore.when("Opened", "Closed")
        def stored(self, event, tx): ...

        @evstore.when(Placed)
        def placed(self, event, stored, tx): ...

    assert handlers_of(Mine) == {
        "Opened": Handler("stored", None, 2),
        "Closed": Handler("stored", None, 2),
        "Placed": Handler("placed", Placed, 3),
    }


def test_methods_of_a_base_count_and_may_be_replaced():
    class Base:
        @evstore.when
        def placed(self, event: Placed, stored: object, tx: object) -> None: ...

        @evstore.when
        def paid(self, event: Paid, tx: object) -> None: ...

    class Mine(Base):
        @evstore.when
        def placed(self, event: Placed, tx: object) -> None: ...  # type: ignore[override]

    assert handlers_of(Mine) == {"Placed": Handler("placed", Placed, 2), "paid": Handler("paid", Paid, 2)}


def test_two_methods_for_one_type_are_refused():
    class Mine:
        @evstore.when
        def one(self, event: Placed, tx: object) -> None: ...

        @evstore.when("Placed")
        def two(self, event, tx): ...

    with pytest.raises(InvalidInputError, match=r'"Placed": one and two'):
        handlers_of(Mine)


def test_two_classes_of_one_type_are_refused():
    @evstore.event(name="Placed")
    class Other:
        pass

    class Mine:
        @evstore.when(Placed, Other)
        def both(self, event, tx): ...

    with pytest.raises(InvalidInputError, match=r'"Placed": both and both'):
        handlers_of(Mine)


def test_a_method_without_an_event_or_its_annotation_is_refused():
    with pytest.raises(InvalidInputError, match=r"lonely takes no event"):

        @evstore.when
        def lonely(self): ...

    with pytest.raises(InvalidInputError, match=r'"event" has no annotation'):

        @evstore.when
        def bare(self, event, tx): ...


def test_an_annotation_that_is_no_event_is_named():
    class Mine:
        @evstore.when
        def strange(self, event: Optional[int], tx: object) -> None: ...  # noqa: UP045 - the older spelling, too

    with pytest.raises(InvalidInputError, match=r"strange of .*Mine: int is no event; @evstore\.event"):
        handlers_of(Mine)


def test_a_stored_event_needs_the_name_of_its_type():

    class Mine:
        @evstore.when
        def stored(self, event: evstore.StoredEvent, tx: object) -> None: ...

    with pytest.raises(InvalidInputError, match=r'StoredEvent is no event; @evstore\.when\("OrderPlaced"\)'):
        handlers_of(Mine)


def test_an_annotation_that_cannot_be_resolved_is_named():
    class Mine:
        @evstore.when
        def absent(self, event: Absent, tx: object) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(InvalidInputError, match=r'absent: its annotation "Absent" cannot be resolved: name'):
        handlers_of(Mine)


@pytest.mark.parametrize("wanted", [(), (1,), ("",), ("a\nb",), (None, "A")])
def test_when_takes_a_method_or_names(wanted):
    with pytest.raises(InvalidInputError):
        evstore.when(*wanted)
