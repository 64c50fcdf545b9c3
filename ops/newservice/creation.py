"""A new fork on disk and in the stack files: all of it, or nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from ops.newservice.repository import Repository
from ops.newservice.stackfiles import StackFile
from ops.newservice.template import FILE, Template

README = """# {name}

A service of its own, copied from the template (`template.json` says from which commit). All of it is yours to change, `app/settings.py`
too; `app/telemetry/` is best left to the template.

| what | command, from the repository's root |
| --- | --- |
| its tests, which `make test` runs too | `.venv/bin/python -m pytest services/{name}` |
| run it alone | `cd services/{name} && ../../.venv/bin/python -m app` |
| what the template has changed since | `.venv/bin/blueprint upgrade-service {name} --check` |
| take that over | `.venv/bin/blueprint upgrade-service {name}` |

A package more: add it to `requirements/app.in`, then, in `requirements/`:
`uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -o app.txt app.in`. Tests and stack
`local` run in the repository's own environment, so `requirements/dev.in` of the root names it too.
"""


def create(repository: Repository, name: str, template: Template, stacks: list[StackFile]) -> None:
    """Write `services/<name>` and the stack files; if anything fails, or somebody interrupts, neither is changed."""
    services = repository.root / "services"
    with contextlib.ExitStack() as undo:
        if not services.exists():
            services.mkdir()
            undo.callback(services.rmdir)
        building = services / f".{name}.new"
        undo.callback(shutil.rmtree, building, ignore_errors=True)
        shutil.rmtree(building, ignore_errors=True)  # what one left that was killed
        building.mkdir()
        _write_fork(repository, name, template, building)
        fork = services / name
        os.rename(building, fork)  # fails if there is one with files in it: nothing is overwritten
        undo.callback(shutil.rmtree, fork, ignore_errors=True)
        for stack in stacks:
            undo.callback(_replace, stack.path, stack.before)
            _replace(stack.path, stack.after)
        undo.pop_all()


def _write_fork(repository: Repository, name: str, template: Template, directory: Path) -> None:
    texts = {path: repository.text(blob) for path, blob in template.files.items()}
    texts[FILE] = template.written()
    texts["README.md"] = README.format(name=name).encode()
    for path, text in texts.items():
        file = directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text)


def _replace(path: Path, text: str) -> None:
    """The whole text or none of it, with the line ends that it has."""
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.write_text(text, encoding="utf-8", newline="")
        shutil.copymode(path, beside)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
