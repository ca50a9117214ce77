"""Snapshots: the state of an aggregate at a version, kept beside the log so that a load need not begin at 1.

A snapshot is a cache. It is used only if the stream has the same event at its version, and if the code that made
it is the code of today; without it a load gives the same, later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast, get_type_hints

from evstore.application.aggregate import OWN, Aggregate, kept_of
from evstore.application.digest import code_of
from evstore.application.types import for_each_class
from evstore.errors import EvstoreError, InvalidInputError, UnsupportedError
from evstore.model.names import REDACTIONS
from evstore.observing import logger
from evstore.port.snapshots import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from evstore.application.converting import Converter
    from evstore.port import Adapter
    from evstore.port.snapshots import HasSnapshots, Snapshots

MAX_STATE_BYTES: Final = 16 * 1024 * 1024


class SnapshotKeeper:
    """Keeps a snapshot of an aggregate whenever `every` events were saved since the last one."""

    def __init__(
        self, snapshots: Snapshots, converter: Converter, redactions: Callable[[], int], every: int
    ) -> None:
        if type(every) is not int or every < 1:
            raise InvalidInputError(f"a snapshot is kept every so many events, at least 1, not {every!r}")
        self._snapshots = snapshots
        self._converter = converter
        self._every = every
        self._redactions = redactions
        self._without: set[type] = set()
        """Classes whose state does not come back as it was, which was reported."""
        self._codes: dict[type, tuple[int, str]] = {}
        """The digests of code, each made with so many upcasters."""

    def redactions(self) -> int:
        """The number of redactions so far: a state that is older than one may hold what was redacted."""
        return self._redactions()

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
        if kept.version - kept.snapshot < self._every or kept.redactions is None or cls in self._without:
            return
        state = self._state(aggregate)
        if state is None:
            self._without.add(cls)
            return
        made = Snapshot(aggregate.stream_id, kind_of(cls), kept.version, event_id, self._code(cls), state)
        try:
            self._snapshots.keep(made, kept.redactions)
        except EvstoreError as error:  # the events are stored
            logger().info("no snapshot of %s was kept: %s", made.stream_id, error)
        else:
            kept.snapshot = kept.version  # or there was a redaction, after which a load alone is sure of the state

    def _state(self, aggregate: Aggregate) -> str | None:
        """The text of the state, None if it would not come back as it is."""
        cls = type(aggregate)
        try:
            text = _state(aggregate)
            again = cls.__new__(cls)
            again.__init__(aggregate.id)  # type: ignore[misc]
            _restore(again, text)
            were, are = _values(aggregate), _values(again)
            odd = sorted(
                {*were} ^ {*are} | {name for name in {*were} & {*are} if not _same(were[name], are[name])}
            )
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
        steps = [*self._converter.steps()]
        found = self._codes.get(cls)
        if found is None or found[0] != len(steps):
            found = self._codes[cls] = len(steps), code_of(cls, steps)
        return found[1]


def keeper(adapter: Adapter, converter: Converter, every: int) -> SnapshotKeeper:
    """A keeper for the snapshots of a store. Raises UnsupportedError where it has none."""
    if not adapter.capabilities.has_snapshots:
        raise UnsupportedError(f"a store of {adapter.capabilities.name} keeps no snapshots")

    def redactions() -> int:
        info = adapter.stream(REDACTIONS)
        return info.version if info else 0

    return SnapshotKeeper(cast("HasSnapshots", adapter).snapshots(), converter, redactions, every)


def kind_of(cls: type[Aggregate]) -> str:
    """The name under which snapshots of a class are kept."""
    return f"{cls.__module__}.{cls.__qualname__}"


def _values(aggregate: Aggregate) -> dict[str, Any]:
    """The attributes of the application, those in slots as well."""
    found = {name: value for name, value in vars(aggregate).items() if name not in OWN}
    for base in type(aggregate).__mro__:
        slots = vars(base).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in OWN and hasattr(aggregate, name):
                found[name] = getattr(aggregate, name)
    return found


def _state(aggregate: Aggregate) -> str:
    import msgspec

    custom = getattr(aggregate, "snapshot_state", None)
    return msgspec.json.encode(custom() if custom else _values(aggregate)).decode()


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
