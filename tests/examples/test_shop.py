"""The example application, over real HTTP, on each store."""

from __future__ import annotations

import json
import threading
import urllib.request
from contextlib import contextmanager
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path
from urllib.error import HTTPError

import pytest
import uvicorn

import evstore
from evstore import EventData
from evstore.testing import given
from tests.examples.shop import domain
from tests.examples.shop.domain import (
    ItemAdded,
    Order,
    OrderConfirmed,
    OrderPlaced,
    RefusedError,
    ShipmentRequested,
    registered,
)
from tests.examples.shop.openorders import OpenOrders
from tests.examples.shop.web import Shop, application
from tests.support.waiting import wait_for


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def url(request, tmp_path):
    if request.param == "postgres":
        return request.getfixturevalue("newest").place()
    return {"memory": "memory:", "sqlite": f"sqlite:{tmp_path}/shop.db"}[request.param]


class Client:
    """Talks to the shop."""

    def __init__(self, base, shop):
        self._base = base
        self.store = shop.store

    def __call__(self, path, body=None, **headers):
        """The status, and the body: parsed where it is JSON."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._base + path, data, headers)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, self._body(answer)
        except HTTPError as error:
            return error.code, self._body(error)

    def _body(self, answer):
        text = answer.read().decode()
        return json.loads(text) if answer.headers["content-type"] == "application/json" else text


@contextmanager
def opened(url, tmp_path):
    """The shop, open for customers."""
    shop = Shop(url, str(tmp_path / "open-orders.db"))
    server = uvicorn.Server(uvicorn.Config(application(shop), port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Client(f"http://127.0.0.1:{port}", shop)
    finally:
        server.should_exit = True
        thread.join()


def test_an_order_is_placed_confirmed_and_shipped(url, tmp_path):
    with opened(url, tmp_path) as shop:
        status, order = shop("/orders", {"customer": "ann"}, **{"X-Request-ID": "req-1", "X-User": "ann"})
        assert (status, order["state"], order["version"]) == (HTTPStatus.CREATED, "open", 1)
        place = f"/orders/{order['id']}"
        shop(f"{place}/items", {"sku": "tea", "quantity": 2, "price": "3.50"})
        wait_for(lambda: shop("/orders")[1] == [{"id": order["id"], "customer": "ann", "items": 2}])
        confirmed = shop(f"{place}/confirm", {}, **{"X-Request-ID": "req-2"})
        assert confirmed == (200, {"id": order["id"], "state": "confirmed", "total": "7.00", "version": 3})
        assert shop(f"{place}/confirm", {}) == confirmed
        wait_for(lambda: shop("/orders")[1] == [])
        wait_for(lambda: [*shop.store.read(f"Shipment-{order['id']}")])
        (requested,) = shop.store.read(f"Shipment-{order['id']}")
        *_, last = shop.store.read(f"Order-{order['id']}")
        assert shop.store.decode(requested) == (ShipmentRequested(order["id"], {"tea": 2}),)
        assert (requested.metadata.correlation_id, requested.metadata.causation_id) == ("req-2", last.id)
        first = next(shop.store.read(f"Order-{order['id']}"))
        assert (first.metadata.correlation_id, first.metadata.user_id) == ("req-1", "ann")
        assert first.tags == ("customer:ann",)


def test_a_page_shows_the_history_of_an_order(url, tmp_path):
    with opened(url, tmp_path) as shop:
        _, order = shop("/orders", {"customer": "<b>bob</b>"})
        status, page = shop(f"/orders/{order['id']}")
        assert status == HTTPStatus.OK
        assert "<td>OrderPlaced" in page
        assert "&lt;b&gt;bob" in page
        assert "<b>bob" not in page
        assert shop("/orders/none")[0] == HTTPStatus.NOT_FOUND


def test_what_the_order_does_not_allow_is_a_conflict_and_what_is_not_understood_a_bad_request(url, tmp_path):
    with opened(url, tmp_path) as shop:
        _, order = shop("/orders", {"customer": "ann"})
        place = f"/orders/{order['id']}"
        assert shop(f"{place}/confirm", {}) == (409, {"error": f"order {order['id']} is empty"})
        for body in (
            {"sku": "tea"},
            {"sku": "tea", "quantity": "x", "price": 1},
            {"sku": "t", "quantity": 1, "price": "y"},
        ):
            assert shop(f"{place}/items", body)[0] == HTTPStatus.BAD_REQUEST
        assert [event.type for event in shop.store.replay()] == ["OrderPlaced"]


def test_requests_at_once_lose_nothing(url, tmp_path):
    with opened(url, tmp_path) as shop:
        _, order = shop("/orders", {"customer": "ann"})
        gate, statuses = threading.Barrier(6), []

        def add():
            gate.wait()
            statuses.append(
                shop(f"/orders/{order['id']}/items", {"sku": "tea", "quantity": 1, "price": "1.25"})[0]
            )

        threads = [threading.Thread(target=add) for _ in range(6)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert statuses == [200] * 6
        found = shop.store.load_aggregate(Order, order["id"])
        assert (found.items, found.total, found.version) == ({"tea": 6}, Decimal("7.50"), 7)


def test_the_read_model_goes_on_after_a_restart(tmp_path):
    url = f"sqlite:{tmp_path}/shop.db"
    for n in (1, 2):
        with opened(url, tmp_path) as shop:
            shop("/orders", {"customer": f"customer-{n}"})
            wait_for(lambda n=n, shop=shop: len(shop("/orders")[1]) == n)


def test_the_domain_needs_no_store():
    given(OrderPlaced("ann"), ItemAdded("tea", 2, Decimal(3))).when(lambda order: order.confirm()).then(
        OrderConfirmed(Decimal(6))
    )
    given(OrderPlaced("ann")).when(lambda order: order.confirm()).then_raises(RefusedError, "empty")


def test_an_event_of_an_earlier_version_is_understood(tmp_path):
    store = registered(evstore.connect("memory:"))
    store.append(
        "Order-1", [OrderPlaced("ann"), EventData("ItemAdded", {"sku": "tea", "quantity": 4, "total": "10"})]
    )
    assert store.load_aggregate(Order, "1").total == Decimal(10)
    orders = OpenOrders(store, str(tmp_path / "open.db"))
    orders.run(once=True)
    assert orders.all() == [("1", "ann", 4)]


def test_each_part_is_short():
    for path in Path(domain.__file__).parent.glob("*.py"):
        assert len(path.read_text().splitlines()) < 150, path.name
