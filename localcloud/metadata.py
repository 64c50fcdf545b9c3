"""The metadata server of one instance: project, region, and the tokens of its service account.

Source: https://cloud.google.com/run/docs/container-contract#metadata-server. No attributes, no waiting for changes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from localcloud.identity import Identity

ROOT = "/computeMetadata/v1/"
FLAVOR = {"Metadata-Flavor": "Google"}
SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def _flavored(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Google's server answers only requests that say they know what they are talking to."""
    if request.path != "/" and request.headers.get("Metadata-Flavor") != "Google":
        return web.Response(
            status=403, text="Missing required header 'Metadata-Flavor: Google'\n", headers=FLAVOR
        )
    try:
        response = await handler(request)
    except web.HTTPException as error:
        error.headers.update(FLAVOR)
        raise
    response.headers.update(FLAVOR)
    return response


def metadata_app(
    identity: Identity, *, project: str, project_number: str, region: str, email: str, instance_id: str
) -> web.Application:
    """The server of one instance that runs as `email` in `region`."""
    server = _Server(identity, region, email)
    number = f"projects/{project_number}"
    server.values |= {
        "project/project-id": project,
        "project/numeric-project-id": project_number,
        "instance/id": instance_id,
        "instance/region": f"{number}/regions/{region}",
        # A constant on Cloud Run, not the zone that the instance runs in.
        "instance/zone": f"{number}/zones/{region}-1",
        "universe/universe-domain": "googleapis.com",
    }
    app = web.Application(middlewares=[_flavored])
    account = ROOT + "instance/service-accounts/{account:[^/]+}/"
    routes = {"/": _ping, account + "token": server.access_token, account + "identity": server.id_token}
    app.add_routes([web.get(path, handler) for path, handler in routes.items()])
    app.add_routes([web.get(ROOT + "{path:.*}", server.value)])
    return app


async def _ping(_: web.Request) -> web.Response:
    return web.Response(text="computeMetadata/\n")


class _Server:
    """The values of one instance, and its service account under both of its names."""

    def __init__(self, identity: Identity, region: str, email: str) -> None:
        self._identity, self._region, self._email = identity, region, email
        account = {"aliases": ["default"], "email": email, "scopes": SCOPES}
        accounts = {"default": account, email: account}
        self.values: dict[str, Any] = {"instance/service-accounts/": accounts}
        for name in accounts:
            prefix = f"instance/service-accounts/{name}/"
            self.values |= {prefix: account, prefix + "email": email, prefix + "scopes": "\n".join(SCOPES)}

    async def value(self, request: web.Request) -> web.Response:
        found = self.values.get(request.match_info["path"])
        if found is None:
            raise web.HTTPNotFound(text=f"{request.path} is not known to this metadata server\n")
        if isinstance(found, str):
            return web.Response(text=found)
        if request.query.get("recursive", "").lower() == "true":
            return web.json_response(found)
        return web.Response(text="".join(f"{key}\n" for key in found))

    async def access_token(self, request: web.Request) -> web.Response:
        self._own_account(request)
        token, seconds = self._identity.access_token(self._email, self._region)
        return web.json_response({"access_token": token, "expires_in": seconds, "token_type": "Bearer"})

    async def id_token(self, request: web.Request) -> web.Response:
        self._own_account(request)
        if not request.query.get("audience"):
            raise web.HTTPBadRequest(text="non-empty audience parameter required\n")
        return web.Response(text=self._identity.id_token(self._email, request.query["audience"]))

    def _own_account(self, request: web.Request) -> None:
        account = request.match_info["account"]
        if account not in ("default", self._email):
            raise web.HTTPNotFound(text=f"service account {account!r} is not the one this instance runs as\n")
