"""Where Cloud Run runs, and where buckets can be: a region that does not exist would be noticed only after half of the stack was made."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from infra.schema.problem import Problem

if TYPE_CHECKING:
    from infra.stack import Stack

_TEXT = """
africa-south1
asia-east1 asia-east2 asia-northeast1 asia-northeast2 asia-northeast3 asia-south1 asia-south2
asia-southeast1 asia-southeast2 asia-southeast3 australia-southeast1 australia-southeast2
europe-central2 europe-north1 europe-north2 europe-southwest1 europe-west1 europe-west2 europe-west3 europe-west4
europe-west6 europe-west8 europe-west9 europe-west10 europe-west12
me-central1 me-central2 me-west1
northamerica-northeast1 northamerica-northeast2 northamerica-south1 southamerica-east1 southamerica-west1
us-central1 us-east1 us-east4 us-east5 us-south1 us-west1 us-west2 us-west3 us-west4
"""

REGIONS = frozenset(_TEXT.split())
"""docs.cloud.google.com/run/docs/locations; a region that Google opens is added here."""

WIDE = frozenset(["asia", "eu", "us", "asia1", "eur4", "eur5", "eur7", "eur8", "nam4"])
"""Where a bucket can be beside a region: docs.cloud.google.com/storage/docs/locations (multi-regions, dual-regions)."""


def regions(stack: Stack) -> Iterator[Problem]:
    """The stack's region is one of Cloud Run's."""
    if stack.region not in REGIONS:
        yield _unknown("gcp:region", stack.region, REGIONS, "a region of Cloud Run", "run")


def locations(stack: Stack) -> Iterator[Problem]:
    """A bucket that is elsewhere is somewhere."""
    for name, bucket in stack.buckets.items():
        if bucket.location and bucket.location.lower() not in {stack.region, *REGIONS, *WIDE}:
            key = f"blueprint:buckets.{name}.location"
            yield _unknown(key, bucket.location, REGIONS | WIDE, "a location of Cloud Storage", "storage")


def _unknown(key: str, value: str, known: Collection[str], must: str, product: str) -> Problem:
    near = difflib.get_close_matches(value.lower(), sorted(known), n=1)
    remedy = f"write {near[0]}" if near else f"choose one of docs.cloud.google.com/{product}/docs/locations"
    return Problem(key, value, must, f"{remedy}, or add a new region to infra/schema/regions.py")
