"""One content file: appended block by block, hashed on the way. Knows nothing of buckets or names."""

import hashlib
import os
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import google_crc32c

BLOCK = 1 << 20


class Content:
    """Bytes on their way to becoming an object; one that exists already is continued where it ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._crc32c = 0
        if path.exists():
            for block in _blocks(path):
                self._count(block)
        else:
            path.touch()

    def append(self, block: bytes) -> None:
        """Add bytes at the end; blocks, so call it in a thread."""
        with self.path.open("ab") as file:
            file.write(block)
        self._count(block)

    def sync(self) -> None:
        """Return once the bytes and the file's name would outlive a power cut."""
        for path, flags in ((self.path, os.O_RDWR), (self.path.parent, os.O_RDONLY)):
            descriptor = os.open(path, flags)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)

    @property
    def md5(self) -> str:
        return b64encode(self._md5.digest()).decode()

    @property
    def crc32c(self) -> str:
        return b64encode(self._crc32c.to_bytes(4, "big")).decode()

    def _count(self, block: bytes) -> None:
        self.size += len(block)
        self._md5.update(block)
        self._crc32c = google_crc32c.extend(self._crc32c, block)


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block
