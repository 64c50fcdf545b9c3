"""Tracing backends that misbehave below HTTP: they hang, trickle, talk garbage or hang up."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Behave = Callable[[socket.socket, threading.Event], None]


def hang(connection: socket.socket, over: threading.Event) -> None:
    """Accept everything and never answer."""
    over.wait(60)


def trickle_headers(connection: socket.socket, over: threading.Event) -> None:
    """An answer of which a byte comes every 20 ms, for ever: no single read takes long."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nx-long: ")
    while not over.wait(0.02):
        connection.sendall(b"a")


def trickle_body(connection: socket.socket, over: threading.Event) -> None:
    """The same after the headers: what counts, its status, has come."""
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    while not over.wait(0.02):
        connection.sendall(b"a")


def garbage(connection: socket.socket, over: threading.Event) -> None:
    """What is no HTTP."""
    connection.sendall(b"\x16\x03\x01\x00\xff\xfe nonsense\r\n\r\n" * 10)


def hang_up(connection: socket.socket, over: threading.Event) -> None:
    """Nothing at all."""


class Backend:
    """Treats each connection as `behave` does, once a request's first bytes have come."""

    def __init__(self, behave: Behave) -> None:
        self._behave = behave
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._over = threading.Event()
        self._connections = 0
        self._arrived = threading.Condition()
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    @contextmanager
    def running(self) -> Iterator["Backend"]:
        """Serve until the end of the block."""
        threading.Thread(target=self._accept, daemon=True).start()
        try:
            yield self
        finally:
            self._over.set()
            self._socket.close()

    def wait_for(self, connections: int, seconds: float = 30) -> bool:
        """Whether so many connections came."""
        with self._arrived:
            return self._arrived.wait_for(lambda: self._connections >= connections, seconds)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                with self._arrived:
                    self._connections += 1
                    self._arrived.notify_all()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.recv(65536)
            self._behave(connection, self._over)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):  # or what was said would be lost in a reset
                time.sleep(0)


def closed_port() -> str:
    """An address at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"
