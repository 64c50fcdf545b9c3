"""Pulumi's own engine with the policy pack, on a cloud that only keeps the books: run by the test as a process.

Usage: policy_engine.py DIRECTORY [--unchecked], with a list of [command, values of stack prod] as JSON on its input. Prints
for each what the pack said, as [rule, level, message], and whether the command failed. Unchecked, the program takes any stack
file, as another team's would: ours refuses what the pack forbids. A process of its own, since Pulumi's API does not close the
event loop of a program whose deployment is stopped.
"""

import json
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from unittest.mock import patch

from pulumi import automation as auto
from pulumi.automation.events import EngineEvent

import infra.stack
from tests.e2e.real_engine import ROOT, RealEngine, real_engine

PACK = str(ROOT / "infra" / "policy")
PYTHON = ROOT / ".tools" / "policy" / "bin" / "python"


def starter(directory: Path) -> Path:
    """The directory of the program by which an engine without a language host starts a pack of rules in Python."""
    program = directory / "bin" / "pulumi-analyzer-policy-python"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{PYTHON}" -u -m pulumi.policy "$1" "$2"\n', encoding="utf-8")
    program.chmod(0o755)
    return program.parent


def judged(engine: RealEngine, command: str, values: dict, edited: str) -> dict:
    said: list[tuple[str, str, str]] = []

    def see(event: EngineEvent) -> None:
        if found := event.policy_event:
            said.append((found.policy_name, found.enforcement_level, found.message))

    engine.configure(values)
    error = ""
    try:
        with patch(edited, return_value={}) if edited else nullcontext():
            getattr(engine.handle, command)(policy_packs=[PACK], on_event=see, color="never")
    except auto.CommandError as stopped:
        error = str(stopped)
    return {"said": said, "error": error}


if __name__ == "__main__":
    directory = Path(sys.argv[1])
    if "--unchecked" in sys.argv:
        infra.stack.RULES = ()
    with real_engine(directory, "prod", "acme-docs", "europe-southwest1") as engine:
        engine.environment["PATH"] = f"{starter(directory)}{os.pathsep}{os.environ['PATH']}"
        print(json.dumps([judged(engine, *step) for step in json.load(sys.stdin)]))
    sys.stdout.flush()
    os._exit(0)  # a thread of a stopped deployment may still wait for its engine
