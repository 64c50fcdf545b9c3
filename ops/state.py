"""The directory in which a local cloud keeps everything: one command at a time uses it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ops.errors import OperatorError


@contextlib.contextmanager
def claimed(directory: Path, *, fresh: bool = False) -> Iterator[Path]:
    """`directory`, made if need be and held for this process alone; `fresh` empties it first.

    Raises `OperatorError` if another command holds it. The lock ends with the process, whatever ends it.
    """
    # Beside the directory, so that emptying it does not take the lock away from under somebody.
    path = directory.with_name(f"{directory.name}.lock")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        opened = path.open("a+", encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or "cannot be used").lower()
        raise OperatorError(
            f"--state {directory}: {reason}; give a directory that can be written."
        ) from error
    with opened as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise OperatorError(
                f"Process {lock.read() or 'unknown'} is already using {directory}; "
                "end it first, or give this command another directory with --state."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        if fresh:
            shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(exist_ok=True)
        yield directory


def demo_directory(root: Path, chosen: Path | None) -> Path:
    """Where the demo keeps its state, which it empties: so a chosen one must not exist, or be empty."""
    if chosen is None:
        return root / ".localcloud" / "demo"
    if chosen.exists() and (not chosen.is_dir() or any(chosen.iterdir())):
        raise OperatorError(
            f"--state {chosen}: the demo starts from nothing; give an empty or a new directory."
        )
    return chosen
