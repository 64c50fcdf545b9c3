"""What declared resources do to the running cloud: services run, buckets appear, grants hold, alert policies watch.

Kinds without an entry here (accounts, repositories, channels, dashboards, …) exist in the books only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from localcloud.alerts import AlertPolicies, InvalidPolicy
from localcloud.identity import Identity
from localcloud.kinds import Home, Inputs, Refused, kind_of
from localcloud.logs.metric import InvalidMetric, check_log_metric
from localcloud.projects import Projects
from localcloud.resources import Resource
from localcloud.run.cloud_run import CloudRun
from localcloud.storage.errors import StorageError
from localcloud.storage.store import ObjectStore

Put = Callable[[Resource], Awaitable[Inputs]]
Drop = Callable[[Resource], Awaitable[None]]


class RunningCloud:
    """The `Effects` of the seam on one running cloud."""

    def __init__(
        self,
        home: Home,
        *,
        run: CloudRun,
        objects: ObjectStore,
        identity: Identity,
        alerts: AlertPolicies,
        projects: Projects | None = None,
    ) -> None:
        self._home, self._run, self._objects = home, run, objects
        self._identity, self._alerts = identity, alerts
        self._projects = projects or Projects(home.project, home.project_number, identity)
        self._handlers: dict[str, tuple[Put, Drop]] = {
            "gcp:cloudrunv2/service:Service": (self._deploy, self._end),
            "gcp:storage/bucket:Bucket": (self._put_bucket, self._drop_bucket),
            "gcp:monitoring/alertPolicy:AlertPolicy": (self._put_policy, self._drop_policy),
            "gcp:logging/metric:Metric": (self._put_metric, self._forget),
            "gcp:projects/iAMCustomRole:IAMCustomRole": (self._put_role, self._drop_role),
            "gcp:projects/service:Service": (self._enable, self._disable),
        }

    async def put(self, resource: Resource) -> Inputs:
        """See `Effects.put`."""
        if grant := kind_of(resource.type).grant(self._home, resource.inputs):
            self._identity.bind(*grant)
        handler = self._handlers.get(resource.type)
        return await handler[0](resource) if handler else {}

    async def drop(self, resource: Resource) -> None:
        """See `Effects.drop`."""
        if grant := kind_of(resource.type).grant(self._home, resource.inputs):
            self._identity.unbind(*grant)
        if handler := self._handlers.get(resource.type):
            await handler[1](resource)

    async def _deploy(self, resource: Resource) -> Inputs:
        name = resource.inputs["name"]
        uri = await self._run.reserve(name)
        revision = await self._run.deploy(name, resource.inputs)
        return {"uri": uri, "revision": revision.name}

    async def _end(self, resource: Resource) -> None:
        await self._run.delete(resource.inputs["name"])

    async def _put_bucket(self, resource: Resource) -> Inputs:
        await asyncio.to_thread(self._ensure_bucket, resource.inputs)
        return {}

    def _ensure_bucket(self, inputs: Inputs) -> None:
        """A bucket whose objects outlived the books is taken over, unless it is somewhere else."""
        name, location = inputs["name"], inputs["location"]
        labels: dict[str, Any] = {"labels": inputs.get("labels", {})}
        try:
            held = self._objects.bucket(name)
        except StorageError:
            self._objects.create_bucket(name, location, labels)
            return
        if held["location"].casefold() != location.casefold():
            raise Refused(
                f"409: the bucket {name} exists in {held['location']}, not in {location}; "
                "empty and delete it, or give the new one another name"
            )
        self._objects.update_bucket(name, labels)

    async def _drop_bucket(self, resource: Resource) -> None:
        name, force = resource.inputs["name"], bool(resource.inputs.get("forceDestroy"))
        try:
            await asyncio.to_thread(self._objects.delete_bucket, name, force)
        except StorageError as error:
            if error.status != 404:
                raise Refused(
                    f"{error.status}: {error} Empty it, or set forceDestroy and deploy that first."
                ) from error

    async def _put_policy(self, resource: Resource) -> Inputs:
        try:
            self._alerts.put(resource.id.rsplit("/", 1)[-1], resource.inputs)
        except InvalidPolicy as error:
            raise Refused(f"alert policy {resource.name!r}: {error}") from error
        return {}

    async def _drop_policy(self, resource: Resource) -> None:
        self._alerts.delete(resource.id.rsplit("/", 1)[-1])

    async def _put_role(self, resource: Resource) -> Inputs:
        self._identity.define(resource.id, resource.inputs["permissions"])
        return {}

    async def _drop_role(self, resource: Resource) -> None:
        self._identity.define(resource.id, ())

    async def _enable(self, resource: Resource) -> Inputs:
        self._projects.enable(resource.inputs["service"])
        return {}

    async def _disable(self, resource: Resource) -> None:
        """It stays on unless the resource says otherwise, as the provider leaves it."""
        if resource.inputs.get("disableOnDestroy"):
            self._projects.disable(resource.inputs["service"])

    async def _put_metric(self, resource: Resource) -> Inputs:
        """Checked only: there are no time series."""
        try:
            check_log_metric(resource.inputs)
        except InvalidMetric as error:
            raise Refused(str(error)) from error
        return {}

    async def _forget(self, resource: Resource) -> None:
        """It exists in the books only."""
