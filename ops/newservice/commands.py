"""`blueprint new-service` and `blueprint upgrade-service`: what is asked, and what is said. Nothing is committed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from ops.errors import OperatorError
from ops.newservice import creation, names, stackfiles, upgrade
from ops.newservice.repository import Repository
from ops.newservice.stackfiles import Wanted
from ops.newservice.template import FILE, Template
from ops.newservice.upgrade import Outcome, Step
from ops.options import ROOT

Name = Annotated[str, typer.Argument(help="The service's logical name, such as thumbs.")]


def new_service(
    name: Name,
    called_by: Annotated[
        str | None, typer.Option(help="A service that shall call it: the name goes into its `calls`.")
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="Anyone may call it, without a token.")] = False,
) -> None:
    """Make a service with code of its own: a copy of the template in services/NAME, and an entry in each stack file."""
    repository, wanted = Repository(ROOT), Wanted(name, called_by, public)
    stacks = stackfiles.configs(ROOT)
    names.check(name, ROOT, stacks)
    template = Template.committed(repository)
    files = stackfiles.changed(ROOT, stacks, wanted)
    mend = stackfiles.left_to_mend(files, wanted)
    stacks_differ = bool(repository.changes("stacks"))
    creation.create(repository, name, template, files)
    _told(wanted, template, [file.env for file in files], mend, stacks_differ)


def upgrade_service(
    name: Name,
    check: Annotated[
        bool, typer.Option("--check", help="Say what has changed since, and change nothing.")
    ] = False,
) -> None:
    """Take what the template has changed since into services/NAME. Status 1: conflicts are left, or with --check it is behind."""
    repository = Repository(ROOT)
    fork = _fork(name)
    recorded = Template.recorded(fork)
    today = Template.committed(repository)
    if not check and (changes := repository.changes(f"services/{name}")):
        raise OperatorError(
            f"services/{name} has {len(changes)} uncommitted changes, which could not be told from the upgrade's; "
            "commit or stash them first."
        )
    steps = upgrade.plan(repository, name, recorded, today)
    say = _say()
    say(f"template  {recorded.version} ({recorded.commit[:10]}) to {today.version} ({today.commit[:10]})")
    for step in steps:
        say(f"  {step.path}  {step.outcome}", "red" if step.outcome.is_conflict else "")
    if not steps:
        say(f"services/{name} is up to date.", "green")
    elif check:
        say(
            f"services/{name} is behind in {_files(len(steps))}; nothing was changed.\nnext      .venv/bin/blueprint upgrade-service {name}"
        )
        raise typer.Exit(1)
    if steps:
        upgrade.apply(fork, steps, recorded, today)
        _told_upgraded(name, steps, today)


def _told(wanted: Wanted, template: Template, envs: list[str], mend: list[str], stacks_differ: bool) -> None:
    name, say = wanted.name, _say()
    called = f", and {wanted.called_by}.calls" if wanted.called_by else ""
    say(
        f"made      services/{name}: {_files(len(template.files))} of template {template.version} ({template.commit[:10]})"
    )
    say(f"changed   stacks {', '.join(envs)}: services.{name}{called}")
    if mend:
        say("to mend   before the next `up`, which would be refused:", "yellow")
        for sentence in mend:
            say(f"          {sentence}", "yellow")
    say(f"next      .venv/bin/python -m pytest services/{name}")
    say("          make local")
    say(f"          git add services/{name} stacks && git commit -m 'Service {name}'")
    if stacks_differ:
        say(
            f"undo      rm -r services/{name}, and take {name} out of stacks/, which had changes of your own before"
        )
    else:
        say(f"undo      git checkout -- stacks && rm -r services/{name}")


def _told_upgraded(name: str, steps: list[Step], today: Template) -> None:
    say = _say()
    undo = f"git checkout -- services/{name}"
    if any(step.outcome is Outcome.added for step in steps):
        undo += f" && git clean -fd services/{name}"
    if marked := sum(step.outcome is Outcome.conflict for step in steps):
        say(f"next      decide between the markers in {_files(marked)}: git diff services/{name}", "red")
    for step in steps:
        if step.outcome.is_untaken:
            _told_untaken(say, f"services/{name}", step, today.files.get(step.path))
    say(f"next      .venv/bin/python -m pytest services/{name}, then commit")
    say(f"undo      {undo}")
    if any(step.outcome.is_conflict for step in steps):
        raise typer.Exit(1)


def _told_untaken(say: _say, fork: str, step: Step, blob: str | None) -> None:
    """Each upgrade asks again until the file is the template's, or template.json says that the template's was seen."""
    take = f"git cat-file blob {blob} > {fork}/{step.path}"
    if step.outcome is Outcome.linked:
        take = "replace the link by a file of its own, commit it and run this again"
    seen = f'write "{step.path}": "{blob}" in' if blob else f'take "{step.path}" out of'
    say(f"next      {step.path}: to take the template's, {take}; to keep yours, {seen} {fork}/{FILE}", "red")


def _fork(name: str) -> Path:
    """Its directory. Raises `OperatorError` if there is none."""
    services = ROOT / "services"
    found = services.iterdir() if services.is_dir() else ()
    known = sorted(path.name for path in found if path.is_dir() and not path.name.startswith("."))
    if name not in known:
        raise OperatorError(
            f"There is no services/{name}; there {'are: ' + ', '.join(known) if known else 'is none yet'}. "
            "`.venv/bin/blueprint new-service NAME` makes one."
        )
    return services / name


def _files(number: int) -> str:
    return f"{number} file{'s' * (number != 1)}"


class _say:
    """Prints lines as they are: no markup, no wrapping, since they are copied into a shell."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)

    def __call__(self, text: str, style: str = "") -> None:
        if self._console.options.ascii_only:
            text = text.encode("ascii", "backslashreplace").decode()
        self._console.print(Text(text, style=style), soft_wrap=True)
