"""The short profile of `tests.crashes.lab.disturbed`; that module runs as long as one likes. And what it finds where a
follower begins anew at the end of the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.crashes.lab.disturbed import TROUBLES, Profile, disturbs

if TYPE_CHECKING:
    from tests.support.servers import Server

pytestmark = pytest.mark.long("connections end and are made again for seconds")


@pytest.mark.parametrize("trouble", TROUBLES)
def test_nothing_is_missed_whatever_becomes_of_hints_and_connections(
    newest: Server, trouble: str, seed: int
) -> None:
    outcome = disturbs(newest, Profile(trouble, 0.7, seed))
    print(outcome)
    assert not outcome.faults, outcome.faults
    assert outcome.events
    assert outcome.troubles or trouble == "pooled"


def test_a_follower_that_begins_anew_at_the_end_is_found(newest: Server, seed: int) -> None:
    outcome = disturbs(newest, Profile("muted", 0.5, seed, forgets=True))
    (fault,) = outcome.faults
    assert fault.startswith("the follower missed "), outcome
