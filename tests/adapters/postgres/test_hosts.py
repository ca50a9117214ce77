"""Several hosts in the URL: the primary among them is found, also after another one has become it."""

from __future__ import annotations

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import product
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from evstore import ANY_VERSION, EventData, UnavailableError, connect
from evstore.adapters.postgres import retrying
from evstore.adapters.postgres.location import location_of
from evstore.cli.exits import CODES
from tests.support.clusters import Cluster, cluster
from tests.support.command import Command
from tests.support.servers import PASSWORD, USER, newest_of
from tests.support.subscriber import Following, events, numbers
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.servers import Servers

AN_EVENT = [EventData("Placed", {})]


@pytest.mark.parametrize(
    ("url", "chosen"),
    [
        ("postgresql://a,b/db", "primary"),
        ("postgresql://a:1,b:2/db", "primary"),
        ("postgresql:///db?host=a,b", "primary"),
        ("postgresql:///db?hostaddr=127.0.0.1,127.0.0.2", "primary"),
        ("postgresql://a/db", None),
        ("postgresql:///db", None),
        ("postgresql://a,b/db?target_session_attrs=any", "any"),
        ("postgresql://a,b/db?target_session_attrs=read-write", "read-write"),
        ("postgresql://a,b/db?load_balance_hosts=random", None),
    ],
)
def test_of_several_hosts_the_primary_is_chosen_unless_the_url_chooses(url: str, chosen: str | None) -> None:
    assert location_of(url).conninfo.get("target_session_attrs") == chosen


def test_the_environment_chooses_as_the_url_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "a,b")
    assert location_of("postgresql:///db").conninfo["target_session_attrs"] == "primary"
    monkeypatch.setenv("PGTARGETSESSIONATTRS", "any")
    assert "target_session_attrs" not in location_of("postgresql:///db").conninfo


def test_hosts_are_shown_without_the_password() -> None:
    url = "postgresql://me:s3cret@a:1,b:2,[::1]:3/db?target_session_attrs=read-write&sslpassword=s3cret"
    shown = "postgresql://me:***@a:1,b:2,[::1]:3/db?target_session_attrs=read-write&sslpassword=***"
    assert location_of(url).shown == shown
    assert "s3cret" not in repr(location_of(url))


@pytest.fixture(scope="module")
def pair(servers: Servers) -> Iterator[Cluster]:
    with cluster(newest_of(servers), standbys=1) as made:
        yield made


@pytest.fixture
def schema(pair: Cluster) -> str:
    """A store with one event; afterwards both servers run."""
    schema = pair.primary.new_schema()
    with connect(pair.url(schema)) as store:
        store.initialize()
        store.append("Order-1", events(0))
    return schema


def over_tcp(pair: Cluster, schema: str, *, standby_first: bool) -> str:
    """A URL with a password for two ports."""
    nodes = [*pair.standbys, pair.primary] if standby_first else [pair.primary, *pair.standbys]
    ports = ",".join(f"127.0.0.1:{node.port}" for node in nodes)
    return f"postgresql://{USER}:{quote(PASSWORD)}@{ports}/postgres?schema={schema}"


def take_over(pair: Cluster) -> None:
    """The standby takes the place of the primary, which then follows it."""
    former = pair.kill("immediate")
    pair.promote()
    pair.rebuild(former, rewinds=True)
    pair.until_streaming(1)


@pytest.mark.parametrize("pool_size", [1, 4])
def test_an_append_finds_the_primary_wherever_it_stands(pair: Cluster, schema: str, pool_size: int) -> None:
    for standby_first in (False, True):
        with connect(over_tcp(pair, schema, standby_first=standby_first), pool_size=pool_size) as store:
            assert store.append("Order-1", AN_EVENT)
            assert not store.info().warnings


def test_without_a_primary_the_store_is_unavailable_and_not_denied(
    pair: Cluster, schema: str, tmp_path: Path
) -> None:
    """The password was right; a host may be promoted any moment."""
    urls = [over_tcp(pair, schema, standby_first=first) for first in (False, True)]
    former = pair.kill("immediate")
    try:
        for url, pool_size in product(urls, (1, 4)):
            with connect(url, pool_size=pool_size) as store, pytest.raises(UnavailableError) as away:
                store.append("Order-1", AN_EVENT)
            assert away.value.retryable
            assert PASSWORD not in str(away.value)
        url = urls[0]
        done = Command(tmp_path, url)("append", "Order-1", "-t", "Placed", "-d", "{}")
        assert done.code == CODES["unavailable"], done
        with connect(f"{url}&target_session_attrs=any") as store:
            assert [*store.replay()]
    finally:
        former.start()
        pair.until_streaming(1)


def test_appends_and_reads_wait_for_the_promotion(
    pair: Cluster, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Longer than they wait for a server that restarts; and what is appended is stored once."""
    monkeypatch.setattr(retrying, "PAUSES", (0.05, 0.1))
    with (
        ThreadPoolExecutor() as threads,
        connect(pair.url(schema)) as pooled,
        connect(pair.url(schema), pool_size=1) as single,
    ):
        stores = [pooled, single]
        for store in stores:
            store.append("Order-1", events(1))
        former = pair.kill("immediate")
        appended = [threads.submit(store.append, "Order-1", events(2, 3), ANY_VERSION) for store in stores]
        read = [threads.submit(lambda s=store: [*s.read("Order-1")]) for store in stores]
        assert not wait((*appended, *read), 1.0).done
        pair.promote()
        for each in appended:
            assert not each.result(60).duplicate
        assert all(each.result(60) for each in read)
        assert numbers(pooled.read("Order-1")) == [0, 1, 1, 2, 3, 2, 3]
    pair.rebuild(former, rewinds=False)
    pair.until_streaming(1)


def test_a_pipe_a_follower_and_consumers_go_on_after_a_promotion(
    pair: Cluster, schema: str, tmp_path: Path
) -> None:
    url = pair.url(schema)
    command = Command(tmp_path, url)
    pipe = command.start("append", "Order-1", "--each", "-", stdin=subprocess.PIPE)
    follow = command.start("replay", "--all", "-f")
    handled: list[int] = []
    with (
        ThreadPoolExecutor() as threads,
        connect(url) as following,
        connect(url) as consuming,
        connect(url) as last,
        pipe,
        follow,
    ):
        followed = Following(following.subscribe())
        consumer = consuming.consumer("handling")
        running = threads.submit(consumer.run, lambda batch: handled.extend(numbers(batch)), 3)
        receipts = [_appended(pipe, n) for n in range(1, 4)]
        shown = [json.loads(follow.stdout.readline())["data"] for _ in range(4)]
        assert last.consumers.wait("handling", 4, 60)
        pair.caught_up(*pair.standbys)
        take_over(pair)
        receipts += [_appended(pipe, n) for n in range(4, 8)]
        wait_for(lambda: len(handled) >= 8)
        assert handled == [*range(8)]
        assert numbers(followed.take(8)) == [*range(8)]
        shown += [json.loads(follow.stdout.readline())["data"] for _ in range(4)]
        assert shown == [*range(8)]
        assert [receipt["globalPosition"] for receipt in receipts] == [*range(2, 9)]
        assert not any(receipt["duplicate"] for receipt in receipts)
        pipe.stdin.close()
        assert pipe.wait(60) == 0
        consumer.stop()
        assert running.result(60) == 8
        follow.terminate()
        assert numbers(last.replay()) == [*range(8)]


def _appended(pipe: subprocess.Popen[bytes], number: int) -> dict[str, object]:
    """The receipt of an event."""
    assert pipe.stdin is not None
    assert pipe.stdout is not None
    pipe.stdin.write(b'{"type":"Placed","data":%d}\n' % number)
    pipe.stdin.flush()
    receipt: dict[str, object] = json.loads(pipe.stdout.readline())
    return receipt
