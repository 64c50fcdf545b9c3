"""The project itself as Google's APIs show it: which APIs are on, whether it lives, who pays, what its caller may do.

Declared `gcp:projects/service:Service` resources turn APIs on. Until the first one is known all are on, so that a cloud
without a stack serves everything. Faults are planted here too: `disable`, `withhold`, `state`, `billing_account`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web

from localcloud.apis import BEFORE_ANY_STACK, TITLES, DisabledApi
from localcloud.google_error import google_error
from localcloud.identity import Identity
from localcloud.paging import page, page_size

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

BILLING_ACCOUNT = "billingAccounts/000000-000000-000000"
_BATCH = 30  # services:batchGet: "A single request can get a maximum of 30 services at a time"
_USAGE, _MANAGER, _BILLING = (
    f"{name}.googleapis.com" for name in ("serviceusage", "cloudresourcemanager", "cloudbilling")
)


class Projects:
    """The one project of a local cloud. What is turned on or off lives as long as the process."""

    def __init__(self, project: str, number: str, identity: Identity) -> None:
        self.project, self.number, self.identity = project, number, identity
        self.state = "ACTIVE"  # or DELETE_REQUESTED
        self.billing_account = BILLING_ACCOUNT  # "" for none
        self._declared: set[str] = set()
        self._disabled: set[str] = set()
        self._withheld: set[str] = set()

    def enable(self, api: str) -> None:
        """What a declared API does, and `gcloud services enable`. `api` is `run.googleapis.com`."""
        self._declared.add(api)
        self._disabled.discard(api)

    def disable(self, api: str) -> None:
        """What `gcloud services disable` does: calls to it are refused until it is enabled again."""
        self._disabled.add(api)

    def enabled(self, api: str) -> bool:
        """Whether calls to `api` are served."""
        if api in self._disabled:
            return False
        return not self._declared or api in self._declared or api in BEFORE_ANY_STACK

    def refusal(self, api: str) -> DisabledApi | None:
        """How Google refuses a call to `api`; None if it is on."""
        return None if self.enabled(api) else DisabledApi(api, self.number)

    def withhold(self, *permissions: str) -> None:
        """Take permissions from the caller without a token, who has all others: who runs a laptop's cloud owns it."""
        self._withheld.update(permissions)

    def known(self) -> list[str]:
        """The APIs that `services.list` tells of."""
        return sorted({*TITLES, *self._declared, *self._disabled})

    def permitted(self, caller: str | None, permissions: list[str]) -> list[str]:
        """Those of `permissions` that the caller has on the project; None is the owner (see `withhold`)."""
        if caller is None:
            return [each for each in permissions if each not in self._withheld]
        scope = f"projects/{self.project}"
        return [each for each in permissions if self.identity.allows(caller, each, scope)]


def project_routes(projects: Projects) -> list[web.RouteDef]:
    """Service Usage v1 (`services.list`, `.batchGet`), Resource Manager v3 (`projects.get`, `.testIamPermissions`) and
    Cloud Billing v1 (`projects.getBillingInfo`). Reads need no token here; with one, the permissions are its owner's."""

    def get(path: str, api: str, answer: Callable[[Projects, web.Request], web.Response]) -> web.RouteDef:
        return web.get(path, _served(projects, api, answer))

    async def test(request: web.Request) -> web.Response:
        if refusal := _refused(projects, _MANAGER, request):
            return refusal
        return _test(projects, request, await request.json())

    here = "{project:[^/:]+}"
    return [
        get(f"/v1/projects/{here}/services", _USAGE, _list),
        get(f"/v1/projects/{here}/services:batchGet", _USAGE, _batch),
        get(f"/v1/projects/{here}/billingInfo", _BILLING, _billing),
        get(f"/v3/projects/{here}", _MANAGER, _project),
        web.post(f"/v3/projects/{here}:testIamPermissions", test),
    ]


def guarded(projects: Projects, api: str, routes: Iterable[web.RouteDef]) -> list[web.RouteDef]:
    """The same routes, which refuse while `api` is off."""

    def guard(handler: Handler) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            off = projects.refusal(api)
            return off.json() if off else await handler(request)

        return handle

    return [web.RouteDef(each.method, each.path, guard(each.handler), each.kwargs) for each in routes]


def _served(projects: Projects, api: str, answer: Callable[[Projects, web.Request], web.Response]) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        return _refused(projects, api, request) or answer(projects, request)

    return handle


def _refused(projects: Projects, api: str, request: web.Request) -> web.Response | None:
    """Google answers alike for a project that is not there and for one that the caller may not see (inferred for
    Service Usage and Billing; Resource Manager's sentence is docs.cloud.google.com/resource-manager's)."""
    asked = request.match_info["project"]
    if asked not in (projects.project, projects.number):
        message = (
            f"Permission 'resourcemanager.projects.get' denied on resource '//{_MANAGER}/projects/{asked}'"
            " (or it may not exist)."
        )
        return google_error(HTTPStatus.FORBIDDEN, message)
    off = projects.refusal(api)
    return off.json() if off else None


def _list(projects: Projects, request: web.Request) -> web.Response:
    """Pages of 50, at most 200; the filters are `state:ENABLED` and `state:DISABLED`
    (docs.cloud.google.com/service-usage/docs/reference/rest/v1/services/list)."""
    states = {"": (True, False), "state:ENABLED": (True,), "state:DISABLED": (False,)}
    wanted = states.get(request.query.get("filter", ""))
    if wanted is None:
        message = f"filter has value '{request.query['filter']}'; it is state:ENABLED or state:DISABLED."
        return google_error(HTTPStatus.BAD_REQUEST, message)
    try:
        names, token = page(
            [name for name in projects.known() if projects.enabled(name) in wanted],
            lambda name: [name],
            size=page_size(request.query.get("pageSize"), 50, 200),
            token=request.query.get("pageToken"),
        )
    except ValueError as error:
        return google_error(HTTPStatus.BAD_REQUEST, f"Request contains an invalid argument: {error}.")
    answer = {"services": [_service(projects, name) for name in names]} if names else {}
    return web.json_response(answer | ({"nextPageToken": token} if token else {}))


def _batch(projects: Projects, request: web.Request) -> web.Response:
    names = [name.rsplit("/", 1)[-1] for name in request.query.getall("names", [])]
    if len(names) > _BATCH:
        return google_error(
            HTTPStatus.BAD_REQUEST, f"names has {len(names)} entries; at most {_BATCH} are allowed."
        )
    if strange := [name for name in names if name not in projects.known()]:
        return google_error(
            HTTPStatus.FORBIDDEN, f"Not found or permission denied for service(s): {', '.join(strange)}."
        )
    return web.json_response({"services": [_service(projects, name) for name in names]} if names else {})


def _service(projects: Projects, name: str) -> Mapping[str, Any]:
    parent = f"projects/{projects.number}"
    return {
        "name": f"{parent}/services/{name}",
        "parent": parent,
        "config": {"name": name, "title": TITLES.get(name, name)},
        "state": "ENABLED" if projects.enabled(name) else "DISABLED",
    }


def _billing(projects: Projects, request: web.Request) -> web.Response:
    answer: dict[str, Any] = {
        "name": f"projects/{projects.project}/billingInfo",
        "projectId": projects.project,
    }
    if projects.billing_account:  # a false `billingEnabled` is left out, as proto3's JSON leaves it out
        answer |= {"billingAccountName": projects.billing_account, "billingEnabled": True}
    return web.json_response(answer)


def _project(projects: Projects, request: web.Request) -> web.Response:
    return web.json_response(
        {
            "name": f"projects/{projects.number}",
            "projectId": projects.project,
            "displayName": projects.project,
            "state": projects.state,
        }
    )


def _test(projects: Projects, request: web.Request, body: Any) -> web.Response:
    asked = body.get("permissions") if isinstance(body, dict) else None
    if not isinstance(asked, list) or any("*" in str(each) for each in asked):
        return google_error(HTTPStatus.BAD_REQUEST, "permissions is a list of permissions without wildcards.")
    header = request.headers.get("Authorization")
    caller = projects.identity.caller(header)
    if header and caller is None:
        return google_error(HTTPStatus.UNAUTHORIZED, "Request had invalid authentication credentials.")
    held = projects.permitted(caller.email if caller else None, [str(each) for each in asked])
    return web.json_response({"permissions": held} if held else {})
