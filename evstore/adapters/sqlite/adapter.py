"""The SQLite adapter: one file, no server. Its connections are those of `session`."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from evstore.adapters.sql import ON_DISK, check_current, not_tamper_evident
from evstore.adapters.sqlite import statements as sql
from evstore.adapters.sqlite.committing import WritingSession
from evstore.adapters.sqlite.errors import in_doubt
from evstore.adapters.sqlite.location import SCHEMA, is_empty, is_store, lost_log, make
from evstore.adapters.sqlite.sharing import append_units
from evstore.adapters.wholeness import check_agreed
from evstore.atomic import check_target
from evstore.blocking import sleep
from evstore.errors import InvalidTargetError, InvalidUrlError, NotInitializedError
from evstore.port import PLAIN, Capabilities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evstore.adapters.sqlite.consumers import SqliteConsumers
    from evstore.model.events import StoredEvent
    from evstore.model.facts import Backup, CategoryInfo, SourceInfo, StoreInfo, StreamInfo, TagInfo, TypeInfo
    from evstore.model.filters import Filter
    from evstore.model.raw import RawPage
    from evstore.port import (
        Append,
        Audits,
        Consumers,
        Initialization,
        Migrations,
        NamePage,
        Outcome,
        Page,
        Snapshots,
    )

POLL_SECONDS: Final = 0.04
CAPABILITIES: Final = Capabilities(
    name="SQLite",
    durable=True,
    how_durable=ON_DISK,
    multi_process=True,
    has_audits=True,
    can_backup=True,
    tamper_evident=True,
    can_redact=True,
    has_consumers=True,
    steps_append=True,
    has_transactions=True,
    shares_commits=True,
    has_snapshots=True,
    has_migrations=True,
    can_join=True,
    reads_raw=True,
)


class SqliteAdapter(WritingSession):
    capabilities = CAPABILITIES
    _consumers: SqliteConsumers | None = None

    @property
    def notes(self) -> Sequence[str]:
        """Sentences about the way in which the store was read so far, for whoever reads."""
        return tuple(self._notes)

    # --- living ---

    def initialize(self, wanted: Initialization = PLAIN) -> None:
        from evstore.adapters.sqlite.filling import fill

        self._check_open()
        if is_empty(self._path):
            if not os.path.isdir(os.path.dirname(self._path)):
                raise InvalidUrlError(f"cannot make {self._path}: its folder does not exist")
            if lost := lost_log(self._path):  # before the lock makes a file
                raise NotInitializedError(self._path, lost)
            try:
                check_target(self._path, force=True, is_store=partial(is_store, self._connect))
            except InvalidTargetError:
                if is_empty(self._path):  # otherwise another process has made the store meanwhile
                    raise
            with self._translated, self._lock.held() as held:
                if is_empty(self._path):  # otherwise another process was first
                    try:
                        make(self._path, partial(fill, self._connect, tamper_evident=wanted.tamper_evident))
                    except BaseException:
                        held.unmake()
                        raise
        with self._reading() as connection:  # what is there must be a store that this evstore may use
            check_current(self._path, connection.execute(sql.ADMITS).fetchone()[0], SCHEMA)
            if wanted.tamper_evident and connection.execute(sql.IS_TAMPER_EVIDENT).fetchone() != (1,):
                raise not_tamper_evident(self._path)

    def close(self) -> None:
        self._closed = True  # first: whoever loses a hold sees why
        if self._consumers is not None:
            self._consumers.close()
        super().close()

    # --- writing ---

    def append(self, units: Sequence[Append], *, until_refused: bool = False) -> list[Outcome]:
        with self._writing() as connection, in_doubt(units), self._committed(connection) as ledger:
            return append_units(ledger, units, until_refused=until_refused)

    def redact(self, ids: Sequence[str], unit: Append, *, metadata: bool) -> Outcome:
        from evstore.adapters.sqlite.redacting import erased, redact

        with self._writing() as connection, erased(connection, unit), self._committed(connection) as ledger:
            return redact(connection, ledger, ids, unit, metadata=metadata)

    def consumers(self) -> Consumers:
        from evstore.adapters.sqlite.consumers import SqliteConsumers

        self._check_open()
        if self._consumers is None:
            self._consumers = SqliteConsumers(self._path, self._reading, self._committing)
        return self._consumers

    def snapshots(self) -> Snapshots:
        from evstore.adapters.sqlite.snapshots import SqliteSnapshots

        return SqliteSnapshots(self._reading, self._committing)

    def migrations(self) -> Migrations:
        from evstore.adapters.sqlite.migrating import SqliteMigrations

        self._check_open()
        return SqliteMigrations(self._sqlite, self._path, self._timeout, self._named, self.on_wait)

    # --- reading ---

    def read_stream(self, stream_id: str, page: Page, where: Filter) -> list[StoredEvent]:
        from evstore.adapters.sqlite.reading import read_stream

        with self._reading() as connection:
            return read_stream(connection, self._path, self._counted, stream_id, page, where)

    def read_all(self, page: Page, where: Filter) -> list[StoredEvent]:
        from evstore.adapters.sqlite.reading import read_all
        from evstore.adapters.sqlite.rows import Names

        with self._reading() as connection:
            names = self._names.setdefault(connection, Names(connection))
            return read_all(connection, self._path, names, self._counted_tags, page, where)

    def read_raw(self, page: Page) -> RawPage | None:
        from evstore.adapters.sqlite.raw import read_raw
        from evstore.adapters.sqlite.rows import Names

        with self._reading() as connection:
            names = self._names.setdefault(connection, Names(connection))
            return read_raw(connection, self._path, names, page)

    def count(self, low: int, high: int, where: Filter) -> int:
        from evstore.adapters.sqlite.reading import count

        with self._reading() as connection:
            return count(connection, self._path, self._counted_tags, low, high, where)

    def digest(self, low: int, high: int) -> bytes:
        from evstore.port.digesting import digest_by_reading

        return digest_by_reading(self.read_all, low, high)

    def get(self, ids: Sequence[str]) -> list[StoredEvent]:
        from evstore.adapters.sqlite.reading import get

        with self._reading() as connection:
            return get(connection, self._path, ids)

    def stream(self, stream_id: str) -> StreamInfo | None:
        from evstore.adapters.sqlite.lists import stream

        with self._reading() as connection:
            return stream(connection, self._path, self._counted, stream_id)

    def streams(self, page: NamePage, category: str | None) -> list[StreamInfo]:
        from evstore.adapters.sqlite.lists import streams

        with self._reading() as connection:
            return streams(connection, self._path, self._counted, page, category)

    def categories(self, page: NamePage) -> list[CategoryInfo]:
        from evstore.adapters.sqlite.lists import categories

        with self._reading() as connection:
            return categories(connection, self._path, page)

    def types(self, page: NamePage, category: str | None) -> list[TypeInfo]:
        from evstore.adapters.sqlite.lists import types

        with self._reading() as connection:
            return types(connection, self._path, page, category)

    def tags(self, page: NamePage) -> list[TagInfo]:
        from evstore.adapters.sqlite.lists import tags

        with self._reading() as connection:
            return tags(connection, self._path, page)

    def sources(self, page: NamePage) -> list[SourceInfo]:
        from evstore.adapters.sqlite.lists import sources

        with self._reading() as connection:
            return sources(connection, self._path, page)

    def span(self, since_us: int | None, until_us: int | None) -> tuple[int, int] | None:
        from evstore.adapters.sqlite.reading import span

        with self._reading() as connection:
            return span(connection, since_us, until_us)

    def head(self, beyond: int, timeout: float) -> int:
        deadline = time.monotonic() + timeout
        with self._reading(to_follow=timeout > 0) as connection:
            if timeout > 0:
                self._opened.check()
            # Seen before the head is read, so that a commit between the two is not slept over.
            seen = connection.execute(sql.DATA_VERSION).fetchone()
            head = self._head(connection)
            while head <= beyond and (left := deadline - time.monotonic()) > 0:
                sleep(min(POLL_SECONDS, left))
                self._check_open()
                self._opened.check()
                now = connection.execute(sql.DATA_VERSION).fetchone()
                if now != seen:
                    seen = now
                    head = self._head(connection)
        return head

    def _head(self, connection: Any) -> int:
        head, missing = connection.execute(sql.HEAD).fetchone()
        check_agreed(self._path, head, missing)
        return int(head)

    def info(self) -> StoreInfo:
        from evstore.adapters.sqlite.lists import info

        with self._reading() as connection:
            return info(self._sqlite, connection, self._path, self.notes)

    # --- keeping ---

    def audits(self) -> Audits:
        from evstore.adapters.sqlite.audit import SqliteAudits

        return SqliteAudits(self._sqlite, self._reading)

    def backup(self, path: str, force: bool) -> Backup:
        from evstore.adapters.sqlite.backup import backup

        return backup(self._reading, self._connect, self.files, path, force)
