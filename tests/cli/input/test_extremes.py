"""Input of any size and shape is refused, or taken, in bounded memory, with one line, and nothing of it is stored."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from evstore import EventData, InvalidInputError, Metadata, aio, connect
from tests.support.data import id_of
from tests.support.large_runs import MB, MEASURE, PEAK_UNIT
from tests.support.sentences import names

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.command import Command

pytestmark = pytest.mark.sqlite_only("the input is read the same way for every store")

FEW: Final = 5_000
MANY: Final = 1_000_000


class Extreme(NamedTuple):
    made: Callable[[int], bytes]
    """The input, by a count."""
    facts: tuple[object, ...]
    """What the refusal names, beside the place."""
    most: int = 130
    """The most memory of the process, in MB."""
    place: str = "-:1:"


def event(data: str = "1", metadata: str = "{}", more: str = "") -> bytes:
    """A line that `import` reads, and `append`, too."""
    given = f'"id":"{id_of(1)}","streamId":"A-1","type":"T","data":{data},"metadata":{metadata}'
    return f'{{{given},"version":1,"globalPosition":1,"timestamp":"2026-01-01T00:00:00.000001Z"{more}}}\n'.encode()


def keys(count: int) -> str:
    return ",".join(f'"k{n}":"v"' for n in range(count))


EXTREMES: Final = {
    "data without an end": Extreme(lambda n: event()[:-60] + b'"' + b"x" * 20 * n, ()),
    "data nested deep": Extreme(lambda n: event("[" * n + "]" * n), (512,)),
    "nesting without an end": Extreme(lambda n: b'{"data":' + b'{"a":' * n, ()),
    "many keys of metadata": Extreme(lambda n: event(metadata=f'{{"custom":{{{keys(2 * n)}}}}}'), (65536,), 560),
    "many unknown keys": Extreme(lambda n: event(more="," + keys(n)), (), 260),
    "many tags": Extreme(lambda n: event(more=f',"tags":{json.dumps([f"t{at}" for at in range(n)])}'), (64,), 180),
    "a number of many digits, cut off": Extreme(lambda n: event("1" * n + "e"), ()),
    "a version of many digits": Extreme(lambda n: b'{"expectedVersion":' + b"1" * n + b"," + event()[1:], ()),
    "brackets alone": Extreme(lambda n: b"[" * n, ()),
    "backslashes": Extreme(lambda n: event('"' + "\\" * (2 * n + 1) + '"'), ()),
    "commas": Extreme(lambda n: b"[" + b"," * n, ()),
    "spaces alone": Extreme(lambda n: b" " * 20 * n, (), place="-"),
    "line breaks alone": Extreme(lambda n: b"\n" * 20 * n, (), place="-"),
    "zeros": Extreme(lambda n: b"\0" * n, ()),
    "an array that is cut off": Extreme(lambda n: b"[" + b'{"type":"T","data":1},' * n, ()),
}  # fmt: skip


TAKEN_BY_IMPORT: Final = ("many unknown keys", "a version of many digits", "spaces alone", "line breaks alone")
"""It drops keys that it does not know, and an empty log is one."""


@pytest.mark.parametrize("name", EXTREMES)
def test_what_is_large_is_refused_with_one_line_and_not_stored(module_store: Command, name: str) -> None:
    extreme = EXTREMES[name]
    for words in (("append", "--many", "-"), ("import", "-"))[: 1 if name in TAKEN_BY_IMPORT else 2]:
        done = module_store("--errors", "json", *words, stdin=extreme.made(FEW))
        lines = [json.loads(line) for line in done.err.splitlines()]
        assert done.code == 5, (words, done)
        assert done.out == b""
        assert names(lines[-1]["error"]["message"], *extreme.facts) or words[0] == "import", lines
        assert len(lines[-1]["error"]["message"]) < 400
    with connect(module_store.url) as store:
        assert [*store.replay()] == []


def measured(command: Command, given: bytes, *words: str) -> tuple[int, list[bytes], int]:
    """The exit code, the lines of stderr, and the most memory in MB, of a process of its own."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", MEASURE, *command.argv(*words)],
        cwd=command.folder, env=command.env(), input=given, capture_output=True, timeout=300,
    )  # fmt: skip
    *lines, peak = done.stderr.splitlines()
    assert done.stdout == b""
    return done.returncode, lines, int(peak) * PEAK_UNIT // MB


@pytest.mark.long("large inputs")
@pytest.mark.seldom
@pytest.mark.parametrize("name", EXTREMES)
def test_a_million_of_it_takes_little_memory(store: Command, name: str) -> None:
    extreme = EXTREMES[name]
    code, lines, peak = measured(store, extreme.made(MANY), "append", "--many", "-")
    assert code == 5
    assert lines[0].startswith(f"evstore: {extreme.place}".encode()), lines
    assert peak < extreme.most
    with connect(store.url) as opened:
        assert [*opened.replay()] == []


@pytest.mark.long("large inputs")
@pytest.mark.seldom
def test_of_a_million_events_with_a_bad_last_one_nothing_is_stored_and_the_line_is_named(store: Command) -> None:
    given = b'{"type":"T","data":1}\n' * MANY + b"{\n"
    code, lines, peak = measured(store, given, "append", "A-1", "-")
    assert (code, len(lines)) == (5, 1)
    assert lines[0].startswith(b"evstore: -:1000001: ")
    assert peak < 150
    with connect(store.url) as opened:
        assert [*opened.replay()] == []


def test_what_is_large_and_allowed_is_stored_as_it_is(store: Command) -> None:
    for data in ("1" * MANY, "[" + "1," * 99_999 + "1]", "{" + keys(FEW) + "}", "[" * 512 + "]" * 512):
        store.ok("append", "A-1", "-t", "T", "-d", "@-", stdin=data.encode())
        with connect(store.url) as opened:
            (last,) = opened.read("A-1", backward=True, limit=1)
            assert last.data_json == data


def deep(count: int) -> object:
    value: object = 1
    for _ in range(count):
        value = [value]
    return value


GIVEN: Final[dict[str, Callable[[], EventData]]] = {
    "deep lists": lambda: EventData("T", deep(20_000)),
    "a number of many digits": lambda: EventData("T", 10**5000),
    "a key of many digits": lambda: EventData("T", {10**5000: 1}),
    "not a number": lambda: EventData("T", float("nan")),
    "half a surrogate pair": lambda: EventData("T", {"\ud800": 1}),
    "text of 17 MiB": lambda: EventData("T", "x" * 17 * MB),
    "JSON without an end": lambda: EventData.from_json("T", "[" * MANY),
    "many keys of metadata": lambda: EventData("T", 1, Metadata(custom={str(n): "" for n in range(2 * FEW)})),
    "many tags": lambda: EventData("T", 1, tags=[f"t{n}" for n in range(FEW)]),
    "a long type": lambda: EventData("T" * MANY, 1),
    "a long id": lambda: EventData("T", 1, id="x" * MANY),
    "a long user": lambda: EventData("T", 1, Metadata(user_id="x" * MANY)),
}  # fmt: skip


@pytest.mark.parametrize("name", GIVEN)
def test_the_library_refuses_it_in_a_few_words(name: str) -> None:
    with connect("memory:") as store:
        store.initialize()
        with pytest.raises(InvalidInputError) as caught:
            store.append("A-1", [GIVEN[name]()])
        assert len(str(caught.value)) < 400
        assert [*store.replay()] == []


def test_the_library_for_asyncio_refuses_it_in_the_same_words() -> None:
    import asyncio

    async def tried() -> list[str]:
        said = []
        async with aio.connect("memory:") as store:
            await store.initialize()
            for made in GIVEN.values():
                with pytest.raises(InvalidInputError) as caught:
                    await store.append("A-1", [made()])
                said.append(str(caught.value))
            assert await store.head() == 0
        return said

    with connect("memory:") as store:
        store.initialize()
        words = []
        for made in GIVEN.values():
            with pytest.raises(InvalidInputError) as caught:
                store.append("A-1", [made()])
            words.append(str(caught.value))
    assert asyncio.run(tried()) == words
