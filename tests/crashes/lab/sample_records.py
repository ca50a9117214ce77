"""A record of every kind that a history has."""

from __future__ import annotations

from tests.crashes.lab.history import (
    Followed,
    Invoked,
    Level,
    Part,
    Read,
    Refused,
    Said,
    Seen,
    Sent,
    Shown,
    Started,
    Stored,
    Unsure,
    Withdrawn,
)

PARTS = (Part("A-1", -1, (Sent("1", "Paid", '{"sum":1.10,"who":"é\\n"}'), Sent("2", "Paid", "x" * 200_000))),)
RECORDS = [
    Invoked("w1-1", 1, PARTS),
    Stored("w1-1", 2, 1, (1,), prints=("p", "q")),
    Invoked("w1-2", 3, PARTS),
    Refused("w1-2", 4, "too late", Level("A-1", 2, 9)),
    Invoked("w1-3", 5, PARTS),
    Unsure("w1-3", 6, "AppendOutcomeUnknownError"),
    Invoked("w1-4", 6, PARTS),
    Withdrawn("w1-4", 6),
    Read(6, 7, 0, None, (Seen(1, "p"), Seen(2, "q"))),
    Shown((Seen(1, "p"),)),
    Said((Level("", 2, 10),)),
    Started("f", 0),
    Followed("f", Seen(1, "p")),
]
