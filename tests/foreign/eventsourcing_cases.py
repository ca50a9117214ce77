"""The cases that eventsourcing ships, on a store of evstore. Run in an environment that has both.

`python eventsourcing_cases.py PLACE...` tries each case on a store of its own, and prints one JSON object: the name of
each case, and null or the reason why it failed. The places are `memory:`, `sqlite:FOLDER`, or a URL for each case.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import unittest
from contextlib import redirect_stdout
from typing import Any, ClassVar

import eventsourcing.dcb.tests as dcb
import eventsourcing.tests.application as applications
import eventsourcing.tests.persistence as cases
import evstore_for_eventsourcing as ours
from eventsourcing.utils import Environment

from evstore import connect

PLACES: list[str] = []


def next_url() -> str:
    """The URL of a place without a store."""
    if PLACES[0] == "memory:":
        return PLACES[0]
    if PLACES[0].startswith("sqlite:"):
        return f"sqlite:{tempfile.mkdtemp(dir=PLACES[0].removeprefix('sqlite:'))}/events.db"
    return PLACES.pop()


class OnStore(unittest.TestCase):
    """A store of its own for each case."""

    recorder: ClassVar[Any]

    def create_recorder(self) -> Any:
        store = connect(next_url())
        self.addCleanup(store.close)
        store.initialize()
        return type(self).recorder(store)


class Aggregates(OnStore, cases.AggregateRecorderTestCase):
    recorder = ours.EvstoreAggregateRecorder


class Applications(OnStore, cases.ApplicationRecorderTestCase[Any]):
    recorder = ours.EvstoreApplicationRecorder

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class Tracking(OnStore, cases.TrackingRecorderTestCase):
    recorder = ours.EvstoreTrackingRecorder


class Processes(OnStore, cases.ProcessRecorderTestCase):
    recorder = ours.EvstoreProcessRecorder


class NonInterleaving(OnStore, cases.NonInterleavingNotificationIDsBaseCase):
    recorder = ours.EvstoreApplicationRecorder


class Boundaries(OnStore, dcb.DCBRecorderTestCase):
    recorder = ours.EvstoreDCBRecorder

    def test_append_read(self) -> None:
        self._test_append_read(self.create_recorder())

    def test_append_subscribe(self) -> None:
        self._test_append_subscribe(self.create_recorder())


class OtherTracking(ours.EvstoreTrackingRecorder):
    """Any subclass, which the factory is asked for."""


class Factories(cases.InfrastructureFactoryTestCase[Any]):
    def setUp(self) -> None:
        self.env = Environment("TestCase", {"PERSISTENCE_MODULE": ours.__name__, ours.URL: next_url()})
        super().setUp()

    def expected_factory_class(self) -> Any:
        return ours.EvstoreFactory

    def expected_aggregate_recorder_class(self) -> Any:
        return ours.EvstoreAggregateRecorder

    def expected_application_recorder_class(self) -> Any:
        return ours.EvstoreApplicationRecorder

    def expected_tracking_recorder_class(self) -> Any:
        return ours.EvstoreTrackingRecorder

    def tracking_recorder_subclass(self) -> Any:
        return OtherTracking

    def expected_process_recorder_class(self) -> Any:
        return ours.EvstoreProcessRecorder


class WholeApplications(applications.ExampleApplicationTestCase):
    expected_factory_topic = "evstore_for_eventsourcing:EvstoreFactory"

    def setUp(self) -> None:
        super().setUp()
        os.environ["PERSISTENCE_MODULE"] = ours.__name__
        os.environ[ours.URL] = next_url()

    def tearDown(self) -> None:
        del os.environ["PERSISTENCE_MODULE"], os.environ[ours.URL]
        super().tearDown()


SUITES = (
    Aggregates, Applications, Tracking, Processes, NonInterleaving, Boundaries, Factories, WholeApplications,
)  # fmt: skip


def every_case() -> list[unittest.TestCase]:
    load = unittest.defaultTestLoader.loadTestsFromTestCase
    return [case for suite in SUITES for case in load(suite)]  # type: ignore[misc]


def name_of(case: unittest.TestCase) -> str:
    return f"{type(case).__name__}.{case._testMethodName}"


def judged(case: unittest.TestCase) -> str | None:
    """None if the case passes, else the reason of its failure."""
    result = case.defaultTestResult()
    case.run(result)
    bad = [text for _, text in (*result.failures, *result.errors, *result.skipped)]
    return "\n".join(bad) or None


def main() -> None:
    PLACES[:] = sys.argv[1:]
    with redirect_stdout(sys.stderr):
        answers = {name_of(case): judged(case) for case in every_case()}
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
