"""The shop over HTTP, on Starlette. Requests run in its threads, which share the store."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from decimal import Decimal, InvalidOperation
from html import escape
from threading import Thread
from typing import TYPE_CHECKING
from uuid import uuid4

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

import evstore
from tests.examples.shop.domain import Order, RefusedError, registered
from tests.examples.shop.openorders import OpenOrders
from tests.examples.shop.shipping import Shipping

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

PAGE = """<!doctype html><meta charset="utf-8"><title>Order {id}</title>
<h1>Order {id}</h1><p>{state}, {total}</p>
<table><tr><th>version<th>time<th>event<th>data</tr>{rows}</table>"""
ROW = "<tr><td>{}<td>{}<td>{}<td><code>{}</code></tr>"


class Correlation:
    """Gives each request's events its `X-Request-ID`, or a new one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope.get("headers", []))
        request_id = headers.get(b"x-request-id", b"").decode("latin-1") or str(uuid4())
        with evstore.metadata(correlation_id=request_id, user_id=headers.get(b"x-user", b"").decode("latin-1")):
            await self._app(scope, receive, send)


class Shop:
    """The requests that the shop answers."""

    def __init__(self, url: str, read_model: str) -> None:
        self.store = registered(evstore.connect(url))
        self.store.initialize()
        self.open_orders = OpenOrders(self.store, read_model)
        self.shipping = Shipping(self.store)

    async def place(self, request: Request) -> Response:
        body = await request.json()
        customer = str(body["customer"])
        return await self._changed(uuid4().hex, lambda order: order.place(customer), 201)

    async def add(self, request: Request) -> Response:
        body = await request.json()
        given = str(body["sku"]), int(body["quantity"]), Decimal(str(body["price"]))
        return await self._changed(request.path_params["id"], lambda order: order.add(*given))

    async def confirm(self, request: Request) -> Response:
        return await self._changed(request.path_params["id"], lambda order: order.confirm())

    async def _changed(self, order_id: str, change: Callable[[Order], None], status: int = 200) -> Response:
        order = await run_in_threadpool(self.store.update, Order, order_id, change)
        facts = {"id": order.id, "state": order.state, "total": str(order.total), "version": order.version}
        return JSONResponse(facts, status)

    def listed(self, _request: Request) -> Response:
        return JSONResponse([each._asdict() for each in self.open_orders.all()])

    def history(self, request: Request) -> Response:
        order = self.store.load_aggregate(Order, request.path_params["id"])
        if not order.version:
            return HTMLResponse("no such order", 404)
        rows = (
            ROW.format(each.version, f"{each.timestamp:%Y-%m-%d %H:%M:%S}", each.type, escape(each.data_json))
            for each in self.store.read(order.stream_id)
        )
        facts = {"id": escape(order.id), "state": order.state, "total": order.total}
        return HTMLResponse(PAGE.format(**facts, rows="".join(rows)))

    @asynccontextmanager
    async def running(self, _app: Starlette) -> AsyncIterator[None]:
        """The time in which the shop is open: its consumers run beside the requests."""
        threads = [Thread(target=each.run) for each in (self.open_orders, self.shipping)]
        for each in threads:
            each.start()
        yield
        self.store.close()  # which ends both after the batch in hand
        for each in threads:
            each.join()


def application(shop: Shop) -> Starlette:
    """The shop as an ASGI application."""
    return Starlette(
        routes=[
            Route("/orders", shop.place, methods=["POST"]),
            Route("/orders", shop.listed),
            Route("/orders/{id}", shop.history),
            Route("/orders/{id}/items", shop.add, methods=["POST"]),
            Route("/orders/{id}/confirm", shop.confirm, methods=["POST"]),
        ],
        middleware=[Middleware(Correlation)],
        exception_handlers={
            RefusedError: lambda _, error: JSONResponse({"error": str(error)}, 409),
            **dict.fromkeys((KeyError, ValueError, InvalidOperation), _not_understood),
        },
        lifespan=shop.running,
    )


def _not_understood(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": f"the request is not understood: {error}"}, 400)


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(application(Shop(sys.argv[1], "open-orders.db")), port=8000)
