"""Snapshots: the state of an aggregate at a version, kept beside the log so that a load need not begin at 1.

A snapshot is a cache. It is used only if the stream has the same event at its version, and if the code that made
it is the code of today; without it a load gives the same, later.
"""

from __future__ import annotations

import sys
from hashlib import blake2b
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, Final, cast, get_type_hints

from evstore.application.aggregate import OWN, Aggregate, appliers_of, kept_of
from evstore.application.types import for_each_class, type_of
from evstore.errors import DeniedError, InvalidInputError, StorageFullError, UnavailableError, UnsupportedError
from evstore.observing import logger
from evstore.port.snapshots import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from evstore.application.converting import Converter
    from evstore.port import Adapter
    from evstore.port.snapshots import HasSnapshots, Snapshots

MAX_STATE_BYTES: Final = 16 * 1024 * 1024


class SnapshotKeeper:
    """Keeps a snapshot of an aggregate whenever `every` events were saved since the last one."""

    def __init__(self, snapshots: Snapshots, converter: Converter, every: int) -> None:
        if type(every) is not int or every < 1:
            raise InvalidInputError(f"a snapshot is kept every so many events, at least 1, not {every!r}")
        self._snapshots = snapshots
        self._converter = converter
        self._every = every
        self._without: set[type] = set()
        """Classes whose state does not come back as it was, which was reported."""

    def find(self, aggregate: Aggregate) -> Snapshot | None:
        """The snapshot of the aggregate by the code of today, None if there is none."""
        found = self._snapshots.find(aggregate.stream_id, kind_of(type(aggregate)))
        return found if found is not None and found.code == self._code(type(aggregate)) else None

    def restore(self, aggregate: Aggregate, snapshot: Snapshot) -> bool:
        """Give a new aggregate the state of the snapshot. False if the text is not what its class reads."""
        try:
            _restore(aggregate, snapshot.state)
        except Exception:  # noqa: BLE001 - a cache that cannot be read is none
            return False
        kept = kept_of(aggregate)
        kept.version = kept.snapshot = snapshot.version
        return True

    def keep(self, aggregate: Aggregate, event_id: str) -> None:
        """Keep a snapshot if one is due. `event_id` is that of the last event of its stream."""
        cls, kept = type(aggregate), kept_of(aggregate)
        if kept.version - kept.snapshot < self._every or cls in self._without:
            return
        state = self._state(aggregate)
        if state is None:
            self._without.add(cls)
            return
        stream_id, code = aggregate.stream_id, self._code(cls)
        try:
            self._snapshots.keep(Snapshot(stream_id, kind_of(cls), kept.version, event_id, code, state))
        except (UnavailableError, DeniedError, StorageFullError) as error:
            logger().info("no snapshot of %s was kept: %s", stream_id, error)
        else:
            kept.snapshot = kept.version

    def _state(self, aggregate: Aggregate) -> str | None:
        """The text of the state, None if it would not come back as it is."""
        cls = type(aggregate)
        try:
            text = _state(aggregate)
            again = cls.__new__(cls)
            again.__init__(aggregate.id)  # type: ignore[misc]
            _restore(again, text)
            odd = [name for name, value in _values(aggregate) if not _same(value, vars(again).get(name))]
            reason = f"{', '.join(odd)} would not come back as it is" if odd else ""
        except Exception as error:  # noqa: BLE001 - of any kind of state
            reason = f"{type(error).__name__}: {error}"
        if not reason and len(text) <= MAX_STATE_BYTES:
            return text
        logger().warning(
            "%s has no snapshots: %s; annotate its attributes in the class, or give it snapshot_state() and "
            "restore_state(state)",
            cls.__qualname__,
            reason or "its state is too large",
        )
        return None

    def _code(self, cls: type[Aggregate]) -> str:
        return code_of(cls, self._converter.functions())


def keeper(adapter: Adapter, converter: Converter, every: int) -> SnapshotKeeper:
    """A keeper for the snapshots of a store. Raises UnsupportedError where it has none."""
    if not adapter.capabilities.has_snapshots:
        raise UnsupportedError(f"a store of {adapter.capabilities.name} keeps no snapshots")
    return SnapshotKeeper(cast("HasSnapshots", adapter).snapshots(), converter, every)


def kind_of(cls: type[Aggregate]) -> str:
    """The name under which snapshots of a class are kept."""
    return f"{cls.__module__}.{cls.__qualname__}"


def _values(aggregate: Aggregate) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in vars(aggregate).items() if name not in OWN)


def _state(aggregate: Aggregate) -> str:
    import msgspec

    custom = getattr(aggregate, "snapshot_state", None)
    return msgspec.json.encode(custom() if custom else dict(_values(aggregate))).decode()


def _restore(aggregate: Aggregate, text: str) -> None:
    import msgspec

    custom = getattr(aggregate, "restore_state", None)
    if custom is not None:
        custom(msgspec.json.decode(text))
        return
    hints = _hints(type(aggregate))
    for name, raw in msgspec.json.decode(text, type=dict[str, msgspec.Raw]).items():
        setattr(aggregate, name, msgspec.json.decode(raw, type=hints.get(name, Any)))


@for_each_class
def _hints(cls: type) -> dict[str, Any]:
    try:
        return get_type_hints(cls)
    except Exception:  # noqa: BLE001 - annotations for type checkers alone
        return {}


def _same(one: Any, other: Any) -> bool:
    """True if both are equal, and of the same types all through."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        pairs = zip(one.items(), other.items(), strict=False)
        return len(one) == len(other) and all(_same(a, c) and _same(b, d) for (a, b), (c, d) in pairs)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def code_of(cls: type[Aggregate], functions: Iterable[Any] = ()) -> str:
    """A digest of the code that makes the state: the class and its bases, its events, and upcasters.

    Code of other modules that these call is not in it.
    """
    digest = blake2b(digest_size=16)
    for part in _parts(cls, functions):
        digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()


def _parts(cls: type[Aggregate], functions: Iterable[Any]) -> Iterator[str]:
    yield f"{sys.implementation.cache_tag} {cls.snapshot_version}"
    for base in cls.__mro__:
        if base not in (Aggregate, object):
            for name, value in sorted(vars(base).items()):
                yield from _of_member(name, value)
    for event in appliers_of(cls):
        yield f"{type_of(event)} {getattr(event, '__annotations__', '')!r}"
    for function in functions:
        yield from _of_member("upcaster", function)


def _of_member(name: str, value: Any) -> Iterator[str]:
    found = getattr(value, "__func__", None) or getattr(value, "fget", None) or value
    if isinstance(found, FunctionType):
        yield name
        yield from _of_code(found.__code__)
    elif isinstance(found, int | str | float | None):
        yield f"{name} {found!r}"


def _of_code(code: CodeType) -> Iterator[str]:
    yield f"{code.co_code!r} {code.co_names} {code.co_varnames}"
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _of_code(each)
        else:
            yield repr(sorted(map(repr, each)) if isinstance(each, frozenset) else each)
