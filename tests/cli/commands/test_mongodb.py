"""The command on a store on MongoDB, from end to end."""

from __future__ import annotations

import json
import signal

import pytest

from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.sqlite_only("it is about MongoDB, whatever else the command is tried on")


@pytest.fixture
def shop(evstore, mongo_server):
    evstore.database = mongo_server.place()
    evstore.ok("init")
    yield evstore
    mongo_server.drop_places()


def test_events_are_appended_read_and_listed(shop):
    shop.ok("append", "Order-1", "-t", "Placed", "-d", '{"total": 99.90}', "--tag", "shop")
    shop.ok("append", "Order-1", "-t", "Paid", "-d", "1", "--expect", "1")
    taken = ("append", "Stock-1", "-t", "Taken", "-d", "2", "--source", "orders.csv@3")
    shop.ok(*taken)
    assert '"total": 99.90' in shop.ok("read", "Order-1").lines[0]
    assert [json.loads(line)["type"] for line in shop.ok("replay", "--all").lines] == ["Placed", "Paid", "Taken"]
    assert [json.loads(line)["type"] for line in shop.ok("read", "Order-1", "--last", "1").lines] == ["Paid"]
    assert [json.loads(line)["category"] for line in shop.ok("categories").lines] == ["Order", "Stock"]
    assert [json.loads(line)["streamId"] for line in shop.ok("streams").lines] == ["Order-1", "Stock-1"]
    assert json.loads(shop.ok(*taken).out)["duplicate"]
    done = shop("append", "Order-1", "-t", "Placed", "-d", "1", "--expect", "7")
    assert done.code == 4
    assert 'stream "Order-1" is at version 2, expected version 7' in done.err


def test_a_log_moves_there_and_back_unchanged(shop, tmp_path):
    lines = b"".join(b'{"type":"T","data":{"n":%d.0},"tags":["t%d"]}\n' % (n, n % 3) for n in range(30))
    shop.ok("append", "Order-1", "-", stdin=lines)
    shop.ok("append", "Stock-1", "-t", "Taken", "-d", '"\\u0000 \u2028 1e400"', "--user-id", "it's me")
    exported = shop.ok("export").out
    there = shop.database
    shop.database = f"sqlite:{tmp_path}/copy.db"
    shop.ok("init")
    shop.ok("import", "-", stdin=exported)
    assert shop.ok("export").out == exported
    shop.ok("diff", there)
    digest = shop.ok("verify").err.partition("digest ")[2].split()[0]
    shop.database = there
    assert digest in shop.ok("verify", "--expect", digest).err


def test_an_export_of_another_store_is_exported_again_as_it_was(shop, tmp_path, mongo_server):
    shop.database = f"sqlite:{tmp_path}/first.db"
    shop.ok("init")
    for number in range(3):
        shop.ok("append", f"Order-{number}", "-t", "Placed", "-d", '{"a": 1.10, "a": [ ]}', "--tag", "x")
    event_id = json.loads(shop.ok("read", "Order-1").out)["id"]
    shop.ok("redact", event_id, "--reason", "asked for")
    exported = shop.ok("export").out
    shop.database = mongo_server.place()
    shop.ok("init")
    shop.ok("import", "-", stdin=exported)
    assert shop.ok("export").out == exported
    (tmp_path / "export.ndjson").write_bytes(exported)
    shop.ok("diff", f"memory:{tmp_path}/export.ndjson")


def test_a_follower_prints_an_event_as_soon_as_it_is_there(shop):
    shop.ok("append", "Order-1", "-t", "Placed", "-d", "1")
    with shop.start("replay", "Order", "-f") as process:
        assert json.loads(process.stdout.readline())["globalPosition"] == 1
        for position in (2, 3):
            shop.ok("append", "Order-1", "-t", "Paid", "-d", "1")
            assert json.loads(process.stdout.readline())["globalPosition"] == position
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)


def test_a_consumer_goes_on_where_it_stood(shop):
    shop.ok("append", "Order-1", "-t", "Placed", "-d", "1")
    first = shop.ok("subscribe", "mailer", "Order", "--once", "--", "cat")
    assert [json.loads(line)["globalPosition"] for line in first.lines] == [1]
    shop.ok("append", "Order-1", "-t", "Paid", "-d", "1")
    second = shop.ok("subscribe", "mailer", "Order", "--once", "--", "cat")
    assert [json.loads(line)["globalPosition"] for line in second.lines] == [2]
    assert json.loads(shop.ok("consumers").out)["lag"] == 0


def test_info_names_the_server_and_that_it_stands_alone(shop):
    info = json.loads(shop.ok("info").out)
    assert info["backend"] == "mongodb"
    assert info["backendVersion"]
    assert "majority" in info["durability"]["write_concern"]


def test_what_the_store_cannot_do_is_refused(shop, tmp_path):
    shop.ok("append", "Order-1", "-t", "Placed", "-d", "1")
    event_id = json.loads(shop.ok("read", "Order-1").out)["id"]
    for words in (("redact", event_id, "--reason", "r"), ("backup", str(tmp_path / "copy"))):
        done = shop(*words)
        assert done.code == 2, done
        assert "MongoDB" in done.err
    done = shop("subscribe", "mailer", "Order", "--once", "--append", "--", "cat")
    assert done.code == 2
    assert "cannot append in the step of a checkpoint" in done.err
    for flag in ("--tamper-evident", "--grant-read=reader"):
        assert shop("init", flag).code == 2
