"""The examples of the library, each on a store of its own, with its imports and classes spelled out."""

from __future__ import annotations

import pytest

from tests.support.servers import newest_of

pytestmark = pytest.mark.sqlite_first("a store in memory has no tables")


@pytest.fixture
def url(adapter, tmp_path, servers):
    """A place without a store."""
    if adapter == "sqlite":
        yield f"sqlite:///{tmp_path}/orders.db"
        return
    with newest_of(servers).lent_place() as place:
        yield place


def test_write_read_replay(url):
    import evstore
    from evstore import NO_STREAM, EventData, Metadata

    store = evstore.connect(url)
    store.initialize()

    stored = store.append(
        "Order-order-1",
        [EventData("OrderPlaced", {"orderId": "order-1", "total": 99.99})],
        expected_version=NO_STREAM,
        metadata=Metadata(correlation_id="req-7", user_id="alice"),
    )
    assert (stored[0].version, stored[0].global_position) == (1, 1)

    seen = [(event.data["total"], event.data_json) for event in store.read("Order-order-1")]
    assert seen == [(99.99, '{"orderId":"order-1","total":99.99}')]
    assert [event.version for event in store.replay(categories=["Order"], after=0)] == [1]
    assert EventData.from_json("T", '{"a": 1.10}').data_json == '{"a": 1.10}'
    assert evstore.StoredEvent.from_json(stored[0].to_json()) == stored[0]
    assert Metadata.from_json(stored[0].metadata.to_json()) == stored[0].metadata
    store.close()


def test_your_own_event_classes(url):
    from dataclasses import dataclass
    from decimal import Decimal

    import evstore

    store = evstore.connect(url)
    store.initialize()

    @evstore.event
    @dataclass(frozen=True)
    class OrderPlaced:
        order_id: str
        customer_id: str
        total: Decimal

    @evstore.event(name="order-confirmed", version=2)
    @dataclass(frozen=True)
    class OrderConfirmed:
        by: str

    store.register(OrderPlaced, OrderConfirmed)
    store.append("Order-order-1", [OrderPlaced("order-1", "cust-1", Decimal("99.99"))])
    assert store.load("Order-order-1") == [OrderPlaced("order-1", "cust-1", Decimal("99.99"))]

    (strange,) = store.append("Order-order-2", [evstore.EventData("Strange", {})])
    assert store.load("Order-order-2") == [strange]
    with pytest.raises(evstore.UnknownEventTypeError):
        store.load("Order-order-2", strict=True)

    store.append("Order-order-1", [evstore.EventData("order-confirmed", {})])
    with pytest.raises(evstore.UpcastGapError, match="from version 1 to 2"):
        store.load("Order-order-1")

    @store.upcaster("order-confirmed", from_version=1)
    def with_name(data):
        return {**data, "by": "unknown"}

    assert store.load("Order-order-1")[1] == OrderConfirmed("unknown")
    (confirmed,) = store.append("Order-order-1", [OrderConfirmed("ann")])
    assert confirmed.metadata.custom["$schema_version"] == "2"
    assert store.load("Order-order-1")[2] == OrderConfirmed("ann")
    store.close()


def test_aggregates(url):
    from dataclasses import dataclass

    import evstore
    from evstore import ConcurrencyError

    store = evstore.connect(url)
    store.initialize()

    @evstore.event
    @dataclass
    class ItemAdded:
        sku: str
        qty: int

    class Order(evstore.Aggregate):
        def __init__(self, id):
            super().__init__(id)
            self.items = 0
            self.confirmed = False

        def add_item(self, sku, qty):
            self.record(ItemAdded(sku, qty))

        @evstore.when
        def item_added(self, event: ItemAdded):
            self.items += event.qty

    store.snapshots(every=100)
    order = store.load_aggregate(Order, "order-1")
    assert order.version == 0
    order.add_item("SKU-1", 2)
    store.save_aggregate(order)
    assert order.version == 1

    late = store.load_aggregate(Order, "order-1")
    order.add_item("SKU-2", 1)
    store.save_aggregate(order)
    late.add_item("SKU-3", 1)
    with pytest.raises(ConcurrencyError):
        store.save_aggregate(late)

    store.append("Order-order-1", [evstore.EventData("Noted", {})])
    assert store.load_aggregate(Order, "order-1").items == 3

    def function(items, event):
        return items + event.qty if isinstance(event, ItemAdded) else items

    initial = 0
    store.register(ItemAdded)
    assert store.fold("Order-order-1", initial, function) == 3
    store.close()


def test_subscriptions_and_consumers(url):
    import sqlite3

    import evstore
    from evstore import EventData, InvalidInputError

    store = evstore.connect(url)
    store.initialize()
    store.append("Order-1", [EventData("OrderPlaced", {}), EventData("OrderPaid", {})])

    seen = []
    for event in store.subscribe(categories=["Order"], after=0, timeout=0.2):
        seen.append(event.type)
    assert seen == ["OrderPlaced", "OrderPaid"]

    def handle(events):
        seen.extend(event.version for event in events)

    with store.consumer("mailer", categories=["Order"]) as mailer:
        mailer.run(handle, batch_size=100, once=True)
    assert seen[2:] == [1, 2]

    def transactional(events, tx):
        tx.connection.execute("CREATE TABLE IF NOT EXISTS mine (n INTEGER)")
        tx.append("Mail-1", [EventData("MailSent", event.data) for event in events])
        with pytest.raises(InvalidInputError, match=r"tx\.append"):
            store.append("Mail-2", [EventData("MailSent", {})])

    with store.consumer("sender", categories=["Order"]) as sender:
        sender.run(transactional, transactional=True, once=True)
    assert store.stream_info("Mail-1").version == 2

    with sqlite3.connect(":memory:") as connection:
        checkpoint = evstore.SqliteCheckpoint(connection)
        assert store.consumer("elsewhere").run(handle, checkpoint=checkpoint, once=True) == 4
    store.close()


def test_projections(url):
    from dataclasses import dataclass
    from decimal import Decimal

    import evstore
    from evstore import StoredEvent

    store = evstore.connect(url)
    store.initialize()

    @evstore.event
    @dataclass(frozen=True)
    class OrderPlaced:
        order_id: str
        total: Decimal

    class OpenOrders(evstore.Projection):
        name, version = "open-orders", 1

        def create(self, tx):
            tx.execute(f"CREATE TABLE {tx.table('open_orders')} (id TEXT PRIMARY KEY, total TEXT)")

        @evstore.when
        def placed(self, event: OrderPlaced, stored: StoredEvent, tx):
            tx.execute(f"INSERT INTO {tx.table('open_orders')} VALUES ('{event.order_id}', '{event.total}')")

    store.append("Order-1", [OrderPlaced("1", Decimal("9.90"))])
    assert store.projection(OpenOrders).run(once=True) == 1
    status = store.projection(OpenOrders).status()
    assert (status.position, status.lag, status.version) == (1, 0, 1)
    assert store.projection(OpenOrders).rebuild() == 1
    rows = []

    def look(events, tx):
        rows.extend(tx.execute("SELECT id, total FROM open_orders").fetchall())

    store.consumer("look").run(look, transactional=True, once=True)
    assert [tuple(row) for row in rows] == [("1", "9.90")]
    store.close()


def test_decisions_across_streams(url):
    from dataclasses import dataclass

    import evstore
    from evstore import AppendConditionError, EventData, Query

    store = evstore.connect(url)
    store.initialize()

    @evstore.event
    @dataclass
    class SeatTaken:
        seat: int

    decision = store.decide(Query(types=["SeatTaken"], tags=["show:7", "seat:12"]))
    if not decision.events:
        store.append("Show-7", [SeatTaken(12)], tags=["show:7", "seat:12"], unless=decision)
    with pytest.raises(AppendConditionError):
        store.append("Show-7", [SeatTaken(12)], tags=["show:7", "seat:12"], unless=decision)

    @evstore.event
    @dataclass
    class SeatFreed:
        show: int

        def tags(self):
            return [f"show:{self.show}"]

    store.append("Show-7", [SeatFreed(7), EventData("SeatSeen", {}, tags=["show:7"])])
    found = store.replay(query=Query(tags=["show:7"]))
    assert [event.type for event in found] == ["SeatTaken", "SeatFreed", "SeatSeen"]

    def take(decision):
        return [("Show-7", [SeatTaken(len(decision.events))], evstore.ANY_VERSION)]

    assert store.update(Query(types=["SeatTaken"]), take)[0].data == {"seat": 1}
    store.close()
