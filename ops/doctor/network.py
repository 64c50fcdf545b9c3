"""The checks that ask Google, or a local cloud in its place: from credentials to the registry. One that fails leaves out
those that would only fail with it."""

from __future__ import annotations

from collections.abc import Iterator

from infra.stack import Stack
from ops import credentials
from ops.checks import Check
from ops.doctor import permissions, project, reach
from ops.doctor.backend import backend_url
from ops.doctor.reader import Reader, Unread
from ops.doctor.workstation import Workstation
from ops.errors import OperatorError

_GOOGLE = "https://cloudresourcemanager.googleapis.com"


def network(machine: Workstation, stack: Stack, endpoint: str) -> Iterator[Check]:
    """`endpoint` is a local cloud's; without it Google is asked, with application default credentials."""
    if stack.is_local and not endpoint:
        yield Check("local cloud", False, "none runs here", "make local")
        return
    try:
        session = credentials.session_for([endpoint or _GOOGLE])
        if not endpoint:
            yield Check("credentials", True, credentials.refresh(session))
    except OperatorError as error:
        detail = str(error).partition(f": run `{credentials.LOGIN}`")[0]
        yield Check("credentials", False, detail, credentials.LOGIN)
        return
    reader = Reader(stack.project, session, endpoint)
    yield from _project(reader, stack)
    if not endpoint:
        yield from _reach(machine, reader, stack)


def _project(reader: Reader, stack: Stack) -> Iterator[Check]:
    found = project.project(reader, stack)
    yield found
    if not found.ok:
        return
    yield project.billing(reader)
    try:
        asked = {*permissions.deploying(stack), *permissions.owning(stack)}
        have, unasked = permissions.held(reader, asked)
    except Unread as refusal:
        remedy = refusal.remedy(stack.project, f"gcloud projects get-iam-policy {stack.project}")
        yield Check("permissions", False, f"cannot be asked: {refusal.message}", remedy)
        return
    yield project.apis(reader, stack, "serviceusage.services.enable" in have)
    yield permissions.permissions(reader, stack, have, unasked)


def _reach(machine: Workstation, reader: Reader, stack: Stack) -> Iterator[Check]:
    if (url := backend_url(machine)) and url.startswith("gs://"):
        yield reach.state_bucket(reader, stack, url)
    if stack.build:
        yield reach.registry(stack)
    if rule := reach.strangers(reader, stack):
        yield rule
