"""The next step for each kind of finding."""

from __future__ import annotations

from typing import Final

_RESTORE: Final = "append nothing, keep a copy of the store, and restore a backup that verifies"
_FOREIGN: Final = "another program wrote to the store; stop it, and restore a backup that verifies"
_REINDEX: Final = "rebuild the indexes (REINDEX), then verify again"
_EXPORT: Final = "readers receive it unchanged; export the log, mend the line, then import it into a new store"
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
    "tag-not-found": _REINDEX,
    "wrong-tag": _FOREIGN,
    "category-number": _RESTORE,
    "stream-number": _FOREIGN,
    "wrong-category": _FOREIGN,
    "unknown-stream": _RESTORE,
    "unknown-type": _RESTORE,
    "unknown-category": _RESTORE,
    "empty-stream": _FOREIGN,
    "empty-category": _FOREIGN,
    "empty-type": _FOREIGN,
    "empty-tag": _FOREIGN,
    "bad-id": _FOREIGN,
    "bad-name": _FOREIGN,
    "bad-value": f"readers fail here: {_RESTORE}",
    "bad-tags": _FOREIGN,
    "bad-hash": _FOREIGN,
    "chain": "this event, or the one before it, was changed, removed or put in: compare the log with a backup",
    "bad-data": _EXPORT,
    "bad-metadata": _EXPORT,
    "bad-timestamp": f"readers fail at this event: {_RESTORE}",
    "correlation-hash": "a search for its correlation id misses it; export, then import into a new store",
    "unknown-trigger": f"drop it, because it may change appends, and then: {_FOREIGN}",
    "unknown-index": f"drop it, because it may refuse appends, and then: {_FOREIGN}",
    "unknown-rule": f"drop it, because it may swallow appends, and then: {_FOREIGN}",
    "checkpoint": "the consumer has read another log, as before a backup was restored: see what it handled, then "
    "evstore consumers reset",
    "digest": "the log was changed since, or is another log: compare it with a backup",
    "engine": f"the disk or the memory may be failing: {_RESTORE}",
    "unreadable": f"the rest was not checked: {_RESTORE}",
}
"""The advice for every kind whose findings carry none of their own."""
PART: Final = (
    "a filtered export is such a part of a log, and nothing is lost; if this should be a whole log, "
    "export it again"
)
"""The advice for the gaps of a file that may be a part of a log."""
