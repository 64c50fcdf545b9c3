"""Objects through the official client: what a service stores, it gets back."""

import base64
import hashlib
import os

import pytest
import requests
from conftest import BUCKET, Cloud
from google.api_core import exceptions
from google.cloud import storage


def test_an_object_comes_back_as_it_was_stored(bucket: storage.Bucket) -> None:
    blob = bucket.blob("notes/first.txt")
    blob.metadata = {"owner": "extract"}
    blob.cache_control = "no-store"
    blob.upload_from_string("hello", content_type="text/plain")
    again = bucket.get_blob("notes/first.txt")
    assert again.download_as_bytes() == b"hello"
    assert (again.size, again.content_type, again.storage_class) == (5, "text/plain", "STANDARD")
    assert again.md5_hash == base64.b64encode(hashlib.md5(b"hello").digest()).decode()
    again.reload()
    assert (again.metadata, again.cache_control) == ({"owner": "extract"}, "no-store")
    assert (again.generation, again.metageneration) == (blob.generation, 1)
    assert again.time_created == again.updated == blob.time_created


@pytest.mark.parametrize("size", [0, 1, 3_000_000, 8 << 20, (8 << 20) + 1], ids=str)
def test_every_size_survives_the_way_the_client_picks_for_it(bucket: storage.Bucket, size: int) -> None:
    """Up to 8 MiB the client sends multipart, above that a resumable upload; it checks the checksum itself."""
    data = os.urandom(size)
    bucket.blob("data").upload_from_string(data)
    assert bucket.blob("data").download_as_bytes() == data


def test_a_body_that_looks_like_multipart_is_stored_whole(bucket: storage.Bucket) -> None:
    data = b"\r\n--==\r\ncontent-type: x\r\n\r\n--\r\n" * 3
    bucket.blob("odd").upload_from_string(data)
    assert bucket.blob("odd").download_as_bytes() == data


@pytest.mark.parametrize("name", ["a/b//c/", "ümläut 漢字", "100%25 + a?b#c&d=e", "{curly}", "..a/../b", "-"])
def test_a_name_may_hold_anything_a_url_has_its_own_use_for(bucket: storage.Bucket, name: str) -> None:
    bucket.blob(name).upload_from_string("x")
    assert bucket.get_blob(name).name == name
    assert [blob.name for blob in bucket.list_blobs()] == [name]
    bucket.delete_blob(name)
    assert not bucket.blob(name).exists()


@pytest.mark.parametrize("name", ["", ".", "..", "a\nb", "x" * 1025])
def test_a_name_google_would_not_take_is_refused(cloud: Cloud, http: requests.Session, name: str) -> None:
    at = f"{cloud.url}/upload/storage/v1/b/{BUCKET}/o"
    answer = http.post(at, params={"uploadType": "media", "name": name}, data=b"x")
    assert (answer.status_code, answer.json()["error"]["errors"][0]["reason"]) == (400, "invalid")


def test_an_object_and_one_that_seems_to_be_inside_it_are_two(bucket: storage.Bucket) -> None:
    bucket.blob("a").upload_from_string("outer")
    bucket.blob("a/b").upload_from_string("inner")
    assert [bucket.blob(name).download_as_text() for name in ("a", "a/b")] == ["outer", "inner"]


def test_overwriting_gives_a_newer_generation_and_leaves_one_file(
    cloud: Cloud, bucket: storage.Bucket
) -> None:
    first, second = bucket.blob("a"), bucket.blob("a")
    first.upload_from_string("1")
    second.upload_from_string("2")
    assert second.generation > first.generation
    assert bucket.blob("a").download_as_bytes() == b"2"
    assert len(list((cloud.root / "contents").iterdir())) == 1
    with pytest.raises(exceptions.NotFound):
        bucket.blob("a", generation=first.generation).download_as_bytes()


def test_a_deleted_object_is_gone_with_its_file(cloud: Cloud, bucket: storage.Bucket) -> None:
    bucket.blob("a").upload_from_string("1")
    bucket.blob("a").delete()
    assert list((cloud.root / "contents").iterdir()) == []
    with pytest.raises(exceptions.NotFound, match=f"No such object: {BUCKET}/a"):
        bucket.blob("a").delete()
    with pytest.raises(exceptions.NotFound):
        bucket.blob("a").download_as_bytes()


@pytest.mark.parametrize(
    ("header", "status", "body", "content_range"),
    [
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=7-99", 206, b"789", "bytes 7-9/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=-99", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=10-", 416, None, None),
        ("bytes=5-3", 200, b"0123456789", None),
        ("lines=1-2", 200, b"0123456789", None),
    ],
)
def test_a_range_is_answered_as_http_says(
    cloud: Cloud,
    http: requests.Session,
    header: str,
    status: int,
    body: bytes | None,
    content_range: str | None,
) -> None:
    at = f"{cloud.url}/upload/storage/v1/b/{BUCKET}/o"
    assert http.post(at, params={"uploadType": "media", "name": "ten"}, data=b"0123456789").ok
    url = f"{cloud.url}/storage/v1/b/{BUCKET}/o/ten?alt=media"
    answer = http.get(url, headers={"Range": header})
    assert (answer.status_code, answer.headers.get("Content-Range")) == (status, content_range)
    assert body is None or answer.content == body


def test_the_client_reads_in_ranges_and_chunks(bucket: storage.Bucket) -> None:
    data = os.urandom(600_000)
    bucket.blob("data").upload_from_string(data)
    assert bucket.blob("data").download_as_bytes(start=100, end=299) == data[100:300]
    assert bucket.blob("data", chunk_size=256 * 1024).download_as_bytes() == data


def test_an_overwritten_object_can_be_read_to_its_end(cloud: Cloud, bucket: storage.Bucket) -> None:
    bucket.blob("a").upload_from_string("old")
    _, file = cloud.store.open(BUCKET, "a")
    bucket.blob("a").upload_from_string("new")
    with file:
        assert file.read() == b"old"


def test_a_wrong_checksum_stores_nothing(cloud: Cloud, bucket: storage.Bucket) -> None:
    blob = bucket.blob("a")
    blob.md5_hash = "AAAAAAAAAAAAAAAAAAAAAA=="
    with pytest.raises(exceptions.BadRequest, match="doesn't match calculated md5"):
        blob.upload_from_string("x", checksum=None)
    assert not bucket.blob("a").exists()
    assert list((cloud.root / "contents").iterdir()) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--b\r\n\r\n{}\r\n--b--",
        b"--b\r\n\r\nnot json\r\n--b\r\n\r\ndata\r\n--b--",
        b'--b\r\n\r\n{"name": "a"}\r\n--b\r\n\r\ndata cut off here',
        b'--b\r\n\r\n{"name": "a", "metadata": 1}\r\n--b\r\n\r\ndata\r\n--b--',
    ],
    ids=["empty", "one part", "not JSON", "cut off", "odd metadata"],
)
def test_a_malformed_upload_is_a_clear_400_and_stores_nothing(
    cloud: Cloud, http: requests.Session, body: bytes
) -> None:
    header = {"Content-Type": "multipart/related; boundary=b"}
    at = f"{cloud.url}/upload/storage/v1/b/{BUCKET}/o?uploadType=multipart"
    answer = http.post(at, data=body, headers=header)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 400)
    assert list((cloud.root / "contents").iterdir()) == []


def names(bucket: storage.Bucket, **options: object) -> list[str]:
    return [blob.name for blob in bucket.list_blobs(**options)]


def test_listing_is_in_order_by_prefix_and_in_pages(bucket: storage.Bucket) -> None:
    stored = ["a", "b/1", "b/2", "b/x/3", "c", "ä"]
    for name in reversed(stored):
        bucket.blob(name).upload_from_string(name)
    assert names(bucket) == stored
    assert names(bucket, prefix="b/") == ["b/1", "b/2", "b/x/3"]
    assert names(bucket, prefix="nothing") == []
    pages = [[blob.name for blob in page] for page in bucket.list_blobs(page_size=4).pages]
    assert pages == [stored[:4], stored[4:]]
    assert names(bucket, max_results=3) == stored[:3]


@pytest.mark.parametrize("page_size", [1, 2, 3, 1000])
def test_a_delimiter_folds_names_whatever_the_page(bucket: storage.Bucket, page_size: int) -> None:
    for name in ["a", "b/", "b/1", "b/2", "c/1/x", "c/2", "d"]:
        bucket.blob(name).upload_from_string(name)
    top = bucket.list_blobs(delimiter="/", page_size=page_size)
    assert ([blob.name for blob in top], top.prefixes) == (["a", "d"], {"b/", "c/"})
    inside = bucket.list_blobs(prefix="b/", delimiter="/", page_size=page_size)
    assert ([blob.name for blob in inside], inside.prefixes) == (["b/", "b/1", "b/2"], set())


def test_a_bucket_tells_where_it_is_and_what_it_was_given(cloud: Cloud, bucket: storage.Bucket) -> None:
    cloud.store.update_bucket(BUCKET, {"labels": {"env": "dev"}, "storageClass": "NEARLINE"})
    cloud.store.update_bucket(BUCKET, {"labels": {"env": "local"}, "location": "EU"})
    bucket.reload()
    assert bucket.storage_class == "STANDARD"
    assert (bucket.location, bucket.location_type, bucket.labels) == (
        "US-CENTRAL1",
        "region",
        {"env": "local"},
    )
    assert bucket.exists()


def test_a_bucket_with_objects_is_deleted_only_by_force(cloud: Cloud, bucket: storage.Bucket) -> None:
    bucket.blob("a").upload_from_string("x")
    with pytest.raises(Exception, match="not empty"):
        cloud.store.delete_bucket(BUCKET)
    cloud.store.delete_bucket(BUCKET, force=True)
    assert not bucket.exists()
    assert list((cloud.root / "contents").iterdir()) == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/storage/v1/b?project=local"),
        ("PATCH", f"/storage/v1/b/{BUCKET}/o/a"),
        ("POST", f"/storage/v1/b/{BUCKET}/o/a/rewriteTo/b/{BUCKET}/o/b"),
        ("POST", "/batch/storage/v1"),
        ("GET", f"/storage/v1/b/{BUCKET}/o?versions=true"),
    ],
)
def test_what_is_not_there_says_so(cloud: Cloud, http: requests.Session, method: str, path: str) -> None:
    answer = http.request(method, cloud.url + path, json={})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (501, 501)
    assert "not implemented by this local Cloud Storage" in error["message"]
