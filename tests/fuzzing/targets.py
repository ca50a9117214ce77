"""What must hold of any bytes. A target returns if it holds, and raises AssertionError, or anything else, if not."""

from __future__ import annotations

import json
import os
import re
import shlex
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

from evstore import connect
from evstore.appending import plain
from evstore.appending.preparing import Preparing
from evstore.cli import settings
from evstore.cli.errors import UsageError
from evstore.cli.input import intake
from evstore.cli.input.append_flags import AppendFlags
from evstore.cli.input.conditions import query_of, words_of
from evstore.errors import EvstoreError, InvalidInputError
from evstore.jsontext.judging import keep_json, parse_json, raw_value
from evstore.jsontext.splitting import Values
from evstore.model.events import StoredEvent
from evstore.model.metadata import Metadata
from evstore.transfer import Arrival, arrival, plain_arrivals
from evstore.urls import redacted

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_DEPTH: Final = 500
"""Below the limit of evstore, and of the json module."""
SECRET: Final = "Zq7xK9"


def lines(data: bytes) -> None:
    """Lines that are read at once make the events, and the fault, that they make one by one."""
    if not data:
        return
    flags = (
        {"many": True},
        {"stream": "A-1", "type": "T"},
        {"stream": "A-1"},
    )[data[0] % 3]
    path = _written(data[1:])
    at_once = _events(path, flags)
    with (
        mock.patch.object(plain, "plain_envelopes", return_value=None),
        mock.patch.object(plain, "plain_payloads", return_value=None),
    ):
        one_by_one = _events(path, flags)
    assert at_once == one_by_one, (at_once, one_by_one)


def pieces(data: bytes) -> None:
    """Input that arrives byte by byte has the values, and the fault, that it has in one piece."""
    whole, cut = _values([data]), _values([data[at : at + 1] for at in range(len(data))])
    assert whole == cut, (whole, cut)


def stored(data: bytes) -> None:
    """Stored events that are read at once are those that are read one by one, and come back from their own text."""
    at_once = _arrivals(data, plainly=True)
    one_by_one = _arrivals(data, plainly=False)
    assert at_once == one_by_one, (at_once, one_by_one)
    for _, event, _ in one_by_one[0]:
        again = StoredEvent.from_json(event.to_json())
        assert again == event, (again, event)


def value(data: bytes) -> None:
    """A value is taken if it is JSON, stays as it is, and is never taken for another one."""
    try:
        theirs: Any = json.loads(
            data.decode(), parse_float=_number, parse_int=_number, parse_constant=_no_constant
        )
        json.dumps(theirs, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    except (ValueError, RecursionError):
        theirs = InvalidInputError
    if data.count(b"[") + data.count(b"{") > MOST_DEPTH:
        return
    try:
        kept = _kept(data)
    except InvalidInputError:
        assert theirs is InvalidInputError, data
        return
    assert theirs is not InvalidInputError, data
    ours = json.loads(kept, parse_float=_number, parse_int=_number)
    assert ours == theirs, (ours, theirs)
    parse_json(kept)
    assert _kept(kept.encode()) == kept


def url(data: bytes) -> None:
    """Whatever surrounds a password, neither the URL that is shown nor an error has it."""
    text = data.decode("utf-8", "replace").replace(SECRET, "")
    before, _, after = text.partition("\x00")
    user = re.sub("[/?#]", "", before)  # which would begin another part of the URL
    for given in (
        f"postgresql://{user}:{SECRET}@{after}",
        f"postgresql://{user}:{SECRET}{after}@host/db",
        f"postgresql://{user}?password={SECRET}{after}",
    ):
        assert SECRET not in redacted(given), given
    for given in (text, f"memory:{before}\x00"):
        with suppress(EvstoreError):
            connect(given).close()


def query(data: bytes) -> None:
    """The words of a query are refused, or mean the same when they are printed and read again."""
    try:
        found = query_of("--where", data.decode("utf-8", "replace"))
    except UsageError:
        return
    (item,) = found.items
    words = words_of(item)
    assert words is None or query_of("--where", words) == found, words


def words(data: bytes) -> None:
    """A shell reads a command that a hint shows as the words that were meant, on one line."""
    text = data.decode("utf-8", "replace").replace("\x00", "")
    settings.current.take({"db": text})
    try:
        shown = settings.again("read Order-1")
    finally:
        settings.current.take({"db": None})
    if redacted(text) == text:
        assert shlex.split(shown) == ["evstore", "read", "Order-1", "--db", text], shown
    else:
        assert shown == "evstore read Order-1, with the same --db"


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    each.__name__: each for each in (lines, pieces, stored, value, url, query, words)
}

ENVELOPE: Final = (
    b'{"streamId":"A-1","type":"T","data":{"a":[1,1.50,"\\u00e9"]},"metadata":{"userId":"u","custom":{"k":"v"}},'
    b'"tags":["order:17"],"id":"0198e5c4-7a2b-7c3d-8e4f-0123456789ab"}\n'
)
STORED: Final = (
    b'{"id":"0198e5c4-7a2b-7c3d-8e4f-0123456789ab","streamId":"A-1","type":"T","data":{"a":1},"metadata":{},'
    b'"version":1,"globalPosition":1,"timestamp":"2026-01-01T00:00:00.000001Z"}\n'
)
SEEDS: Final[dict[str, list[bytes]]] = {
    "lines": [
        b"\x00" + ENVELOPE * 2,
        b"\x01" + b'{"a":1}\n[2]\n',
        b"\x02" + ENVELOPE,
        b'\x01{"b":\n1}{"c":2}\r\n',
    ],
    "pieces": [b'{"a":"\\"}"}\n', b'[1,{"b":[]}]', b'\x1e{"a":1}\n\x1e2\n', b'\xef\xbb\xbf"x" 1'],
    "stored": [
        STORED,
        STORED * 2,
        STORED.replace(b'"metadata":{}', b'"metadata":{"custom":{"k":"v"}},"redacted":true'),
    ],
    "value": [b'{"a":[1,-0,1e400,"\\ud83d\\udce6",null]}', b" 1.50 ", b'"\xc3\xa9"', b"[[[]]]"],
    "url": [
        b"host:5432/db",
        b"user\x00h1:1,h2:2/db?sslmode=require",
        b"sqlite:///a.db",
        b"nats://h:1/NAME",
        b"a.db",
    ],
    "query": [b"type=A,B tag=x", b"tag=order:17", b"type=A\ttag=x tag=y"],
    "words": [b"postgresql://h/db", b"a b'c\"$(d)`e`\n.db", b"-db", b"~/x"],
}
"""Input to begin with, for each target."""


def _written(data: bytes) -> str:
    path = os.path.join(tempfile.gettempdir(), f"evstore-fuzzing-{os.getpid()}")
    with open(path, "wb") as file:
        file.write(data)
    return path


def _events(path: str, flags: dict[str, Any]) -> tuple[list[Any], str]:
    """The events of the file, without the ids that were made for them, and the fault that ends them."""
    found: list[Any] = []
    try:
        for event in intake.Intake(AppendFlags(files=[path], **flags), Preparing(Metadata())).events():
            (stream_id, (prepared,), expected), given_id, new_id, source, conditions = event
            kept = prepared._replace(id="") if new_id else prepared
            found.append((stream_id, kept, expected, given_id, new_id, source and source[1], conditions))
    except InvalidInputError as error:
        return found, f"{type(error)} {error} {error.source}"
    return found, ""


def _kept(data: bytes) -> str:
    return keep_json(raw_value(data))


def _values(parts: list[bytes]) -> tuple[list[Any], str]:
    values = Values("in", _kept)
    found: list[Any] = []
    try:
        found.extend(values.feed(parts))
        found.extend(values.end())
    except InvalidInputError as error:
        return found, f"{error} {error.source}"
    return found, ""


def _arrivals(data: bytes, *, plainly: bool) -> tuple[list[Arrival], str]:
    def read(value: bytes) -> Arrival:
        return arrival(Preparing(), f"in:{values.line}", StoredEvent.from_json_noting(value)[0])

    def at_once(text: bytes) -> list[Arrival] | None:
        return plain_arrivals(Preparing(), "in", values.line, text) if plainly else None

    values: Values[Arrival] = Values("in", read, read_lines=at_once)
    found: list[Arrival] = []
    try:
        for _, (source, event, prepared) in [*values.feed([data]), *values.end()]:
            found.append(Arrival(source, event._replace(metadata_json=prepared.metadata_json), prepared))
    except InvalidInputError as error:
        return found, f"{type(error)} {error} {error.source}"
    return found, ""


def _number(text: str) -> tuple[str]:
    """As it is written: 1.0 is another text than 1."""
    return (text,)


def _no_constant(name: str) -> None:
    raise ValueError(name)
