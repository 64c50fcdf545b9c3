"""Cloud Storage's JSON API for one object store: the routes, reading, listing and deleting.

Not here: creating buckets (the Pulumi program does), patches, ACLs, copies, versions, batches: they answer 501.
"""

import asyncio
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable

from aiohttp import web

from localcloud.identity import Identity
from localcloud.storage.call import Call, with_links
from localcloud.storage.contents import BLOCK
from localcloud.storage.errors import StorageError, check
from localcloud.storage.latency import Latency
from localcloud.storage.records import Resource
from localcloud.storage.store import ObjectStore
from localcloud.storage.uploads import Uploads

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Method = Callable[[Call], Awaitable[web.StreamResponse]]
_PAGE = 1000
_PREFIXES = ("", "/upload", "/download", "/batch")
_UNSUPPORTED = ("versions", "softDeleted", "matchGlob", "startOffset", "endOffset")


def storage_routes(store: ObjectStore, identity: Identity, latency: Latency) -> list[web.RouteDef]:
    """Everything under /storage/v1, /upload/storage/v1, /download/storage/v1 and /batch/storage/v1."""
    uploads = Uploads()

    def answer(method: Method) -> Handler:
        async def handler(request: web.Request) -> web.StreamResponse:
            call = Call(request, store, identity, latency)
            try:
                await call.find_bucket()
                response = await method(call)
            except StorageError as error:
                response = _error(error)
            await call.travel(down=response.content_length or 0)
            return response

        return handler

    bucket, named = "/storage/v1/b/{bucket}", "/o/{object:[^/]+}"
    return [
        web.get(bucket, answer(get_bucket), allow_head=False),
        web.get(f"{bucket}/o", answer(list_objects), allow_head=False),
        web.get(bucket + named, answer(get_object), allow_head=False),
        web.get(f"/download{bucket}{named}", answer(download), allow_head=False),
        web.delete(bucket + named, answer(delete_object)),
        web.post(f"/upload{bucket}/o", answer(uploads.insert)),
        web.put(f"/upload{bucket}/o", answer(uploads.resume)),
        web.delete(f"/upload{bucket}/o", answer(uploads.cancel)),
        *(web.route("*", f"{at}/storage/v1{{rest:.*}}", _unknown) for at in _PREFIXES),
    ]


async def get_bucket(call: Call) -> web.Response:
    location = call.bucket["location"]
    kind = (
        "region" if "-" in location else "multi-region" if location in ("US", "EU", "ASIA") else "dual-region"
    )
    place = {"name": call.bucket_name, "location": location, "locationType": kind}
    if call.anonymous:
        # Unlike Google: `blueprint explain` reads a bucket's region on a laptop without credentials.
        # Nothing else is told.
        return web.json_response({"kind": "storage#bucket"} | place)
    call.require("storage.buckets.get")
    link = f"{call.origin}/storage/v1/b/{call.bucket_name}"
    more = {"kind": "storage#bucket", "id": call.bucket_name, "selfLink": link, "storageClass": "STANDARD"}
    return web.json_response(more | call.bucket | place)


async def list_objects(call: Call) -> web.Response:
    call.require("storage.objects.list")
    query = call.request.query
    for name in _UNSUPPORTED:
        if query.get(name, "false") != "false":
            raise StorageError(501, f"Listing by {name} is not implemented by this local Cloud Storage.")
    after, limit = _entry(query.get("pageToken", "")), min(max(call.number("maxResults") or _PAGE, 1), _PAGE)
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    page = await asyncio.to_thread(call.store.page, call.bucket_name, prefix, delimiter, after, limit)
    body: Resource = {"kind": "storage#objects"}
    if page.items:
        body["items"] = [with_links(found, call.origin) for found in page.items]
    if page.prefixes:
        body["prefixes"] = page.prefixes
    if page.next is not None:
        body["nextPageToken"] = urlsafe_b64encode(page.next.encode()).decode()
    return web.json_response(body)


async def get_object(call: Call) -> web.StreamResponse:
    if call.request.query.get("alt") == "media":
        return await download(call)
    call.require("storage.objects.get")
    found = await asyncio.to_thread(call.store.get, *call.object, call.number("generation"))
    check(call.conditions(), found, unchanged=304)
    return web.json_response(with_links(found, call.origin))


async def download(call: Call) -> web.StreamResponse:
    call.require("storage.objects.get")
    found, file = await asyncio.to_thread(call.store.open, *call.object, call.number("generation"))
    with file:
        check(call.conditions(), found, unchanged=304)
        size, headers = int(found["size"]), _headers(found)
        start, stop, partial = _range(call.request, size)
        await call.travel(down=stop - start)
        if partial:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        response = web.StreamResponse(status=206 if partial else 200, headers=headers)
        response.content_length = stop - start
        await response.prepare(call.request)
        file.seek(start)
        while start < stop:
            block = await asyncio.to_thread(file.read, min(BLOCK, stop - start))
            await response.write(block)
            start += len(block)
        await response.write_eof()
        return response


async def delete_object(call: Call) -> web.Response:
    call.require("storage.objects.delete")
    await asyncio.to_thread(call.store.delete, *call.object, call.number("generation"), call.conditions())
    return web.Response(status=204)


async def _unknown(request: web.Request) -> web.Response:
    message = f"{request.method} {request.path} is not implemented by this local Cloud Storage."
    return _error(StorageError(501, message))


def _error(error: StorageError) -> web.Response:
    return web.json_response(error.body(), status=error.status)


def _headers(found: Resource) -> dict[str, str]:
    """Of a download; the client checks what it read against X-Goog-Hash."""
    encoding = found.get("contentEncoding")
    return ({"Content-Encoding": encoding} if encoding else {}) | {
        "Content-Type": found["contentType"],
        "Accept-Ranges": "bytes",
        "ETag": f'"{found["etag"]}"',
        "X-Goog-Generation": found["generation"],
        "X-Goog-Metageneration": found["metageneration"],
        "X-Goog-Hash": f"crc32c={found['crc32c']},md5={found['md5Hash']}",
        "X-Goog-Storage-Class": found["storageClass"],
        "X-Goog-Stored-Content-Encoding": encoding or "identity",
        "X-Goog-Stored-Content-Length": found["size"],
    }


def _range(request: web.Request, size: int) -> tuple[int, int, bool]:
    """First byte, the one after the last, and whether a part was asked for."""
    try:
        wanted = request.http_range
    except ValueError:  # one that means nothing is ignored: RFC 9110, 14.2
        return 0, size, False
    start, stop, _ = wanted.indices(size)
    if wanted.start is not None and start >= stop:
        raise StorageError(416, f"The object's {size} bytes have none in {request.headers['Range']}.")
    return start, stop, wanted.start is not None


def _entry(token: str) -> str:
    try:
        return urlsafe_b64decode(token).decode()
    except ValueError:
        raise StorageError(400, f"Invalid pageToken {token!r}: pass a nextPageToken.") from None
