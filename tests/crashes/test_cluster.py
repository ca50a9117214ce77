"""The short profile of `tests.crashes.lab.cluster`; that module runs as long as one likes."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from evstore import EventData, InvalidUrlError, connect
from tests.crashes.lab.cluster import Profile, cluster_run
from tests.support.nats_servers import NatsCluster

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.nats_servers import NatsServer

pytestmark = pytest.mark.long("servers of a cluster are killed again and again")


@pytest.fixture(scope="module")
def cluster() -> Iterator[NatsCluster]:
    with closing(NatsCluster(quick=True)) as made:
        yield made


@pytest.mark.parametrize("nodes", [1, 3])
def test_nothing_acknowledged_is_lost_when_servers_of_a_cluster_are_killed(
    cluster: NatsCluster, seed: int, nodes: int
) -> None:
    figures = cluster_run(cluster, Profile(2, seed, nodes))
    print(figures)
    assert figures.ok, figures
    assert figures.acknowledged
    assert all(figures.handed.values())


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
