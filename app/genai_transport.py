"""The connections of httpx in which every wait ends at the deadline in force where they are used: `sessions.py` for httpx.

Its own timeouts are per wait, so an answer that trickles would hold its thread. Not bounded: the resolving of names.
"""

import socket
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

from app import deadline as deadlines

_PIECE_BYTES = 64 * 1024


def bounded() -> httpx.HTTPTransport:
    """A transport that uses no proxy and obeys the deadline that is in force."""
    transport = httpx.HTTPTransport(trust_env=False)
    # httpx has no argument for it.
    transport._pool._network_backend = _Backend()
    return transport


class _Stream(httpcore.NetworkStream):
    def __init__(self, plain: httpcore.NetworkStream) -> None:
        self._plain = plain

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._plain.read(max_bytes, _within(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # In pieces: each may be sent by several waits.
        for start in range(0, len(buffer), _PIECE_BYTES):
            piece = buffer[start : start + _PIECE_BYTES]
            self._plain.write(piece, _within(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._plain.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        limit = _within(timeout, httpcore.ConnectTimeout)
        return _Stream(self._plain.start_tls(ssl_context, server_hostname, limit))

    def get_extra_info(self, info: str) -> Any:
        return self._plain.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    def __init__(self) -> None:
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        # One address after the other, each within what remains.
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(error) from error
        failed: Exception = httpcore.ConnectError(f"{host} has no address")
        for *_, address in found:
            limit = _within(timeout, httpcore.ConnectTimeout)
            try:
                return _Stream(
                    self._plain.connect_tcp(str(address[0]), port, limit, local_address, socket_options)
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed


def _within(timeout: float | None, spent: type[Exception]) -> float | None:
    limit = deadlines.current()
    if limit is None:
        return timeout
    remaining = limit.remaining_s
    if not remaining:
        raise spent("the request's time is spent")
    return remaining if timeout is None else min(timeout, remaining)
