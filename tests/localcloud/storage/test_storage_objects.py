"""Objects through the official client: what a service stores, it gets back."""

import os

import pytest
from google.api_core import exceptions


def test_small_upload_is_read_back(bucket):
    blob = bucket.blob("notes/first.txt")
    blob.metadata = {"owner": "extract"}
    blob.upload_from_string("hello", content_type="text/plain")
    again = bucket.get_blob("notes/first.txt")
    assert again.download_as_bytes() == b"hello"
    assert (again.size, again.content_type, again.metadata) == (5, "text/plain", {"owner": "extract"})
    assert again.generation == blob.generation


def test_20(bucket):
    import io, time
    data = os.urandom(20 << 20)
    for i in range(3):
        blob = bucket.blob(f"big{i}")
        t = time.time(); blob.upload_from_string(data); t1 = time.time(); back = bucket.blob(f"big{i}").download_as_bytes(); t2 = time.time()
        assert back == data
        print("up", t1 - t, "down", t2 - t1)
    data = data[:8<<20]
    t = time.time(); blob.upload_from_string(data); t1 = time.time();print("8MB multipart", t1-t)
