"""A password is in nothing that is printed, logged, raised or shown, however wrong the URL is that holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pytest

from evstore import (
    EventData,
    EvstoreError,
    NotInitializedError,
    SchemaError,
    UnavailableError,
    connect,
)
from tests.support.secret_urls import REACHED, UNREADABLE, Case, chain, filled, keeps, keeps_in_frames, told
from tests.support.sentences import names

if TYPE_CHECKING:
    from tests.support.servers import Server


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
    keeps_in_frames(caught.value, __file__)


def test_a_right_password_is_in_nothing_that_a_store_shows(
    newest: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    url = newest.place(tcp=True)
    password = urlsplit(url).password or "no password was given"
    monkeypatch.setattr("tests.support.secret_urls.SECRETS", (password, unquote(password)))
    with connect(url) as store:
        with pytest.raises(SchemaError) as caught:
            list(store.replay())
        store.initialize()
        store.append("Order-1", [EventData("Placed", 1)])
        keeps(repr(store) + repr(store._adapter) + repr(store._adapter._location) + repr(store.info()))
        with store._adapter._connections.connection() as connection:
            keeps(repr(connection) + repr(connection.info) + connection.info.dsn)
    for each in told(caught.value):
        keeps(each)
    keeps(caplog.text)


def test_a_missing_database_is_a_missing_store(newest: Server) -> None:
    with pytest.raises(NotInitializedError) as caught:
        ask(newest.url(database="no_such_database"))
    assert caught.value.code == "schema"
    assert names(caught.value, caught.value.location, "no such database")
