"""A password is in nothing that is printed, logged, raised or shown, however wrong the URL is that holds it."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

import psycopg
import pytest

from evstore import (
    AdapterError,
    DeniedError,
    EventData,
    EvstoreError,
    InvalidUrlError,
    NotInitializedError,
    SchemaError,
    UnavailableError,
    UnknownAdapterError,
    connect,
)
from tests.daemons import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import Server

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


def keeps(text: str) -> None:
    found = [text[max(0, text.index(word) - 100) :][:200] for word in SECRETS if word in text]
    assert not found


def ask(url: str, **options: Any) -> None:
    with connect(url, **options) as store:
        keeps(repr(store) + repr(store._adapter))
        list(store.replay())


@pytest.mark.parametrize("case", [*REACHED.values(), *UNREADABLE.values()], ids=[*REACHED, *UNREADABLE])
def test_a_password_is_in_no_part_of_an_error(
    newest: Server, case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    url = filled(case, newest)
    pools = ({}, {"pool_size": 1}) if case in REACHED.values() else ({},)
    for options in pools:
        with pytest.raises(Exception) as caught:  # of whatever class: nothing may leak
            ask(url, **options)
        for each in told(caught.value):
            keeps(each)
        assert isinstance(caught.value, case.kind)
        assert caught.value.retryable == (case.kind is UnavailableError)
    keeps(caplog.text)


@pytest.mark.parametrize("name", ["a wrong password", "a port that refuses"])
def test_a_password_is_in_no_attribute_of_the_drivers_exception(newest: Server, name: str) -> None:
    """Collectors of errors show the attributes of all that they collect."""
    with pytest.raises(EvstoreError) as caught:
        ask(filled(REACHED[name], newest))
    for each in chain(caught.value):
        keeps(repr(vars(each)))


@pytest.mark.parametrize("name", ["a wrong password", "a port that refuses", "a host without a part"])
@pytest.mark.parametrize("pool_size", [1, 2])
def test_a_password_is_in_no_variable_of_the_drivers_frames(newest: Server, name: str, pool_size: int) -> None:
    """Collectors of errors show the variables of the frames of a traceback, too."""
    url = filled({**REACHED, **UNREADABLE}[name], newest)
    with pytest.raises(EvstoreError) as caught:
        ask(url, pool_size=pool_size)
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    for each in layers(told):
        of_others = [frame for frame in each.stack if frame.filename != __file__]  # the test's own hold its URL
        keeps("".join(f"{frame.filename} {frame.name} {frame.locals}\n" for frame in of_others))


def layers(told: traceback.TracebackException | None) -> Iterator[traceback.TracebackException]:
    while told is not None:
        yield told
        told = told.__cause__ or told.__context__


def test_a_right_password_is_in_nothing_that_a_store_shows(
    newest: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    url = newest.place(tcp=True)
    password = urlsplit(url).password or "no password was given"
    monkeypatch.setattr("tests.adapters.test_postgres_secrets.SECRETS", (password, unquote(password)))
    with connect(url) as store:
        with pytest.raises(SchemaError) as caught:
            list(store.replay())
        store.initialize()
        store.append("Order-1", [EventData("Placed", 1)])
        keeps(repr(store) + repr(store._adapter) + repr(store._adapter._place) + repr(store.info()))
        with store._adapter._connections.connection() as connection:
            keeps(repr(connection) + repr(connection.info) + connection.info.dsn)
    for each in told(caught.value):
        keeps(each)
    keeps(caplog.text)


def test_a_missing_database_is_a_missing_store(newest: Server) -> None:
    with pytest.raises(NotInitializedError, match="no event store at") as caught:
        ask(newest.url(database="no_such_database"))
    assert caught.value.detail == "there is no such database"
