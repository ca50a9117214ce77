"""Faults of a cluster of NATS servers, each with its end: after it all servers run, and may still catch up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from tests.support.nats_servers import NatsCluster, NatsServer

DOWN_SECONDS: Final = 0.5
DISK_MEBIBYTES: Final = 512
"""Enough for the store of a long run."""


class Stage(NamedTuple):
    """The place where a fault happens."""

    cluster: NatsCluster
    url: str
    """Of the store."""
    rng: Random
    is_answered: Callable[[], None]
    """Returns when every writer has had an answer since the call."""

    @property
    def leader(self) -> NatsServer:
        return self.cluster.leader_of(self.url)


def leader_killed(stage: Stage) -> None:
    """The leader is killed; the others go on; it starts again."""
    _killed(stage, [stage.leader])


def two_killed(stage: Stage) -> None:
    """The leader is killed together with another server."""
    leader = stage.leader
    _killed(stage, [leader, stage.rng.choice([each for each in stage.cluster.nodes if each is not leader])])


def all_killed(stage: Stage) -> None:
    """All servers are killed at once."""
    _killed(stage, stage.cluster.nodes)


def _killed(stage: Stage, nodes: Sequence[NatsServer]) -> None:
    for node in nodes:
        node.kill()
    if len(nodes) == 1:
        stage.is_answered()
    time.sleep(DOWN_SECONDS)
    for node in nodes:
        node.start()


def leader_frozen(stage: Stage) -> None:
    """The leader stops without a word; the others go on; it wakes, and believes that it leads."""
    leader = stage.leader
    leader.pause()
    try:
        stage.is_answered()
    finally:
        leader.resume()


def all_restarted(stage: Stage) -> None:
    """One server after the other is stopped and started, as for an upgrade."""
    for node in stage.cluster.nodes:
        node.stop()
        stage.is_answered()
        node.start()
        wait_for(lambda: stage.cluster.is_whole(stage.url))


def disk_full(stage: Stage) -> None:
    """The disk of the leader is full; the others go on; it gets room, and is started again."""
    leader = stage.leader
    assert leader.disk is not None
    leader.disk.fill()
    stage.is_answered()
    leader.kill()
    leader.disk.free()
    leader.start()


FAULTS: Final[dict[str, Callable[[Stage], None]]] = {
    "leader": leader_killed,
    "two": two_killed,
    "all": all_killed,
    "frozen": leader_frozen,
    "restarts": all_restarted,
    "full": disk_full,
}
