"""Every refusal, through the real command: its exit code, nothing on stdout, one line that says why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import pytest

from evstore import connect
from tests.support.command_store import writing

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.command import Command

ID, OTHER = "01890000-0000-7000-8000-000000000001", "01890000-0000-7000-8000-000000000002"
LINE = '{"type":"T","data":1}'


class Case(NamedTuple):
    code: int
    says: str
    """Facts and telling words of the message, with … between them."""
    words: tuple[str, ...]
    stdin: bytes = b""


def inline(*more: str, stream: str = "Order-9", type: str = "T", data: str = "{}") -> tuple[str, ...]:
    return ("append", *more, "-t", type, "-d", data, "--", stream)


def piped(*more: str, stream: str = "Order-9") -> tuple[str, ...]:
    return ("append", stream, "-", *more)


def envelope(**changed: object) -> bytes:
    return json.dumps({"type": "T", "data": 1, **changed}).encode()


def deep(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


CASES = {
    # names
    "an empty stream id": Case(5, "stream id…empty", inline(stream="")),
    "a stream id of 513 bytes": Case(5, "513…512", inline(stream="é" * 256 + "x")),
    "a stream id without a category": Case(5, '"-"…category', inline(stream="-1")),
    "a reserved stream id": Case(5, '"$"…reserved', inline(stream="$all")),
    "a control character in a stream id": Case(5, "U+001B…character 6", inline(stream="Order\x1b[2J")),
    "a C1 control in a stream id": Case(5, "U+009B", inline(stream="Order\x9b")),
    "a stream id that is not UTF-8": Case(5, "surrogate", inline(stream="Order-\udcff")),
    "an invalid stream id to read": Case(5, '"$"…reserved', ("read", "$all")),
    "an empty type": Case(5, "event type…empty", inline(type="")),
    "a type of 256 bytes": Case(5, "256…255", inline(type="t" * 256)),
    "a control character in a type": Case(5, "U+000A", inline(type="a\nb")),
    "an empty type in an envelope": Case(5, "-:1: …event type…empty", piped(), envelope(type="")),
    # data
    "NaN": Case(5, "--data: …JSON", inline(data="NaN")),
    "Infinity": Case(5, "JSON", inline(data="[Infinity]")),
    "a leading zero": Case(5, "JSON", inline(data="01")),
    "a trailing comma": Case(5, "trailing comma", inline(data="[1,]")),
    "single quotes": Case(5, "JSON", inline(data="{'a':1}")),
    "bare keys": Case(5, "JSON", inline(data="{a:1}")),
    "empty data": Case(5, "JSON…early", inline(data="")),
    "two values in --data": Case(5, "JSON", inline(data="1 2")),
    "a lone surrogate escape": Case(5, "JSON", inline(data='"\\ud800"')),
    "data that is not UTF-8": Case(5, "-:2: …UTF-8…byte 2", piped("-t", "T"), b'1\n"\xff"'),
    "an envelope that is not UTF-8": Case(5, "-:1: ", piped(), b'{"type":"\xff","data":1}'),
    "data nested too deep": Case(5, "nested…512", piped("-t", "T"), deep(514)),
    "data nested far too deep": Case(5, "nested…512", piped(), b'{"type":"T","data":' + deep(9999)),
    "data too large": Case(5, "16777216", piped("-t", "T"), b'"' + b"x" * 2**24 + b'"'),
    # metadata
    "an unknown metadata key": Case(
        5, '"traceId"…"custom"', inline("--metadata", '{"traceId":"1"}')
    ),
    "a metadata key in another spelling": Case(
        5, '"correlation_id"…"correlationId"', piped(), envelope(metadata={"correlation_id": "1"})
    ),
    "metadata that is no object": Case(5, "metadata…JSON object", piped(), envelope(metadata=[])),
    "metadata that is null": Case(5, "metadata…JSON object", piped(), envelope(metadata=None)),
    "a number in metadata": Case(5, '"userId"…string', piped(), envelope(metadata={"userId": 1})),
    "a number in custom": Case(5, '"custom"…strings', piped(), envelope(metadata={"custom": {"a": 1}})),
    "custom that is no object": Case(5, '"custom"…strings', piped(), envelope(metadata={"custom": "a"})),
    "an empty key in custom": Case(5, "empty…key", piped(), envelope(metadata={"custom": {"": "a"}})),
    "U+0000 in metadata": Case(5, "U+0000", piped(), envelope(metadata={"userId": "a\0b"})),
    "a metadata id of 513 bytes": Case(5, "513…512", inline("--user-id", "u" * 513)),
    "metadata above 64 KiB": Case(5, "65536", piped(), envelope(metadata={"custom": {"k": "v" * 65536}})),
    "metadata flags that are not JSON": Case(5, "--metadata: …JSON", inline("--metadata", "{")),
    "--meta without =": Case(2, "KEY=VALUE", inline("-m", "key")),
    # envelopes
    "a missing type": Case(5, '-:2: …missing…"type"', piped(), LINE.encode() + b'\n{"data":1}'),
    "missing data": Case(5, '-:1: …missing…"data"', piped(), b'{"type":"T"}'),
    "a value that is no envelope": Case(5, "JSON object", piped(), b"7"),
    "an unknown key": Case(5, 'unknown…"metadat"…"metadata"', piped(), envelope(metadat={})),
    "a key of a later evstore": Case(5, 'unknown…"redacted"', piped(), envelope(redacted=True)),
    "another streamId": Case(5, '"streamId"…"Order-8"…"Order-9"', piped(), envelope(streamId="Order-8")),
    "expectedVersion without --many": Case(5, "--expect", piped(), envelope(expectedVersion=1)),
    "--many without streamId": Case(5, 'missing…"streamId"', ("append", "--many", "-"), LINE.encode()),
    "a wrong expectedVersion": Case(
        5, "-3 …version", ("append", "--many", "-"), envelope(streamId="A-1", expectedVersion=-3)
    ),
    "a wrong word for expectedVersion": Case(
        5, "'none'…version", ("append", "--many", "-"), envelope(streamId="A-1", expectedVersion="none")
    ),
    "a bad value behind good ones": Case(5, "-:3: ", piped("-t", "T"), b"1\n2\n{\n"),
    "a misplaced comma": Case(5, "commas", piped("-t", "T"), b"[1,,2]"),
    "no events": Case(5, "events… -", piped("-t", "T"), b" \n"),
    "an empty array": Case(5, "events… -", piped(), b"[]"),
    # ids
    "an id that is none": Case(5, "UUID", inline("--id", "1")),
    "an id without hyphens": Case(5, "UUID", piped(), envelope(id=ID.replace("-", ""))),
    "the same id twice": Case(5, f"{OTHER}…twice", piped(), envelope(id=OTHER) + envelope(id=OTHER.upper())),
    "a stored id with other data": Case(4, f"{ID}…data", inline("--id", ID, data="2", stream="Order-1")),
    "a stored id with another type": Case(4, 'type "T"', inline("--id", ID, type="U", data="1", stream="Order-1")),
    "a stored id in another stream": Case(4, 'stream "Order-1"', inline("--id", ID, data="1")),
    "an append of which a part is stored": Case(
        4, f"{ID}…append", piped(stream="Order-1"), envelope(id=ID) + envelope(id=OTHER)
    ),
    # expected versions
    "no-stream where there is one": Case(4, "version 1…no stream", inline("-e", "no-stream", stream="Order-1")),
    "a version below": Case(2, '--expect…"-3"', inline("-e", "-3", stream="Order-1")),
    "a version above": Case(4, "version 1…version 2", inline("-e", "2", stream="Order-1")),
    "a version of a missing stream": Case(4, 'stream "Order-9"…exist…version 1', inline("-e", "1")),
    "exists where there is none": Case(3, 'stream "Order-9"', inline("-e", "exists")),
    "a word that is none": Case(2, '--expect…any, no-stream, exists…"none"', inline("-e", "none")),
    "a version beyond 64 bits": Case(2, f'--expect…"{2**63}"', inline("-e", str(2**63))),
    "a conflict in the middle of many": Case(
        4,
        'stream "Order-1"…version 1…version 5',
        ("append", "--many", "-"),
        envelope(streamId="New-1") + envelope(streamId="Order-1", expectedVersion=5),
    ),
    # reading
    "a missing stream": Case(3, 'stream "Order-9"', ("read", "Order-9")),
    # usage
    "no events named": Case(2, "events…--data", ("append", "Order-1")),
    "no stream named": Case(2, "STREAM", ("append",)),
    "data without a type": Case(2, "--data…--type", ("append", "Order-1", "-d", "1")),
    "data and a file": Case(2, "--data…FILE", ("append", "Order-1", "-t", "T", "-d", "1", "x.json")),
    "a missing file": Case(2, "nowhere.json: No such file", ("append", "Order-1", "nowhere.json")),
    "stdin twice": Case(2, "- …once", ("append", "Order-1", "-", "-")),
    "--many with --expect": Case(2, "--many…--expect", ("append", "--many", "-", "-e", "1")),
    "--many with --type": Case(2, "--many…--type", ("append", "--many", "-", "-t", "T")),
    "one id for two events": Case(2, "--id…event", piped("-t", "T", "--id", OTHER), b"1 2"),
    "--from with --after": Case(2, "--from…--after", ("read", "Order-1", "--from", "1", "--after", "1")),
    "a negative bound": Case(2, "--from…-1", ("read", "Order-1", "--from", "-1")),
    "a limit that is none": Case(2, '--limit…"few"', ("read", "Order-1", "-n", "few")),
    "following backward": Case(2, "--follow…--reverse", ("read", "Order-1", "-f", "-r")),
    "following to an end": Case(2, "--follow…--to", ("replay", "--all", "-f", "--to", "3")),
    "no category": Case(2, "CATEGORY…--all", ("replay",)),
    "a category and all": Case(2, "CATEGORY…--all", ("replay", "Order", "--all")),
    "an unknown command": Case(2, "'apend'…'append'", ("apend",)),
    "an unknown flag": Case(2, "--tipe", ("append", "Order-1", "--tipe", "x")),
    "an unknown scheme": Case(2, '"mysql:"…memory:, postgres:, ', ("--db", "mysql://x", "categories")),
    "a host in a SQLite URL": Case(2, "host", ("--db", "sqlite://x.db", "categories")),
}  # fmt: skip


ASKED = {3, 4}
"""The exit codes of what only the store can tell."""


@pytest.fixture(scope="module")
def shared(module_store: Command) -> Command:
    """One store for all: what is refused leaves no trace in it."""
    module_store.ok("append", "Order-1", "-t", "T", "-d", "1", "--id", ID)
    return module_store


def _contents(command: Command) -> object:
    with connect(command.url) as store:
        return list(store.replay()), list(store.streams()), list(store.categories()), list(store.types())


@pytest.mark.sqlite_only("no store is asked")
@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].code not in ASKED])
def test_it_is_refused(shared: Command, name: str) -> None:
    refused(shared, CASES[name])


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].code in ASKED])
def test_it_is_refused_when_the_store_has_been_asked(shared: Command, name: str) -> None:
    refused(shared, CASES[name])


def refused(shared: Command, case: Case) -> None:
    before = _contents(shared)
    done = shared(*case.words, stdin=case.stdin)
    first, *more = done.err.splitlines()
    assert done.code == case.code, done
    assert done.out == b""
    assert first.startswith("evstore: ")
    assert all(fact in first for fact in case.says.split("…")), first
    assert all(line.startswith("hint: ") for line in more)
    assert len(more) <= 1
    assert "\x1b" not in done.err
    assert _contents(shared) == before


@pytest.mark.parametrize(
    "words", [("append", "A-1", "-t", "T", "-d", "1"), ("read", "A-1"), ("replay", "--all"), ("categories",)]
)
def test_without_a_store_nothing_is_made(evstore: Command, tmp_path: Path, words: tuple[str, ...]) -> None:
    done = evstore(*words)
    assert (done.code, done.out) == (6, b"")
    first, hint = done.err.splitlines()
    assert first.startswith("evstore: ")
    assert evstore.place in first
    assert hint == "hint: evstore init"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.sqlite_only("no store is asked")
def test_bad_input_is_found_before_the_store_is_opened(evstore: Command) -> None:
    assert evstore(*inline(data="{a:1}")).code == 5
    assert evstore(*inline("-e", "none", data="{a:1}")).code == 2


def test_a_store_in_use_beyond_patience_is_unavailable(store: Command, tmp_path: Path) -> None:
    """Exit 7 through the real path, with a patience that a test can wait for."""
    import subprocess
    import sys

    script = """
import sys, evstore.connecting
real = evstore.connecting.connect_for_command
evstore.connecting.connect_for_command = lambda url, _: real(url, 0.1)
from evstore.cli import main
main()
"""
    with writing(store):
        done = subprocess.run(
            [sys.executable, "-c", script, *inline()],
            cwd=tmp_path,
            env=store.env(),
            capture_output=True,
            check=False,
        )
    assert (done.returncode, done.stdout) == (7, b"")
    assert b" 0.1 s" in done.stderr
    assert b"database is locked" not in done.stderr
