"""What an operator sees: log records, and spans and counters where the application has OpenTelemetry."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from evstore import ConcurrencyError, EventData, Metadata, UnavailableError, connect
from tests.support.secret_urls import ELSEWHERE, dead, keeps


class Watch:
    """The spans and counters of a test."""

    def __init__(self):
        self.exporter = InMemorySpanExporter()
        self.reader = InMemoryMetricReader()
        tracing = TracerProvider()
        tracing.add_span_processor(SimpleSpanProcessor(self.exporter))
        trace.set_tracer_provider(tracing)
        metrics.set_meter_provider(MeterProvider([self.reader]))

    def spans(self):
        found = self.exporter.get_finished_spans()
        self.exporter.clear()
        return [(each.name, dict(each.attributes), each.status.status_code.name) for each in found]

    def total(self, name, **about):
        """The sum of a counter over the points that have these attributes."""
        data = self.reader.get_metrics_data()
        points = [
            point
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]
        wanted = {key.replace("_", "."): value for key, value in about.items()}
        return sum(point.value for point in points if wanted.items() <= dict(point.attributes).items())


WATCHES = []


@pytest.fixture
def watch():
    if not WATCHES:  # a process has its providers for good
        WATCHES.append(Watch())
    WATCHES[0].spans()
    return WATCHES[0]


def test_an_append_is_a_span_and_its_events_are_counted(store, watch):
    secret = EventData("Paid", {"card": "4111"}, Metadata(user_id="alice"))
    before = watch.total("evstore.events.appended")
    store.append("Order-1", [secret, EventData("Shipped", {})])
    ((name, attributes, status),) = watch.spans()
    engine = store.capabilities.name.lower()
    assert (name, status) == ("evstore.append", "UNSET")
    assert attributes == {
        "db.system.name": engine,
        "db.operation.name": "append",
        "evstore.stream_id": "Order-1",
        "evstore.streams": 1,
        "evstore.events": 2,
        "evstore.duplicate": False,
        "evstore.global_position": 2,
    }
    assert watch.total("evstore.events.appended") == before + 2


def test_a_refused_append_is_a_span_with_its_error_and_counted_apart(store, watch):
    store.append("Order-1", [EventData("Placed", {})])
    appended, refused = (watch.total(f"evstore.{name}") for name in ("events.appended", "appends.refused"))
    watch.spans()
    with pytest.raises(ConcurrencyError):
        store.append("Order-1", [EventData("Placed", {})], 7)
    ((_, _, status),) = watch.spans()
    assert status == "ERROR"
    assert watch.total("evstore.appends.refused") == refused + 1
    assert watch.total("evstore.appends.refused", error_type="ConcurrencyError") >= 1
    assert watch.total("evstore.events.appended") == appended


def test_a_batch_of_a_consumer_is_a_span_around_what_its_handler_does(store, watch):
    store.append("Order-1", [EventData("Placed", {})] * 3)
    watch.spans()
    name = f"mailer on {store.capabilities.name}"  # counters outlast a test
    with store.consumer(name, categories=["Order"]) as mailer:
        mailer.run(lambda events: store.append("Mail-1", [EventData("Sent", len(events))]), 2, once=True)
    inner = [span for span, *_ in watch.spans()]
    assert inner == ["evstore.append", "evstore.handle"] * 2
    assert watch.total("evstore.events.handled", evstore_consumer=name) == 3


def test_failures_of_a_handler_are_counted_and_logged_and_so_is_what_is_parked(store, watch, caplog):
    store.append("Order-1", [EventData("Placed", {})])

    def fails(_events):
        raise ValueError("no such address")

    name = f"failing on {store.capabilities.name}"  # counters outlast a test
    with caplog.at_level(logging.WARNING, "evstore"), store.consumer(name, categories=["Order"]) as failing:
        failing.run(fails, once=True, retries=1, backoff=0, on_failure="park")
    texts = [record.getMessage() for record in caplog.records]
    assert len(texts) == 2
    assert "no such address" in texts[0]
    assert "position 1 is parked" in texts[1]
    assert watch.total("evstore.handler.failures", evstore_consumer=name) == 2
    assert watch.total("evstore.events.parked", evstore_consumer=name) == 1
    assert watch.total("evstore.events.handled", evstore_consumer=name) == 0


PROGRAM = """
import sys, evstore
from evstore.observing import logger
with evstore.connect("memory:") as store:
    store.append("A-1", [evstore.EventData("T", 1)])
    store.consumer("c").run(lambda events: None, once=True)
logger().warning("nobody configured logging")
print("opentelemetry" in sys.modules)
"""


def test_without_opentelemetry_in_the_program_nothing_loads_it_and_nothing_is_printed():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_a_span_of_a_failed_append_holds_no_password(watch):
    with connect(dead(ELSEWHERE["a port of NATS that refuses"]), timeout=0.2) as away:
        with pytest.raises(UnavailableError):
            away.append("Order-1", [EventData("Placed", {})])
    (span,) = watch.exporter.get_finished_spans()
    assert span.events  # the exception, with its traceback
    keeps(span.to_json())
