"""URLs of stores on MongoDB, and an evstore without pymongo."""

from __future__ import annotations

import subprocess
import sys

import pytest

from evstore import InvalidUrlError, connect
from evstore.adapters.mongodb.location import location_of
from evstore.adapters.mongodb.numbering import decoded, encoded, last_number, numbered, unit_id


def test_a_url_names_servers_login_and_database():
    url = "mongodb://me:p%40ss@one:27017,two:27018/shop?replicaSet=rs0&authSource=admin"
    found = location_of(url)
    assert (found.url, found.name) == (url, "shop")
    assert found.shown == "mongodb://me:***@one:27017,two:27018/shop?replicaSet=rs0&authSource=admin"
    assert "p%40ss" not in repr(found)


@pytest.mark.parametrize("url", ["mongodb://one", "mongodb://one/", "mongodb+srv://cluster.example.org"])
def test_without_a_name_the_database_is_evstore(url):
    assert location_of(url).name == "evstore"


@pytest.mark.parametrize(
    "url",
    [
        "mongodb:",
        "mongodb://",
        "mongodb://one/a.b",
        "mongodb://one/a/b",
        "mongodb://one/shop?replicaset",
        "mongodb://one:0/shop",
    ],
)
def test_another_url_is_refused(url):
    with pytest.raises(InvalidUrlError):
        location_of(url)


def test_connecting_asks_no_server():
    with connect("mongodb://127.0.0.1:1/shop") as store:
        assert store.location == "mongodb://127.0.0.1:1/shop"


def test_without_pymongo_the_command_that_installs_it_is_named():
    script = (
        "import sys\n"
        "sys.modules['pymongo'] = None\n"
        "from evstore import connect, MissingDependencyError\n"
        "try:\n    connect('mongodb://localhost/shop')\n"
        "except MissingDependencyError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "pip install 'evstore[mongodb]'" in done.stdout


@pytest.mark.parametrize(
    "name", ["Order-1", "a/b", "😀", "\u00a0", "%2E", "a b", '<"&\\>', "é" * 256, "$redactions"]
)
def test_a_name_is_plain_text_in_a_key_and_comes_back(name):
    text = encoded(name)
    assert text.isascii()
    assert not {*text} & set('/<>&"\\ $')
    assert decoded(text) == name


def test_numbers_have_leading_zeros_so_that_they_sort_as_text():
    assert unit_id(42) == "00000000000000000042"
    assert numbered("mailer", 17) == "mailer/00000017"


@pytest.mark.parametrize("last", [0, 1, 2, 3, 7, 8, 9, 100, 1023, 1024])
def test_the_last_of_dense_numbers_is_found_with_few_questions(last):
    for known in {0, last // 2, last}:
        asked = []

        def is_there(number, asked=asked):
            asked.append(number)
            return number <= last

        assert last_number(is_there, known) == last
        assert len(asked) <= 2 * max(last - known, 1).bit_length() + 1
