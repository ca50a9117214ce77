"""Those who work on a store over a failover: a pipe of the command, and consumers."""

from __future__ import annotations

import json
import subprocess
from threading import Thread
from time import monotonic_ns
from typing import TYPE_CHECKING, Any, Final

from evstore import ANY_VERSION
from tests.crashes.lab.history import Invoked, Part, Stored

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from evstore import EventStore, StoredEvent
    from tests.crashes.lab.crew import Common, Crew
    from tests.crashes.lab.history import Sent
    from tests.crashes.lab.load import Load
    from tests.support.command import Command

BATCH: Final = 100
MOST_IN_PIPE: Final = 8
"""Events that a pipe is given before its receipts are read, at most."""


class Pipe:
    """`evstore append --each -`, which is one process from the first failover to the last."""

    def __init__(self, common: Common, command: Command, who: str, load: Load, rng: Random) -> None:
        self._tell = common.tell
        self._who = who
        self._load = load
        self._rng = rng
        self._number = 0
        self._stream = f"Pipe-{who}"
        self._process = command.start("append", self._stream, "--each", "-", stdin=subprocess.PIPE)

    def step(self) -> None:
        """Append some events, and read their receipts."""
        assert self._process.stdin is not None
        ops = []
        for _ in range(self._rng.randint(1, MOST_IN_PIPE)):
            (sent,) = self._load.events(1)
            self._number += 1
            ops.append(f"{self._who}-{self._number}")
            self._tell(Invoked(ops[-1], monotonic_ns(), (Part(self._stream, ANY_VERSION, (sent,)),)))
            self._process.stdin.write(_line(sent))
        self._process.stdin.flush()
        for op in ops:
            receipt = self._receipt()
            versions = (receipt["version"],)
            self._tell(Stored(op, monotonic_ns(), receipt["globalPosition"], versions, receipt["duplicate"]))

    def _receipt(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        line = self._process.stdout.readline()
        if not line:
            raise ChildProcessError(f"the pipe {self._who} ended: {self._process.stderr.read().decode()}")
        receipt: dict[str, Any] = json.loads(line)
        return receipt

    def close(self) -> None:
        with self._process as process:
            assert process.stdin is not None
            process.stdin.close()


def _line(sent: Sent) -> bytes:
    return f'{{"type":"{sent.type}","id":"{sent.id}","data":{sent.data}}}\n'.encode()


class Work(Thread):
    """Work of a thread that lasts as long as the run; its error ends that."""

    def __init__(self, crew: Crew, work: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._crew = crew
        self._work = work

    def run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 - it is raised where somebody waits
            with self._crew.changed:
                self._crew.failed = self._crew.failed or error
                self._crew.changed.notify_all()


class Handling:
    """A consumer of everything, until it is stopped."""

    def __init__(self, store: EventStore, name: str, rows: str = "") -> None:
        """With the name of a table, each position goes into it, in the step of the checkpoint."""
        self._rows = rows
        self.consumer = store.consumer(name)
        self.batches: list[list[int]] = []

    def work(self) -> None:
        self.consumer.run(self._handle, BATCH, transactional=bool(self._rows), appends=False, checkpoint=None)

    def _handle(self, events: Sequence[StoredEvent], *tx: Any) -> None:
        positions = [event.global_position for event in events]
        for each in tx:
            each.execute(f"INSERT INTO {self._rows} (position) SELECT unnest(%s::bigint[])", (positions,))
        self.batches.append(positions)

    def faults(self, head: int) -> list[str]:
        """What is wrong with the batches, of which some may have come again: a step may have been lost."""
        found, reached = [], 0
        for batch in self.batches:
            if batch != [*range(batch[0], batch[0] + len(batch))]:
                found.append(f"{self.consumer.name} got a batch with a gap: {batch}")
            if not reached - BATCH < batch[0] <= reached + 1:
                found.append(f"{self.consumer.name} got {batch[0]} after {reached}")
            reached = max(reached, batch[-1])
        if reached != head:
            found.append(f"{self.consumer.name} came to {reached} of {head}")
        return found
