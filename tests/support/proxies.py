"""A network that fails where a test says: a proxy before a server, which knows where each message of the PostgreSQL
protocol ends, and cuts the connection between two of them, or lets it fall silent.

https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from ctypes import addressof, create_string_buffer
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
QUERY, PARSE, BIND = b"Q", b"P", b"B"
"""Messages of a client that hold a statement, or call one by the name under which it was prepared."""
COPY_DATA: Final = b"d"
COMPLETE: Final = b"C"
"""What the server says once a statement is done, and committed."""
READY: Final = b"Z"
"""What it says after that."""
HOLE: Final = "hole"
"""The answer of a rule for a connection on which nothing comes any more, not even its end."""
_DROP_ALL: Final = struct.pack("HBBI", 0x06, 0, 0, 0)
"""A socket filter of one instruction: of each packet keep nothing, https://docs.kernel.org/networking/filter.html."""
_SO_ATTACH_FILTER: Final = 26


@dataclass
class Message:
    sender: str
    kind: bytes
    body: bytes
    asked: bytes
    """The statement that the client sent last on this connection, also where it named a prepared one."""
    calls: bool = False
    """It is the first message of the client for this statement."""


if TYPE_CHECKING:
    Rule: TypeAlias = Callable[[Message], bool | str]


def before_call(name: str) -> Rule:
    """The server never hears of the call of this procedure, or of this statement."""
    return lambda message: message.calls and name.encode() in message.asked


def before_answer(name: str) -> Rule:
    """The server has done what was asked, and the client does not hear of it."""
    return lambda message: message.kind == COMPLETE and message.sender == SERVER and name.encode() in message.asked


def while_copying(message: Message) -> bool:
    """Some of it was sent."""
    return message.sender == CLIENT and message.kind == COPY_DATA


class _Connection:
    """A client and its session."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        self.asked = b""
        self.is_silent = False
        self._prepared: dict[bytes, bytes] = {}
        self._parsed: bytes | None = None

    def heard(self, kind: bytes, body: bytes) -> bool:
        """Note what a client says. True if it is the first message for a statement."""
        if kind == QUERY:
            self.asked, self._parsed = body, None
            return True
        if kind == PARSE:
            self._parsed = body.partition(b"\0")[0]
            self.asked = self._prepared[self._parsed] = body
            return True
        if kind == BIND:
            name = body.split(b"\0", 2)[1]
            is_first, self._parsed = name != self._parsed, None
            self.asked = self._prepared.get(name, b"")
            return is_first
        return False

    def fall_silent(self) -> None:
        """Pass nothing on, and let the system acknowledge no packet of the client, as if the way to here were gone."""
        self.is_silent = True
        instruction = create_string_buffer(_DROP_ALL)
        program = struct.pack("HL", 1, addressof(instruction))
        self.client.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)

    def cut(self) -> None:
        _cut(self.client)
        _cut(self.server)


class Proxy:
    """A context manager; `rule` is asked of each message, and says whether to cut instead of passing it on, or to fall
    silent."""

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
            connection = _Connection(client, server)
            for sender, source, goal in ((CLIENT, client, server), (SERVER, server, client)):
                given = (connection, sender, source, goal)
                self._threads.append(Thread(target=self._pass, args=given, daemon=True))
                self._threads[-1].start()

    def _pass(self, connection: _Connection, sender: str, source: socket.socket, goal: socket.socket) -> None:
        with suppress(OSError), source.makefile("rb") as file:
            for kind, body in _messages(file, untyped_first=sender == CLIENT):
                calls = sender == CLIENT and connection.heard(kind, body)
                if connection.is_silent:
                    return
                if self.cuts < self._most_cuts:
                    found = self._rule(Message(sender, kind, body, connection.asked, calls))
                    self.cuts += bool(found)
                    if found == HOLE:
                        connection.fall_silent()
                        return
                    if found:
                        break
                try:
                    goal.sendall(kind + (len(body) + 4).to_bytes(4, "big") + body)
                except OSError:
                    if sender == CLIENT:
                        return  # the server has ended the session; its last words are still on their way
                    break
        if not connection.is_silent:
            connection.cut()


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
