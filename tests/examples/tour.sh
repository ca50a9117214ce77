#!/bin/sh
# Install evstore beside this clone and use it on real input: the clone's own git history becomes events.
set -eu
cd "$(dirname "$0")/../.."

python3 -m venv .venv
.venv/bin/pip install --quiet --disable-pip-version-check .
PATH="$PWD/.venv/bin:$PATH"
EVSTORE_DB="sqlite:///$(mktemp -d)/history.db"
export EVSTORE_DB

show() {
    printf '\n$ %s\n' "$1"
    sh -c "$1"
}

show 'evstore init'
show 'python tests/examples/git_history.py | evstore append --many -'
show 'evstore categories'
show 'evstore read File-README.md'
show 'evstore replay Commit --reverse --limit 3'
show 'evstore replay File --type FileAdded | wc -l'
show 'evstore replay Commit | python -c "
import json, sys
for line in sys.stdin:
    print(json.loads(line)[\"data\"][\"subject\"])
" | head -n 5'
printf '\nThe store is %s; export EVSTORE_DB to go on with it.\n' "$EVSTORE_DB"
