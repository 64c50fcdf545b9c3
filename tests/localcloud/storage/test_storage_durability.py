"""What is stored stays stored: over restarts, and over a kill at any step of an upload."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from conftest import BUCKET, HOME, Cloud
from google.cloud import storage

from localcloud.storage.contents import Content
from localcloud.storage.records import Upload
from localcloud.storage.store import ObjectStore

OLD, NEW = b"old" * 1000, b"new" * 1_000_000


def put(store: ObjectStore, data: bytes, name: str = "a") -> None:
    upload = Upload(BUCKET, name, {}, {}, "")
    content = store.content(upload)
    content.append(data)
    store.put(upload, content)


def read(store: ObjectStore, name: str = "a") -> bytes:
    with store.open(BUCKET, name)[1] as file:
        return file.read()


def test_buckets_and_objects_outlive_the_server(cloud: Cloud, bucket: storage.Bucket) -> None:
    blob = bucket.blob("a")
    blob.upload_from_string("kept", content_type="text/plain")
    cloud.restart()
    again = bucket.get_blob("a")
    assert (again.download_as_bytes(), again.generation) == (b"kept", blob.generation)
    assert [found["name"] for found in cloud.store.buckets()] == [BUCKET]
    again.upload_from_string("newer")
    assert again.generation > blob.generation


@pytest.mark.parametrize(
    ("step", "survived", "left"),
    [
        ("Content.append", 1, OLD),  # in the middle of the body
        ("Content.sync", 0, OLD),  # all bytes are there
        ("ObjectStore._save", 0, OLD),  # inside the transaction
        ("ObjectStore._unlink", 0, NEW),  # after it, with the answer unsent
    ],
)
def test_a_kill_leaves_the_old_object_or_the_new_one(
    tmp_path: Path, step: str, survived: int, left: bytes
) -> None:
    store = ObjectStore(tmp_path)
    store.create_bucket(BUCKET, HOME)
    put(store, OLD)
    store.close()
    command = [
        sys.executable,
        str(Path(__file__).with_name("dying_server.py")),
        str(tmp_path),
        step,
        str(survived),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        url, token = json.loads(server.stdout.readline())
        at = f"{url}/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name=a"
        try:
            with pytest.raises(requests.ConnectionError):
                requests.post(at, data=NEW, headers={"Authorization": f"Bearer {token}"})
        finally:
            server.kill()
    store = ObjectStore(tmp_path)
    assert read(store) == left
    assert len(list((tmp_path / "contents").iterdir())) == 1
    store.close()


def test_a_client_that_goes_away_in_the_middle_leaves_the_old_object(
    cloud: Cloud, bucket: storage.Bucket
) -> None:
    bucket.blob("a").upload_from_string(OLD)
    head = f"POST /upload/storage/v1/b/{BUCKET}/o?uploadType=media&name=a HTTP/1.1\r\nHost: x\r\n"
    token = f"Authorization: Bearer {cloud.token()}\r\nContent-Length: {len(NEW)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", cloud.port)) as connection:
        connection.sendall((head + token).encode() + NEW[: len(NEW) // 2])
        assert bucket.blob("a").exists()  # by now the server has taken the connection before this one
    cloud.restart()
    assert read(cloud.store) == OLD
    assert len(list((cloud.root / "contents").iterdir())) == 1


def test_a_full_disk_leaves_the_old_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ObjectStore(tmp_path)
    store.create_bucket(BUCKET, HOME)
    put(store, OLD)

    def full(content: Content) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Content, "sync", full)
    with pytest.raises(OSError, match="No space left"):
        put(store, NEW)
    assert read(store) == OLD
    assert len(list((tmp_path / "contents").iterdir())) == 1
    store.close()


def test_a_store_in_use_is_not_opened_a_second_time(tmp_path: Path) -> None:
    """A second process would remove the first one's unfinished uploads as leftovers."""
    store = ObjectStore(tmp_path)
    with pytest.raises(RuntimeError, match="stop the other local cloud"):
        ObjectStore(tmp_path)
    store.close()


def test_generations_rise_when_the_clock_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localcloud.storage.store.microseconds", lambda: 1000)
    store = ObjectStore(tmp_path)
    store.create_bucket(BUCKET, HOME)
    put(store, OLD)
    first = store.get(BUCKET, "a")["generation"]
    store.close()
    store = ObjectStore(tmp_path)
    put(store, NEW)
    assert int(store.get(BUCKET, "a")["generation"]) == int(first) + 1
    store.close()


def test_a_session_is_forgotten_after_a_week(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path)
    store.create_bucket(BUCKET, HOME)
    for age_days in (6, 8):
        created = Upload(BUCKET, "a", {}, {}, "").created - age_days * 24 * 3600 * 1_000_000
        upload = Upload(BUCKET, "a", {}, {}, "", id=f"{age_days}-days", created=created)
        store.content(upload).append(b"x")
        store.keep_upload(upload)
    store.close()
    store = ObjectStore(tmp_path)
    assert [file.name for file in (tmp_path / "contents").iterdir()] == ["6-days"]
    assert store.upload(BUCKET, "6-days").name == "a"
    store.close()
