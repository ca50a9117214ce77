"""A network that fails where a test says: a proxy before a server, which knows where each message of the PostgreSQL
protocol ends, and cuts the connection between two of them.

https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO, Self, TypeAlias

    from tests.support.postgres_roles import Role
    from tests.support.servers import Server

CLIENT: Final = "client"
SERVER: Final = "server"
QUERY: Final = b"QP"
"""Messages of a client that hold a statement."""
COPY_DATA: Final = b"d"
COMPLETE: Final = b"C"
"""What the server says once a statement is done, and committed."""


@dataclass
class Message:
    sender: str
    kind: bytes
    body: bytes
    asked: bytes
    """The statement that the client sent last on this connection."""


if TYPE_CHECKING:
    Rule: TypeAlias = Callable[[Message], bool]


def before_call(name: str) -> Rule:
    """The server never hears of the call of this procedure, or of this statement."""
    return lambda message: message.kind in QUERY and message.sender == CLIENT and name.encode() in message.body


def before_answer(name: str) -> Rule:
    """The server has done what was asked, and the client does not hear of it."""
    return lambda message: message.kind == COMPLETE and message.sender == SERVER and name.encode() in message.asked


def while_copying(message: Message) -> bool:
    """Some of it was sent."""
    return message.sender == CLIENT and message.kind == COPY_DATA


class Proxy:
    """A context manager; `rule` is asked of each message, and says whether to cut instead of passing it on."""

    def __init__(self, server: Server, rule: Rule, cuts: int = 1) -> None:
        # Over TCP with a password and nothing else: what is encrypted cannot be read here.
        self._target = urlsplit(server.url(tcp=True, sslmode="disable", gssencmode="disable"))
        self._rule, self._most_cuts = rule, cuts
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [Thread(target=self._accept, daemon=True)]
        self._sockets: list[socket.socket] = []
        self.connections = 0
        self.cuts = 0

    def url(self, schema: str, role: Role | None = None) -> str:
        """The URL of a store behind the proxy."""
        account = f"{role.name}:{role.password}" if role else self._target.netloc.rpartition("@")[0]
        netloc = f"{account}@127.0.0.1:{self._listener.getsockname()[1]}"
        return self._target._replace(netloc=netloc, query=f"{self._target.query}&schema={schema}").geturl()

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._sockets:
            _cut(each)
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            server = socket.create_connection((self._target.hostname or "", self._target.port or 5432))
            for each in (client, server):  # else a message waits 40 ms for the receipt of the one before
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets += [client, server]
            asked = [b""]
            for sender, source, goal in ((CLIENT, client, server), (SERVER, server, client)):
                self._threads.append(Thread(target=self._pass, args=(sender, source, goal, asked), daemon=True))
                self._threads[-1].start()

    def _pass(self, sender: str, source: socket.socket, goal: socket.socket, asked: list[bytes]) -> None:
        with suppress(OSError), source.makefile("rb") as file:
            for kind, body in _messages(file, untyped_first=sender == CLIENT):
                if sender == CLIENT and kind in QUERY and kind:
                    asked[0] = body
                if self.cuts < self._most_cuts and self._rule(Message(sender, kind, body, asked[0])):
                    self.cuts += 1
                    break
                try:
                    goal.sendall(kind + (len(body) + 4).to_bytes(4, "big") + body)
                except OSError:
                    if sender == CLIENT:
                        return  # the server has ended the session; its last words are still on their way
                    break
        _cut(source)
        _cut(goal)


def _messages(file: BinaryIO, *, untyped_first: bool) -> Iterator[tuple[bytes, bytes]]:
    """Until the other side ends. The first message of a client has no letter before its length."""
    while True:
        kind = b"" if untyped_first else file.read(1)
        untyped_first = False
        length = file.read(4)
        if len(length) < 4:
            return
        yield kind, file.read(int.from_bytes(length, "big") - 4)


def _cut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
