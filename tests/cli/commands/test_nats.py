"""The command on a store in NATS JetStream, from end to end."""

from __future__ import annotations

import json
import signal

import pytest

from tests.support.servers import newest_of
from tests.support.waiting import PATIENCE


@pytest.fixture
def shop(evstore, nats_server):
    evstore.database = nats_server.place()
    evstore.ok("init")
    return evstore


pytestmark = pytest.mark.sqlite_only("it is about NATS, whatever else the command is tried on")


def test_events_are_appended_read_and_listed(shop):
    shop.ok("append", "Order-1", "-t", "Placed", "-d", '{"total": 99.90}', "--tag", "shop")
    shop.ok("append", "Order-1", "-t", "Paid", "-d", "1", "--expect", "1")
    shop.ok("append", "Stock-1", "-t", "Taken", "-d", "2", "--source", "orders.csv@3")
    assert '"total": 99.90' in shop.ok("read", "Order-1").lines[0]
    assert [json.loads(line)["type"] for line in shop.ok("replay", "--all").lines] == ["Placed", "Paid", "Taken"]
    assert [json.loads(line)["type"] for line in shop.ok("read", "Order-1", "--last", "1").lines] == ["Paid"]
    assert [json.loads(line)["category"] for line in shop.ok("categories").lines] == ["Order", "Stock"]
    assert [json.loads(line)["streamId"] for line in shop.ok("streams").lines] == ["Order-1", "Stock-1"]
    assert json.loads(shop.ok("append", "Stock-1", "-t", "Taken", "-d", "2", "--source", "orders.csv@3").out)[
        "duplicate"
    ]


def test_a_conflict_has_the_exit_code_of_every_store(shop):
    shop.ok("append", "Order-1", "-t", "Placed", "-d", "1")
    done = shop("append", "Order-1", "-t", "Placed", "-d", "1", "--expect", "7")
    assert done.code == 4
    assert 'stream "Order-1" is at version 1, expected version 7' in done.err


def test_init_names_the_permissions_and_info_what_it_cannot_see(evstore, nats_server):
    evstore.database = nats_server.place()
    told = evstore.ok("init").err
    for words in ("sync_interval: always", "$JS.API.STREAM.MSG.GET.", "$KV.", "update or delete its stream"):
        assert words in told
    info = json.loads(evstore.ok("info").out)
    assert info["durability"]["replicas"] == "1"
    assert "not visible" in info["durability"]["sync_interval"]
    assert any("1 replica" in warning for warning in info["warnings"])
    assert info["durability"]["maxUnitEvents"] == "40000"
    assert info["durability"]["maxDataBytes"] == str((8 * 1024 - 128) * 1024)
    report = evstore.ok("info", "--format", "table").out.decode()
    for words in (
        "as the servers are configured",
        "replicas 1",
        "maxUnitEvents 40000",
        "the stream has 1 replica",
    ):
        assert words in " ".join(report.split())


@pytest.fixture
def another(request, servers, tmp_path):
    """A place for a store on another engine."""
    if request.param == "sqlite":
        yield f"sqlite:{tmp_path}/copy.db"
    else:
        with newest_of(servers).lent_place() as url:
            yield url


@pytest.mark.parametrize("another", ["sqlite", "postgres"], indirect=True)
def test_a_log_moves_there_and_back_unchanged(shop, another, nats_server):
    lines = b"".join(
        b'{"type":"T","data":{"n":%d.0,"t":"\\u00e9\xe2\x82\xac"},"tags":["t%d"],"metadata":{"userId":"u"}}\n'
        % (n, n % 3)
        for n in range(30)
    )
    shop.ok("append", "Order-1", "-", stdin=lines)
    shop.ok("append", "Stock.a-*", "-t", "Taken", "-d", "[1.10]", "--source", "orders.csv@3")
    exported = shop.ok("export").out
    there = shop.database
    shop.database = another
    shop.ok("init")
    shop.ok("import", "-", stdin=exported)
    assert shop.ok("export").out == exported
    shop.ok("diff", there)
    digest = shop.ok("verify").err.partition("digest ")[2].split()[0]
    shop.database = there
    assert digest in shop.ok("verify", "--expect", digest).err
    shop.database = nats_server.place()
    shop.ok("init")
    shop.ok("import", "-", stdin=exported)
    assert shop.ok("export").out == exported


def test_an_export_is_the_same_in_memory(shop, tmp_path):
    shop.ok("append", "Order-1", "-t", "Placed", "-d", '{"total": 99.90}', "--tag", "shop")
    exported = shop.ok("export").out
    (tmp_path / "log.ndjson").write_bytes(exported)
    shop.ok("diff", f"memory:{tmp_path}/log.ndjson")
    shop.database = f"memory:{tmp_path}/log.ndjson"
    assert shop.ok("export").out == exported


def test_verify_trace_lists_and_completion_work(shop):
    for stream, event_type, tag in (("Order-1", "Placed", "shop"), ("Stock-1", "Taken", "store")):
        words = ("append", stream, "-t", event_type, "-d", "1", "--tag", tag)
        assert shop(*words, env={"EVSTORE_CORRELATION_ID": "c1"}).code == 0
    shop.ok("append", "Stock-1", "-t", "Counted", "-d", "3")
    for words, member, wanted in (
        (("trace", "c1"), "type", ["Placed", "Taken"]),
        (("streams", "Order"), "streamId", ["Order-1"]),
        (("types",), "type", ["Counted", "Placed", "Taken"]),
        (("types", "Stock"), "type", ["Counted", "Taken"]),
    ):
        assert [json.loads(line)[member] for line in shop.ok(*words).lines] == wanted
    assert json.loads(shop.ok("count", "Stock").out)["events"] == 2
    assert "3 events" in shop.ok("verify").err
    for kind, begin, wanted in (("streams", "O", "Order-1"), ("types", "Ta", "Taken"), ("tags", "sh", "shop")):
        assert shop("--complete", kind, begin, env={"EVSTORE_COMPLETE_REMOTE": "1"}).lines == [wanted]


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


def test_what_jetstream_cannot_do_is_refused(shop, tmp_path):
    shop.ok("append", "Order-1", "-t", "Placed", "-d", "1")
    event_id = json.loads(shop.ok("read", "Order-1").out)["id"]
    for words in (("redact", event_id, "--reason", "r"), ("backup", str(tmp_path / "copy"))):
        done = shop(*words)
        assert done.code == 2, done
        assert "JetStream" in done.err
    done = shop("subscribe", "mailer", "Order", "--once", "--append", "--", "cat")
    assert done.code == 2
    assert "cannot append in the step of a checkpoint" in done.err
    for flag in ("--tamper-evident", "--grant-read=reader"):
        assert shop("init", flag).code == 2
