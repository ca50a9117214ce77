"""Roles of a PostgreSQL server, and the rights that a reader and a writer need."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.servers import Server

READER = (
    "USAGE ON SCHEMA {0}",
    "SELECT ON TABLE {0}.store",
    "SELECT ON TABLE {0}.events",
    "SELECT ON TABLE {0}.streams",
    "SELECT ON TABLE {0}.categories",
    "SELECT ON TABLE {0}.types",
    "SELECT ON TABLE {0}.tags",
    "SELECT ON TABLE {0}.event_tags",
    "SELECT ON TABLE {0}.sources",
)
# What a writer reads, it reads to find out whether an append whose answer was lost is stored.
WRITER = (
    "USAGE ON SCHEMA {0}",
    "SELECT ON TABLE {0}.store",
    "SELECT ON TABLE {0}.events",
    "SELECT ON TABLE {0}.streams",
    "SELECT ON TABLE {0}.types",
    "EXECUTE ON PROCEDURE {0}.append_v1",
    "EXECUTE ON FUNCTION {0}.append_unit_v1",
    "EXECUTE ON FUNCTION {0}.make_durable_v1",
    "INSERT ON TABLE {0}.staged",
    "EXECUTE ON PROCEDURE {0}.append_staged_v1",
    "EXECUTE ON FUNCTION {0}.append_staged_unit_v1",
    "EXECUTE ON FUNCTION {0}.sweep_staged_v1",
)
STAYING = ("store", "migrations", "categories", "types", "tags", "streams", "events", "event_tags", "sources")
CHANGING = ("consumers", "checkpoints", "parked", "holds", "snapshots")
# What `init` grants, so that the role can verify as well, and look at the views.
SCHEMA = "its schema"
TO_READ = {
    *((name, "SELECT") for name in (*STAYING, *CHANGING)),
    ("log", "SELECT"),
    ("log_tags", "SELECT"),
    (SCHEMA, "USAGE"),
}
# What everybody may execute, who may use the schema at all.
TO_ALL = {(name, "EXECUTE") for name in ("matches_v1", "keyed_v1", "next_match_v1", "filled_by_v1")}
TO_APPEND = TO_READ | {
    *((name, right) for name in CHANGING for right in ("INSERT", "UPDATE", "DELETE")),
    ("staged", "INSERT"),
    ("append_v1", "EXECUTE"),
    ("append_unit_v1", "EXECUTE"),
    ("append_staged_v1", "EXECUTE"),
    ("append_staged_unit_v1", "EXECUTE"),
    ("make_durable_v1", "EXECUTE"),
    ("sweep_staged_v1", "EXECUTE"),
}
# More than that, in few words.
ALL_READER = ("USAGE ON SCHEMA {0}", "SELECT ON ALL TABLES IN SCHEMA {0}")
ALL_WRITER = (*ALL_READER, "EXECUTE ON ALL ROUTINES IN SCHEMA {0}", "INSERT ON TABLE {0}.staged")


class Role(NamedTuple):
    server: Server
    name: str
    password: str

    def url(self, schema: str, **parts: Any) -> str:
        return self.server.url(schema, user=self.name, password=self.password, **parts)

    @property
    def quoted(self) -> str:
        """Its name in a statement."""
        return '"{}"'.format(self.name.replace('"', '""'))

    def session(self) -> psycopg.Connection:
        """A session of its own, where each statement is a transaction."""
        return psycopg.connect(self.url(""), autocommit=True)


@contextmanager
def a_role(server: Server, *words: str, named: str = "r_", **settings: object) -> Iterator[Role]:
    """A role that lasts for the block, with these attributes and these settings for its sessions. Its name begins
    with `named`."""
    role = Role(server, f"{named}{uuid4().hex[:16]}", uuid4().hex)
    server.execute(f"CREATE ROLE {role.quoted} LOGIN PASSWORD '{role.password}' {' '.join(words)}")
    try:
        for name, value in settings.items():
            server.execute(f"ALTER ROLE {role.quoted} SET {name} = '{value}'")
        yield role
    finally:
        server.execute(f"DROP OWNED BY {role.quoted} CASCADE")
        server.execute(f"DROP ROLE {role.quoted}")


def grant(role: Role, schema: str, *rights: str) -> None:
    for right in rights:
        role.server.execute(f"GRANT {right.format(schema)} TO {role.name}")


def revoke(role: Role, schema: str, right: str) -> None:
    role.server.execute(f"REVOKE {right.format(schema)} FROM {role.name}")
