"""A store that is in use."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Event, Semaphore, Thread
from typing import TYPE_CHECKING

from evstore import EventData, Metadata, connect

if TYPE_CHECKING:
    from collections.abc import Iterator

WRITERS = 8
PATIENCE = 60.0


@contextmanager
def written(url: str) -> Iterator[Semaphore]:
    """Eight writers append, each on connections of its own: to streams of theirs alone, to one of all, to new ones.
    Every append releases the semaphore once."""
    enough = Event()
    appended = Semaphore(0)
    failed: list[BaseException] = []

    def write(writer: int) -> None:
        try:
            with connect(url) as store:
                for n in range(1_000_000):
                    if enough.is_set():
                        return
                    event = EventData(f"T{n % 5}", {"n": n}, Metadata(f"c{n % 7}"))
                    store.append_many([
                        (f"Own{writer % 3}-{writer}", [event], -1),
                        ("All-1", [EventData("T", n)], -1),
                        (f"New{n % 3}-{writer}-{n}", [EventData("T", n)], -1),
                    ])  # fmt: skip
                    appended.release()
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    threads = [Thread(target=write, args=(writer,), daemon=True) for writer in range(WRITERS)]
    for thread in threads:
        thread.start()
    try:
        yield appended
    finally:
        enough.set()
        for thread in threads:
            thread.join(PATIENCE)
    assert not failed, failed
