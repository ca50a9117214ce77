"""A log full of near misses: names, types, correlation ids, users and times that a careless filter mixes up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evstore.model.metadata import Metadata
from evstore.testing.builders import an_append, an_event

if TYPE_CHECKING:
    from evstore.port import Adapter

STREAMS: Final = (
    "Order-1",
    "order-1",
    "Orders-1",
    "Order-2",
    "we_ird-1",
    "weXird-1",
    "NoHyphen",
    "x-",
    "Order-1-1",
    "Order",
)
TYPES: Final = ("Placed", "placed", "Placed2", "Pla_ed")
CORRELATIONS: Final = (None, "req-7", "req-70", "REQ-7", "req-7 ", "req_7", "req-%", "réq-7", "re\u0301q-7")
USERS: Final = (None, "alice", "Alice")
EVENTS: Final = 60

# Times step forward and back and come several times, as they do after an import or under a moved clock.
START_US: Final = 1_700_000_000_000_000
TIMES_US: Final = tuple(START_US + step * 1_000_001 for step in (4, 1, 1, 9, 0, 6, 3))


def fill(adapter: Adapter) -> None:
    """Store EVENTS events; streams, types, correlation ids, users and times come in every mixture."""
    adapter.append(
        [
            an_append(
                STREAMS[n % len(STREAMS)],
                [
                    an_event(
                        TYPES[n // 3 % len(TYPES)],
                        metadata=Metadata(
                            CORRELATIONS[n // 2 % len(CORRELATIONS)], user_id=USERS[n // 5 % len(USERS)]
                        ),
                    )
                ],
                timestamp_us=TIMES_US[n % len(TIMES_US)],
            )
            for n in range(EVENTS)
        ]
    )
