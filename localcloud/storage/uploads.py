"""The three ways into a bucket: media, multipart and resumable uploads."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from weakref import WeakValueDictionary

from aiohttp import BodyPartReader, MultipartReader, web

from localcloud.storage.call import Call, object_name, resource, with_links
from localcloud.storage.contents import BLOCK, Content
from localcloud.storage.errors import StorageError
from localcloud.storage.records import Resource, Upload

_QUANTUM = 256 * 1024  # all chunks but the last: cloud.google.com/storage/docs/performing-resumable-uploads
_CONTENT_RANGE = re.compile(r"bytes (?:(?P<first>\d+)-(?P<last>\d+)|\*)/(?P<total>\d+|\*)")


class Uploads:
    """Handlers of /upload; remembers which sessions are being written, and their hashes so far."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._contents: dict[str, Content] = {}

    async def insert(self, call: Call) -> web.Response:
        call.require("storage.objects.create")
        kind = call.request.query.get("uploadType")
        if kind == "resumable":
            return await self._begin(call)
        if kind == "multipart":
            upload, body = await _multipart(call)
        elif kind == "media":
            upload, body = _upload(call, {}, call.request.headers.get("Content-Type")), _blocks(call)
        else:
            raise StorageError(400, f"Invalid uploadType {kind!r}: media, multipart or resumable.")
        content = await asyncio.to_thread(call.store.content, upload)
        try:
            await call.travel(up=await _receive(content, body))
        except BaseException:
            content.discard()
            raise
        return await _finish(call, upload, content)

    async def _begin(self, call: Call) -> web.Response:
        described = resource(await call.request.read())
        upload = _upload(call, described, call.request.headers.get("X-Upload-Content-Type"))
        await asyncio.to_thread(call.store.keep_upload, upload)
        path = f"upload/storage/v1/b/{upload.bucket}/o?uploadType=resumable&upload_id={upload.id}"
        return web.Response(headers={"Location": f"{call.origin}/{path}", "X-GUploader-UploadID": upload.id})

    async def resume(self, call: Call) -> web.Response:
        """Take a chunk, or tell how far the upload got. The session's address is all the right it needs."""
        id = (await _session(call)).id
        async with self._locks.setdefault(id, asyncio.Lock()):
            upload = await _session(call)
            if upload.generation:  # the answer to the last chunk was lost, and the client asks again
                found = await asyncio.to_thread(call.store.get, upload.bucket, upload.name, upload.generation)
                return web.json_response(with_links(found, call.origin))
            content = self._contents.pop(id, None)  # after a failure the next request looks at the disk
            if content is None:
                content = await asyncio.to_thread(call.store.content, upload)
            skip, total = _chunk(call.request, content.size)
            await call.travel(up=await _receive(content, _blocks(call), skip))
            if content.size == total or "Content-Range" not in call.request.headers:
                return await _finish(call, upload, content)
            self._contents[id] = content
            arrived = {"Range": f"bytes=0-{content.size - 1}"} if content.size else {}
            return web.Response(status=308, reason="Resume Incomplete", headers=arrived)

    async def cancel(self, call: Call) -> web.Response:
        upload = await _session(call)
        async with self._locks.setdefault(upload.id, asyncio.Lock()):
            await asyncio.to_thread(call.store.cancel_upload, upload)
            self._contents.pop(upload.id, None)
        return web.Response(status=499, reason="Client Closed Request")


def _upload(call: Call, described: Resource, content_type: str | None) -> Upload:
    name = object_name(call.request.query.get("name") or described.get("name"))
    typed = {"contentType": content_type} | described
    return Upload(call.bucket_name, name, typed, call.conditions(), call.email)


async def _session(call: Call) -> Upload:
    id = call.request.query.get("upload_id", "")
    return await asyncio.to_thread(call.store.upload, call.bucket_name, id)


async def _blocks(call: Call) -> AsyncIterator[bytes]:
    """The body in pieces of about 1 MiB: few enough to hand each to a thread."""
    pieces, size = [], 0
    async for piece in call.request.content.iter_any():
        pieces.append(piece)
        size += len(piece)
        if size >= BLOCK:
            yield b"".join(pieces)
            pieces, size = [], 0
    yield b"".join(pieces)


async def _multipart(call: Call) -> tuple[Upload, AsyncIterator[bytes]]:
    """What the first part says about the object, and the second part, still to be read."""
    try:
        reader = await call.request.multipart()
        description, media = await reader.next(), None
        if isinstance(description, BodyPartReader):
            upload = _upload(call, resource(await description.read()), None)
            media = await reader.next()
    except (AssertionError, ValueError) as error:
        raise StorageError(400, f"Invalid multipart body: {error}.") from error
    if not isinstance(media, BodyPartReader):
        raise StorageError(400, "Invalid multipart body: an object resource and a media part are expected.")
    content_type = upload.resource["contentType"] or media.headers.get("Content-Type")
    return replace(upload, resource=upload.resource | {"contentType": content_type}), _parts(reader, media)


async def _parts(reader: MultipartReader, media: BodyPartReader) -> AsyncIterator[bytes]:
    try:
        while block := await media.read_chunk(BLOCK):
            yield block
        await reader.next()  # complains of a body that ends without its closing boundary
    except (AssertionError, ValueError) as error:
        raise StorageError(400, f"Invalid multipart body: {error}.") from error


def _chunk(request: web.Request, arrived: int) -> tuple[int, int | None]:
    """Bytes of the body that are here already, and the size of the whole object if it is known."""
    header, length = request.headers.get("Content-Range"), request.content_length
    if header is None:
        return arrived, None
    if not (found := _CONTENT_RANGE.fullmatch(header)):
        raise StorageError(400, f"Invalid Content-Range {header!r}: bytes FIRST-LAST/TOTAL is expected.")
    total = int(found["total"]) if found["total"] != "*" else None
    if found["first"] is None:
        return arrived, total
    first, end = int(found["first"]), int(found["last"]) + 1
    wrong = [
        first > arrived and f"only {arrived} bytes have arrived before it",
        length not in (None, end - first) and f"the body has {length} bytes",
        end != total and (end - first) % _QUANTUM and "chunks before the last are multiples of 256 KiB",
    ]
    if any(wrong):
        raise StorageError(400, f"Invalid Content-Range {header!r}: {next(filter(None, wrong))}.")
    return arrived - first, total


async def _receive(content: Content, body: AsyncIterator[bytes], skip: int = 0) -> int:
    """Append the body but for its first `skip` bytes; returns its size."""
    size = 0
    async for block in body:
        size += len(block)
        if len(block) > skip:
            await asyncio.to_thread(content.append, block[skip:] if skip else block)
        skip = max(0, skip - len(block))
    return size


def _verify(call: Call, upload: Upload, content: Content) -> None:
    """Hold the content against the checksums of the resource and of X-Goog-Hash (crc32c=…,md5=…)."""
    pairs = call.request.headers.get("X-Goog-Hash", "").split(",")
    header = {name.strip(): value for name, _, value in (pair.partition("=") for pair in pairs)}
    for short, field, actual in (("crc32c", "crc32c", content.crc32c), ("md5", "md5Hash", content.md5)):
        for provided in (header.get(short), upload.resource.get(field)):
            if provided not in (None, actual):
                message = f"Provided {short} {provided!r} doesn't match calculated {short} {actual!r}."
                raise StorageError(400, message)


async def _finish(call: Call, upload: Upload, content: Content) -> web.Response:
    """Store the content under its name, as the one who began the upload may; if not, the upload is over too."""
    delete = "storage.objects.delete"
    refusal = None if call.allows(delete, upload.owner) else call.denied(delete, upload.owner)
    try:
        _verify(call, upload, content)
        found = await asyncio.to_thread(call.store.put, upload, content, refusal)
    except StorageError:
        await asyncio.to_thread(call.store.cancel_upload, upload)
        raise
    return web.json_response(with_links(found, call.origin))
