"""What cannot be updated is replaced, and its successor never meets it: proven for whatever a stack declares."""

from __future__ import annotations

from typing import Any

import pytest
from recorded import Recorded, record
from stack_options import everything

from localcloud.kinds import Home, Kind, kind_of

HOME = Home("acme-docs", "1", "europe-southwest1")
BUILT = "docker-build:"


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    return record("dev", everything("dev"))


def meets(kind: Kind, name: str, inputs: dict[str, Any]) -> list[str]:
    """The inputs whose change makes a successor with the same id, which the provider would not delete first."""
    if kind.deletes_first(inputs):
        return []
    id = kind.identify(HOME, name, inputs)
    other = {"title": "another", "expression": "another"}
    changes = {key: other if key == "condition" else "another" for key in kind.fixed if key != "project"}
    return [key for key, value in changes.items() if kind.identify(HOME, name, {**inputs, key: value}) == id]


def test_a_successor_never_meets_its_predecessor(recorded: Recorded) -> None:
    """Google answers 409 to a second one of the same name, so such a resource has `delete_before_replace`."""
    found = {
        str(each): fixed
        for each in recorded.declared()
        if not each.type.startswith(BUILT)
        and (each.type, each.name) not in recorded.deletes_first
        and (fixed := meets(kind_of(each.type), each.name, each.inputs))
    }
    assert found == {}


@pytest.mark.parametrize("kind", ["Repository", "GenericService", "Bucket"])
def test_what_deletes_first_says_so(recorded: Recorded, kind: str) -> None:
    """A registry changes its key, a service of Monitoring what it watches, a bucket its place, only by going before."""
    names = recorded.of(kind)
    assert names
    assert {name for typ, name in recorded.deletes_first if typ.endswith(f":{kind}")} == names.keys()
