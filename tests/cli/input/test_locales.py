"""Arguments, variables and names of files are UTF-8, whatever the locale is."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.command import Command

pytestmark = pytest.mark.sqlite_only("what a locale does to arguments does not depend on where events are stored")


@pytest.fixture(scope="module")
def latin1(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables of a locale in Latin-1, made for the tests."""
    folder: Path = tmp_path_factory.mktemp("locales")
    made = folder / "en_US.ISO-8859-1"
    define = ["localedef", "-i", "en_US", "-f", "ISO-8859-1", str(made)]
    if not shutil.which("localedef") or subprocess.run(define, capture_output=True).returncode:
        pytest.skip("no locale in Latin-1 can be made: localedef or its sources are not installed")
    return {"LC_ALL": "en_US.ISO-8859-1", "LOCPATH": str(folder)}


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize("which", ["latin1", "ascii"])
def test_every_word_is_stored_as_it_was_typed(store: Command, request: pytest.FixtureRequest, which: str) -> None:
    env = ASCII if which == "ascii" else request.getfixturevalue("latin1")
    done = store(
        "append",
        "Käufer-☃",
        "-t",
        "Geprüft",
        "-d",
        '"ü€"',
        "-m",
        "wer=Zoë",
        env={**env, "EVSTORE_USER_ID": "Jörg"},
    )
    assert done.code == 0, done
    event = json.loads(store.ok("read", "Käufer-☃").out)
    assert (event["streamId"], event["type"], event["data"]) == ("Käufer-☃", "Geprüft", "ü€")
    assert event["metadata"] == {"userId": "Jörg", "custom": {"wer": "Zoë"}}
    assert store("read", "Käufer-☃", env=env).out == store.ok("read", "Käufer-☃").out


def test_a_message_is_printed_though_the_locale_cannot_spell_a_name_in_it(store: Command) -> None:
    done = store("info", "Gr-ö", env=ASCII)
    assert done.code == 3
    assert done.err.splitlines()[0] == r'evstore: no stream "Gr-\xf6"'


def test_names_of_files_are_those_that_were_typed(store: Command, latin1: dict[str, str]) -> None:
    (store.folder / "rechnung-ü.ndjson").write_text('{"type":"T","data":1}\n')
    assert store("append", "A-1", "rechnung-ü.ndjson", env=latin1).code == 0
    assert store("export", "-O", "lög.ndjson", env=latin1).code == 0
    assert (store.folder / "lög.ndjson").exists()
    assert store("--db", "lädchen.db", "init", env=latin1).code == 0
    assert (store.folder / "lädchen.db").exists()


@pytest.mark.parametrize("which", ["utf8", "latin1"])
def test_what_is_not_utf8_is_refused(store: Command, request: pytest.FixtureRequest, which: str) -> None:
    env = {"LC_ALL": "C.UTF-8"} if which == "utf8" else request.getfixturevalue("latin1")
    for words in (
        ("K\udcfcr-1", "-t", "T", "-d", "1"),
        ("A-1", "-t", "T\udcfc", "-d", "1"),
        ("A-1", "-t", "T", "-d", '"\udcfc"'),
    ):
        done = subprocess.run(
            store.argv("append", *words), cwd=store.folder, env=store.env(**env), capture_output=True
        )
        assert (done.returncode, done.stdout) == (5, b""), done
    assert store.ok("streams").out == b""


def test_messages_stay_in_the_encoding_of_the_locale(store: Command, latin1: dict[str, str]) -> None:
    done = subprocess.run(
        store.argv("read", "Käufer-1"), cwd=store.folder, env=store.env(**latin1), capture_output=True
    )
    assert done.returncode == 3
    assert "Käufer-1".encode("latin-1") in done.stderr


def test_the_exit_code_is_that_of_the_command(store: Command, latin1: dict[str, str]) -> None:
    assert store("read", "Missing-1", env=latin1).code == 3
    assert store("--version", env=latin1).code == 0
