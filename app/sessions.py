"""`requests` sessions in which every wait ends at the deadline in force: to connect, to send, and for each read.

The library's own timeout is per read, so an answer that trickles would hold its thread for ever; here it limits one
stall. Not bounded is the resolving of names: the system's resolver has limits of its own.
"""

import io
import socket
from http.client import HTTPResponse
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from app import deadline as deadlines
from app import threads
from app.deadline import Deadline

_PIECE_BYTES = 256 * 1024


def plain() -> requests.Session:
    """A bounded session that adds nothing to a request: it is made for calls with our own identity."""
    session = bounded(requests.Session())
    session.headers["accept-encoding"] = "identity"  # a body is passed on as it is
    session.trust_env = False  # no proxies and no .netrc, which would replace our Authorization header
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # one caller's is not another's
    return session


def bounded(session: requests.Session) -> requests.Session:
    """`session`, obeying from now on the deadline that is in force where it is used."""
    for scheme in ("http://", "https://"):
        # As many as threads can call at once: beyond its size urllib3 throws connections away.
        session.mount(scheme, _Adapter(pool_connections=4, pool_maxsize=threads.SIZE))
    return session


class _Reader(io.RawIOBase):
    """A socket's reading end: no read waits beyond the deadline, nor longer than one stall may last."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, limit: Deadline) -> None:
        self._raw, self._sock, self._limit, self._stall_s = raw, sock, limit, sock.gettimeout()

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(_shorter(self._stall_s, self._limit.require()))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        # Kept for the body, which other threads may read.
        if limit := deadlines.current():
            self.fp = io.BufferedReader(_Reader(self.fp.detach(), sock, limit))


class _Connection(HTTPConnection):
    response_class = _Response

    def _new_conn(self) -> socket.socket:
        # One address after the other, each within what remains: urllib3 gives the whole timeout to each.
        limit, name, stall_s = deadlines.current(), self._dns_host, self.timeout
        if limit is None:
            return super()._new_conn()
        try:
            found = socket.getaddrinfo(name, self.port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise NameResolutionError(name, self, error) from error
        failed: Exception | None = None
        try:
            for *_, address in found:
                if failed and not limit.remaining_s:
                    break
                self._dns_host, self.timeout = str(address[0]), _shorter(stall_s, limit.require())
                try:
                    return super()._new_conn()
                except (NewConnectionError, ConnectTimeoutError) as error:
                    failed = error
        finally:
            self._dns_host, self.timeout = name, stall_s
        raise failed or NewConnectionError(self, f"{name} has no address")

    def send(self, data: Any) -> None:
        limit = deadlines.current()
        if limit is None or not isinstance(data, bytes):
            super().send(data)
            return
        # In pieces, as `sendall` has one timeout for all of it and TLS none for the whole.
        view = memoryview(data)
        for start in range(0, len(view), _PIECE_BYTES):
            if self.sock is not None:
                self.sock.settimeout(_shorter(self.timeout, limit.require()))
            super().send(view[start : start + _PIECE_BYTES])


class _SecureConnection(_Connection, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}


def _shorter(stall_s: float | None, remaining_s: float) -> float:
    return remaining_s if stall_s is None else min(stall_s, remaining_s)
