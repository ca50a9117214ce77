"""JSON is read in whatever a person has it: compressed, or as a JSON text sequence, wherever JSON is read."""

from __future__ import annotations

import gzip
import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from evstore import InvalidInputError
from evstore.jsontext.splitting import read_values

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.command import Command

pytestmark = pytest.mark.sqlite_only("how input is read does not depend on where it is stored")

LINES = [
    f'{{"id":"0198e5c4-7a2b-7c3d-8e4f-01234567890{n}","streamId":"A-1","type":"T","data":{{"n":{n}}},"metadata":{{}},"version":{n},'
    f'"globalPosition":{n},"timestamp":"2026-01-01T00:00:00Z"}}'
    for n in (1, 2, 3)
]


def plain(values: list[str]) -> bytes:
    return "".join(f"{each}\n" for each in values).encode()


def sequence(values: list[str]) -> bytes:
    return "".join(f"\x1e{each}\n" for each in values).encode()


def indented_sequence(values: list[str]) -> bytes:
    return sequence([json.dumps(json.loads(each), indent=2) for each in values])


FORMS: dict[str, Callable[[list[str]], bytes]] = {
    "gzip": lambda values: gzip.compress(plain(values)),
    "gzip, in members": lambda values: b"".join(gzip.compress(plain([each])) for each in values),
    "sequence": sequence,
    "indented sequence": indented_sequence,
    "compressed sequence": lambda values: gzip.compress(sequence(values)),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("through", ["file", "stdin"])
@pytest.mark.parametrize(
    "words",
    [("append", "A-1"), ("append", "--many"), ("append", "A-1", "--each"), ("append", "A-1", "--batch", "2"), ("import",)],
)  # fmt: skip
def test_events_are_read_in_every_form(store: Command, form: str, through: str, words: tuple[str, ...]) -> None:
    text = FORMS[form](LINES)
    (store.folder / "events").write_bytes(text)
    store.ok(*words, *(["events"] if through == "file" else ["-"]), stdin=text if through == "stdin" else b"")
    assert [json.loads(line)["data"] for line in store.ok("read", "A-1").lines] == [{"n": 1}, {"n": 2}, {"n": 3}]


@pytest.mark.parametrize("form", FORMS)
def test_data_is_read_in_every_form(store: Command, form: str) -> None:
    text = FORMS[form](['{"n":1}', '{"n":2}'])
    store.ok("append", "A-1", "-t", "T", "-", stdin=text)
    assert [json.loads(line)["data"] for line in store.ok("read", "A-1").lines] == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("through", ["file", "stdin"])
def test_the_data_of_one_event_is_read_in_every_form(store: Command, form: str, through: str) -> None:
    text = FORMS[form](['{"n":1}'])
    (store.folder / "data").write_bytes(text)
    store.ok("append", "A-1", "-t", "T", "-d", "@data" if through == "file" else "@-", stdin=text)
    assert json.loads(store.ok("read", "A-1").out)["data"] == {"n": 1}


@pytest.mark.parametrize("form", FORMS)
def test_a_file_in_memory_is_read_in_every_form(store: Command, form: str) -> None:
    (store.folder / "log.ndjson").write_bytes(FORMS[form](LINES))
    assert len(store.ok("--db", "memory:log.ndjson", "read", "A-1").lines) == 3


@pytest.mark.parametrize("words", [("append", "A-1", "-"), ("append", "A-1", "-", "--each"), ("append", "A-1", "-", "--batch", "1"), ("import", "-"), ("append", "A-1", "-t", "T", "-d", "@-")])  # fmt: skip
@pytest.mark.parametrize("harm", ["cut", "changed"])
def test_of_compressed_input_that_is_damaged_nothing_is_stored(
    store: Command, words: tuple[str, ...], harm: str
) -> None:
    text = bytearray(gzip.compress(plain(LINES)))
    if harm == "cut":
        del text[-9:]
    else:
        text[-6] ^= 1  # its checksum
    done = store(*words, "--errors", "json", stdin=bytes(text))
    message = json.loads(done.err)["error"]["message"]
    assert (done.code, message.startswith("-: the compressed input is damaged or ends too early")) == (5, True)
    assert store.ok("streams").out == b""


def test_compressed_input_may_begin_within_a_file_that_others_read_before(store: Command) -> None:
    path = store.folder / "parts"
    path.write_bytes(b"a first line\n" + gzip.compress(plain(LINES)))
    script = f"read line; {' '.join(store.argv('append', 'A-1', '-'))}"
    with path.open("rb") as parts:
        subprocess.run(["sh", "-c", script], stdin=parts, cwd=store.folder, env=store.env(), check=True)
    assert len(store.ok("read", "A-1").lines) == 3


# --- JSON text sequences ---


def values(text: bytes, cut: int = 1 << 16) -> list[tuple[int, bytes]]:
    return [*read_values((text[at : at + cut] for at in range(0, len(text), cut)), "-", json_only)]


def json_only(value: bytes) -> bytes:
    try:
        json.loads(value)
    except ValueError as error:
        raise InvalidInputError(str(error)) from None
    return value


@pytest.mark.parametrize("cut", [1, 2, 7, 1 << 16])
def test_a_sequence_may_hold_any_values(cut: int) -> None:
    text = b'\x1e{"a":1}\n\x1e\x1e[1,\n2]\n\x1e12\n\x1e"x"\n\x1etrue\n\x1e{"b":\n2}\n'
    found = [value for _, value in values(text, cut)]
    assert found == [b'{"a":1}', b"1", b"2", b"12", b'"x"', b"true", b'{"b":\n2}']


@pytest.mark.parametrize("cut", [1, 1 << 16])
@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b'\x1e{"a":\n\x1e1}\n', 1),
        (b"\x1e[1,\n\x1e2]\n", 2),
        (b'\x1e{"a":1}\n\x1e{"b"\n\x1e{"c":1}\n', 2),
        (b'\x1e"a\x1eb"\n', 1),
    ],
)  # fmt: skip
def test_a_value_that_the_next_record_cuts_short_is_refused(text: bytes, line: int, cut: int) -> None:
    with pytest.raises(InvalidInputError) as refused:
        values(text, cut)
    assert refused.value.source == f"-:{line}"


def test_a_record_is_found_in_a_line_without_an_end() -> None:
    long = b"\x1e".join(b'{"n":"%d%s"}' % (n, b"x" * 3000) for n in range(100))
    assert len(values(b"\x1e" + long)) == 100
