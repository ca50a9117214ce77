#!/usr/bin/env bash
# libsql 0.1.11 (Python): an integer from 2^31 on is bound as a float.
#
# Expected: an integer of up to 64 bits is stored as it is, as Python's sqlite3 does; a longer one is refused.
# Happens: from 2147483648 on the parameter is REAL. A column of integers takes it back for an integer where nothing
#   is lost: 9007199254740993 is stored as 9007199254740992. The largest one, 2^63 - 1, stays a float, and so does
#   2^63, which no integer can be. No call fails. The same number written into the statement is right.
# Matters: a time in nanoseconds, an id of a snowflake kind or a hash of 64 bits is stored as its neighbour, and two
#   of them as one. A search for the right number finds nothing, or the wrong row.
# Instead: bind such a number as text, and CAST(? AS INTEGER) in the statement.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check libsql==0.1.11
cd "$work"

cat > try.py <<'PY'
import sqlite3
from importlib.metadata import version

import libsql

print("libsql", version("libsql"))
NUMBERS = (2**31 - 1, 2**31, 2**53 + 1, 1764374400123456789, 2**63 - 1, 2**63)
for name, module in (("sqlite3", sqlite3), ("libsql", libsql)):
    connection = module.connect(f"{name}.db")
    connection.execute("CREATE TABLE events (number INTEGER)")
    for number in NUMBERS:
        try:
            bound, = connection.execute("SELECT typeof(?)", (number,)).fetchone()
            connection.execute("INSERT INTO events VALUES (?)", (number,))
            kept = connection.execute("SELECT number FROM events ORDER BY rowid DESC").fetchone()[0]
            print(f"{name}: {number} is bound as {bound}, kept as {kept!r}")
        except OverflowError:
            print(f"{name}: {number} is refused")
    connection.commit()
connection = libsql.connect("libsql.db")
number = 2**53 + 1
print("in the statement:", connection.execute(f"SELECT {number}").fetchone()[0])
print("through text:", connection.execute("SELECT CAST(? AS INTEGER)", (str(number),)).fetchone()[0])
PY
venv/bin/python try.py | tee seen

cat > expected <<'SEEN'
libsql 0.1.11
sqlite3: 2147483647 is bound as integer, kept as 2147483647
sqlite3: 2147483648 is bound as integer, kept as 2147483648
sqlite3: 9007199254740993 is bound as integer, kept as 9007199254740993
sqlite3: 1764374400123456789 is bound as integer, kept as 1764374400123456789
sqlite3: 9223372036854775807 is bound as integer, kept as 9223372036854775807
sqlite3: 9223372036854775808 is refused
libsql: 2147483647 is bound as integer, kept as 2147483647
libsql: 2147483648 is bound as real, kept as 2147483648
libsql: 9007199254740993 is bound as real, kept as 9007199254740992
libsql: 1764374400123456789 is bound as real, kept as 1764374400123456768
libsql: 9223372036854775807 is bound as real, kept as 9.223372036854776e+18
libsql: 9223372036854775808 is bound as real, kept as 9.223372036854776e+18
in the statement: 9007199254740993
through text: 9007199254740993
SEEN
diff expected seen || { echo "changed: this is not what was seen" >&2; exit 1; }
