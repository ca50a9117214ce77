#!/usr/bin/env bash
# libsql 0.1.11 (Python): executescript ends at the first statement that fails, and raises nothing.
#
# Expected: the failure is raised, as Python's sqlite3 does, and the caller rolls back.
# Happens: the call returns None, as after a script that ran through. What stood before the failing statement is done,
#   what stood behind it is not. A script in BEGIN and COMMIT leaves its transaction open, so that the caller's own
#   commit stores the first half. A misspelt statement ends it in the same silence.
# Matters: a migration or a load of events is taken for done, and half of it is there.
# Instead: run the statements one by one with execute, which raises ValueError.
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
SCRIPTS = {
    "a second event 1": "BEGIN; INSERT INTO events VALUES (1); INSERT INTO events VALUES (1); INSERT INTO events VALUES (2); COMMIT;",
    "a misspelt word": "BEGIN; INSERT INTO events VALUES (3); INSRET INTO events VALUES (4); INSERT INTO events VALUES (5); COMMIT;",
}
for name, module in (("sqlite3", sqlite3), ("libsql", libsql)):
    for what, script in SCRIPTS.items():
        connection = module.connect(":memory:")
        connection.execute("CREATE TABLE events (position INTEGER PRIMARY KEY)")
        connection.commit()
        try:
            outcome = f"returned {connection.executescript(script)}"
            connection.commit()
        except Exception as error:
            outcome = f"raised {type(error).__name__}"
            connection.rollback()
        print(f"{name}, {what}: {outcome}, events {connection.execute('SELECT position FROM events').fetchall()}")
try:
    connection.execute("INSERT INTO events VALUES (3)")
except ValueError as error:
    print(f"libsql, execute: {error}")
PY
venv/bin/python try.py | tee seen

cat > expected <<'SEEN'
libsql 0.1.11
sqlite3, a second event 1: raised IntegrityError, events []
sqlite3, a misspelt word: raised OperationalError, events []
libsql, a second event 1: returned None, events [(1,)]
libsql, a misspelt word: returned None, events [(3,)]
libsql, execute: UNIQUE constraint failed: events.position
SEEN
diff expected seen || { echo "changed: this is not what was seen" >&2; exit 1; }
