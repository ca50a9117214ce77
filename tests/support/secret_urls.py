"""URLs that hold a password and cannot be used, and the check that a text does not hold the password."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, NamedTuple

import psycopg

from evstore import AdapterError, DeniedError, EvstoreError, InvalidUrlError, UnavailableError, UnknownAdapterError
from tests.support.daemons import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

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


ELSEWHERE: dict[str, Case] = {
    "a port of NATS that refuses": Case("nats://u:s3cret@{dead}/shop", UnavailableError, 7),
    "a port of NATS with TLS that refuses": Case("tls://u:s3cret@{dead}/shop", UnavailableError, 7),
    "a token of NATS": Case("nats://s3cret@{dead}/shop", UnavailableError, 7),
    "a token of NATS with TLS": Case("TLS://s3cret@{dead}/shop", UnavailableError, 7),
    "several of NATS that refuse": Case("nats://u:s3cret@{dead},{dead}/shop", UnavailableError, 7),
    "a host of NATS that nobody knows": Case("nats://u:s3cret@nowhere.invalid/shop", UnavailableError, 7),
    "@ in a password of NATS": Case("nats://u:f1rst@l4st@{dead}/shop", InvalidUrlError, 2),
    "/ in a password of NATS": Case("nats://u:f1rst/l4st@{dead}/shop", InvalidUrlError, 2),
    "no colon before NATS": Case("nats//u:s3cret@{dead}/shop", InvalidUrlError, 2),
    "no slash after NATS": Case("nats:u:s3cret@{dead}/shop", InvalidUrlError, 2),
    "a stream that cannot be": Case("nats://u:s3cret@{dead}/a.b", InvalidUrlError, 2),
    "an unknown parameter of NATS": Case("nats://u:s3cret@{dead}/shop?token=l4st", InvalidUrlError, 2),
    "a file of NATS that is missing": Case("nats://u:s3cret@{dead}/shop?ca=/nowhere", InvalidUrlError, 2),
    "a port of MongoDB that refuses": Case("mongodb://u:s3cret@{dead}/shop", UnavailableError, 7),
    "a host of MongoDB that nobody knows": Case("mongodb://u:s3cret@nowhere.invalid/shop", UnavailableError, 7),
    "a cluster that nobody knows": Case("mongodb+srv://u:s3cret@c.nowhere.invalid/shop", UnavailableError, 7),
    "a cluster with a port": Case("mongodb+srv://u:s3cret@{dead}/shop", InvalidUrlError, 2),
    "several clusters": Case("mongodb+srv://u:s3cret@a,b/shop", InvalidUrlError, 2),
    "a session token of MongoDB": Case(
        "mongodb://u:s3cret@{dead}/shop?authMechanism=MONGODB-AWS&authMechanismProperties=AWS_SESSION_TOKEN:l4st",
        UnavailableError, 7,
    ),
    "a password of a key of MongoDB": Case(
        "mongodb://u:s3cret@{dead}/shop?tls=true&tlsCertificateKeyFilePassword=l4st", UnavailableError, 7
    ),
    "@ in a password of MongoDB": Case("mongodb://u:f1rst@l4st@{dead}/shop", InvalidUrlError, 2),
    "/ in a password of MongoDB": Case("mongodb://u:f1rst/l4st@{dead}/shop", InvalidUrlError, 2),
    "% in a password of MongoDB": Case("mongodb://u:f1rst%l4st@{dead}/shop", InvalidUrlError, 2),
    "no colon before MongoDB": Case("mongodb//u:s3cret@{dead}/shop", InvalidUrlError, 2),
    "no slash after MongoDB": Case("mongodb:u:s3cret@{dead}/shop", InvalidUrlError, 2),
    "a database that cannot be": Case("mongodb://u:s3cret@{dead}/a.b", InvalidUrlError, 2),
    "an unknown parameter of MongoDB": Case("mongodb://u:s3cret@{dead}/shop?x=1", InvalidUrlError, 2),
    "no host of MongoDB": Case("mongodb://u:s3cret", InvalidUrlError, 2),
    "a port of MongoDB beyond all ports": Case("mongodb://u:s3cret@localhost:99999/shop", InvalidUrlError, 2),
    "a password without a user": Case("mongodb://:s3cret@{dead}/shop", InvalidUrlError, 2),
    "a blank before MongoDB": Case(" mongodb://u:s3cret@{dead}/shop", InvalidUrlError, 2),
}  # fmt: skip
"""URLs of other servers than PostgreSQL. None of them leads to one."""


def filled(case: Case, server: Server) -> str:
    there = server.url(tcp=True).rpartition("@")[2].partition("/")[0]
    return dead(case).replace("{there}", there)


def dead(case: Case) -> str:
    """Its URL, where no server is needed."""
    return case.url.replace("{dead}", f"127.0.0.1:{free_port()}")


def keeps(text: str) -> None:
    found = [text[max(0, text.index(word) - 100) :][:200] for word in SECRETS if word in text]
    assert not found


def told(error: BaseException) -> Iterator[str]:
    """What an error says and shows, and those behind it."""
    yield "".join(traceback.format_exception(error))
    for each in chain(error):
        yield from (str(each), repr(each), repr(each.args))
    yield repr(vars(error))


def chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def keeps_in_frames(error: BaseException, test: str) -> None:
    """No variable of a frame of the tracebacks holds a password, but for those of this file of tests."""
    for each in _layers(traceback.TracebackException.from_exception(error, capture_locals=True)):
        of_others = [frame for frame in each.stack if frame.filename != test]  # the test's own hold its URL
        keeps("".join(f"{frame.filename} {frame.name} {frame.locals}\n" for frame in of_others))


def _layers(told: traceback.TracebackException | None) -> Iterator[traceback.TracebackException]:
    while told is not None:
        yield told
        told = told.__cause__ or told.__context__
