"""The short profiles of `tests.crashes.lab.failing_over` and `.losing`; those modules fail over as often as one likes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.crashes.lab.failing_over import Profile, fails_over
from tests.crashes.lab.losing import loses
from tests.support.clusters import ANY_STANDBY, cluster
from tests.support.servers import newest_of

if TYPE_CHECKING:
    from tests.support.servers import Servers

pytestmark = pytest.mark.long("three servers, of which one is killed")


def test_all_go_on_when_a_synchronous_standby_takes_over(servers: Servers, seed: int) -> None:
    with cluster(newest_of(servers), synchronous_standby_names=ANY_STANDBY) as made:
        figures = fails_over(made, Profile(1, seed, most_delay=0.3))
    print(figures)
    assert figures.ok, figures
    assert figures.acknowledged


def test_whoever_saw_what_a_late_standby_lacks_is_told(servers: Servers, seed: int) -> None:
    with cluster(newest_of(servers), standbys=1) as made:
        outcome = loses(made, Profile(1, seed, most_delay=0.3))
    print(outcome)
    assert not outcome.faults
    assert outcome.lost
    assert outcome.noticed
