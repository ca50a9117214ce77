"""The table of bad input: what each is refused with, on every store, and what only looks bad and is taken as it is."""

from __future__ import annotations

import json
from typing import NamedTuple

ID, OTHER = "01890000-0000-7000-8000-000000000001", "01890000-0000-7000-8000-000000000002"
LINE = '{"type":"T","data":1}'


class Case(NamedTuple):
    code: int
    error: str
    names: tuple[object, ...]
    """The facts in the message: places, flags, keys, names, numbers, characters."""
    words: tuple[str, ...]
    stdin: bytes = b""
    hint: str | None = None
    """What the hint names, if there is a hint."""


QUOTED = """'{"total": 99.9}'"""
"""How JSON is given to a shell."""


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
    "an empty stream id": Case(5, "InvalidStreamIdError", (), inline(stream="")),
    "a stream id of 513 bytes": Case(5, "InvalidStreamIdError", (513, 512), inline(stream="é" * 256 + "x")),
    "a stream id without a category": Case(5, "InvalidStreamIdError", ('"-1"', '"-"'), inline(stream="-1")),
    "a reserved stream id": Case(5, "InvalidStreamIdError", ('"$all"', '"$"'), inline(stream="$all")),
    "a control character in a stream id": Case(5, "InvalidStreamIdError", ("U+001B", 6), inline(stream="Order\x1b[2J")),
    "a C1 control in a stream id": Case(5, "InvalidStreamIdError", ("U+009B", 6), inline(stream="Order\x9b")),
    "a stream id that is not UTF-8": Case(5, "InvalidStreamIdError", ("U+DCFF", 7), inline(stream="Order-\udcff")),
    "an invalid stream id to read": Case(5, "InvalidStreamIdError", ('"$all"', '"$"'), ("read", "$all")),
    "an empty type": Case(5, "InvalidInputError", (), inline(type="")),
    "a type of 256 bytes": Case(5, "InvalidInputError", (256, 255), inline(type="t" * 256)),
    "a control character in a type": Case(5, "InvalidInputError", ("U+000A", 2), inline(type="a\nb")),
    "an empty type in an envelope": Case(5, "InvalidInputError", ("-:1:",), piped(), envelope(type="")),
    # data
    "NaN": Case(5, "InvalidPayloadError", ("--data:", "JSON"), inline(data="NaN"), hint=QUOTED),
    "Infinity": Case(5, "InvalidPayloadError", ("--data:", "JSON"), inline(data="[Infinity]"), hint=QUOTED),
    "a leading zero": Case(5, "InvalidPayloadError", ("--data:", "JSON"), inline(data="01"), hint=QUOTED),
    "a trailing comma": Case(5, "InvalidPayloadError", ("--data:", "JSON"), inline(data="[1,]"), hint=QUOTED),
    "single quotes": Case(5, "InvalidPayloadError", ("--data:", "JSON"), inline(data="{'a':1}"), hint=QUOTED),
    "bare keys": Case(5, "InvalidPayloadError", ("--data:", "JSON"), inline(data="{a:1}"), hint=QUOTED),
    "empty data": Case(5, "InvalidPayloadError", ("--data:", "JSON"), inline(data=""), hint=QUOTED),
    "two values in --data": Case(5, "InvalidPayloadError", ("--data:", "JSON"), inline(data="1 2"), hint=QUOTED),
    "a lone surrogate escape": Case(5, "InvalidPayloadError", ("--data:", "JSON"), inline(data='"\\ud800"'), hint=QUOTED),
    "data that is not UTF-8": Case(5, "InvalidPayloadError", ("-:2:", "UTF-8", 2), piped("-t", "T"), b'1\n"\xff"'),
    "an envelope that is not UTF-8": Case(5, "InvalidInputError", ("-:1:", "UTF-8"), piped(), b'{"type":"\xff","data":1}'),
    "data nested too deep": Case(5, "InvalidPayloadError", ("-:1:", 512), piped("-t", "T"), deep(514)),
    "data nested far too deep": Case(5, "InvalidPayloadError", ("-:1:", 512), piped(), b'{"type":"T","data":' + deep(9999)),
    "data too large": Case(5, "InvalidPayloadError", ("-:1:", 16777218, 16777216), piped("-t", "T"), b'"' + b"x" * 2**24 + b'"'),
    # metadata
    "an unknown metadata key": Case(
        5, "InvalidPayloadError", ("--metadata:", '"traceId"', '"custom"'), inline("--metadata", '{"traceId":"1"}')
    ),
    "a metadata key in another spelling": Case(
        5, "InvalidPayloadError", ("-:1:", '"correlation_id"', '"correlationId"'), piped(), envelope(metadata={"correlation_id": "1"})
    ),
    "metadata that is no object": Case(5, "InvalidPayloadError", ("-:1:", "JSON"), piped(), envelope(metadata=[])),
    "metadata that is null": Case(5, "InvalidPayloadError", ("-:1:", "JSON"), piped(), envelope(metadata=None)),
    "a number in metadata": Case(5, "InvalidPayloadError", ("-:1:", '"userId"'), piped(), envelope(metadata={"userId": 1})),
    "a number in custom": Case(5, "InvalidPayloadError", ("-:1:", '"custom"'), piped(), envelope(metadata={"custom": {"a": 1}})),
    "custom that is no object": Case(5, "InvalidPayloadError", ("-:1:", '"custom"'), piped(), envelope(metadata={"custom": "a"})),
    "an empty key in custom": Case(5, "InvalidPayloadError", ("-:1:", '"custom"'), piped(), envelope(metadata={"custom": {"": "a"}})),
    "U+0000 in metadata": Case(5, "InvalidPayloadError", ("-:1:", '"userId"', "U+0000"), piped(), envelope(metadata={"userId": "a\0b"})),
    "a metadata id of 513 bytes": Case(5, "InvalidPayloadError", ('"userId"', 513, 512), inline("--user-id", "u" * 513)),
    "metadata above 64 KiB": Case(5, "InvalidPayloadError", ("-:1:", 65555, 65536), piped(), envelope(metadata={"custom": {"k": "v" * 65536}})),
    "metadata flags that are not JSON": Case(5, "InvalidPayloadError", ("--metadata:", "JSON"), inline("--metadata", "{")),
    "--meta without =": Case(2, "UsageError", ("--meta", "KEY=VALUE", '"key"'), inline("-m", "key")),
    # envelopes
    "a missing type": Case(5, "InvalidInputError", ("-:2:", '"type"'), piped(), LINE.encode() + b'\n{"data":1}'),
    "missing data": Case(5, "InvalidInputError", ("-:1:", '"data"'), piped(), b'{"type":"T"}'),
    "a value that is no envelope": Case(5, "InvalidPayloadError", ("-:1:", "JSON"), piped(), b"7"),
    "an unknown key": Case(5, "InvalidInputError", ("-:1:", '"metadat"', '"metadata"'), piped(), envelope(metadat={})),
    "a key of a later evstore": Case(5, "InvalidInputError", ("-:1:", '"annotated"'), piped(), envelope(annotated=True)),
    "another streamId": Case(5, "InvalidInputError", ("-:1:", '"streamId"', '"Order-8"', '"Order-9"', "--many", "--copy"), piped(), envelope(streamId="Order-8")),
    "expectedVersion without --many": Case(5, "InvalidInputError", ("-:1:", '"expectedVersion"', "--many", "--expect"), piped(), envelope(expectedVersion=1)),
    "--many without streamId": Case(5, "InvalidInputError", ("-:1:", '"streamId"'), ("append", "--many", "-"), LINE.encode()),
    "a wrong expectedVersion": Case(
        5, "InvalidVersionError", ("-:1:", "-3", "ANY_VERSION (-1)"), ("append", "--many", "-"), envelope(streamId="A-1", expectedVersion=-3)
    ),
    "a wrong word for expectedVersion": Case(
        5, "InvalidVersionError", ("-:1:", "'none'", "ANY_VERSION (-1)"), ("append", "--many", "-"), envelope(streamId="A-1", expectedVersion="none")
    ),
    "a bad value behind good ones": Case(5, "InvalidPayloadError", ("-:3:", "JSON"), piped("-t", "T"), b"1\n2\n{\n"),
    "a misplaced comma": Case(5, "InvalidInputError", ("-:1:", "JSON"), piped("-t", "T"), b"[1,,2]"),
    "no events": Case(5, "NoEventsError", ("-",), piped("-t", "T"), b" \n"),
    "an empty array": Case(5, "NoEventsError", ("-",), piped(), b"[]"),
    # ids
    "an id that is none": Case(5, "InvalidInputError", ('"1"',), inline("--id", "1")),
    "an id without hyphens": Case(5, "InvalidInputError", ("-:1:", ID.replace("-", "")), piped(), envelope(id=ID.replace("-", ""))),
    "the same id twice": Case(5, "InvalidInputError", ("-:1:", OTHER), piped(), envelope(id=OTHER) + envelope(id=OTHER.upper())),
    "a stored id with other data": Case(4, "EventIdConflictError", (ID,), inline("--id", ID, data="2", stream="Order-1"), hint=""),
    "a stored id with another type": Case(4, "EventIdConflictError", (ID, '"T"'), inline("--id", ID, type="U", data="1", stream="Order-1"), hint=""),
    "a stored id in another stream": Case(4, "EventIdConflictError", (ID, '"Order-1"'), inline("--id", ID, data="1"), hint=""),
    "an append of which a part is stored": Case(
        4, "EventIdConflictError", (ID,), piped(stream="Order-1"), envelope(id=ID) + envelope(id=OTHER), hint=""
    ),
    # expected versions
    "no-stream where there is one": Case(4, "ConcurrencyError", ('"Order-1"', 1), inline("-e", "no-stream", stream="Order-1"), hint="evstore read Order-1"),
    "a version below": Case(2, "UsageError", ("--expect", '"-3"'), inline("-e", "-3", stream="Order-1")),
    "a version above": Case(4, "ConcurrencyError", ('"Order-1"', 1, 2), inline("-e", "2", stream="Order-1"), hint="evstore read Order-1"),
    "a version of a missing stream": Case(4, "ConcurrencyError", ('"Order-9"', 1), inline("-e", "1"), hint="evstore append Order-9 --expect no-stream"),
    "exists where there is none": Case(3, "StreamNotFoundError", ('"Order-9"',), inline("-e", "exists"), hint="evstore streams"),
    "a word that is none": Case(2, "UsageError", ("--expect", "any, no-stream, exists", '"none"'), inline("-e", "none")),
    "a version beyond 64 bits": Case(2, "UsageError", ("--expect", "any, no-stream, exists", 2**63), inline("-e", str(2**63))),
    "a conflict in the middle of many": Case(
        4,
        "ConcurrencyError", ('"Order-1"', 1, 5),
        ("append", "--many", "-"),
        envelope(streamId="New-1") + envelope(streamId="Order-1", expectedVersion=5), hint="evstore read Order-1",
    ),
    # reading
    "a missing stream": Case(3, "StreamNotFoundError", ('"Order-9"',), ("read", "Order-9"), hint='"Order-1"'),
    # usage
    "no events named": Case(2, "UsageError", ("--data JSON", "FILE"), ("append", "Order-1"), hint="evstore append --help"),
    "no stream named": Case(2, "UsageError", ("STREAM",), ("append",), hint="evstore append --help"),
    "data without a type": Case(2, "UsageError", ("--data", "--type"), ("append", "Order-1", "-d", "1"), hint="evstore append --help"),
    "data and a file": Case(2, "UsageError", ("--data", "FILE"), ("append", "Order-1", "-t", "T", "-d", "1", "x.json")),
    "a missing file": Case(2, "UsageError", ("nowhere.json: No such file or directory",), ("append", "Order-1", "nowhere.json")),
    "stdin twice": Case(2, "UsageError", ("-",), ("append", "Order-1", "-", "-"), hint="evstore append --help"),
    "--many with --expect": Case(2, "UsageError", ("--many", "--expect"), ("append", "--many", "-", "-e", "1"), hint='"expectedVersion"'),
    "--many with --type": Case(2, "UsageError", ("--many", "--type"), ("append", "--many", "-", "-t", "T")),
    "one id for two events": Case(2, "UsageError", ("--id",), piped("-t", "T", "--id", OTHER), b"1 2"),
    "--from with --after": Case(2, "UsageError", ("--from", "--after"), ("read", "Order-1", "--from", "1", "--after", "1")),
    "a negative bound": Case(2, "UsageError", ("--from", "-1"), ("read", "Order-1", "--from", "-1")),
    "a limit that is none": Case(2, "UsageError", ("--limit", '"all"', '"few"'), ("read", "Order-1", "-n", "few")),
    "following backward": Case(2, "UsageError", ("--follow", "--reverse"), ("read", "Order-1", "-f", "-r")),
    "following to an end": Case(2, "UsageError", ("--follow", "--to"), ("replay", "--all", "-f", "--to", "3")),
    "no category": Case(2, "UsageError", ("CATEGORY", "--all"), ("replay",), hint="evstore replay --help"),
    "a category and all": Case(2, "UsageError", ("CATEGORY", "--all"), ("replay", "Order", "--all")),
    "an unknown command": Case(2, "UsageError", ("'apend'", "'append'"), ("apend",), hint="evstore --help"),
    "an unknown flag": Case(2, "UsageError", ("--tipe",), ("append", "Order-1", "--tipe", "x"), hint="evstore append --help"),
    "an unknown scheme": Case(2, "UnknownAdapterError", ('"mysql:"', "memory:, mongodb:,", "postgres:,"), ("--db", "mysql://x", "categories")),
    "a host in a SQLite URL": Case(2, "InvalidUrlError", ('"sqlite://x.db"',), ("--db", "sqlite://x.db", "categories")),
    # extremes
    "a negative infinity": Case(5, "InvalidPayloadError", ("--data:", "JSON"), inline(data="-Infinity"), hint=QUOTED),
    "half of a surrogate pair in bytes": Case(5, "InvalidPayloadError", ("-:1:", "UTF-8"), piped("-t", "T"), b'"\xed\xa0\x80"'),
    "an overlong UTF-8": Case(5, "InvalidPayloadError", ("-:1:", "UTF-8"), piped("-t", "T"), b'"\xc0\xaf"'),
    "a raw NUL in data": Case(5, "InvalidPayloadError", ("-:1:", "JSON"), piped("-t", "T"), b'"a\0b"'),
    "an escaped NUL in a type": Case(5, "InvalidInputError", ("-:1:", "U+0000"), piped(), envelope(type="a\0b")),
    "an escaped NUL in a stream id": Case(5, "InvalidStreamIdError", ("-:1:", "U+0000"), ("append", "--many", "-"), envelope(streamId="A-\0")),
    "a line break in a stream id": Case(5, "InvalidStreamIdError", ("U+000A", 6), inline(stream="Order\n-1")),
    "a stream id of 4 KB": Case(5, "InvalidStreamIdError", (4096, 512), inline(stream="x" * 4096)),
    "a number that is cut off": Case(5, "InvalidPayloadError", ("-:1:", "JSON"), piped("-t", "T"), b"1e"),
    "a hexadecimal number": Case(5, "InvalidPayloadError", ("--data:", "JSON"), inline(data="0x10"), hint=QUOTED),
    "data without an end": Case(5, "InvalidPayloadError", ("-:1:",), piped("-t", "T"), b'"' + b"x" * 100_000),
    "a bad value behind a thousand good ones": Case(5, "InvalidPayloadError", ("-:1001:", "JSON"), piped("-t", "T"), b"1\n" * 1000 + b"{\n"),
    "metadata of 10,000 keys": Case(5, "InvalidPayloadError", ("-:1:", 65536), piped(), envelope(metadata={"custom": {f"key-{n}": "v" for n in range(10_000)}})),
    "a key of metadata that the store sets": Case(5, "InvalidPayloadError", ("-:1:", '"globalPosition"', '"custom"'), piped(), envelope(metadata={"globalPosition": 1})),
    "a tag with a space": Case(5, "InvalidInputError", ("-:1:", '"a b"'), piped(), envelope(tags=["a b"])),
    "65 tags": Case(5, "InvalidInputError", ("-:1:", 65, 64), piped(), envelope(tags=[f"t{n}" for n in range(65)])),
    "a limit of -1": Case(2, "UsageError", ("--limit", "-1"), ("replay", "--all", "--limit", "-1")),
    "a position of 5,000 digits": Case(2, "UsageError", ("--after",), ("replay", "--all", "--after", "9" * 5000), hint="evstore replay --help"),
    "a position that is a word": Case(2, "UsageError", ("--to", "'x'"), ("replay", "--all", "--to", "x"), hint="evstore replay --help"),
    "an empty tag to filter by": Case(5, "InvalidInputError", (), ("replay", "--all", "--tag", "")),
    "an id to get that is none": Case(5, "InvalidInputError", ('"x"',), ("get", "x"), hint="evstore read x"),
    "a query without a meaning": Case(2, "UsageError", ("--match", '"order"'), ("replay", "--all", "--match", "order")),
    "a consumer without a name": Case(5, "InvalidInputError", (), ("subscribe", "", "--all", "--once")),
    "a consumer whose name drives a terminal": Case(5, "InvalidInputError", ("U+001B",), ("subscribe", "a\x1b", "--all", "--once")),
    "a SQLite URI": Case(6, "NotInitializedError", ("file:x?mode=memory",), ("--db", "./file:x?mode=memory", "info"), hint="evstore init"),
    "an empty URL": Case(2, "InvalidUrlError", (), ("--db", "", "info")),
    "options of libpq in a URL": Case(2, "InvalidUrlError", (), ("--db", "postgresql://h/db?optionz=-cx", "info"), hint='"options"'),
}  # fmt: skip

FINE = {
    "the deepest data": "[" * 512 + "]" * 512,
    "duplicate keys": '{"a":1,"a":2}',
    "the order of keys": '{"b":1,"a":2,"10":3}',
    "an escaped NUL": r'"a\u0000b"',
    "an integer beyond 2^53": "9007199254740993",
    "an integer beyond 2^63": "9223372036854775808",
    "an integer of 5,000 digits": "9" * 5000,
    "spellings of numbers": "[1.0,1,1.10,1e2,-0,1e400,1E-400,0.30000000000000004]",
    "what breaks lines elsewhere": '"\u2028\u2029\x7f\x85"',
    "a byte order mark": '"\ufeff"',
    "what runs from right to left": '"\u202eabc"',
    "a pair of surrogates as escapes": r'"\ud83d\ude00"',
    "escapes as they were written": r'"\/\u00e9\u00E9"',
    "quotes of SQL": """{"it's":"'; DROP TABLE events; --"}""",
    "white space between tokens": '{ "a" :\t[ 1 , 2 ] }',
}
"""Data that a store may be expected to refuse or to change."""
FINE_STREAMS = (
    "it's-1", '"-1', "100%-1", "we_ird-1", "Order\\-1", "\u202eabc-1", "😀-1", "Caf\u00e9-1", "Cafe\u0301-1", "NoHyphen", "x-",
    "' OR 1=1 --", "a.b-*.>", "a/b-1", " -1", "x" * 512,
)  # fmt: skip
NO_STORE = {
    "an unknown scheme",
    "a host in a SQLite URL",
    "a SQLite URI",
    "an empty URL",
    "options of libpq in a URL",
}
"""The rows that name a place themselves."""
LARGE = "data too large"
"""The row that takes longer than all others."""
