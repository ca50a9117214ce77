"""The short profile of `tests.crashes.lab.cluster`; that module runs as long as one likes."""

from __future__ import annotations

import gc
import warnings
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from evstore import EventData, InvalidUrlError, connect
from tests.crashes.lab.cluster import Profile, cluster_run
from tests.crashes.lab.faults import DISK_MEBIBYTES, FAULTS
from tests.support.nats_servers import NatsCluster

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.nats_servers import NatsServer

pytestmark = pytest.mark.long("servers of a cluster fail again and again")

RARER = [each for each in FAULTS if each not in ("leader", "all", "full")]


@pytest.fixture(scope="module")
def cluster() -> Iterator[NatsCluster]:
    with closing(NatsCluster(quick=True)) as made:
        yield made


def _check(cluster: NatsCluster, profile: Profile) -> None:
    figures = cluster_run(cluster, profile)
    print(figures)
    assert figures.ok, figures
    assert figures.acknowledged
    assert all(figures.handed.values())


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """nats-py leaves the socket of a cancelled try to connect to the garbage collector, which blames a later test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.mark.parametrize(
    "fault", ["leader", "all", *(pytest.param(each, marks=pytest.mark.seldom) for each in RARER)]
)
def test_nothing_acknowledged_is_lost_when_servers_of_a_cluster_fail(
    cluster: NatsCluster, seed: int, fault: str
) -> None:
    _check(cluster, Profile(1, seed, fault))


@pytest.mark.seldom
def test_nothing_acknowledged_is_lost_when_the_disk_of_the_leader_is_full(seed: int) -> None:
    try:
        made = NatsCluster(quick=True, disk_mebibytes=DISK_MEBIBYTES)
    except PermissionError as error:
        pytest.skip(str(error))
    with closing(made):
        _check(made, Profile(1, seed, "full"))


def test_calls_go_on_while_the_leader_is_frozen_and_what_it_takes_later_breaks_nothing(
    cluster: NatsCluster,
) -> None:
    url = cluster.place()
    with connect(url, timeout=60) as store:
        store.initialize()
        store.append("Order-1", [EventData("Placed", 1)])
        leader = cluster.leader_of(url)
        leader.pause()
        try:
            store.append("Order-1", [EventData("Paid", 2)], 1)
            assert [event.version for event in store.read("Order-1")] == [1, 2]
        finally:
            leader.resume()
        store.append("Order-1", [EventData("Shipped", 3)], 2)
        assert [event.type for event in store.replay()] == ["Placed", "Paid", "Shipped"]
        assert [*store.verify()] == []


def test_a_store_on_a_cluster_has_three_replicas(cluster: NatsCluster) -> None:
    with connect(cluster.place()) as store:
        store.initialize()
        info = store.info()
    assert info.durability["replicas"] == "3"
    assert info.warnings == ()


def test_a_single_server_keeps_no_three_replicas_and_the_parameter_is_named(nats_server: NatsServer) -> None:
    with connect(nats_server.place().replace("?replicas=1", "")) as store:
        with pytest.raises(InvalidUrlError, match=r"\?replicas=1"):
            store.initialize()
