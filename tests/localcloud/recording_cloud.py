"""A cloud that only remembers what the seam asked of it, and a small Pulumi program that uses most kinds."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from localcloud.resources import Home, Refused, Resource

HOME = Home(project="local-project", project_number="123456789012", region="us-central1")
CONFIG: dict[str, Any] = {
    "gcp:project": "local-project",
    "demo:location": "us-central1",
    "demo:services": {"gateway": {"memory": "512Mi"}},
}

PROGRAM = """
import pulumi, pulumi_gcp as gcp
from settings import LOCATION
config = pulumi.Config()
memory = config.require_object("services")["gateway"]["memory"]

class Step(pulumi.ComponentResource):
    def __init__(self, name):
        super().__init__("demo:index:Step", name)
        mine = pulumi.ResourceOptions(parent=self)
        self.account = gcp.serviceaccount.Account(name, account_id=f"{name}-local", opts=mine)
        self.bucket = gcp.storage.Bucket(name, name="docs-local", location=LOCATION, opts=mine)
        gcp.storage.BucketIAMMember(
            name, bucket=self.bucket.name, role="roles/storage.objectUser", member=self.account.member, opts=mine)
        container = {
            "image": "app", "resources": {"limits": {"memory": memory}}, "ports": {"container_port": 8080},
            "envs": [{"name": "KEY", "value": pulumi.Output.secret("s3cret")},
                     {"name": "BUCKET", "value": self.bucket.name}]}
        self.service = gcp.cloudrunv2.Service(
            name, name=f"{name}-local", location="us-central1", deletion_protection=bool(config.get("protect")),
            template={"service_account": self.account.email, "containers": [container]}, opts=mine)

step = Step("gateway")
if not config.get("private"):
    gcp.cloudrunv2.ServiceIamMember(
        "public", name=step.service.name, location="us-central1", role="roles/run.invoker", member="allUsers")
if config.get("topic"):
    gcp.pubsub.Topic("topic", name="topic")
if config.get("function"):
    gcp.organizations.get_project()
if config.get("mistake"):
    raise pulumi.RunError("services has value [], which has no gateway; add one")

def seen(uri):
    assert not pulumi.runtime.is_dry_run() or pulumi.Config().get("deployed"), "uri is known in a first preview"
    return uri + "/documents"

pulumi.export("documents", step.service.uri.apply(seen))
pulumi.export("nested", {"buckets": [step.bucket.url], "account": step.account.email})
"""


class RecordingCloud:
    """Implements Effects. `refuse` maps a logical name to the sentence with which its next puts and drops are refused."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.held: dict[str, Resource] = {}
        self.refuse: dict[str, str] = {}
        self.busy = threading.Event()
        self.hold: asyncio.Event | None = None
        self.slow: set[str] = set()
        self.uri = "http://127.0.0.1:8081"

    async def put(self, resource: Resource) -> dict[str, Any]:
        if self.hold is not None:
            self.busy.set()
            await self.hold.wait()
        for _ in range(10 if _short(resource) in self.slow else 0):
            await asyncio.sleep(0)
        self._note("put", resource)
        self.held[resource.id] = resource
        number = self.log.count(f"put {_short(resource)}")
        return {"uri": self.uri, "revision": f"{resource.name}-{number:05}"}

    async def drop(self, resource: Resource) -> None:
        self._note("drop", resource)
        self.held.pop(resource.id, None)

    def _note(self, what: str, resource: Resource) -> None:
        if sentence := self.refuse.get(_short(resource)):
            raise Refused(sentence)
        self.log.append(f"{what} {_short(resource)}")


def _short(resource: Resource) -> str:
    return f"{resource.type.rsplit(':', 1)[-1]} {resource.name}"


@contextlib.contextmanager
def loop_in_thread() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop that runs in a thread of its own, as a local cloud's does."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
