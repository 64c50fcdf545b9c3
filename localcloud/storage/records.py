"""What the store keeps: buckets and objects in the shape of Google's JSON API, and uploads on their way."""

import time
import uuid
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from localcloud.storage.contents import Content

Resource = dict[str, Any]
# What an uploader may set. ACLs are not among it: access is uniform here.
_WRITABLE = {"contentType", "contentEncoding", "contentDisposition", "contentLanguage", "cacheControl"}
_WRITABLE |= {"customTime", "storageClass", "metadata"}


def microseconds() -> int:
    """Now, since 1970."""
    return time.time_ns() // 1000


def timestamp(microseconds: int) -> str:
    seconds, rest = divmod(microseconds, 1_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:06}Z"


@dataclass(frozen=True)
class Upload:
    """An object to be: what was said about it, the conditions it comes under, and who sends it ("" = nobody known).

    `id` names the content file, and the session if it is resumable; `generation` is 0 until it is an object.
    """

    bucket: str
    name: str
    resource: Resource
    conditions: Mapping[str, int]
    owner: str
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    created: int = field(default_factory=microseconds)
    generation: int = 0

    def finished(self, content: Content, generation: int) -> Resource:
        """The object's resource, without the links, which depend on the server's address."""
        now = timestamp(microseconds())
        return {
            "kind": "storage#object",
            "contentType": "application/octet-stream",
            "storageClass": "STANDARD",
            **{key: value for key, value in self.resource.items() if key in _WRITABLE and value},
            "id": f"{self.bucket}/{self.name}/{generation}",
            "name": self.name,
            "bucket": self.bucket,
            "generation": str(generation),
            "metageneration": "1",
            "size": str(content.size),
            "md5Hash": content.md5,
            "crc32c": content.crc32c,
            "etag": b64encode(str(generation).encode()).decode(),
            "timeCreated": now,
            "updated": now,
        }
