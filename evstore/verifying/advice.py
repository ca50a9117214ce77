"""The next step for each kind of finding."""

from __future__ import annotations

from typing import Final

_RESTORE: Final = "append nothing, keep a copy of the store as it is, and go back to a backup that verifies"
_FOREIGN: Final = "another program wrote to the store; keep it out, and go back to a backup that verifies"
_REINDEX: Final = "let the engine make its indexes again (REINDEX), and verify again"
_EXPORT: Final = "readers get it as it is; export the log, mend the line, and import it into a new store"
ADVICE: Final = {
    "position-gap": f"events are lost: {_RESTORE}",
    "bad-position": _FOREIGN,
    "version-gap": f"events are lost: {_RESTORE}",
    "version-order": _RESTORE,
    "duplicate-position": _RESTORE,
    "duplicate-version": _RESTORE,
    "duplicate-id": _RESTORE,
    "duplicate-name": _FOREIGN,
    "duplicate-number": _FOREIGN,
    "id-not-found": _REINDEX,
    "version-not-found": _REINDEX,
    "name-not-found": _REINDEX,
    "number-not-found": _REINDEX,
    "category-not-found": _REINDEX,
    "type-not-found": _REINDEX,
    "timestamp-not-found": _REINDEX,
    "correlation-not-found": _REINDEX,
    "category-number": _RESTORE,
    "stream-number": _FOREIGN,
    "wrong-category": _FOREIGN,
    "unknown-stream": _RESTORE,
    "unknown-type": _RESTORE,
    "unknown-category": _RESTORE,
    "empty-stream": _FOREIGN,
    "empty-category": _FOREIGN,
    "empty-type": _FOREIGN,
    "bad-id": _FOREIGN,
    "bad-name": _FOREIGN,
    "bad-value": f"readers fail here: {_RESTORE}",
    "bad-data": _EXPORT,
    "bad-metadata": _EXPORT,
    "bad-timestamp": f"readers fail at this event: {_RESTORE}",
    "correlation-hash": "it is not found by its correlation id; export the log, and import it into a new store",
    "unknown-trigger": f"drop it, for it may change what an append stores, and then: {_FOREIGN}",
    "digest": "the log was changed since, or is another one: compare it with a backup",
    "engine": f"the disk or the memory may be failing: {_RESTORE}",
    "unreadable": f"the rest was not checked: {_RESTORE}",
}
"""The advice for every kind whose findings carry none of their own."""
