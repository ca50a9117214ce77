"""Chapter "Writing", W13: units that are stored with a COMMIT of the application."""

from __future__ import annotations

from contextlib import closing
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, cast

import pytest

from evstore.errors import ConcurrencyError, InvalidInputError
from evstore.model.sources import Source
from evstore.model.versions import NO_STREAM
from evstore.port import AlreadyStored, Receipt, SourceTaken
from evstore.testing.asking import accepted, answer, everything, facts, history, log, together
from evstore.testing.builders import an_append
from evstore.testing.harness import JOIN, Harness

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from evstore.port import Adapter, Append, Joined, Joins, Outcome

OTHERS_SECONDS = 0.2
"""Time for another writer to do what it must not do."""


def joined(adapter: Adapter, connection: Any) -> AbstractContextManager[Joined]:
    return cast("Joins", adapter).joined(connection)


def appended(adapter: Adapter, connection: Any, unit: Append) -> Outcome:
    """The outcome of a block that appends this unit alone."""
    with joined(adapter, connection) as within:
        return within.append(unit)


class JoinClauses(Harness):
    """W13: appends in a transaction of the application."""

    @pytest.fixture
    def theirs(self, adapter: Adapter, tmp_path: Path) -> Iterator[Any]:
        """A connection of the application, in no transaction."""
        self.needs(adapter, JOIN)
        with closing(self.connect(tmp_path)) as connection:
            yield connection

    def test_W13_what_is_appended_is_stored_with_the_commit_and_seen_by_nobody_before(
        self, adapter: Adapter, theirs: Any
    ) -> None:
        accepted(adapter, an_append("Order-1"))
        before = everything(adapter)
        first, second = an_append("Order-1", 2, 1), an_append("Order-2", 1, NO_STREAM)
        receipts = [appended(adapter, theirs, unit) for unit in (first, second)]
        assert everything(adapter) == before
        theirs.commit()
        assert [r.first_position for r in receipts if isinstance(r, Receipt)] == [2, 4]
        assert [(e.id, e.stream_id, e.version) for e in log(adapter)[1:]] == [
            *((event_id, "Order-1", version) for version, event_id in enumerate(first.ids(), 2)),
            *((event_id, "Order-2", 1) for event_id in second.ids()),
        ]
        accepted(adapter, an_append("Order-2", 1, 1))

    def test_W13_a_rollback_leaves_nothing(self, adapter: Adapter, theirs: Any) -> None:
        accepted(adapter, an_append("Order-1"))
        before = everything(adapter)
        unit = an_append("Other-1", 2)._replace(source=Source("orders.csv", 7))
        assert isinstance(appended(adapter, theirs, unit), Receipt)
        theirs.rollback()
        assert everything(adapter) == before
        assert accepted(adapter, unit).first_position == 2

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_W13_a_block_that_raises_leaves_the_transaction_as_it_was(
        self, adapter: Adapter, theirs: Any, error: type[BaseException]
    ) -> None:
        def fail() -> None:
            with joined(adapter, theirs) as within:
                within.append(an_append("Order-1", 3, 1))
                raise error

        appended(adapter, theirs, an_append("Order-1", 1, NO_STREAM))
        with pytest.raises(error):
            fail()
        appended(adapter, theirs, an_append("Order-1", 1, 1))
        theirs.commit()
        assert [(e.global_position, e.version) for e in log(adapter)] == [(1, 1), (2, 2)]

    def test_W13_the_rules_of_all_appends_judge_it(self, adapter: Adapter, theirs: Any) -> None:
        source = Source("orders.csv", 7)
        stored = an_append("Order-1", 2)._replace(source=source)
        mine = an_append("Order-2", 1, NO_STREAM)
        accepted(adapter, stored)
        appended(adapter, theirs, mine)
        refused = [
            an_append("Order-1", 1, 1),
            an_append("Order-2", 1, NO_STREAM),
            an_append("Order-2", 1, 7),
            an_append("Other-1", 1, first_position=2),
            stored,
            mine,
            an_append("Other-1")._replace(source=source),
        ]
        outcomes = [facts(appended(adapter, theirs, unit)) for unit in refused]
        theirs.commit()
        assert outcomes == [facts(answer(adapter, unit)) for unit in refused]
        assert [type(answer(adapter, unit)) for unit in (*refused[:3], *refused[4:])] == [
            ConcurrencyError, ConcurrencyError, ConcurrencyError, AlreadyStored, AlreadyStored, SourceTaken,
        ]  # fmt: skip
        assert len(log(adapter)) == 3

    def test_W13_get_shows_what_was_appended_in_the_transaction(self, adapter: Adapter, theirs: Any) -> None:
        earlier, unit = an_append("Order-1"), an_append("Order-1", 2)
        accepted(adapter, earlier)
        ids = [*earlier.ids(), *unit.ids()]
        appended(adapter, theirs, unit)
        with joined(adapter, theirs) as within:
            shown = within.get(ids)
        assert [e.id for e in adapter.get(ids)] == [*earlier.ids()]
        theirs.commit()
        assert sorted(shown, key=lambda e: e.global_position) == history(adapter, "Order-1")

    def test_W13_no_other_unit_is_stored_before_the_commit(self, adapter: Adapter, theirs: Any) -> None:
        appended(adapter, theirs, an_append("Order-1"))
        done = Event()

        def append() -> None:
            accepted(adapter, an_append("Order-2"))
            done.set()

        other = Thread(target=append, daemon=True)
        other.start()
        assert not done.wait(OTHERS_SECONDS)
        appended(adapter, theirs, an_append("Order-1"))
        theirs.commit()
        other.join(self.patience)
        assert [e.stream_id for e in log(adapter)] == ["Order-1", "Order-1", "Order-2"]

    def test_W13_of_racing_transactions_that_expect_a_version_one_wins(
        self, adapter: Adapter, tmp_path: Path
    ) -> None:
        self.needs(adapter, JOIN)

        def append() -> Outcome:
            with closing(self.connect(tmp_path)) as connection:
                outcome = appended(adapter, connection, an_append("Order-1", 1, NO_STREAM))
                connection.commit()
                return outcome

        outcomes = together([append] * 4, self.patience)
        assert sorted(type(each).__name__ for each in outcomes) == [*["ConcurrencyError"] * 3, "Receipt"]
        assert len(log(adapter)) == 1

    def test_W13_a_connection_that_cannot_be_used_is_refused(self, adapter: Adapter, theirs: Any) -> None:
        theirs.close()
        for each in (theirs, object()):
            with pytest.raises(InvalidInputError):
                appended(adapter, each, an_append())
        assert log(adapter) == []
