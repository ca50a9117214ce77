"""Short questions to an adapter, and what the answers have to be."""

from __future__ import annotations

from threading import Barrier, Thread
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from evstore.model.filters import Filter
from evstore.port import Append, NamePage, Page, Receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evstore.model.events import StoredEvent
    from evstore.model.facts import CategoryInfo, SourceInfo, StreamInfo, TagInfo, TypeInfo
    from evstore.port import Adapter, Outcome

T = TypeVar("T")

# More than any test stores.
WHOLE: Final = Page(limit=100_000)
ALL_NAMES: Final = NamePage(limit=100_000)
ANYTHING: Final = Filter()


def answer(adapter: Adapter, unit: Append) -> Outcome:
    """The outcome of a call with this unit alone."""
    (outcome,) = adapter.append([unit])
    return outcome


def accepted(adapter: Adapter, unit: Append) -> Receipt:
    """The receipt of a unit that nothing speaks against."""
    outcome = answer(adapter, unit)
    assert isinstance(outcome, Receipt), f"refused: {outcome!r}"
    return outcome


def log(adapter: Adapter, where: Filter = ANYTHING) -> list[StoredEvent]:
    return adapter.read_all(WHOLE, where)


def history(adapter: Adapter, stream_id: str, where: Filter = ANYTHING) -> list[StoredEvent]:
    return adapter.read_stream(stream_id, WHOLE, where)


def facts(outcome: object) -> object:
    """An outcome in a form that can be compared: two errors of the same class and facts are equal."""
    return (type(outcome), outcome.args) if isinstance(outcome, Exception) else outcome


class Everything(NamedTuple):
    """All that can be seen of a store."""

    events: list[StoredEvent]
    streams: list[StreamInfo]
    categories: list[CategoryInfo]
    types: list[TypeInfo]
    tags: list[TagInfo]
    sources: list[SourceInfo]
    span: tuple[int, int] | None
    head: int
    counts: tuple[int, int, int]


def everything(adapter: Adapter) -> Everything:
    info = adapter.info()
    return Everything(
        log(adapter),
        adapter.streams(ALL_NAMES, None),
        adapter.categories(ALL_NAMES),
        adapter.types(ALL_NAMES, None),
        adapter.tags(ALL_NAMES),
        adapter.sources(ALL_NAMES),
        adapter.span(None, None),
        adapter.head(0, 0),
        (info.streams, info.categories, info.head),
    )


def expected_page(
    events: Sequence[StoredEvent], page: Page, where: Filter, at: Callable[[StoredEvent], int]
) -> list[StoredEvent]:
    """The page that R1, R2 and R5 ask for, out of all events; `at` is the number that the page counts by."""
    inside = [e for e in events if where.matches(e) and page.low <= at(e) <= page.high]
    inside.sort(key=at, reverse=page.backward)
    if page.after is not None:
        after = page.after
        inside = [e for e in inside if (at(e) < after if page.backward else at(e) > after)]
    return inside[: page.limit]


def paged(read: Callable[[Any, int], list[T]], cursor_of: Callable[[T], Any], limit: int) -> list[T]:
    """All members, page by page; stops after 200 pages, if there is no end."""
    found: list[T] = []
    after = None
    for _ in range(200):
        page = read(after, limit)
        found += page
        if len(page) < limit:
            break
        after = cursor_of(page[-1])
    return found


def together(jobs: Sequence[Callable[[], T]], patience: float) -> list[T]:
    """The results of the jobs, each in its own thread, started together; raises a job's error."""
    start = Barrier(len(jobs))
    answers: dict[int, T] = {}
    errors: list[BaseException] = []

    def run(number: int, job: Callable[[], T]) -> None:
        try:
            start.wait(patience)
            answers[number] = job()
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits for it
            errors.append(error)

    # Daemons, so that a job that hangs fails its test and not the whole run.
    threads = [Thread(target=run, args=each, daemon=True) for each in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(patience)
    if errors:
        raise errors[0]
    assert len(answers) == len(jobs), f"still at work after {patience:g} s"
    return [answers[number] for number in range(len(jobs))]
