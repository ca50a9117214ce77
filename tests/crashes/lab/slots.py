"""A writer's place: whoever is killed there is replaced."""

from __future__ import annotations

import time
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Final

from tests.crashes.lab import recorded
from tests.crashes.lab.history import Invoked, Refused, Stored
from tests.crashes.lab.victims import Worker

if TYPE_CHECKING:
    from pathlib import Path

    from evstore import EventStore
    from tests.crashes.lab.history import Record
    from tests.crashes.lab.recorded import Tell

PAUSE_SECONDS: Final = 0.05


class Slot:
    def __init__(self, folder: Path, tell: Tell, url: str, who: str, seed: str) -> None:
        self._folder = folder
        self._tell = tell
        self._url = url
        self._who = who
        self._seed = seed
        self._worker: Worker | None = None
        self._unanswered: Invoked | None = None
        self.killed = 0
        self.has_written = Event()

    def work(self, store: EventStore, enough: Event) -> None:
        """Write until it is enough. What a writer was killed over is appended again, with this store, while it may
        still be under way on the server."""
        while not enough.is_set():
            words = ("--names", "0", "--seed", f"{self._seed}/{self._who}/{self.killed}", "--insistent")
            self._worker = Worker(
                self._folder, self._hear, "write", self._url, f"{self._who}g{self.killed}", *words
            )
            if enough.is_set():
                self.kill()  # whoever killed them all may have come too early for this one
            self._worker.run()
            self.killed += 1
            if self._unanswered is not None:
                again, pause = self._unanswered.op + recorded.AGAIN, partial(time.sleep, PAUSE_SECONDS)
                recorded.insist(store, self._tell, again, self._unanswered.parts, pause)
                self._unanswered = None

    def _hear(self, record: Record) -> None:
        self._tell(record)
        if isinstance(record, Invoked):
            self._unanswered = record
        elif isinstance(record, Stored | Refused):
            self._unanswered = None
            self.has_written.set()

    def kill(self) -> None:
        if self._worker is not None:
            self._worker.kill()
