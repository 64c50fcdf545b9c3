"""Who runs a local cloud owns it: an ID token for calls to private services, as gcloud prints one on Google."""

from http import HTTPStatus

from aiohttp import web

from localcloud.google_error import google_error
from localcloud.identity import OWNER, Identity


def owner_routes(identity: Identity) -> list[web.RouteDef]:
    """`GET /blueprint/id-token?audience=URL` answers `{"token": …}`, good for an hour and for that service alone."""

    async def id_token(request: web.Request) -> web.Response:
        audience = request.query.get("audience", "")
        if not audience:
            return google_error(HTTPStatus.BAD_REQUEST, "audience is missing: give the service's URL.")
        return web.json_response({"token": identity.id_token(OWNER, audience)})

    return [web.get("/blueprint/id-token", id_token)]
