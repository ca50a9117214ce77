"""URLs of stores on NATS, and an evstore without nats-py."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from evstore import InvalidUrlError, connect
from evstore.adapters.nats.location import location_of
from evstore.adapters.nats.subjects import Subjects, decoded, encoded
from evstore.errors import CorruptStoreError


def test_a_url_names_servers_login_stream_and_replicas():
    found = location_of("nats://me:p%40ss@one,two:4333/shop?replicas=1")
    assert found.servers == ("nats://one:4222", "nats://two:4333")
    assert found.login == {"user": "me", "password": "p@ss"}
    assert (found.name, found.replicas) == ("shop", 1)
    assert found.shown == "nats://me:***@one,two:4333/shop?replicas=1"
    assert "p@ss" not in repr(found)


def test_without_a_name_the_stream_is_evstore_with_three_replicas():
    found = location_of("tls://one")
    assert (found.servers, found.name, found.replicas) == (("tls://one:4222",), "evstore", 3)


@pytest.mark.parametrize(
    "url",
    ["nats:", "nats://", "nats://one/a.b", "nats://one/a/b", "nats://one/a?replicas=2", "nats://one/a?replica=1"],
)
def test_another_url_is_refused(url):
    with pytest.raises(InvalidUrlError):
        location_of(url)


@pytest.mark.parametrize(
    "name", ["Order-1", "a.b-*.>", "😀", "\u00a0", "%2E", "a b", "~_-", "é" * 256, "$redactions"]
)
def test_a_name_is_one_token_and_comes_back(name):
    token = encoded(name)
    assert token.isascii()
    assert not {*token} & set(" .*>")
    assert decoded(token) == name
    subjects = Subjects("shop")
    assert subjects.stream_id(subjects.of_stream(name)) == name


@pytest.mark.parametrize(
    "subject", ["shop.e.Order.Stock-1", "shop.e.Order", "shop.e.a.b.c", "shop.e.%4frder.%4frder"]
)
def test_a_subject_that_evstore_does_not_make_is_known(subject):
    with pytest.raises(CorruptStoreError):
        Subjects("shop").stream_id(subject)


def test_without_nats_py_one_line_names_the_command_that_installs_it():
    script = (
        "import sys\n"
        "sys.modules['nats'] = None\n"
        "sys.argv[1:] = ['--db', 'nats://localhost/shop', 'info']\n"
        "from evstore.cli import command\n"
        "command()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done
    (line,) = done.stderr.splitlines()
    assert line.endswith("a store on NATS needs the package nats-py: pip install 'evstore[nats]'")


def test_evstore_alone_installs_no_driver_of_nats():
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    assert not any("nats" in each for each in project["dependencies"])
    assert any("nats-py" in each for each in project["optional-dependencies"]["nats"])


def test_connecting_asks_no_server():
    with connect("nats://127.0.0.1:1/shop") as store:
        assert store.location == "nats://127.0.0.1:1/shop"
