"""The embedded engine: runs a Pulumi program file against the resources with no Pulumi CLI, under `pulumi.runtime.Mocks`.

Of an engine it has create, update, replace and delete; no policies, no imports, no `protect`, no `ignore_changes`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import runpy
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pulumi
from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks, rpc, set_all_config, set_mocks
from pulumi.runtime.settings import SETTINGS, get_root_resource
from pulumi.runtime.stack import Stack, massage, wait_for_rpcs

from localcloud.kinds import Inputs, Refused
from localcloud.provider import unknown_function
from localcloud.resources import Resource, Resources, in_order

T = TypeVar("T")
Progress = Callable[
    [str, str, str], None
]  # operation (create, update, replace, delete, same), type, logical name


class Embedded:
    """Runs one program. Call it from any thread but that of `loop`, on which the resources live."""

    def __init__(
        self,
        resources: Resources,
        loop: asyncio.AbstractEventLoop,
        program: Path,
        *,
        project: str,
        stack: str = "local",
        progress: Progress = lambda operation, type, name: None,
    ) -> None:
        self._resources = resources
        self._loop = loop
        self._program = program.resolve()
        self._project, self._stack = project, stack
        self._progress = progress
        self._running: set[Future[Any]] = set()

    def up(self, config: Mapping[str, str]) -> dict[str, Any]:
        """Deploy what the program declares, delete what it no longer declares, and return its exports.

        `config` has full keys (`gcp:project`) and texts, objects as JSON. Raises Refused and pulumi.RunError.
        """
        seam = _Seam(self, preview=False)
        outputs = self._run(seam, config)
        for resource in self._undeclared(seam):
            self._delete(resource)
        return outputs

    def preview(self, config: Mapping[str, str]) -> dict[str, int]:
        """What `up` would do: operation -> number of resources."""
        seam = _Seam(self, preview=True)
        self._run(seam, config)
        seam.operations["delete"] += len(self._undeclared(seam))
        return {operation: number for operation, number in seam.operations.items() if number}

    def destroy(self) -> None:
        """Delete every resource, dependents first."""
        for resource in reversed(in_order(self._resources.all())):
            self._delete(resource)

    def on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` where the resources live and wait for it."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        self._running.add(future)
        try:
            return future.result()
        finally:
            self._running.discard(future)

    def _delete(self, resource: Resource) -> None:
        self._progress("delete", resource.type, resource.name)
        self.on_loop(self._resources.delete(resource.type, resource.id))

    def _undeclared(self, seam: _Seam) -> list[Resource]:
        held = reversed(in_order(self._resources.all()))
        return [resource for resource in held if (resource.type, resource.name) not in seam.declared]

    def _run(self, seam: _Seam, config: Mapping[str, str]) -> dict[str, Any]:
        self._resources.home.check(config.get("gcp:project"), "gcp:project")
        # Pulumi keeps its settings in context variables: a thread of its own starts with none.
        with fresh_modules(self._program.parent), ThreadPoolExecutor(1, "program") as thread:
            try:
                return thread.submit(self._run_here, seam, config).result()
            except KeyboardInterrupt:
                # Leaving the block joins the thread, which may be waiting for a container that never starts.
                for future in list(self._running):
                    future.cancel()
                raise

    def _run_here(self, seam: _Seam, config: Mapping[str, str]) -> dict[str, Any]:
        with _rpc_threads() as threads, contextlib.closing(asyncio.new_event_loop()) as loop:
            loop.set_default_executor(threads)
            # A refusal fails every dependent as well; the first is raised, the rest would be logged as never retrieved.
            loop.set_exception_handler(lambda loop, context: None)
            asyncio.set_event_loop(loop)
            try:
                return loop.run_until_complete(self._deploy(seam, config))
            finally:
                left = asyncio.all_tasks(loop)
                for task in left:
                    task.cancel()
                loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
                loop.run_until_complete(loop.shutdown_default_executor())

    async def _deploy(self, seam: _Seam, config: Mapping[str, str]) -> dict[str, Any]:
        set_all_config(dict(config), [])
        SETTINGS.outputs.clear()  # set_mocks leaves those of an earlier run that failed
        set_mocks(seam, project=self._project, stack=self._stack, preview=seam.preview)
        root = get_root_resource()
        assert isinstance(root, Stack)
        try:
            run_file(self._program)
        finally:
            await wait_for_rpcs()
        exports = pulumi.Output.from_input(massage(root.outputs, []))
        return await exports.future() or {}

    def deploy(self, type: str, name: str, inputs: Inputs, preview: bool) -> tuple[str, Resource]:
        """Do what is needed for one declared resource; returns the operation and the resource."""
        operation, held = self._resources.plan(type, name, inputs)
        if operation != "same":
            self._progress(operation, type, name)
        if held and operation == "same":
            return operation, held
        if preview:
            return operation, self._resources.preview(
                type, name, inputs, held if operation == "update" else None
            )
        return operation, self.on_loop(self._resources.apply(type, name, inputs))


class _Seam(Mocks):
    """Pulumi's side of one run: called in a thread for every resource that the program declares."""

    def __init__(self, engine: Embedded, preview: bool) -> None:
        self._engine = engine
        self.preview = preview
        self.declared: set[tuple[str, str]] = set()
        self.operations: Counter[str] = Counter()

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, Inputs]:
        if not args.custom or args.typ.startswith("pulumi:"):
            return args.name, args.inputs
        if (args.typ, args.name) in self.declared:
            raise Refused(
                f"The program declares {args.typ} {args.name!r} twice; give one of them another name"
            )
        self.declared.add((args.typ, args.name))
        inputs = {key: rpc.unwrap_rpc_secret(value) for key, value in args.inputs.items()}
        operation, resource = self._engine.deploy(args.typ, args.name, inputs, self.preview)
        self.operations[operation] += 1
        return resource.id, resource.outputs

    def call(self, args: MockCallArgs) -> tuple[Inputs, list[tuple[str, str]] | None]:
        raise Refused(unknown_function(args.token))


def run_file(program: Path) -> None:
    """Run a program as Pulumi's Python host does: by path, in its own directory, which is also first in sys.path."""
    before = Path.cwd()
    os.chdir(program.parent)
    try:
        # runpy puts no directory first for a plain file, the host does.
        sys.path.insert(0, str(program.parent))
        runpy.run_path(str(program), run_name="__main__")
    finally:
        sys.path.remove(str(program.parent))
        os.chdir(before)


@contextlib.contextmanager
def fresh_modules(directory: Path) -> Iterator[None]:
    """Within, modules below `directory` are imported anew: what they read from the config belongs to one run."""
    cached = _modules_below(directory)
    for name in cached:
        del sys.modules[name]
    try:
        yield
    finally:
        for name in _modules_below(directory):
            del sys.modules[name]
        sys.modules.update(cached)


def _modules_below(directory: Path) -> dict[str, Any]:
    found = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name != "__main__" and file and directory in Path(file).resolve().parents:
            found[name] = module
    return found


@contextlib.contextmanager
def _rpc_threads() -> Iterator[ThreadPoolExecutor]:
    """Threads for the mock monitor, which wants an event loop in each and closes none."""
    loops: list[asyncio.AbstractEventLoop] = []

    def equip() -> None:
        loops.append(asyncio.new_event_loop())
        asyncio.set_event_loop(loops[-1])

    try:
        with ThreadPoolExecutor(16, "pulumi", initializer=equip) as threads:
            yield threads
    finally:
        for loop in loops:
            loop.close()
