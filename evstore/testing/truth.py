"""The truth table of expected versions and streams.

It judges every adapter, and `model.versions.check_version` itself. The core refuses a value that is no expected
version at all (-3, True) before an adapter sees it, so such a value has no row.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from evstore.errors import ConcurrencyError, EvstoreError, StreamNotFoundError
from evstore.model.versions import ANY_VERSION, MAX_VERSION, NO_STREAM, STREAM_EXISTS

STORED: Final = "stored"
CONFLICT: Final = "conflict"
MISSING: Final = "missing"

N: Final = 3

_VERSIONS: Final = (0, 1, N)
_VERDICTS: Final = {
    # The stream is    missing   at 1      at N
    ANY_VERSION:      (STORED,   STORED,   STORED),
    NO_STREAM:        (STORED,   CONFLICT, CONFLICT),
    STREAM_EXISTS:    (MISSING,  STORED,   STORED),
    1:                (CONFLICT, STORED,   CONFLICT),
    N - 1:            (CONFLICT, CONFLICT, CONFLICT),
    N:                (CONFLICT, CONFLICT, STORED),
    N + 1:            (CONFLICT, CONFLICT, CONFLICT),
    MAX_VERSION:      (CONFLICT, CONFLICT, CONFLICT),
}  # fmt: skip


class Row(NamedTuple):
    expected: int
    actual: int
    """The stream's version; 0: it is missing."""
    verdict: str

    def refusal(self, stream_id: str) -> EvstoreError | None:
        """The error that must come out, with its facts."""
        if self.verdict == CONFLICT:
            return ConcurrencyError(stream_id, self.expected, self.actual)
        return StreamNotFoundError(stream_id) if self.verdict == MISSING else None

    def __str__(self) -> str:
        return f"expect {self.expected} at {self.actual}"


TRUTH_TABLE: Final = tuple(
    Row(expected, actual, verdict)
    for expected, verdicts in _VERDICTS.items()
    for actual, verdict in zip(_VERSIONS, verdicts, strict=True)
)
REFUSED_ROWS: Final = tuple(row for row in TRUTH_TABLE if row.verdict != STORED)
