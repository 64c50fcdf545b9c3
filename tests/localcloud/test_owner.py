"""Who runs a local cloud owns it."""

from __future__ import annotations

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from localcloud.identity import OWNER, Identity
from localcloud.owner import owner_routes


async def test_the_owner_may_call_what_is_private_with_a_token_for_that_service_alone() -> None:
    """As `gcloud auth print-identity-token` opens a private service to the owner of its project."""
    identity = Identity("p")
    app = web.Application()
    app.add_routes(owner_routes(identity))
    async with TestClient(TestServer(app)) as client:
        told = await (await client.get("/blueprint/id-token", params={"audience": "http://a"})).json()
        claims = identity.verify_id_token(told["token"], ["http://a"])
        assert claims["aud"] == "http://a"
        assert identity.allows(claims["email"], "run.routes.invoke", "services/a")
        assert (await client.get("/blueprint/id-token")).status == 400


def test_nobody_else_is_the_owner() -> None:
    """A grant is still what lets a service call another."""
    assert not Identity("p").allows(f"x{OWNER}", "run.routes.invoke", "services/a")
