"""Which port a service had last time, so that its URI, the audience of its tokens, stays the same over runs."""

import json
import socket
from pathlib import Path

HOST = "127.0.0.1"


class PortBook:
    """A small JSON file of service name -> port; a port that somebody else has taken is replaced by a free one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ports = _read(path)

    def open(self, name: str) -> socket.socket:
        """A bound socket for `name`, on its remembered port if that is free."""
        bound = _bind(self._ports.get(name, 0)) or _bind(0)
        if bound is None:
            raise OSError(f"No free port on {HOST} for service {name}: close some programs and try again.")
        self._ports[name] = bound.getsockname()[1]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(".partial")
        partial.write_text(json.dumps(self._ports, indent=2, sort_keys=True))
        partial.replace(self._path)
        return bound


def _read(path: Path) -> dict[str, int]:
    """What was remembered; a damaged file remembers nothing, as every lost port is replaced."""
    try:
        return {
            str(name): int(port)
            for name, port in json.loads(path.read_text()).items()
            if 0 < int(port) < 65536
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def free_port() -> int:
    """A port that is free now; whoever binds it a moment later can still lose it to another program."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _bind(port: int) -> socket.socket | None:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((HOST, port))
        bound.listen(128)
    except OSError:
        bound.close()
        return None
    return bound
