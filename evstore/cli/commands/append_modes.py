"""The ways to append: as one, in batches, each event for itself. What is receipted is durable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from evstore.appending.outcomes import Duplicate
from evstore.appending.spool import Spool
from evstore.cli import settings
from evstore.cli.errors import UsageError
from evstore.cli.input.intake import Checked, no_events
from evstore.cli.output import events, forms, writer
from evstore.cli.output.receipts import Told, of_many, of_one, of_stream, told_of
from evstore.errors import EvstoreError, InvalidInputError
from evstore.jsontext.quoting import quote
from evstore.model.events import Write
from evstore.model.versions import ANY_VERSION, NO_STREAM, STREAM_EXISTS
from evstore.port import Append, Receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from evstore.model.events import StoredEvent
    from evstore.store import EventStore

MOST_IDS_IN_RECEIPT: Final = 100
MANY: Final = 5000
"""Events that may take longer to store than somebody waits without wondering."""


class Appending:
    def __init__(
        self,
        store: EventStore,
        stream: str | None,
        wanted: int,
        *,
        one_id: bool,
        skip_stored: bool,
        echo: bool,
    ) -> None:
        self._store = store
        self._stream = stream
        self._wanted = wanted
        self._one_id = one_id
        self._skip_stored = skip_stored
        self._echo = echo
        self._done = 0
        # Several receipts are one array where JSON is asked for.
        self._grouped = skip_stored
        self._alone = True
        self._array = forms.Array() if settings.current.format == "json" else None

    # --- as one ---

    def spool(self, found: Iterable[Checked], files: list[str]) -> Spool:
        """All the events, checked together: ids do not come twice, and there is at least one event."""
        spool = Spool()
        try:
            for write, given_id, new_id, place in found:
                if self._one_id and len(spool):
                    raise UsageError("--id names one event, the input has more")
                try:
                    spool.add(write, given_id=given_id, new_id=new_id)
                except InvalidInputError as error:
                    error.source = place and f"{place[0]}:{place[1]}"
                    raise
            if not len(spool):
                raise no_events(files)
        except BaseException:
            spool.close()
            raise
        return spool

    def spool_of_one(self, found: Iterable[Checked], files: list[str]) -> list[Checked]:
        """The one event, checked to be the only one."""
        spool = self.spool(found, files)
        return [Checked(write, given_id=True, new_id=spool.ids_are_new) for write in spool]

    def whole(self, spool: Spool) -> int:
        """Append all of it or nothing; the last version, of one stream."""
        try:
            return self._whole(spool)
        finally:
            spool.close()

    def _whole(self, spool: Spool) -> int:
        if self._skip_stored:
            version = self._rest(spool)
            if self._array is not None and self._alone and not settings.current.quiet:
                self._array.close()
            return version
        unit = self._unit(spool)
        (outcome,) = self._submitted(unit, len(spool))
        if isinstance(outcome, EvstoreError):
            raise outcome
        told = told_of(outcome)
        self._tell(spool, told, lambda: self._store.appender.stored_of(unit, outcome))
        return told.version

    def _submitted(self, unit: Append, size: int) -> list[Receipt | Duplicate | EvstoreError]:
        if size < MANY or settings.current.quiet:
            return self._store.appender.submit([unit])
        from evstore.cli.output.progress import Watched, progress

        with progress("storing", size) as shown:
            if self._stream is None:
                return self._store.appender.submit([unit._replace(writes=Watched(unit.writes, shown))])
            (write,) = unit.writes
            return self._store.appender.submit(
                [unit._replace(writes=[write._replace(events=Watched(write.events, shown))])]
            )

    def _unit(self, spool: Spool) -> Append:
        if self._stream is None:
            return Append(spool, ids_are_new=spool.ids_are_new)
        return Append([Write(self._stream, spool.events(), self._wanted)], ids_are_new=spool.ids_are_new)

    def _rest(self, spool: Spool) -> int:
        """Append what is not stored yet; what is, is receipted first."""
        known, rest = Spool(), Spool()
        first = last = None
        for write, stored in self._store.appender.split_stored(spool):
            (rest if stored is None else known).add(write, given_id=False, new_id=spool.ids_are_new)
            if stored is not None:
                first, last = first or stored, stored
        if last is not None:
            self._after(last.version)  # what the load expected was found when it began
        if first is not None and last is not None:
            found = Duplicate(first, last, len(known), flagged=True)
            ids = [event.id for write in known for event in write.events]
            self._tell(known, told_of(found), lambda: iter(self._store.get_many(ids).values()))
        known.close()
        if not len(rest):
            return last.version if last else 0
        self._skip_stored = False
        try:
            return self.whole(rest)
        finally:
            self._skip_stored = True

    def dry_run(self, spool: Spool) -> None:
        """Judge as an append would, and print what it would store."""
        if self._skip_stored:
            rest = Spool()
            for write, stored in self._store.appender.split_stored(spool):
                if stored is None:
                    rest.add(write, given_id=False, new_id=spool.ids_are_new)
                else:
                    self._after(stored.version)
            spool.close()
            spool = rest
        if len(spool) and not self._store.appender.would_store(self._unit(spool)):
            writer.note("it is stored already, and would not be again")
            spool.close()
            spool = Spool()
        self._print_unstored(spool)
        spool.close()

    def _print_unstored(self, spool: Spool) -> None:
        if settings.as_table():
            from evstore.cli.output.tables import table

            rows = [(w.stream_id, e.type, e.data_json) for w in spool for e in w.events]
            table(["stream", "type", "data"], rows)
            return
        if settings.current.format == "tsv":
            for stream_id, (event,), _ in spool:
                texts = (event.id, stream_id, event.type, event.data_json, event.metadata_json)
                writer.line("\t".join(map(forms.cell, texts)))
            return
        lines = (
            f'{{"id":"{event.id}","streamId":{quote(stream_id)},"type":{quote(event.type)},'
            f'"data":{event.data_json},"metadata":{event.metadata_json}}}'
            for stream_id, (event,), _ in spool
        )
        if self._array is not None:
            forms.array(lines)
        else:
            for line in lines:
                writer.line(line)

    # --- in groups ---

    def batches(self, groups: Iterable[list[Checked]], files: list[str]) -> None:
        """An append for each group; a fault leaves those before it."""

        def commit(group: list[Checked]) -> None:
            self._after(self.whole(self.spool(group, files)))
            self._done += len(group)

        self._in_groups(groups, files, commit)

    def each(self, groups: Iterable[list[Checked]], files: list[str]) -> None:
        """An append for each event; those of a group share a commit."""
        self._in_groups(groups, files, self._each)

    def _in_groups(
        self, groups: Iterable[list[Checked]], files: list[str], commit: Callable[[list[Checked]], None]
    ) -> None:
        some = False
        self._grouped, self._alone = True, False
        try:
            for group in groups:
                some = True
                commit(group)
                writer.flush()
        except EvstoreError as error:
            writer.flush()
            if self._done:
                stored = "event before it is" if self._done == 1 else f"{self._done} events before it are"
                error.add_note(f"the {stored} stored")
            raise
        if not some:
            raise no_events(files)
        if self._array is not None and not settings.current.quiet:
            self._array.close()

    def _each(self, group: list[Checked]) -> None:
        while group:
            group = group[self._some_of(group) :]

    def _some_of(self, group: list[Checked]) -> int:
        """Append the events of a group as long as their versions are those foreseen, and say how many.

        A duplicate takes no new version: what comes behind it expects another than was foreseen. None of that
        was tried, because a unit that is not accepted ends the call.
        """
        units, foreseen = [], self._wanted
        for write, _, new_id, _ in group:
            own = write if self._stream is None else write._replace(expected_version=foreseen)
            units.append(Append([own], ids_are_new=new_id))
            foreseen = foreseen + 1 if foreseen >= NO_STREAM else ANY_VERSION
        for at, (unit, outcome) in enumerate(
            zip(units, self._store.appender.submit_in_order(units), strict=True), 1
        ):
            told = told_of(outcome)
            self._done += 1
            self._tell_one(unit, outcome, told)
            expected = self._wanted
            self._after(told.version)
            if expected >= NO_STREAM and self._wanted != expected + 1:
                return at
        return len(group)

    def _tell_one(self, unit: Append, outcome: Receipt | Duplicate, told: Told) -> None:
        if self._echo:
            self._show(self._store.appender.stored_of(unit, outcome))
        elif not settings.current.quiet:
            ((stream_id, (event,), _),) = unit.writes
            self._print(*of_one(stream_id, told, event.id))

    def _after(self, version: int) -> None:
        """What the next append of this pipe expects, if the first expected something."""
        if self._wanted == STREAM_EXISTS:
            self._wanted = ANY_VERSION
        elif self._wanted != ANY_VERSION:
            self._wanted = version

    # --- receipts ---

    def _tell(self, spool: Spool, told: Told, stored: Callable[[], Iterator[StoredEvent]]) -> None:
        if self._echo:
            self._show(stored())
        elif settings.current.quiet:
            return
        elif self._stream is None:
            self._print(*of_many(len({write.stream_id for write in spool}), told))
        else:
            ids = None
            if told.size <= MOST_IDS_IN_RECEIPT:
                ids = [event.id for write in spool for event in write.events]
            self._print(*of_stream(self._stream, told, ids))

    def _show(self, found: Iterator[StoredEvent]) -> None:
        if self._array is not None and self._grouped:
            for event in found:
                self._array.add(event.to_json())
        else:
            events.show(found, by_stream=self._stream is not None)

    def _print(self, sentence: str, members: dict[str, Any]) -> None:
        if settings.as_table():
            writer.line(sentence)
            if members.get("globalPosition") == 1 and not members["duplicate"]:
                from shlex import quote as word

                writer.note(
                    settings.again(f"read {word(members['streamId'])}" if self._stream else "streams"), "next"
                )
        elif self._array is not None and self._grouped:
            self._array.add(writer.to_json(members))
        else:
            forms.one(members)
