"""The program under Pulumi's mocks, with every output awaited: what it declared, in which order, and what it exports."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi.runtime import set_all_config, set_mocks
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs, Mocks
from pulumi.runtime.settings import get_root_resource
from pulumi.runtime.stack import Stack as RootStack
from pulumi.runtime.stack import massage, wait_for_rpcs
from stack_files import as_pulumi_passes

from infra.__main__ import declare

COMPONENT = "blueprint:"


@dataclass
class Recorded(Mocks):
    """Every resource with its inputs, in the order in which Pulumi could create them."""

    held: tuple[str, str] | None = None
    """A resource (kind, name) whose creation takes until the creation of `awaited` begins, or for a while."""
    awaited: tuple[str, str] | None = None
    resources: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    exports: dict[str, Any] = field(default_factory=dict)
    _begun: threading.Event = field(default_factory=threading.Event)

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        this = (args.typ.rpartition(":")[2], args.name)
        if this == self.awaited and args.custom:
            self._begun.set()
        if this == self.held and args.custom:
            self._begun.wait(0.3)
        self.resources.append((args.typ, args.name, copy.deepcopy(args.inputs)))
        outputs = dict(args.inputs)
        match args.typ:
            case "gcp:serviceaccount/account:Account":
                outputs["email"] = f"{outputs['accountId']}@{outputs['project']}.iam.gserviceaccount.com"
            case "gcp:cloudrunv2/service:Service":
                outputs["uri"] = f"https://{outputs['name']}.test"
            case "gcp:monitoring/alertPolicy:AlertPolicy":
                outputs["name"] = f"projects/{outputs['project']}/alertPolicies/{args.name}"
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

    def text(self) -> str:
        """All resources of the cloud, sorted, as readable JSON."""
        shown = [
            {"type": typ, "name": name, "inputs": inputs}
            for typ, name, inputs in sorted(self.resources, key=lambda resource: resource[:2])
            if not typ.startswith(COMPONENT)
        ]
        return json.dumps(shown, indent=1, ensure_ascii=False, sort_keys=True) + "\n"

    def position(self, kind: str, name: str) -> int:
        """The place of the resource in the order of completed creations."""
        return next(
            i
            for i, (typ, n, _) in enumerate(self.resources)
            if typ.endswith(f":{kind}") and n == name and not typ.startswith(COMPONENT)
        )


def record(env: str, values: dict[str, Any], recorded: Recorded | None = None) -> Recorded:
    """Run the program for a stack. A refused stack raises `StackRefused`."""
    recorded = recorded or Recorded()
    # Pulumi keeps its settings in context variables: a thread of its own starts with none.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(_run, recorded, env, as_pulumi_passes(values)).result()
    return recorded


def _run(recorded: Recorded, env: str, values: dict[str, str]) -> None:
    with _rpc_threads() as threads, contextlib.closing(asyncio.new_event_loop()) as loop:
        loop.set_default_executor(threads)
        asyncio.set_event_loop(loop)
        loop.run_until_complete(_deploy(recorded, env, values))
        loop.run_until_complete(loop.shutdown_default_executor())


async def _deploy(recorded: Recorded, env: str, values: dict[str, str]) -> None:
    set_all_config(values, [])
    set_mocks(recorded, project="blueprint", stack=env, preview=False)
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
