#!/bin/sh
# Install evstore in a folder of its own, .tour in this clone, and use it on real input: the git history of the clone.
set -eu
cd "$(dirname "$0")/../.."

git rev-parse --verify --quiet HEAD > /dev/null || {
    echo "The tour needs a git clone: it reads the history of $PWD." >&2
    exit 1
}
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "evstore needs Python 3.11 or newer; python3 here is $(python3 --version)." >&2
    exit 1
}

mkdir -p .tour
echo '*' > .tour/.gitignore
echo "Installing evstore and what it needs into $PWD/.tour; this can take a minute ..."
python3 -m venv .tour
.tour/bin/pip install --quiet --disable-pip-version-check .

PATH="$PWD/.tour/bin:$PATH"
EVSTORE_DB="sqlite:///$PWD/.tour/history.db"
export EVSTORE_DB
rm -f .tour/history.db .tour/history.db-wal .tour/history.db-shm

# Where the tour's own output is captured, it shows what a terminal would.
[ -t 1 ] || export EVSTORE_FORMAT=table

say() {
    printf '\n%s\n' "$1"
}

show() {
    printf '\n$ %s\n' "$1"
    sh -c "$1"
}

say "Make a store, and turn each commit and each change of a file into an event:"
show 'evstore init'
show 'python tests/examples/git_history.py | evstore append --many -'

say "Look at what there is:"
show 'evstore categories'
show 'evstore info'
show 'evstore replay Commit --last 5 --fields globalPosition,data.subject'

say "Follow one commit to what it did; all of its events have its hash as correlation id:"
show "evstore trace $(git log -1 --no-merges --format=%H)"

unset EVSTORE_FORMAT
say "In a pipe, the same commands print one JSON line for each event:"
show 'evstore replay File --type FileAdded | wc -l'
show 'evstore replay Commit --limit 1 | cat'

cat << END

Go on with this store in your shell:

  export PATH="$PWD/.tour/bin:\$PATH"
  export EVSTORE_DB="$EVSTORE_DB"

and try:

  evstore types File
  evstore streams File --limit 10
  evstore replay Commit --reverse --limit 3

All of it lies in $PWD/.tour; delete that folder when you have seen enough.
END
