"""A server that does to each connection what a script says, byte by byte: what no well-behaved server does."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

# What is done with a connection, until the event says that the test is over.
Script = Callable[[socket.socket, threading.Event], None]

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\ncontent-type: text/plain\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
# How long one waits here who obeys no deadline: bounds on elapsed time are far from it, and far above the deadline.
LONG_S = 60
CLOSING = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"


class Wire:
    """Accepts on a free port. The first connection gets the first script, and so on; the last script serves the rest."""

    def __init__(self, *scripts: Script) -> None:
        self._scripts = scripts
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVBUF, 65536
        )  # who reads slowly is felt early
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        self._over = threading.Event()

    @contextmanager
    def running(self) -> Iterator["Wire"]:
        """Serve until the end of the block."""
        threading.Thread(target=self._serve, daemon=True).start()
        try:
            yield self
        finally:
            self._over.set()
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            script = self._scripts[min(self.connections, len(self._scripts) - 1)]
            self.connections += 1
            threading.Thread(target=self._run, args=(script, connection), daemon=True).start()

    def _run(self, script: Script, connection: socket.socket) -> None:
        with connection, suppress(OSError):  # the client may hang up
            script(connection, self._over)


def says(answer: bytes) -> Script:
    """Answer, and hang up."""

    def script(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(answer)

    return script


def trickles(head: bytes, piece: bytes = b"x", every: float = 0.03) -> Script:
    """Answer with `head`, then a `piece` now and then, as long as anybody listens."""

    def script(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(head)
        while not over.wait(every):
            connection.sendall(piece)

    return script


def takes(pieces: int, every: float, answer: bytes) -> Script:
    """Read a long request bit by bit, half a megabyte at a time, then answer."""

    def script(connection: socket.socket, over: threading.Event) -> None:
        for _ in range(pieces):
            connection.recv(500_000, socket.MSG_WAITALL)
            over.wait(every)
        connection.sendall(answer)
        over.wait(LONG_S)

    return script


def hangs_up(connection: socket.socket, over: threading.Event) -> None:
    """Read the request, and close without a word."""
    connection.recv(65536)


def says_nothing(connection: socket.socket, over: threading.Event) -> None:
    """Read the request, and keep the caller waiting."""
    connection.recv(65536)
    over.wait(LONG_S)


def reads_nothing(connection: socket.socket, over: threading.Event) -> None:
    """Keep the sender waiting."""
    over.wait(LONG_S)
