"""The seam: what both engines call to check, diff, create, update and delete resources, whose state is durable JSON.

It keeps the books; what a resource does to the running cloud is behind `Effects`.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

from localcloud.kinds import Home, Inputs, Kind, Refused, kind_of

__all__ = ["Diff", "Effects", "Home", "Refused", "Resource", "Resources"]


@dataclass(frozen=True)
class Resource:
    """One resource: `name` is the logical one in the program, `inputs` and `outputs` are Pulumi's camelCase properties."""

    type: str
    name: str
    id: str
    inputs: Inputs
    outputs: Inputs


class Effects(Protocol):
    """What the running cloud does with resources. All calls come on the cloud's loop; a Refused reaches the operator."""

    async def put(self, resource: Resource) -> Inputs:
        """Make the cloud match `resource.inputs`: create or update, the same twice being no error.

        `resource.outputs` are the former ones, empty for a new resource. Returns facts for the outputs:
        a Cloud Run service gives `uri` and `revision` (short name), the others nothing.
        Whoever raises leaves the cloud as it was.
        """
        ...

    async def drop(self, resource: Resource) -> None:
        """Remove it from the cloud; nothing there is no error. A full bucket without forceDestroy raises Refused."""
        ...


@dataclass(frozen=True)
class Diff:
    """The inputs that changed, those of them that no update can change, and whether the provider then deletes first."""

    changes: Sequence[str] = ()
    replaces: Sequence[str] = ()
    deletes_first: bool = False


class Resources:
    """The resources of one local cloud, in the order of their creation."""

    def __init__(self, directory: Path, effects: Effects, home: Home) -> None:
        self._path = directory.resolve() / "resources.json"
        self._effects = effects
        self.home = home
        self._held = {(r.type, r.id): r for r in _load(self._path)}

    def all(self) -> list[Resource]:
        """Every resource, in the order of creation; like all that does not wait, safe in any thread."""
        return list(self._held.values())

    def find(self, type: str, id: str) -> Resource | None:
        """The resource with the provider's id."""
        return self._held.get((type, id))

    def named(self, type: str, name: str) -> Resource | None:
        """The resource with the program's logical name."""
        return next((r for r in self.all() if (r.type, r.name) == (type, name)), None)

    def check(self, type: str, inputs: Inputs) -> Inputs:
        """The inputs in their plain form; raises Refused for an unknown type or a missing name."""
        plain: Inputs = _plain(inputs)
        kind_of(type).check(self.home, plain)
        return plain

    def diff(self, type: str, olds: Inputs, news: Inputs) -> Diff:
        """Which inputs differ between two states of one resource; without a `project` it is the provider's."""
        old, new = ({"project": self.home.project, **_plain(each)} for each in (olds, news))
        changes = [key for key in sorted({*old, *new}) if not _same(key, old.get(key), new.get(key))]
        kind = kind_of(type)
        replaces = [key for key in changes if key in kind.fixed]
        return Diff(changes, replaces, bool(replaces) and kind.deletes_first(new))

    def preview(self, type: str, name: str, inputs: Inputs, old: Resource | None = None) -> Resource:
        """What `create`, or with `old` an update, would give, as far as it is known beforehand."""
        plain = self.check(type, inputs)
        outputs = kind_of(type).preview(self.home, plain, old.outputs if old else None)
        return Resource(type, name, old.id if old else "", plain, outputs)

    async def create(self, type: str, name: str, inputs: Inputs) -> Resource:
        """Create it, or adopt the one that the same program made through the other engine; raises Refused.

        One that cannot become this by an update is in the way, as on Google: a replacement that comes before its
        predecessor has gone fails.
        """
        plain = self.check(type, inputs)
        kind = kind_of(type)
        id = kind.identify(self.home, name, plain)
        held = self.find(type, id)
        # Granting the same role twice is one grant on Google too.
        if held and held.name != name and not kind.is_grant:
            raise Refused(
                f"409: {type} {id!r} already exists, declared as {held.name!r}; give {name!r} another name"
            )
        if held and (fixed := self.diff(type, held.inputs, plain).replaces):
            raise Refused(
                f"409: {type} {id!r} already exists, and no update can change its {', '.join(fixed)}; "
                f"delete it first: {name!r} needs delete_before_replace=True in the program"
            )
        return await self._put(kind, Resource(type, name, id, plain, held.outputs if held else {}))

    async def update(self, type: str, id: str, inputs: Inputs, name: str = "") -> Resource:
        """Change it in place; the old state stays if that is refused."""
        plain = self.check(type, inputs)
        held = self.find(type, id)
        if held is None:
            return await self.create(type, name, plain)
        return await self._put(kind_of(type), Resource(type, name or held.name, id, plain, held.outputs))

    async def delete(self, type: str, id: str) -> None:
        """Delete it; one that is gone is no error. Raises Refused if it is protected, or a bucket that is not empty."""
        held = self.find(type, id)
        if held is None:
            return
        if kind_of(type).protected and held.inputs.get("deletionProtection", True):
            raise Refused(
                f"{id} is protected: set deletionProtection to false, deploy that, and only then delete it"
            )
        if not self._is_given_twice(held):
            await self._effects.drop(held)
        del self._held[type, id]
        self._save()

    def _is_given_twice(self, this: Resource) -> bool:
        """Whether another grant, with another condition, gives the same role."""
        grants = [kind_of(each.type).grant(self.home, each.inputs) for each in self.all()]
        grant = kind_of(this.type).grant(self.home, this.inputs)
        return grant is not None and grants.count(grant) > 1

    def plan(self, type: str, name: str, inputs: Inputs) -> tuple[str, Resource | None]:
        """What `apply` would do, create, update, replace or same, and the resource there is now."""
        held = self.named(type, name)
        if held is None:
            return "create", None
        diff = self.diff(type, held.inputs, inputs)
        return "replace" if diff.replaces else "update" if diff.changes else "same", held

    async def apply(self, type: str, name: str, inputs: Inputs) -> Resource:
        """Do what an engine would. A replacement deletes first: names are fixed. Raises Refused."""
        plain = self.check(type, inputs)
        operation, held = self.plan(type, name, plain)
        if held is None or operation == "same":
            return held or await self.create(type, name, plain)
        if operation == "update":
            return await self.update(type, held.id, plain)
        await self.delete(type, held.id)
        return await self.create(type, name, plain)

    async def restore(self) -> list[str]:
        """Put every resource of the last run back into the cloud, those it depends on first.

        One that cannot be put back is forgotten, so that the next deployment creates it anew and tells why it
        fails; the sentences are returned. Its data, such as a bucket's objects, is not touched.
        """
        refusals = []
        for _, peers in groupby(in_order(self.all()), key=lambda resource: kind_of(resource.type).rank):
            batch = list(peers)
            puts = (self._put(kind_of(resource.type), resource, save=False) for resource in batch)
            for resource, result in zip(
                batch, await asyncio.gather(*puts, return_exceptions=True), strict=True
            ):
                if isinstance(result, Refused):
                    del self._held[resource.type, resource.id]
                    refusals.append(f"{resource.name}: {result}")
                elif isinstance(result, BaseException):
                    raise result
        self._save()
        return refusals

    async def _put(self, kind: Kind, resource: Resource, save: bool = True) -> Resource:
        facts = await self._effects.put(resource)
        outputs = kind.outputs(self.home, resource.name, resource.id, resource.inputs, facts)
        done = Resource(resource.type, resource.name, resource.id, resource.inputs, outputs)
        self._held[done.type, done.id] = done
        if save:
            self._save()
        return done

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(".tmp")
        # Inputs can hold secrets: nobody else may read them.
        with open(
            os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8"
        ) as file:
            json.dump({"resources": [asdict(resource) for resource in self.all()]}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)


def in_order(resources: list[Resource]) -> list[Resource]:
    """Sorted so that each comes after those it needs; reversed, the order to delete them in."""
    return sorted(resources, key=lambda resource: kind_of(resource.type).rank)


def _load(path: Path) -> list[Resource]:
    try:
        return [Resource(**fields) for fields in json.loads(path.read_text(encoding="utf-8"))["resources"]]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(
            f"{path} cannot be read ({error}): delete it and deploy again; stored objects stay"
        ) from error


def _plain(value: Any) -> Any:
    """Without what the wire adds: whole numbers as floats, nulls, and the engine's own `__` keys."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if v is not None and not k.startswith("__")}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _same(key: str, old: Any, new: Any) -> bool:
    if key == "location" and isinstance(old, str) and isinstance(new, str):
        return old.casefold() == new.casefold()
    return bool(old == new)
