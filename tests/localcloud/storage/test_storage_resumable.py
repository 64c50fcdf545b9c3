"""Resumable uploads: interrupted, asked about, continued, also by another process of the server."""

import io
import os
import socket
from urllib.parse import urlsplit

import pytest
import requests
from conftest import BUCKET, Cloud
from google.cloud import storage
from google.cloud.storage._media.requests import ResumableUpload

CHUNK = 256 * 1024
DATA = os.urandom(3 * CHUNK + 1000)


@pytest.fixture
def upload(cloud: Cloud, bucket: storage.Bucket) -> ResumableUpload:
    """The client's own upload, begun."""
    started = ResumableUpload(f"{cloud.url}/upload/storage/v1/b/{BUCKET}/o?uploadType=resumable", CHUNK)
    started.initiate(bucket.client._http, io.BytesIO(DATA), {"name": "a"}, "text/plain")
    return started


def finish(upload: ResumableUpload, bucket: storage.Bucket) -> None:
    while not upload.finished:
        upload.transmit_next_chunk(bucket.client._http)
    blob = bucket.get_blob("a")
    assert (blob.download_as_bytes(), blob.content_type) == (DATA, "text/plain")


def status(url: str, total: str = "*") -> requests.Response:
    return requests.put(url, headers={"Content-Range": f"bytes */{total}"})


@pytest.mark.parametrize("size", [0, CHUNK, 2 * CHUNK, 2 * CHUNK + 1])
def test_chunks_of_a_stream_of_unknown_length(bucket: storage.Bucket, size: int) -> None:
    with bucket.blob("a").open("wb", chunk_size=CHUNK) as file:
        file.write(DATA[:size])
    assert bucket.blob("a").download_as_bytes() == DATA[:size]


def test_nothing_is_visible_before_the_last_chunk(bucket: storage.Bucket, upload: ResumableUpload) -> None:
    bucket.blob("a").upload_from_string("old")
    upload.transmit_next_chunk(bucket.client._http)
    assert bucket.blob("a").download_as_bytes() == b"old"
    finish(upload, bucket)


def test_an_upload_goes_on_after_the_server_restarts(
    cloud: Cloud, bucket: storage.Bucket, upload: ResumableUpload
) -> None:
    upload.transmit_next_chunk(bucket.client._http)
    cloud.restart()
    upload.recover(bucket.client._http)
    assert upload.bytes_uploaded == CHUNK
    finish(upload, bucket)


def test_what_arrived_of_a_broken_chunk_counts(
    cloud: Cloud, bucket: storage.Bucket, upload: ResumableUpload
) -> None:
    url = urlsplit(upload.resumable_url)
    head = f"PUT {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Length: {len(DATA)}\r\n"
    with socket.create_connection(("127.0.0.1", cloud.port)) as connection:
        connection.sendall(f"{head}Content-Range: bytes 0-{len(DATA) - 1}/{len(DATA)}\r\n\r\n".encode())
        connection.sendall(DATA[:1000])
    assert status(upload.resumable_url).status_code == 308
    upload._make_invalid()
    upload.recover(bucket.client._http)
    assert upload.bytes_uploaded <= 1000
    finish(upload, bucket)


def test_the_status_names_the_last_byte_there_is(bucket: storage.Bucket, upload: ResumableUpload) -> None:
    answer = status(upload.resumable_url)
    assert (answer.status_code, answer.headers.get("Range")) == (308, None)
    upload.transmit_next_chunk(bucket.client._http)
    answer = status(upload.resumable_url, total=str(len(DATA)))
    assert (answer.status_code, answer.headers["Range"]) == (308, f"bytes=0-{CHUNK - 1}")


def test_a_chunk_sent_twice_is_taken_once(bucket: storage.Bucket, upload: ResumableUpload) -> None:
    upload.transmit_next_chunk(bucket.client._http)
    header = {"Content-Range": f"bytes 0-{2 * CHUNK - 1}/*"}
    answer = requests.put(upload.resumable_url, data=DATA[: 2 * CHUNK], headers=header)
    assert answer.headers["Range"] == f"bytes=0-{2 * CHUNK - 1}"
    header = {"Content-Range": f"bytes {2 * CHUNK}-{len(DATA) - 1}/{len(DATA)}"}
    assert requests.put(upload.resumable_url, data=DATA[2 * CHUNK :], headers=header).status_code == 200
    assert bucket.blob("a").download_as_bytes() == DATA


def test_the_end_may_be_asked_for_again(
    cloud: Cloud, bucket: storage.Bucket, upload: ResumableUpload
) -> None:
    """As a client does that lost the answer to its last chunk."""
    finish(upload, bucket)
    generation = bucket.get_blob("a").generation
    cloud.restart()
    answer = status(upload.resumable_url, total=str(len(DATA)))
    assert (answer.status_code, answer.json()["generation"]) == (200, str(generation))


def test_a_cancelled_upload_leaves_nothing(
    cloud: Cloud, bucket: storage.Bucket, upload: ResumableUpload
) -> None:
    upload.transmit_next_chunk(bucket.client._http)
    assert requests.delete(upload.resumable_url).status_code == 499
    assert status(upload.resumable_url).status_code == 404
    assert list((cloud.root / "contents").iterdir()) == []


@pytest.mark.parametrize(
    ("header", "body", "reason"),
    [
        ("bytes 10-19/*", b"x" * 10, "only 0 bytes have arrived"),
        ("bytes 0-9/*", b"x" * 10, "multiples of 256 KiB"),
        ("bytes 0-99/100", b"x" * 10, "the body has 10 bytes"),
        ("lines 0-9/10", b"x" * 10, "FIRST-LAST/TOTAL is expected"),
    ],
)
def test_a_chunk_that_does_not_fit_is_refused(
    upload: ResumableUpload, header: str, body: bytes, reason: str
) -> None:
    answer = requests.put(upload.resumable_url, data=body, headers={"Content-Range": header})
    assert answer.status_code == 400
    assert reason in answer.json()["error"]["message"]
    assert status(upload.resumable_url).headers.get("Range") is None


def test_a_wrong_checksum_ends_the_upload(bucket: storage.Bucket, upload: ResumableUpload) -> None:
    answer = requests.put(upload.resumable_url, data=DATA, headers={"X-Goog-Hash": "crc32c=AAAAAA=="})
    assert answer.status_code == 400
    assert not bucket.blob("a").exists()
    assert status(upload.resumable_url).status_code == 404
