"""The program under Pulumi's mocks, with every output awaited: what it declared, what each waits for, what it exports."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi.runtime import rpc, set_all_config, set_mocks
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks
from pulumi.runtime.settings import get_root_resource
from pulumi.runtime.stack import Stack as RootStack
from pulumi.runtime.stack import massage, wait_for_rpcs
from stack_files import as_pulumi_passes, encrypted

from infra.__main__ import declare

COMPONENT = "blueprint:"
_EMAIL = "{accountId}@{project}.iam.gserviceaccount.com"
_AGENT = "service-1@{service}.test"
_POOL = "projects/1/locations/global/workloadIdentityPools/{workloadIdentityPoolId}"

# What Google would compute, and other resources are made of.
_COMPUTED = {
    "gcp:serviceaccount/account:Account": {
        "email": _EMAIL,
        "member": f"serviceAccount:{_EMAIL}",
        "name": f"projects/{{project}}/serviceAccounts/{_EMAIL}",
    },
    "gcp:cloudrunv2/service:Service": {"uri": "https://{name}.test"},
    "gcp:monitoring/alertPolicy:AlertPolicy": {"name": "projects/{project}/alertPolicies/{resource}"},
    "gcp:monitoring/notificationChannel:NotificationChannel": {
        "name": "projects/{project}/notificationChannels/{resource}"
    },
    "gcp:monitoring/genericService:GenericService": {"name": "projects/{project}/services/{serviceId}"},
    "gcp:monitoring/slo:Slo": {"name": "projects/{project}/services/{service}/serviceLevelObjectives/{sloId}"},
    "gcp:projects/iAMCustomRole:IAMCustomRole": {"name": "projects/{project}/roles/{roleId}"},
    "gcp:projects/serviceIdentity:ServiceIdentity": {"email": _AGENT, "member": f"serviceAccount:{_AGENT}"},
    "gcp:iam/workloadIdentityPool:WorkloadIdentityPool": {"name": _POOL},
    "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider": {
        "name": f"{_POOL}/providers/{{workloadIdentityPoolProviderId}}"
    },
    "docker-build:index:Image": {"ref": "registry.test/app:built@sha256:" + "b" * 64},
}  # fmt: skip


@dataclass(frozen=True)
class Declared:
    """One resource of the cloud, with what it computed; `after` are the URNs that Pulumi finishes before it begins."""

    type: str
    name: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    after: frozenset[str]

    @property
    def kind(self) -> str:
        """The last part of its type."""
        return self.type.rpartition(":")[2]

    def __str__(self) -> str:
        return f"{self.type} {self.name}"


@dataclass
class Recorded(Mocks):
    """Every resource with its inputs, components included, in the order in which they came."""

    resources: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    exports: dict[str, Any] = field(default_factory=dict)
    urns: dict[str, tuple[str, str]] = field(default_factory=dict)
    waits: dict[str, set[str]] = field(default_factory=dict)
    deletes_first: set[tuple[str, str]] = field(default_factory=set)
    _outputs: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        self.resources.append((args.typ, args.name, shown_secrets(args.inputs)))
        outputs = copy.deepcopy(args.inputs)
        known = {**outputs, "resource": args.name}
        outputs |= {key: text.format_map(known) for key, text in _COMPUTED.get(args.typ, {}).items()}
        self._outputs[args.typ, args.name] = outputs
        return f"id-{args.name}", outputs

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        raise AssertionError(f"the program asks the cloud: {args.token}")

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """Inputs by resource name of the type whose token ends with `:kind`."""
        return {
            name: inputs
            for typ, name, inputs in self.resources
            if typ.endswith(f":{kind}") and not typ.startswith(COMPONENT)
        }

    def declared(self) -> list[Declared]:
        """Every resource of the cloud, with all that comes before it whatever the timing."""
        found = []
        for urn, (typ, name) in self.urns.items():
            if not typ.startswith((COMPONENT, "pulumi:")):
                inputs = next(i for t, n, i in self.resources if (t, n) == (typ, name))
                found.append(Declared(typ, name, inputs, self._outputs[typ, name], self._before(urn)))
        return found

    def _before(self, urn: str) -> frozenset[str]:
        seen: set[str] = set()
        left = [urn]
        while left:
            fresh = self.waits.get(left.pop(), set()) - seen
            seen |= fresh
            left += fresh
        return frozenset(seen)

    def urn_of(self, this: Declared) -> str:
        """The URN under which others wait for it."""
        return next(urn for urn, key in self.urns.items() if key == (this.type, this.name))

    def text(self) -> str:
        """All resources of the cloud, sorted, as JSON that reads line by line."""
        shown = [
            {"type": typ, "name": name, "inputs": readable(inputs)}
            for typ, name, inputs in sorted(self.resources, key=lambda resource: resource[:2])
            if not typ.startswith(COMPONENT)
        ]
        return json.dumps(shown, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


class _Monitor(MockMonitor):
    """Notes what each registration waited for: its parent, its `depends_on`, and whoever made its inputs; and `delete_before_replace`."""

    def RegisterResource(self, request: Any) -> Any:
        urn = self.make_urn(request.parent, request.type, request.name)
        assert isinstance(self.mocks, Recorded)
        self.mocks.urns[urn] = (request.type, request.name)
        self.mocks.waits[urn] = {*request.dependencies, request.parent} - {""}
        if request.deleteBeforeReplace:
            self.mocks.deletes_first.add((request.type, request.name))
        return super().RegisterResource(request)


def shown_secrets(inputs: dict[str, Any]) -> dict[str, Any]:
    """A copy in which a secret is only said to be one."""
    return {
        key: "[secret]" if rpc.is_rpc_secret(value) else copy.deepcopy(value) for key, value in inputs.items()
    }


def readable(value: Any) -> Any:
    """JSON texts parsed, long texts as lists of lines, lists of variables as maps, whole numbers without a fraction."""
    if isinstance(value, dict):
        return {key: readable(item) for key, item in value.items()}
    if isinstance(value, list):
        if value and all(isinstance(item, dict) and item.keys() == {"name", "value"} for item in value):
            return {item["name"]: readable(item["value"]) for item in value}
        return [readable(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value[:1] in ("{", "["):
        with contextlib.suppress(ValueError):
            return {"json": readable(json.loads(value))}
    return value.splitlines() if isinstance(value, str) and "\n" in value else value


def record(env: str, values: dict[str, Any], recorded: Recorded | None = None) -> Recorded:
    """Run the program for a stack. A refused stack raises `StackRefused`."""
    recorded = recorded or Recorded()
    # Pulumi keeps its settings in context variables: a thread of its own starts with none.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(_run, recorded, env, as_pulumi_passes(values), encrypted(values)).result()
    return recorded


def _run(recorded: Recorded, env: str, values: dict[str, str], secret: list[str]) -> None:
    with _rpc_threads() as threads, contextlib.closing(asyncio.new_event_loop()) as loop:
        loop.set_default_executor(threads)
        asyncio.set_event_loop(loop)
        loop.run_until_complete(_deploy(recorded, env, values, secret))
        loop.run_until_complete(loop.shutdown_default_executor())


async def _deploy(recorded: Recorded, env: str, values: dict[str, str], secret: list[str]) -> None:
    set_all_config(values, secret)
    set_mocks(recorded, project="blueprint", stack=env, preview=False, monitor=_Monitor(recorded))
    root = get_root_resource()
    assert isinstance(root, RootStack)
    try:
        declare()
    finally:
        await wait_for_rpcs()
    recorded.exports = await pulumi.Output.from_input(massage(root.outputs, [])).future() or {}


@contextlib.contextmanager
def _rpc_threads() -> Iterator[ThreadPoolExecutor]:
    """Threads for the mock monitor, which wants an event loop in each and closes none."""
    loops: list[asyncio.AbstractEventLoop] = []

    def equip() -> None:
        loops.append(asyncio.new_event_loop())
        asyncio.set_event_loop(loops[-1])

    try:
        with ThreadPoolExecutor(8, initializer=equip) as threads:
            yield threads
    finally:
        for loop in loops:
            loop.close()
