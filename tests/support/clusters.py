"""A primary with standbys, any of which can take its place: by promotion, again and again."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from tests.support.servers import NOT_OWNED, SETTINGS, USER, OwnServer, Replica, lent, needs
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.servers import Server

FAR: Final = "SELECT greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())"
STREAMS: Final = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
COMMON: Final = SETTINGS | {"wal_retrieve_retry_interval": "50ms"}
FOR_REWINDING: Final = {"wal_keep_size": "256MB", "wal_log_hints": "on"}
"""In a file of the server: pg_rewind first lets the former primary recover, without the words of its command."""
ANY_STANDBY: Final = "ANY 1 (*)"


class Cluster:
    """Servers that stream from whichever of them is the primary; the first one is at the start."""

    def __init__(self, primary: OwnServer, standbys: list[Replica]) -> None:
        self.primary: OwnServer = primary
        self.nodes: list[OwnServer] = [primary, *standbys]
        self.failovers = 0

    @property
    def standbys(self) -> list[OwnServer]:
        """The servers that run and are not the primary."""
        return [node for node in self.nodes if node.running and node is not self.primary]

    def hosts(self, nodes: list[OwnServer] | None = None) -> dict[str, str]:
        """The parameters of a URL that name these servers, or all of them."""
        nodes = self.nodes if nodes is None else nodes
        return {
            "host": ",".join(str(node.folder) for node in nodes),
            "port": ",".join(str(node.port) for node in nodes),
        }

    def url(self, schema: str = "", **params: object) -> str:
        return self.nodes[0].url(schema, **{**self.hosts(), **params})

    def source(self, node: OwnServer) -> str:
        """The `primary_conninfo` of a server: it follows whichever server takes writes."""
        hosts = " ".join(f"{name}={value}" for name, value in self.hosts().items())
        name = f"node{self.nodes.index(node)}"
        return f"{hosts} user={USER} application_name={name} target_session_attrs=read-write connect_timeout=2"

    def caught_up(self, standby: OwnServer) -> None:
        """Wait until it shows what the primary has written by now."""
        ((lsn,),) = self.primary.execute("SELECT pg_current_wal_insert_lsn()::text")
        wait_for(lambda: standby.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", lsn) == [(True,)])

    def until_streaming(self, standbys: int) -> None:
        """Wait until so many standbys follow the primary."""
        wait_for(lambda: self.primary.execute(STREAMS) == [(standbys,)])

    def kill(self, mode: str) -> OwnServer:
        """End the primary as `OwnServer.stop` says, and return it."""
        self.primary.stop(mode)
        return self.primary

    def promote(self) -> None:
        """Let the standby that has most of the log take the place of the primary."""
        self.primary = max(self.standbys, key=_far)
        assert self.primary.execute("SELECT pg_promote(true, 60)") == [(True,)]
        self.failovers += 1

    def rebuild(self, node: OwnServer, *, rewinds: bool) -> None:
        """Make the former primary a standby: of its own files, without what only it has, or of a new copy."""
        data, primary = node.folder / "data", self.primary
        primary.execute("CHECKPOINT")  # pg_rewind looks there for the timeline
        if rewinds:
            source = f"--source-server=host={primary.folder} port={primary.port} user={USER} dbname=postgres"
            node.account.run(node.bin / "pg_rewind", "-D", data, source, "--write-recovery-conf", "--no-sync")
        else:
            node.account.run("rm", "-rf", data)
            source_words = ["-h", primary.folder, "-p", primary.port, "-U", USER]
            how = ["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
            node.account.run(node.bin / "pg_basebackup", *source_words, "-D", data, *how)
        node.start()


def _far(node: OwnServer) -> int:
    ((lsn,),) = node.execute(FAR)
    high, _, low = str(lsn).partition("/")
    return (int(high, 16) << 32) + int(low, 16)


@contextmanager
def cluster(server: Server, standbys: int = 2, **settings: object) -> Iterator[Cluster]:
    """A primary of the same kind with standbys that follow it, and the same settings on each."""
    needs(NOT_OWNED, server.owned)
    given = COMMON | {name: str(value) for name, value in settings.items()}
    with ExitStack() as ends:
        primary = OwnServer(server.kind, server.account, COMMON)
        ends.enter_context(lent(primary))
        for name, value in FOR_REWINDING.items():
            primary.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        primary.restart()
        made = Cluster(primary, [Replica(primary) for _ in range(standbys)])
        primary.stop()
        for node in made.nodes:
            node.set_up(**given, primary_conninfo=made.source(node))
        primary.start()
        for node in made.nodes[1:]:
            ends.enter_context(lent(node))
        made.until_streaming(standbys)
        yield made
