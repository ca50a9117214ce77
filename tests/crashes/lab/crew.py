"""Threads that work on stores whose server stops and starts under them, and what each of them does."""

from __future__ import annotations

import time
from collections import Counter, deque
from functools import partial
from threading import Condition, Event, Thread
from typing import TYPE_CHECKING, Final

from evstore import Appended, StoreClosedError, StreamNotFoundError, UnavailableError
from tests.crashes.lab import recorded
from tests.crashes.lab.history import Followed, Read, Refused, Said, Shown, Stored, Unsure
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from evstore import EventStore
    from tests.crashes.lab.history import Part, Record
    from tests.crashes.lab.load import Load

PAUSE_SECONDS: Final = 0.02


class Crew:
    """Each does one thing again and again. All can be let rest between two, and the first error ends the work."""

    def __init__(self) -> None:
        self.changed = Condition()
        self.failed: BaseException | None = None
        self._resting = 0
        self._may_work = False
        self._ended = False
        self._threads: list[Thread] = []

    def hire(self, step: Callable[[], object]) -> None:
        thread = Thread(target=self._work, args=(step,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self, step: Callable[[], object]) -> None:
        try:
            while self._rested():
                step()
        except BaseException as error:  # noqa: BLE001 - it is raised where somebody waits
            with self.changed:
                self.failed = self.failed or error
                self.changed.notify_all()

    def _rested(self) -> bool:
        """Wait for leave to work. False at the end."""
        with self.changed:
            self._resting += 1
            self.changed.notify_all()
            self.changed.wait_for(lambda: self._may_work or self._ended)
            self._resting -= 1
            return not self._ended

    def go_on(self) -> None:
        with self.changed:
            self._may_work = True
            self.changed.notify_all()

    def rest(self) -> None:
        """Return when all have done what they had begun."""
        self._may_work = False
        self.until(lambda: self._resting == len(self._threads))

    def end(self) -> None:
        with self.changed:
            self._ended = True
            self.changed.notify_all()
        for thread in self._threads:
            thread.join(PATIENCE)

    def until(self, ready: Callable[[], bool]) -> None:
        """Wait until it is ready, which is asked again after each change."""
        with self.changed:
            there = self.changed.wait_for(lambda: ready() or self.failed, PATIENCE)
        if self.failed is not None:
            raise self.failed
        assert there, "it did not happen in time"


class Common:
    """What all of a crew know, and what they have told."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self.records: list[Record] = []
        self.answers = Counter[str]()
        """How many each writer had."""
        self.unsure = Counter[str]()
        """How often each was told that there is none."""
        self.handed: dict[str, int] = {}
        """How far each follower has come."""
        self.looks = 0
        """How many readers have taken."""
        self.is_up = Event()
        self.ids: deque[str] = deque(maxlen=50)
        """Of the events that were given to the store last, stored or not."""

    def tell(self, record: Record) -> None:
        self.records.append(record)
        with self._crew.changed:
            match record:
                case Stored() | Refused():
                    self.answers[record.op.partition("-")[0]] += 1
                case Unsure():
                    self.unsure[record.op.partition("-")[0]] += 1
                case Followed():
                    self.handed[record.who] = record.seen.position
                case Read() | Shown() | Said():
                    self.looks += 1
            self._crew.changed.notify_all()

    def wait(self) -> None:
        """For the server, and a little more: it may take no connections yet."""
        self.is_up.wait(PATIENCE)
        time.sleep(PAUSE_SECONDS)


class Writer:
    def __init__(self, common: Common, store: EventStore, who: str, load: Load, rng: Random) -> None:
        self._common = common
        self._store = store
        self._who = who
        self._load = load
        self._rng = rng
        self._number = 0

    def step(self) -> None:
        """One append, until it is known what came of it; some a second time."""
        self._number += 1
        parts = self._load.next()
        outcome = self.append(f"{self._who}-{self._number}", parts)
        self._load.learn(parts, outcome)
        if isinstance(outcome, Appended) and self._rng.random() < 0.1:
            self.append(f"{self._who}-{self._number}-repeated", parts)

    def append(self, op: str, parts: tuple[Part, ...]) -> object:
        self._common.ids.extend(sent.id for part in parts for sent in part.events)
        return recorded.insist(self._store, self._common.tell, op, parts, self._common.wait)


class Reader:
    """Looks at the end of things, by every way there is."""

    def __init__(self, common: Common, store: EventStore, rng: Random) -> None:
        self._tell = common.tell
        self._common = common
        self._store = store
        self._rng = rng
        self._head = 0
        self._looks = (
            self._log,
            self._stream,
            self._by_id,
            self._last,
            self._streams,
            self._one,
            self._categories,
        )

    def step(self) -> None:
        try:
            self._rng.choice(self._looks)()
        except UnavailableError:
            self._common.wait()

    def _log(self) -> None:
        self._head = recorded.read(self._store, self._tell, max(0, self._head - 20))

    def _stream(self) -> None:
        recorded.show(self._tell, self._store.read(self._account(), backward=True, limit=20))

    def _by_id(self) -> None:
        recorded.show(self._tell, self._store.get_many([*self._common.ids]).values())

    def _last(self) -> None:
        recorded.say(self._tell, [("", self._store.head())])

    def _streams(self) -> None:
        recorded.say(self._tell, ((each.stream_id, each.version) for each in self._store.streams("Account")))

    def _one(self) -> None:
        try:
            found = self._store.stream_info(self._account())
        except StreamNotFoundError:
            return
        recorded.say(self._tell, [(found.stream_id, found.version)])

    def _categories(self) -> None:
        found = self._store.categories()
        recorded.say(self._tell, ((each.category, each.events) for each in found))

    def _account(self) -> str:
        return f"Account-{self._rng.randrange(4)}"


class Follower(Thread):
    """One subscription over all that happens, until its store is closed."""

    def __init__(self, crew: Crew, common: Common, store: EventStore, who: str) -> None:
        super().__init__(daemon=True)
        self._crew = crew
        self._work = partial(recorded.follow, store, common.tell, who)

    def run(self) -> None:
        try:
            self._work()
        except StoreClosedError:
            pass
        except BaseException as error:  # noqa: BLE001 - it is raised where somebody waits
            with self._crew.changed:
                self._crew.failed = self._crew.failed or error
                self._crew.changed.notify_all()
