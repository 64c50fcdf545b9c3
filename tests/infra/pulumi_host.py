"""What Pulumi's Python host (pulumi-language-python-exec) does, with mocks for an engine: run by the test as a process.

Usage: pulumi_host.py STACK, in infra/, with the stack's values in PULUMI_CONFIG. Prints the resources, or the error.
"""

import asyncio
import json
import runpy
import sys

import pulumi
import pulumi.runtime
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs, Mocks
from pulumi.runtime.stack import run_pulumi_func

declared = []


class Engine(Mocks):
    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict]:
        declared.append(args.typ)
        return args.name, {"name": args.name, **args.inputs, "uri": "https://x.test", "email": "x@y"}

    def call(self, args: MockCallArgs) -> tuple[dict, None]:
        return {}, None


sys.path.pop(0)  # this script's directory, which Pulumi's host does not add
pulumi.runtime.set_all_config(pulumi.runtime.get_config_env(), pulumi.runtime.get_config_secret_keys_env())
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
pulumi.runtime.set_mocks(Engine(), project="blueprint", stack=sys.argv[1])
try:
    loop.run_until_complete(run_pulumi_func(lambda: runpy.run_path(".", run_name="__main__") and None))
except pulumi.RunError as error:
    print(f"error: {error}")
    sys.exit(1)
print(json.dumps(sorted(declared)))
