"""Generation preconditions: what makes a retried upload safe."""

from collections.abc import Callable

import pytest
from google.api_core import exceptions
from google.cloud import storage

LARGE = b"x" * (9 << 20)


@pytest.mark.parametrize("data", [b"second", LARGE], ids=["multipart", "resumable"])
def test_create_only_refuses_an_object_that_exists(bucket: storage.Bucket, data: bytes) -> None:
    bucket.blob("a").upload_from_string("first", if_generation_match=0)
    with pytest.raises(exceptions.PreconditionFailed, match="pre-conditions you specified did not hold"):
        bucket.blob("a").upload_from_string(data, if_generation_match=0)
    assert bucket.blob("a").download_as_bytes() == b"first"


def test_replacing_the_generation_one_has_seen(bucket: storage.Bucket) -> None:
    blob = bucket.blob("a")
    blob.upload_from_string("1")
    seen = blob.generation
    blob.upload_from_string("2", if_generation_match=seen)
    with pytest.raises(exceptions.PreconditionFailed):
        blob.upload_from_string("3", if_generation_match=seen)
    with pytest.raises(exceptions.PreconditionFailed):
        blob.delete(if_generation_match=seen)
    assert bucket.blob("a").download_as_bytes() == b"2"


OPERATIONS = {
    "upload": lambda blob, **condition: blob.upload_from_string("new", **condition),
    "download": lambda blob, **condition: blob.download_as_bytes(**condition),
    "get": lambda blob, **condition: blob.reload(**condition),
    "delete": lambda blob, **condition: blob.delete(**condition),
}
HELD = {"if_generation_match": 0, "if_generation_not_match": -1, "if_metageneration_match": 1}
UNMET = {"if_generation_match": -1, "if_metageneration_match": 2, "if_metageneration_not_match": 1}


def condition(name: str, offset: int, generation: int) -> dict[str, int]:
    """A generation is given relative to the live one, a metageneration as it is."""
    return {name: offset if "meta" in name else generation + offset}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("name", HELD)
def test_a_condition_that_holds_is_let_through(bucket: storage.Bucket, operation: str, name: str) -> None:
    blob = bucket.blob("a")
    blob.upload_from_string("old")
    OPERATIONS[operation](bucket.blob("a"), **condition(name, HELD[name], blob.generation))


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("name", UNMET)
def test_a_condition_that_fails_changes_nothing(bucket: storage.Bucket, operation: str, name: str) -> None:
    """412, or 304 for a read of what has not changed."""
    blob = bucket.blob("a")
    blob.upload_from_string("old")
    unchanged = "not_match" in name and operation in ("get", "download")
    expected: Callable[..., object] = exceptions.NotModified if unchanged else exceptions.PreconditionFailed
    with pytest.raises(expected):
        OPERATIONS[operation](bucket.blob("a"), **condition(name, UNMET[name], blob.generation))
    assert bucket.blob("a").download_as_bytes() == b"old"
