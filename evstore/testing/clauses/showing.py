"""Chapter "Consumers", C9: tables, and the views that show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from evstore.errors import InvalidInputError, UnsupportedError
from evstore.model.consumers import WHOLE
from evstore.testing.clauses.consuming import NAME, Consuming, checkpoint
from evstore.testing.harness import TRANSACTIONS

if TYPE_CHECKING:
    from evstore.port import Adapter, Consumers


class TableClauses(Consuming):
    """C9: tables, each shown by a view."""

    def test_C9_a_view_shows_one_table_and_then_another(self, adapter: Adapter, consumers: Consumers) -> None:
        self.needs(adapter, TRANSACTIONS)
        hold = consumers.hold(NAME, [WHOLE])
        with consumers.step(hold) as step:
            schema, tables = step.tables.schema(), step.tables
            assert tables.shown(schema, "evstore_contract") is None
            for table, columns in (("first", "total integer"), ("second", "name text, total integer")):
                step.connection.execute(f"CREATE TABLE {_qualified(schema, f'{table}@1')} ({columns})")
            first, second = _qualified(schema, "first@1"), _qualified(schema, "second@1")
            view = _qualified(schema, "evstore_contract")
            step.connection.execute(f"INSERT INTO {first} VALUES (1)")  # noqa: S608 - fixed names
            step.connection.execute(f"INSERT INTO {second} VALUES ('a', 2)")  # noqa: S608
        for table, wanted in (("first@1", [(1,)]), ("second@1", [("a", 2)]), ("first@1", [(1,)])):
            with consumers.step(hold) as step:
                step.tables.show(schema, "evstore_contract", table)
            with consumers.step(hold) as step:
                assert step.tables.shown(schema, "evstore_contract") == table
                rows = step.connection.execute(f"SELECT * FROM {view}").fetchall()  # noqa: S608
            assert [*map(tuple, rows)] == wanted
        with consumers.step(hold) as step:
            for _ in range(2):  # the second time changes nothing
                step.tables.hide(schema, "evstore_contract")
                step.tables.drop(schema, "first@1")
                step.tables.drop(schema, "second@1")
            assert step.tables.shown(schema, "evstore_contract") is None
        hold.release()

    def test_C9_a_view_changes_with_its_step(self, adapter: Adapter, consumers: Consumers) -> None:
        self.needs(adapter, TRANSACTIONS)
        hold = consumers.hold(NAME, [WHOLE])

        def show() -> None:
            with consumers.step(hold) as step:
                schema = step.tables.schema()
                step.connection.execute(f"CREATE TABLE {_qualified(schema, 'first@1')} (total integer)")
                step.tables.show(schema, "evstore_contract", "first@1")
                step.move({WHOLE: 2})
                raise KeyError

        with pytest.raises(KeyError):
            show()
        with consumers.step(hold) as step:
            assert step.tables.shown(step.tables.schema(), "evstore_contract") is None
        hold.release()
        assert checkpoint(consumers)[0] == 0

    def test_C9_what_is_no_such_view_is_left_alone(self, adapter: Adapter, consumers: Consumers) -> None:
        self.needs(adapter, TRANSACTIONS)
        hold = consumers.hold(NAME, [WHOLE])
        with consumers.step(hold) as step:
            schema = step.tables.schema()
            step.connection.execute(f"CREATE TABLE {_qualified(schema, 'evstore_contract')} (total integer)")
        with pytest.raises(InvalidInputError), consumers.step(hold) as step:
            step.tables.shown(schema, "evstore_contract")
        with pytest.raises(InvalidInputError), consumers.step(hold) as step:
            step.tables.hide(schema, "evstore_contract")
        with consumers.step(hold) as step:
            step.tables.drop(schema, "evstore_contract")
        hold.release()

    def test_C9_without_transactions_a_step_has_no_tables(self, adapter: Adapter, consumers: Consumers) -> None:
        self.needs_no(adapter, TRANSACTIONS)
        hold = consumers.hold(NAME, [WHOLE])
        with pytest.raises(UnsupportedError), consumers.step(hold) as step:
            step.tables  # noqa: B018 - asking is what is refused
        hold.release()


def _qualified(schema: str, name: str) -> str:
    return f'"{schema}"."{name}"' if schema else f'"{name}"'
