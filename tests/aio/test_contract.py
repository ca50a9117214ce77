"""The adapters keep the contract when tasks call them: on the loop's own thread, or on worker threads.

Races and steps are where a task differs from a thread, and are tried always on PostgreSQL. The rest is code that the
contract tries by threads.
"""

import pytest

from evstore.adapters.nats import connect as on_nats
from evstore.adapters.postgres import connect as on_postgres
from evstore.adapters.sqlite import connect as on_sqlite
from evstore.testing import AdapterContract, RaceClauses
from evstore.testing.clauses.conditions import ConditionRaceClauses
from evstore.testing.clauses.stepping import StepClauses
from tests.aio.driven import DrivenAdapter, Loop
from tests.support.places import (
    lose_in_postgres,
    lose_in_sqlite,
    nats_name,
    occupy_nats,
    occupy_postgres,
    occupy_sqlite,
)


@pytest.fixture(scope="module")
def loop():
    made = Loop()
    yield made
    made.close()


class ByTasks:
    """Opens adapters for tasks of one loop."""

    @pytest.fixture(autouse=True)
    def _on_a_loop(self, loop):
        self.loop = loop


class OnPostgres(ByTasks):
    @pytest.fixture(autouse=True)
    def _on_a_server(self, newest):
        self.server = newest

    def open(self, tmp_path):
        return DrivenAdapter(on_postgres(self.server.place(tmp_path)), self.loop)

    reopen = open

    def lose(self, tmp_path, what, name):
        lose_in_postgres(self.server, self.server.schema(tmp_path), what, name)

    def occupy(self, tmp_path):
        return occupy_postgres(self.server, self.server.schema(tmp_path))


class OnNats(ByTasks):
    @pytest.fixture(autouse=True)
    def _on_nats(self, nats_server):
        self.nats = nats_server

    def open(self, tmp_path):
        return DrivenAdapter(on_nats(self.nats.place(nats_name(tmp_path))), self.loop)

    reopen = open

    def occupy(self, tmp_path):
        return occupy_nats(self.nats, nats_name(tmp_path))


class OnSqlite(ByTasks):
    def open(self, tmp_path):
        return DrivenAdapter(on_sqlite(f"sqlite:{tmp_path}/events.db"), self.loop)

    reopen = open

    def lose(self, tmp_path, what, name):
        lose_in_sqlite(tmp_path, what, name)

    def occupy(self, tmp_path):
        return occupy_sqlite(tmp_path)


class WhereTasksDiffer(RaceClauses, ConditionRaceClauses, StepClauses):
    """The clauses about what several do at a time, and what lasts beyond a call."""


class TestTasksOnPostgres(OnPostgres, WhereTasksDiffer):
    pass


@pytest.mark.long("it needs a server of NATS")
class TestTasksOnNats(OnNats, WhereTasksDiffer):
    pass


@pytest.mark.long("worker threads are threads, which the contract of SQLite tries")
class TestThreadsOnSqlite(OnSqlite, WhereTasksDiffer):
    pass


@pytest.mark.seldom
@pytest.mark.long("it tries again what the adapter's own contract tries")
class TestTheWholeContractOnPostgres(OnPostgres, AdapterContract):
    pass


@pytest.mark.seldom
@pytest.mark.long("it tries again what the adapter's own contract tries")
class TestTheWholeContractOnNats(OnNats, AdapterContract):
    pass


@pytest.mark.seldom
@pytest.mark.long("it tries again what the adapter's own contract tries")
class TestTheWholeContractOnSqlite(OnSqlite, AdapterContract):
    pass
