"""Who may do what in a bucket, in Google's words."""

from collections.abc import Callable

import pytest
import requests
from conftest import BUCKET, Cloud
from google.api_core import exceptions
from google.cloud import storage

VIEWER, CREATOR = "roles/storage.objectViewer", "roles/storage.objectCreator"
METHODS: list[tuple[str, Callable[[storage.Bucket], object]]] = [
    ("storage.objects.create", lambda bucket: bucket.blob("new").upload_from_string("x")),
    ("storage.objects.create", lambda bucket: bucket.blob("new").upload_from_string(b"x" * (9 << 20))),
    ("storage.objects.get", lambda bucket: bucket.blob("old").download_as_bytes()),
    ("storage.objects.get", lambda bucket: bucket.blob("old").reload()),
    ("storage.objects.list", lambda bucket: list(bucket.list_blobs())),
    ("storage.objects.delete", lambda bucket: bucket.blob("old").delete()),
    ("storage.buckets.get", lambda bucket: bucket.reload()),
]
ALLOWED = {
    None: set(),
    VIEWER: {"storage.objects.get", "storage.objects.list"},
    CREATOR: {"storage.objects.create"},
    "roles/storage.objectUser": {permission for permission, _ in METHODS} - {"storage.buckets.get"},
    "roles/storage.legacyBucketReader": {"storage.buckets.get", "storage.objects.list"},
}


@pytest.mark.parametrize(("permission", "method"), METHODS)
@pytest.mark.parametrize("role", ALLOWED, ids=str)
def test_each_method_asks_for_its_permission(
    bucket: storage.Bucket,
    connect: Callable[..., storage.Client],
    role: str | None,
    permission: str,
    method: Callable[[storage.Bucket], object],
) -> None:
    bucket.blob("old").upload_from_string("x")
    mine = connect(*filter(None, [role]), email="other@local").bucket(BUCKET)
    if permission in ALLOWED[role]:
        method(mine)
    else:
        of = "bucket" if "buckets" in permission or "list" in permission else "object"
        refusal = f"other@local does not have {permission} access to the Google Cloud Storage {of}."
        with pytest.raises(exceptions.Forbidden, match=refusal):
            method(mine)


@pytest.mark.parametrize("size", [3, 9 << 20], ids=["multipart", "resumable"])
def test_overwriting_also_needs_the_right_to_delete(
    cloud: Cloud, bucket: storage.Bucket, connect: Callable[..., storage.Client], size: int
) -> None:
    bucket.blob("old").upload_from_string("mine")
    creator = connect(CREATOR, email="creator@local").bucket(BUCKET)
    with pytest.raises(
        exceptions.Forbidden, match=r"creator@local does not have storage\.objects\.delete access"
    ):
        creator.blob("old").upload_from_string(b"x" * size)
    assert bucket.blob("old").download_as_bytes() == b"mine"
    assert len(list((cloud.root / "contents").iterdir())) == 1


def test_without_a_token_only_the_place_of_a_bucket_is_told(cloud: Cloud) -> None:
    cloud.store.update_bucket(BUCKET, {"labels": {"team": "secret"}})
    answer = requests.get(f"{cloud.url}/storage/v1/b/{BUCKET}")
    place = {"kind": "storage#bucket", "name": BUCKET, "location": "US-CENTRAL1", "locationType": "region"}
    assert (answer.status_code, answer.json()) == (200, place)
    answer = requests.get(f"{cloud.url}/storage/v1/b/{BUCKET}/o")
    assert answer.status_code == 401
    assert "Anonymous caller does not have storage.objects.list access" in answer.json()["error"]["message"]


def test_a_token_that_is_not_ours_is_no_token(cloud: Cloud) -> None:
    header = {"Authorization": "Bearer made-up"}
    answer = requests.get(f"{cloud.url}/storage/v1/b/{BUCKET}", headers=header)
    assert (answer.status_code, answer.json()["error"]["message"]) == (401, "Invalid Credentials")


def test_all_users_may_read_what_is_public(cloud: Cloud, bucket: storage.Bucket) -> None:
    bucket.blob("a").upload_from_string("open")
    cloud.grant(VIEWER, "allUsers")
    assert requests.get(f"{cloud.url}/download/storage/v1/b/{BUCKET}/o/a?alt=media").content == b"open"


def test_a_bucket_that_does_not_exist_is_not_found(bucket: storage.Bucket) -> None:
    with pytest.raises(exceptions.NotFound, match="The specified bucket does not exist"):
        bucket.client.bucket("another").blob("a").upload_from_string("x")
