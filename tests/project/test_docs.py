"""The README is true: every block runs, every link leads somewhere, every promise has its test."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import evstore
from evstore.cli.exits import CODES

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
GUIDE = sorted((ROOT / "evstore" / "guide").glob("*.md"))


class Block(NamedTuple):
    line: int
    language: str
    text: str
    output: str | None


def _blocks() -> list[Block]:
    found = [
        (README[: match.start()].count("\n") + 1, match[1], match[2])
        for match in re.finditer(r"^```(\w+)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    ]
    blocks = []
    for at, (line, language, text) in enumerate(found):
        if language != "text":
            after = found[at + 1] if at + 1 < len(found) else (0, "", "")
            blocks.append(Block(line, language, text, after[2] if after[1] == "text" else None))
    return blocks


BLOCKS = [block for block in _blocks() if "tour.sh" not in block.text and "pytest" not in block.text]


def _run(block: Block, folder: Path) -> subprocess.CompletedProcess[str]:
    env = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "PYTHONWARNINGS": "error",
    }
    argv = ["bash", "-eu", "-c", block.text] if block.language == "sh" else [sys.executable, "-c", block.text]
    return subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"line {block.line}")
def test_a_block_prints_what_the_readme_says(block: Block, tmp_path: Path) -> None:
    if "jq" in block.text and shutil.which("jq") is None:
        pytest.skip("jq is not installed here; the block is for those who have it")
    done = _run(block, tmp_path)
    assert done.returncode == 0, done.stderr
    assert block.output is not None, "a block without its output shows nothing"
    assert done.stdout.endswith(block.output)


def test_the_readme_has_the_two_set_up_commands() -> None:
    for mark, word in (("<!-- the tour -->", "tour.sh"), ("<!-- the tests -->", "pytest")):
        _, _, after = README.partition(mark)
        block = re.match(r"\n```sh\n(.*?)\n```", after, re.DOTALL)
        assert block is not None
        assert word in block[1]


def test_every_link_leads_to_a_file() -> None:
    for page in (ROOT / "README.md", *GUIDE):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_test_that_a_guarantee_names_exists() -> None:
    rows = re.findall(r"\[((?:`[^`]+`(?:, )?)+)\]\(([^)]+)\)", README)
    assert rows
    for names, target in rows:
        path = ROOT / target
        source = path.read_text() if path.is_file() else "".join(each.read_text() for each in path.glob("*.py"))
        for name in re.findall(r"`(test_[^`]+)`", names):
            assert f"def {name.removesuffix('…')}" in source, (name, target)


def test_every_exit_code_of_the_readme_is_the_commands_own() -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", README, re.MULTILINE)
    assert len(rows) > 8
    for code, name in rows:
        assert CODES[name] == int(code)


def test_every_command_is_in_the_readme() -> None:
    from evstore.cli.app import app

    for command in app.registered_commands:
        assert f"`evstore {command.name}" in README


def test_the_changelog_knows_this_version_and_says_whether_old_stores_open() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    section = changelog.partition(f"## {evstore.__version__}")[2]
    assert "stores" in section


def test_the_tour_tells_the_git_history_of_a_clone(tmp_path: Path) -> None:
    """The part of the tour behind the installation, in a repository made here."""
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", "-C", str(tmp_path)]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", 'Say "hello"\n']):
        (tmp_path / "a b.txt").write_text("x")
        subprocess.run([*git, *words], check=True)
    (tmp_path / "a b.txt").rename(tmp_path / "c.txt")
    for words in (["add", "-A"], ["commit", "-qm", "Rename"]):
        subprocess.run([*git, *words], check=True)
    script = ROOT / "tests" / "examples" / "git_history.py"
    line = f"{sys.executable} {script} | evstore append --many -; evstore replay --all"
    done = _run(Block(0, "sh", f"evstore init\n{line}", None), tmp_path)
    assert done.returncode == 0, done.stderr
    types = re.findall(r'"streamId":"(\w+)-[^"]*","type":"(\w+)"', done.stdout)
    assert types == [
        ("Commit", "Committed"),
        ("File", "FileAdded"),
        ("Commit", "Committed"),
        ("File", "FileRenamed"),
    ]
    assert r'"subject": "Say \"hello\""' in done.stdout
