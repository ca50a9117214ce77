"""Words of other tools and stores, and the commands that do here what they mean there."""

from __future__ import annotations

from typing import Final

_APPEND: Final = "evstore append STREAM -t TYPE -d JSON"
_LISTS: Final = "evstore categories, evstore streams [CATEGORY], evstore types [CATEGORY], evstore tags"
_READS: Final = "evstore read STREAM, evstore replay CATEGORY..., evstore replay --all"
_FOLLOWS: Final = "evstore tail [CATEGORY...], evstore read STREAM -f, evstore replay CATEGORY... -f"
_HANDLES: Final = f"evstore subscribe NAME CATEGORY... -- COMMAND; to look on, {_FOLLOWS}"
_FILTERS: Final = (
    "evstore replay --all with -t TYPE, --tag TAG, --since, --user-id, --meta KEY=VALUE; for data, a pipe to jq"
)
_NEVER: Final = "no event is ever changed or removed; append one that corrects it"

POINTERS: Final = {
    **dict.fromkeys(("ls", "list", "dir"), _LISTS),
    **dict.fromkeys(("cat", "less", "more", "log", "history", "load"), _READS),
    "head": "evstore replay --all -n 10; evstore info for the head position",
    **dict.fromkeys(("wc", "size"), "evstore count [CATEGORY...], evstore info"),
    **dict.fromkeys(("stats", "status", "describe"), "evstore info [STREAM], evstore categories"),
    **dict.fromkeys(("query", "grep", "search", "find", "filter", "select"), _FILTERS),
    **dict.fromkeys(("watch", "follow", "listen"), _FOLLOWS),
    **dict.fromkeys(("consume", "sub", "handle", "worker"), _HANDLES),
    **dict.fromkeys(("consumer", "checkpoints", "lag", "subscriptions", "offsets"), "evstore consumers"),
    **dict.fromkeys(
        ("put", "publish", "emit", "write", "send", "add", "push", "insert", "pub", "produce"), _APPEND
    ),
    **dict.fromkeys(("show", "event"), "evstore get ID, evstore read STREAM, evstore info"),
    **dict.fromkeys(("create", "new", "setup", "make"), "evstore init"),
    **dict.fromkeys(("dump",), "evstore export -O FILE; evstore backup FILE for a SQLite file"),
    **dict.fromkeys(("restore",), "evstore import FILE; evstore help operations"),
    **dict.fromkeys(("check", "fsck", "doctor"), "evstore verify"),
    **dict.fromkeys(
        ("copy", "cp", "move", "mv"), "evstore export | evstore import --db OTHER; evstore backup FILE"
    ),
    **dict.fromkeys(("sync", "replicate", "clone", "replica"), "evstore mirror URL; evstore backup FILE"),
    **dict.fromkeys(("compare", "cmp"), "evstore diff URL"),
    **dict.fromkeys(("delete", "rm", "remove", "truncate", "edit", "update", "drop"), _NEVER),
    **dict.fromkeys(("upgrade", "migrations", "up"), "evstore migrate; evstore migrate --status"),
    "version": "evstore --version",
}
"""For each word the hint."""


def pointer(word: str) -> str | None:
    """The commands that do what this word means elsewhere, None for a word that no other tool has."""
    return POINTERS.get(word.lower())
