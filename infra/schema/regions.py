"""Where Cloud Run runs: a region that does not exist would be noticed only after half of the stack was made."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
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


def regions(stack: Stack) -> Iterator[Problem]:
    """The stack's region is one of Cloud Run's."""
    if stack.region not in REGIONS:
        near = difflib.get_close_matches(stack.region, sorted(REGIONS), n=1)
        remedy = f"write {near[0]}" if near else "choose one of docs.cloud.google.com/run/docs/locations"
        yield Problem(
            "gcp:region",
            stack.region,
            "a region of Cloud Run",
            f"{remedy}, or add a new region to infra/schema/regions.py",
        )
