"""README and guide are true: every block runs, every link leads somewhere, every guarantee has its test."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
from configparser import ConfigParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import TYPE_CHECKING, ClassVar, NamedTuple
from uuid import uuid4

import pexpect
import pytest

import evstore
from evstore.cli.exits import CODES
from tests.support.outside_tools import (
    environment,
    give_duckdb_its_extension,
    needs_command,
    needs_module,
    run,
)
from tests.support.postgres_roles import SCHEMA, TO_APPEND, TO_READ
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.servers import Server

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "tests" / "examples"
GUIDE = ROOT / "evstore" / "guide"
PAGES = {path.name: path.read_text() for path in (ROOT / "README.md", *sorted(GUIDE.glob("*.md")))}
README = PAGES["README.md"]
POSTGRES = "postgresql://shop@db.example.org/shop"
"""The pages' URL of a PostgreSQL store; the tests put one of their own in its place."""
FOLDER = "/home/you/shop"
"""The pages' folder."""
STEPS = re.compile(
    r"^(?P<heading>#{1,4} [^\n]+)$|^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)
HAND_MADE = {"sql", "dockerfile", "ini", "py"}
"""What is shown, and not run here."""
RUN_ELSEWHERE = ("tour.sh", "pytest", "Idempotency-Key")
"""Words of blocks that have a test of their own."""
SHARED_STORE = {"other-tools.md"}
"""Pages whose first block makes the store of every section."""
MODULES = re.compile(r"^import (duckdb|pandas|polars)$", re.MULTILINE)
COMMANDS = re.compile(r"^(?:datasette|psql|sqlite3)(?= )|\bjq(?= )", re.MULTILINE)


class Block(NamedTuple):
    page: str
    heading: str
    line: int
    language: str
    text: str
    output: str | None


def _blocks(page: str, text: str) -> Iterator[Block]:
    heading = ""
    steps = list(STEPS.finditer(text))
    for step, after in zip(steps, [*steps[1:], None], strict=True):
        heading = step["heading"] or heading
        if step["language"] in (None, "text"):
            continue
        output = after["text"] if after is not None and after["language"] == "text" else None
        line = text.count("\n", 0, step.start()) + 1
        yield Block(page, heading, line, step["language"], step["text"], output)


def _sections() -> list[list[Block]]:
    """The blocks that are run, by heading: those of one heading follow each other in one folder."""
    found = [
        block
        for page, text in PAGES.items()
        for block in _blocks(page, text)
        if block.language not in HAND_MADE and not any(word in block.text for word in RUN_ELSEWHERE)
    ]
    return [list(blocks) for _, blocks in groupby(found, lambda block: (block.page, block.heading))]


def _argv(block: Block) -> list[str]:
    return [sys.executable, "-c", block.text] if block.language == "python" else ["bash", "-euc", block.text]


def test_excerpts_stand_in_the_example_that_they_are_of() -> None:
    sources = [path.read_text() for path in (*EXAMPLES.glob("*.py"), *EXAMPLES.glob("shop/*.py"))]
    excerpts = [block for page, text in PAGES.items() for block in _blocks(page, text) if block.language == "py"]
    assert len(excerpts) > 5
    for block in excerpts:
        assert any(block.text in source for source in sources), f"{block.page}:{block.line}"


def _on_a_terminal(script: str, folder: Path) -> str:
    """The screen of a terminal with 80 columns on which a script of bash has run, without a failure."""
    child = pexpect.spawn(
        "bash",
        ["-euc", script],
        cwd=str(folder),
        env=environment(folder),
        dimensions=(24, 80),
        encoding="utf-8",
        timeout=60,
    )
    child.expect(pexpect.EOF)
    child.close()
    screen = str(child.before).replace("\r\n", "\n")
    assert child.exitstatus == 0, screen
    return screen


def _session(block: Block, folder: Path) -> str:
    """What a terminal shows when the commands after each "$ " are typed there."""
    typed = [line for line in block.text.splitlines() if line.startswith("$ ")]
    script = [f"printf '%s\\n' {shlex.quote(line)}\n{line.removeprefix('$ ')}" for line in typed]
    return _on_a_terminal("\n".join(script), folder)


def _stable(text: str, folder: Path) -> str:
    """What is shown, without what depends on the machine: its folder, its SQLite, and the size of a file."""
    text = text.replace(str(folder), FOLDER)
    text = re.sub(r"SQLite \d+(\.\d+)+", "SQLite N", text)
    text = re.sub(r"^warning .*\n( {12}.*\n)*", "", text, flags=re.MULTILINE)
    return re.sub(r"\d+(\.\d+)? kB", "N kB", text)


@pytest.fixture
def shop(newest: Server) -> Iterator[str]:
    """The URL of a PostgreSQL database for a store, as a page would have it."""
    database = f"shop_{uuid4().hex[:16]}"
    newest.execute(f"CREATE DATABASE {database}")
    yield newest.url(database=database)
    newest.execute(f"DROP DATABASE {database} WITH (FORCE)")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name, so that no line is wrapped for it, where the examples lie as in a clone."""
    with TemporaryDirectory() as made:
        path = Path(made).resolve()
        (path / "tests").mkdir()
        (path / "tests" / "examples").symlink_to(EXAMPLES)
        yield path


@pytest.mark.parametrize("section", _sections(), ids=lambda blocks: f"{blocks[0].page}:{blocks[0].heading}")
def test_the_blocks_of_a_section_print_what_the_page_shows(
    section: list[Block], folder: Path, request: pytest.FixtureRequest
) -> None:
    text = "".join(block.text for block in section)
    for command in COMMANDS.findall(text):
        needs_command(command)
    for module in MODULES.findall(text):
        needs_module(module)
    if section[0].page in SHARED_STORE:
        first = next(_blocks(section[0].page, PAGES[section[0].page]))
        assert first in section or run(_argv(first), folder).returncode == 0
    if any(block.text.startswith("import duckdb") and "ATTACH" in block.text for block in section):
        give_duckdb_its_extension(folder)
    if any(POSTGRES in block.text for block in section):
        url = request.getfixturevalue("shop")
        section = [block._replace(text=block.text.replace(POSTGRES, url)) for block in section]
    for block in section:
        where = f"{block.page}:{block.line}"
        if block.language == "console":
            assert _stable(_session(block, folder), folder) == _stable(block.text, folder), where
            continue
        assert block.language in {"sh", "python"}, where
        done = run(_argv(block), folder)
        assert done.returncode == 0, f"{where}: {done.stderr}"
        assert block.output is not None, f"{where}: a block without its output shows nothing"
        assert done.stdout.endswith(block.output), f"{where}: {done.stdout}"


def test_the_readme_has_the_two_set_up_commands() -> None:
    for mark, word in (("<!-- the tour -->", "tour.sh"), ("<!-- the tests -->", "pytest")):
        _, _, after = README.partition(mark)
        block = re.match(r"\n```sh\n(.*?)\n```", after, re.DOTALL)
        assert block is not None
        assert word in block[1]


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 200


@pytest.mark.parametrize("page", PAGES)
def test_a_page_can_be_read_in_a_terminal(page: str) -> None:
    """Rows of tables, events and the command that the checks take from the README stay one line."""
    whole = ("| ", "{", "python3 -m venv .venv && ")
    lines = enumerate(PAGES[page].splitlines(), 1)
    assert not [f"{at}: {line}" for at, line in lines if len(line) > 118 and not line.startswith(whole)]


@pytest.mark.parametrize("page", [page for page in PAGES if page != "README.md"])
def test_a_page_of_the_guide_says_for_whom_it_is_and_is_in_the_readme(page: str) -> None:
    assert re.match(r"# .+\n\nThis page is for ", PAGES[page])
    assert f"(evstore/guide/{page})" in README


def _anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_leads_to_a_file_and_a_heading() -> None:
    for page in (ROOT / "README.md", *GUIDE.glob("*.md")):
        links = re.findall(r"\]\(([^)#]*)(?:#([^)]+))?\)", page.read_text())
        for target, anchor in links:
            path = page.parent / target if target else page
            assert path.exists(), f"{page.name}: {target}"
            assert not anchor or anchor in _anchors(path), f"{page.name}: {target}#{anchor}"


def test_every_test_that_a_guarantee_names_exists() -> None:
    tables = re.findall(r"^\| promise \|.*\n\|[-|]+\n((?:\| .*\n)+)", PAGES["guarantees.md"], re.MULTILINE)
    rows = "".join(tables).splitlines()
    assert len(rows) > 8
    for row in rows:
        shown = re.findall(r"\[((?:`[^`]+`(?:, )?)+)\]\(([^)]+)\)", row)
        assert shown, row
        for names, target in shown:
            path = GUIDE / target
            source = (
                path.read_text() if path.is_file() else "".join(each.read_text() for each in path.glob("*.py"))
            )
            for name in re.findall(r"`(test_[^`]+)`", names):
                assert f"def {name.removesuffix('…')}" in source, (name, target)


def test_every_exit_code_of_the_guide_is_the_commands_own() -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", PAGES["scripts.md"], re.MULTILINE)
    assert len(rows) > 8
    for code, name in rows:
        assert CODES[name] == int(code)
    assert "evstore/guide/scripts.md#exit-codes" in README


def test_every_command_is_in_the_readme() -> None:
    from evstore.cli.app import COMMANDS

    for name in COMMANDS:
        assert f"`evstore {name}" in README


def test_the_rights_in_the_guide_are_those_that_init_grants() -> None:
    rows = re.findall(r"^\| `([A-Z]+)` \| (.*) \| (yes|no) \| yes \|$", PAGES["postgresql.md"], re.MULTILINE)
    found = {
        (right, name, may == "yes")
        for right, names, may in rows
        for name in re.findall(r"`(\w+)`|the schema", names)
    }
    wanted = {(right, "" if name == SCHEMA else name, (name, right) in TO_READ) for name, right in TO_APPEND}
    assert found == wanted


def test_the_changelog_knows_this_version_and_says_whether_old_stores_open() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    section = changelog.partition(f"## {evstore.__version__}")[2]
    assert "stores" in section


# --- consumers ---

MAIL = """#!/bin/sh
jq -r .streamId >> mails.txt
"""
"""The `send-mail` of the page."""


@pytest.fixture
def with_orders(folder: Path) -> Path:
    """A folder with a store of two orders, and with `send-mail`."""
    orders = "".join(f'{{"streamId":"Order-{n}","type":"OrderPlaced","data":{{}}}}\n' for n in (1, 2))
    (folder / "send-mail").write_text(MAIL)
    (folder / "send-mail").chmod(0o755)
    done = run(["bash", "-euc", f"evstore init; evstore append --many - <<< {shlex.quote(orders)}"], folder)
    assert done.returncode == 0, done.stderr
    return folder


def _block_of_consumers(mark: str) -> str:
    (found,) = (each.text for each in _blocks("consumers.md", PAGES["consumers.md"]) if mark in each.text)
    return found


class _Hooks(BaseHTTPRequestHandler):
    """Refuses each call of a key that is new, and takes the next."""

    keys: ClassVar[list[str]] = []
    bodies: ClassVar[list[bytes]] = []

    def do_POST(self) -> None:
        key = self.headers["Idempotency-Key"]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        known = key in self.keys
        self.keys.append(key)
        if known:
            self.bodies.append(body)
        self.send_response(200 if known else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep stderr for failures."""


def test_a_webhook_gets_each_event_under_the_same_key_until_it_takes_it(with_orders: Path) -> None:
    needs_command("curl")
    _Hooks.keys.clear()
    _Hooks.bodies.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hooks)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/hooks"
        script = _block_of_consumers("Idempotency-Key").replace("https://example.org/hooks", url)
        assert url in script
        for _ in range(2):  # the second run has nothing to do
            done = run(["bash", "-euc", script], with_orders)
            assert done.returncode == 0, done.stderr
    finally:
        server.shutdown()
        server.server_close()
    printed = run(["evstore", "replay", "Order"], with_orders).stdout.splitlines()
    ids = [json.loads(line)["id"] for line in printed]
    assert _Hooks.keys == [key for key in ids for _ in range(2)]
    assert [body.decode() for body in _Hooks.bodies] == [f"{line}\n" for line in printed]


def test_the_line_for_cron_sends_each_mail_once(with_orders: Path) -> None:
    (command,) = re.findall(r"^ {4}\* \* \* \* \* (.+)$", PAGES["consumers.md"], re.MULTILINE)
    for _ in range(2):
        done = run(["sh", "-c", command.replace(FOLDER, str(with_orders))], with_orders)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (with_orders / "mails.txt").read_text() == "Order-1\nOrder-2\n"


def test_the_service_of_systemd_runs_until_it_is_terminated(with_orders: Path) -> None:
    text = _block_of_consumers("[Service]").replace(FOLDER, str(with_orders))
    evstore_here = str(Path(sys.executable).parent / "evstore")
    text = text.replace("/home/you/.local/bin/evstore", evstore_here)
    if shutil.which("systemd-analyze"):
        unit = with_orders / "mailer.service"
        unit.write_text(text)
        checked = run(["systemd-analyze", "verify", "--man=no", str(unit)], with_orders)
        assert str(unit) not in checked.stderr, checked.stderr
    unit_file = ConfigParser(interpolation=None)
    unit_file.optionxform = str  # type: ignore[assignment, method-assign]
    unit_file.read_string(text)
    service = unit_file["Service"]
    assert {int(code) for code in service["RestartPreventExitStatus"].split()} <= set(CODES.values())
    started = subprocess.Popen(
        shlex.split(service["ExecStart"]),
        cwd=service["WorkingDirectory"],
        env=environment(with_orders),
        stderr=subprocess.PIPE,
    )
    mails = with_orders / "mails.txt"
    try:
        wait_for(lambda: mails.exists() and len(mails.read_text().splitlines()) == 2)
    finally:
        started.terminate()
        _, err = started.communicate(timeout=30)
    assert (started.returncode, err) == (-signal.SIGTERM, b"")
    assert mails.read_text() == "Order-1\nOrder-2\n"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A git repository of two commits with the tour in it."""
    (tmp_path / "tests").mkdir()
    shutil.copytree(EXAMPLES, tmp_path / "tests" / "examples")
    (tmp_path / ".git" / "info").mkdir(parents=True)
    (tmp_path / ".git" / "info" / "exclude").write_text("/tests/\n")
    (tmp_path / "a b.txt").write_text("x")
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", "-C", str(tmp_path)]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", 'Say "hello"\n']):
        subprocess.run([*git, *words], check=True)
    (tmp_path / "a b.txt").rename(tmp_path / "c.txt")
    for words in (["add", "-A"], ["commit", "-qm", "Rename"]):
        subprocess.run([*git, *words], check=True)
    return tmp_path


def test_the_tour_tells_the_git_history_of_a_clone(clone: Path) -> None:
    """The part of the tour after the installation, in a repository made here."""
    line = "python tests/examples/git_history.py | evstore append --many -; evstore replay --all"
    done = run(["bash", "-euc", f"evstore init\n{line}"], clone)
    assert done.returncode == 0, done.stderr
    types = re.findall(r'"streamId":"(\w+)-[^"]*","type":"(\w+)"', done.stdout)
    assert types == [
        ("Commit", "Committed"),
        ("File", "FileAdded"),
        ("Commit", "Committed"),
        ("File", "FileRenamed"),
    ]
    assert r'"subject": "Say \"hello\""' in done.stdout


def test_the_tour_runs_to_its_end_and_touches_no_environment_but_its_own(clone: Path, tmp_path: Path) -> None:
    """Only the installation is left out: a `python3` is found first that puts the evstore of the tests there."""
    tools = tmp_path / "tools"
    tools.mkdir()
    bin_ = Path(sys.executable).parent
    stand_in = tools / "python3"
    stand_in.write_text(
        f"""#!/bin/sh
[ "$2" = venv ] || exec {shlex.quote(sys.executable)} "$@"
mkdir -p "$3/bin"
ln -sf /bin/true "$3/bin/pip"
for each in python evstore; do
    printf '#!/bin/sh\\nexec %s "$@"\\n' {shlex.quote(str(bin_))}/$each > "$3/bin/$each"
    chmod +x "$3/bin/$each"
done
"""
    )
    stand_in.chmod(0o755)
    (clone / ".venv").mkdir()
    script = f"PATH={shlex.quote(str(tools))}:/usr/bin:/bin; export PATH; sh tests/examples/tour.sh"
    screen = _on_a_terminal(script, clone)
    assert "Rename" in screen
    assert re.search(r"Committed .*\n.*└ FileRenamed", screen)
    assert re.search(r"events +4 in 4 streams of 2 categories", screen)
    (path,) = re.findall(r"^ *(export PATH=.*)$", screen, re.MULTILINE)
    (store,) = re.findall(r"^ *(export EVSTORE_DB=.*)$", screen, re.MULTILINE)
    assert not list((clone / ".venv").iterdir())
    assert not subprocess.check_output(["git", "status", "--porcelain", ".tour"], cwd=clone)
    tried = re.findall(r"^ +(evstore .+)$", screen.partition(store)[2], re.MULTILINE)
    assert len(tried) == 3
    done = run(["bash", "-euc", "\n".join(["PATH=/usr/bin:/bin", path, store, *tried])], clone)
    assert done.returncode == 0, done.stderr


def test_the_stations_of_an_append_are_few_and_stand_where_the_guide_says() -> None:
    page = ROOT / "evstore" / "guide" / "contributing.md"
    stations = re.findall(r"^\| \d \| \[[^\]]+\]\(([^)]+)\) `([\w.]+)` \|", page.read_text(), re.MULTILINE)
    assert 5 <= len(stations) <= 8
    for target, name in stations:
        source = (page.parent / target).read_text()
        for part in name.split("."):
            assert re.search(rf"^ *(def|class) {part}\b", source, re.MULTILINE), (target, name)
