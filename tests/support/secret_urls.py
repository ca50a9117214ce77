"""URLs that hold a password and cannot be used, and the check that a text does not hold the password."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import psycopg

from evstore import AdapterError, DeniedError, EvstoreError, InvalidUrlError, UnavailableError, UnknownAdapterError
from tests.support.daemons import free_port

if TYPE_CHECKING:
    from tests.support.servers import Server

SECRETS = ("s3cret", "f1rst", "l4st")
"""Words that stand in no URL here but as a password, or as a part of one."""


class Case(NamedTuple):
    url: str
    """{there} is a server, {dead} an address where nobody listens."""
    kind: type[EvstoreError]
    code: int


KNOWS_OAUTH: tuple[type[EvstoreError], int] = (
    (UnavailableError, 7) if psycopg.pq.version() >= 180000 else (InvalidUrlError, 2)
)
REACHED: dict[str, Case] = {
    "a wrong password": Case("postgresql://evstore:s3cret@{there}/postgres", DeniedError, 77),
    "a wrong password, percent-encoded": Case("postgresql://evstore:s%33cret@{there}/postgres", DeniedError, 77),
    "a wrong password among the parameters": Case(
        "postgresql://{there}/postgres?user=evstore&password=s3cret", DeniedError, 77
    ),
    "another driver's scheme": Case("postgresql+psycopg://evstore:s3cret@{there}/postgres", DeniedError, 77),
    "a role that is missing": Case("postgresql://nobody:s3cret@{there}/postgres", DeniedError, 77),
    "a port that refuses": Case("postgresql://u:s3cret@{dead}/db", UnavailableError, 7),
    "several that refuse": Case("postgresql://u:s3cret@{dead},{dead}/db?sslpassword=l4st", UnavailableError, 7),
    "a host that nobody knows": Case("postgresql://u:s3cret@nowhere.invalid/db", UnavailableError, 7),
    "a socket that is missing": Case("postgresql://u:s3cret@/db?host=/nowhere", UnavailableError, 7),
    "a client secret": Case("postgresql://{dead}/db?oauth_client_secret=s3cret", *KNOWS_OAUTH),
    "an encoded parameter": Case("postgresql://u@{dead}/db?p%61ssword=s3cret", UnavailableError, 7),
}
UNREADABLE: dict[str, Case] = {
    "@ in a password": Case("postgresql://u:f1rst@l4st@{dead}/db", InvalidUrlError, 2),
    "/ in a password": Case("postgresql://u:f1rst/l4st@{dead}/db", InvalidUrlError, 2),
    "% in a password": Case("postgresql://u:f1rst%l4st@{dead}/db", InvalidUrlError, 2),
    "a character that is no UTF-8": Case("postgresql://u:f1rst%ffl4st@{dead}/db", InvalidUrlError, 2),
    "a byte that is no UTF-8": Case("postgresql://u:f1rst\udcffl4st@{dead}/db", InvalidUrlError, 2),
    "one slash": Case("postgres:/u:s3cret@{dead}", InvalidUrlError, 2),
    "no slash": Case("postgresql:u:s3cret@{dead}/db", InvalidUrlError, 2),
    "no colon": Case("postgresql//u:s3cret@{dead}/db", InvalidUrlError, 2),
    "no colon, in capitals": Case("POSTGRESQL//u:s3cret@{dead}/db", InvalidUrlError, 2),
    "no colon and no @": Case("postgresql//{dead}/db?user=u&password=s3cret", InvalidUrlError, 2),
    "a blank before it": Case(" postgresql://u:s3cret@{dead}/db", InvalidUrlError, 2),
    "quotes around it": Case('"postgresql://u:s3cret@{dead}/db"', InvalidUrlError, 2),
    "libpq's other form": Case("host=127.0.0.1 port=1 user=u password=s3cret", InvalidUrlError, 2),
    "no host": Case("postgresql://u:s3cret", InvalidUrlError, 2),
    "no host, but a database": Case("postgresql://u:s3cret/db", InvalidUrlError, 2),
    "a port that is no number": Case("postgresql://u:s3cret@127.0.0.1:x/db", InvalidUrlError, 2),
    "an open bracket": Case("postgresql://u:s3cret@[::1/db", InvalidUrlError, 2),
    "a host that cannot be one": Case("postgresql://u:s3cret@é..é/db", InvalidUrlError, 2),
    "a host without a part": Case("postgresql://u:s3cret@db..example/db", InvalidUrlError, 2),
    "a host with a part that is too long": Case(f"postgresql://u:s3cret@{'x' * 64}.example/db", InvalidUrlError, 2),
    "& in the place of ?": Case("postgresql://{dead}/db&user=u&password=s3cret", InvalidUrlError, 2),
    "a scheme that cannot be one": Case("post_gresql://u:s3cret@{dead}/db", AdapterError, 2),
    "a parameter that is misspelt": Case("postgresql://{dead}/db?user=u&password=s3cret&sslmod=x", InvalidUrlError, 2),
    "a parameter without a meaning": Case("postgresql://u:s3cret@{dead}/db?sslmode=x", InvalidUrlError, 2),
    "a time that is none": Case("postgresql://u:s3cret@{dead}/db?connect_timeout=x", InvalidUrlError, 2),
    "a service that is missing": Case("postgresql://u:s3cret@{dead}/db?service=x", InvalidUrlError, 2),
    "& in a parameter": Case("postgresql://{dead}/db?password=f1rst&l4st", InvalidUrlError, 2),
    "a blank in a parameter": Case("postgresql://{dead}/db?password=f1rst l4st", InvalidUrlError, 2),
    "a schema that cannot be": Case("postgresql://u:s3cret@{dead}/db?schema=x-y", InvalidUrlError, 2),
    "a schema of many": Case("postgresql://u:s3cret@{dead}/db?schema=x&schema=y", InvalidUrlError, 2),
    "an unknown scheme": Case("mysql://u:s3cret@{dead}/db", UnknownAdapterError, 2),
    "a misspelt scheme": Case("postgresq://u:s3cret@{dead}/db", UnknownAdapterError, 2),
}  # fmt: skip


def filled(case: Case, server: Server) -> str:
    there = server.url(tcp=True).rpartition("@")[2].partition("/")[0]
    return case.url.replace("{there}", there).replace("{dead}", f"127.0.0.1:{free_port()}")


def keeps(text: str) -> None:
    found = [text[max(0, text.index(word) - 100) :][:200] for word in SECRETS if word in text]
    assert not found
