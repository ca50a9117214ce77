"""A process that builds, rebuilds and shows versions of a projection is killed at random moments, again and again.

    python -m tests.crashes.lab.projecting --cycles 500 --seed 7

After each kill the view has the sums of the log up to the checkpoint: each event counts exactly once, and what
readers see never goes back. `--url` names another store; on PostgreSQL a hold outlives its process by ten seconds.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from random import Random, SystemRandom
from signal import SIGKILL
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

from evstore import ConsumerHeldError, EventData, connect
from evstore.application.codec import JSON
from tests.crashes.lab.result import Counts
from tests.support.projected import Balances, Deposited, Reader, deposit

if TYPE_CHECKING:
    from evstore import EventStore

ACCOUNTS: Final = ("ann", "ben", "cem", "dee")
FIRST: Final = 40
"""Events at the start."""
MOST_DELAY: Final = 0.2
"""Seconds between the start of work and a kill, at most."""


class Summary(NamedTuple):
    cycles: int
    shown: int
    """Kills after which the views showed another build than before."""
    halfway: int
    """Kills that left a build unfinished, or its tables unremoved."""
    events: int
    version: int
    """The last version."""
    wrong: list[str]

    @property
    def counts(self) -> Counts:
        return Counts(self.events, faults=tuple(self.wrong))


def of_version(number: int) -> type[Balances]:
    return type("Versioned", (Balances,), {"version": number})


def breed(url: str) -> None:
    """For each line, a seed, fork a process that works until it is killed; print its id, and then that it is gone."""
    JSON.decode('{"account":"","amount":0}', Deposited)
    with connect(url) as store:  # loads what is needed, before kills are timed
        store.projection(of_version(1)).status()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            work(url, int(line))
        print(child, flush=True)
        os.waitpid(child, 0)
        print("gone", flush=True)


def work(url: str, seed: int) -> NoReturn:
    """Build and show versions until killed."""
    random = Random(seed)
    with connect(url) as store:
        version = store.projection(of_version(1)).status().live_version or 1
        while True:
            size = random.choice([10, 50, 1000])
            what = random.choice(["run", "rebuild", "next"])
            version += what == "next"
            runner = store.projection(of_version(version))
            try:
                runner.rebuild(batch_size=size) if what == "rebuild" else runner.run(once=True, batch_size=size)
            except ConsumerHeldError:
                time.sleep(0.1)


def kill(url: str, cycles: int, seed: int) -> Summary:
    """Kill a process so often, and judge what it has left each time."""
    random = Random(seed)
    shown = halfway = seen = 0
    wrong: list[str] = []
    last = ""
    with connect(url) as store:
        store.initialize()
        for _ in range(FIRST):
            deposit(store, random.randrange(100), account=random.choice(ACCOUNTS))
        store.projection(of_version(1)).run(once=True)
        version = 1
        breeder = _breeder(url)
        for cycle in range(cycles):
            _killed(breeder, store, random)
            builds = [each.name for each in store.consumers.all(prefix="projection:")]
            version, position, consumer = _live(store, version)
            shown += consumer != last
            halfway += len(builds) > 1
            if position < seen:
                wrong.append(f"cycle {cycle}: readers saw position {seen}, and then {position}")
            seen, last = position, consumer
            wrong += [f"cycle {cycle}: {each}" for each in _faults(store, url, position)]
        breeder.communicate()
        _settled(store)
        wrong += [f"at the end: {each}" for each in _faults(store, url, store.head())]
        left = Reader(url).names()
        if left != {"balances", next(name for name in left if name != "balances")} or len(left) != 2:
            wrong.append(f"at the end there are {sorted(left)}")
        wrong += [f"verify: {each}" for each in store.verify()]
        return Summary(cycles, shown, halfway, store.head(), version, wrong)


def _breeder(url: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "tests.crashes.lab.projecting", "--work", url]
    return subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]
    )


def _killed(breeder: subprocess.Popen[str], store: EventStore, random: Random) -> None:
    """Let a process work while events come in, and kill it."""
    assert breeder.stdout is not None
    assert breeder.stdin is not None
    breeder.stdin.write(f"{random.randrange(10**6)}\n")
    breeder.stdin.flush()
    victim = int(breeder.stdout.readline())
    ends = time.monotonic() + random.uniform(0, MOST_DELAY)
    while time.monotonic() < ends:
        deposit(store, random.randrange(100), account=random.choice(ACCOUNTS))
        time.sleep(random.uniform(0, 0.02))
    os.kill(victim, SIGKILL)
    assert breeder.stdout.readline() == "gone\n"


def _live(store: EventStore, version: int) -> tuple[int, int, str]:
    """The version that the views show, its position and its consumer."""
    live = store.projection(of_version(version)).status().live_version
    assert live is not None
    status = store.projection(of_version(live)).status()
    return live, status.position, str(status.consumer)


def _faults(store: EventStore, url: str, position: int) -> list[str]:
    """The accounts for which the view has another sum, or another count, than the log up to the position."""
    wanted = dict.fromkeys(ACCOUNTS, (0, 0))
    for event in store.replay(to=position):
        amount, count = wanted[event.data["account"]]
        wanted[event.data["account"]] = amount + event.data["amount"], count + 1
    reader = Reader(url)
    found = {name: (amount, count) for name, amount, count in reader.rows("SELECT * FROM balances")}
    reader.connection.close()
    return [
        f"{name} has {found.get(name)} instead of {value} at position {position}"
        for name, value in wanted.items()
        if value[1] and found.get(name) != value
    ]


def _settled(store: EventStore) -> None:
    """Build and show one version more, until nothing else is left."""
    store.append("Account-ann", [EventData("Deposited", {"account": "ann", "amount": 1})])
    names = [each.name for each in store.consumers.all(prefix="projection:")]
    last = max(int(re.findall(r"@(\d+)", name)[0]) for name in names) + 1
    while True:
        try:
            store.projection(of_version(last)).run(once=True)
        except ConsumerHeldError:  # on PostgreSQL the holds of who was killed last
            time.sleep(1)
        else:
            if len([*store.consumers.all(prefix="projection:")]) == 1:
                return


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**6))
    parser.add_argument("--url")
    parser.add_argument("--work")
    asked = parser.parse_args()
    if asked.work:
        breed(asked.work)
        return
    print(f"seed {asked.seed}", flush=True)
    with TemporaryDirectory() as folder:
        summary = kill(asked.url or f"sqlite:{folder}/events.db", asked.cycles, asked.seed)
    print(summary)
    sys.exit(bool(summary.wrong))


if __name__ == "__main__":
    main()
