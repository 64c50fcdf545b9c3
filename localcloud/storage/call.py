"""One request to the storage API: its bucket, its caller's rights, its parameters and its way over the network."""

import asyncio
import json
from urllib.parse import quote

from aiohttp import web

from localcloud.identity import Identity
from localcloud.storage.errors import CONDITIONS, StorageError
from localcloud.storage.latency import Latency
from localcloud.storage.records import Resource
from localcloud.storage.store import ObjectStore


class Call:
    """What the handlers ask about a request."""

    def __init__(
        self, request: web.Request, store: ObjectStore, identity: Identity, latency: Latency
    ) -> None:
        self.request, self.store = request, store
        self._identity, self._latency = identity, latency
        self.bucket_name = request.match_info["bucket"]
        self.origin = str(request.url.origin())
        # The client spells one of them ifMetaGenerationNotMatch (google-cloud-storage 3.17.1, blob.py).
        self._query = {key.lower(): value for key, value in request.query.items()}
        self.anonymous = "Authorization" not in request.headers
        self._caller = identity.caller(request.headers.get("Authorization"))
        self.email = self._caller.email if self._caller else ""
        self.bucket: Resource = {}
        self._started, self._arrived = latency.clock(), False

    async def find_bucket(self) -> None:
        """Raises StorageError 404, or 401 for a token that is not one of ours."""
        if not self._caller and not self.anonymous:
            raise StorageError(401, "Invalid Credentials")
        self.bucket = await asyncio.to_thread(self.store.bucket, self.bucket_name)

    def allows(self, permission: str, email: str) -> bool:
        return self._identity.allows(email or None, permission, f"buckets/{self.bucket_name}")

    def require(self, permission: str) -> None:
        if not self.allows(permission, self.email):
            raise self.denied(permission, self.email)

    def denied(self, permission: str, email: str) -> StorageError:
        """401 or 403 in Google's words, which name the bucket for what concerns no single object."""
        of = "bucket" if ".buckets." in permission or permission.endswith(".list") else "object"
        return StorageError(
            403 if email else 401,
            f"{email or 'Anonymous caller'} does not have {permission} access to the Google Cloud Storage {of}. "
            f"Permission '{permission}' denied on resource (or it may not exist).",
        )

    @property
    def object(self) -> tuple[str, str]:
        """Bucket and object as the path names them."""
        return self.bucket_name, object_name(self.request.match_info["object"])

    def number(self, name: str) -> int | None:
        """A numeric query parameter, whatever the case of its name."""
        text = self._query.get(name.lower())
        try:
            return int(text) if text else None
        except ValueError:
            raise StorageError(
                400, f"Invalid value {text!r} for {name}: a whole number is expected."
            ) from None

    def conditions(self) -> dict[str, int]:
        found = {name: self.number(name) for name in CONDITIONS}
        return {name: value for name, value in found.items() if value is not None}

    async def travel(self, up: int = 0, down: int = 0) -> None:
        """Wait until the network would have carried both bodies. Once per request; later calls do nothing.

        A caller without a token is in no region, and waits for nothing.
        """
        connection, first = self.request.transport, not self._arrived
        self._arrived = True
        if first and connection and self._caller:
            here = self._caller.region
            there = self.bucket.get("location", here)
            await self._latency.travel(connection, self._started, here, there, up, down)


def object_name(name: object) -> str:
    """A name Google would take: cloud.google.com/storage/docs/objects#naming"""
    text = name if isinstance(name, str) else ""
    try:
        valid = 1 <= len(text.encode()) <= 1024 and text not in (".", "..") and not set(text) & {"\r", "\n"}
    except UnicodeEncodeError:
        valid = False
    if not valid:
        raise StorageError(
            400, f"Invalid object name {name!r}: 1 to 1024 bytes of UTF-8, no line breaks, not . or .."
        )
    return text


def resource(text: bytes) -> Resource:
    """An object resource that a caller sent."""
    try:
        found = json.loads(text or b"{}")
    except ValueError:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("metadata") or {}, dict):
        raise StorageError(400, "The object resource must be a JSON object, and so must its metadata.")
    return found


def with_links(found: Resource, origin: str) -> Resource:
    """An object's resource with its addresses on this server."""
    path = f"storage/v1/b/{found['bucket']}/o/{quote(found['name'], safe='')}"
    media = f"{origin}/download/{path}?generation={found['generation']}&alt=media"
    return {**found, "selfLink": f"{origin}/{path}", "mediaLink": media}
