"""The real google-auth finds its credentials on the metadata server, with environment variables alone."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from localcloud.identity import Identity, Principal
from localcloud.metadata import metadata_app

EMAIL = "gateway@local-project.iam.gserviceaccount.com"
GOOGLE = {"Metadata-Flavor": "Google"}

CLIENT = """
import json, google.auth
from google.auth.compute_engine import IDTokenCredentials
from google.auth.transport.requests import Request
from google.oauth2 import id_token
request = Request()
credentials, project = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
credentials.refresh(request)
mine = IDTokenCredentials(request, "http://127.0.0.1:8081", use_metadata_identity_endpoint=True)
mine.refresh(request)
print(json.dumps({
    "project": project, "email": credentials.service_account_email, "token": credentials.token,
    "valid": credentials.valid and mine.valid, "universe": credentials.universe_domain,
    "fetched": id_token.fetch_id_token(request, "http://127.0.0.1:8081"), "credentials": mine.token}))
"""


@pytest.fixture
def identity() -> Identity:
    return Identity("local-project")


@pytest.fixture
async def server(identity: Identity) -> AsyncIterator[TestServer]:
    app = metadata_app(
        identity,
        project="local-project",
        project_number="123456789012",
        region="us-central1",
        email=EMAIL,
        instance_id="0042",
    )
    async with TestServer(app, host="127.0.0.1") as server:
        yield server


async def get(server: TestServer, path: str, **options: Any) -> tuple[int, str, str | None]:
    async with aiohttp.ClientSession() as session, session.get(server.make_url(path), **options) as response:
        return response.status, await response.text(), response.headers.get("Metadata-Flavor")


async def test_google_auth_gets_credentials_and_id_tokens_by_environment_alone(
    server: TestServer, identity: Identity, tmp_path: Any
) -> None:
    address = f"127.0.0.1:{server.port}"
    environment = {"GCE_METADATA_HOST": address, "GCE_METADATA_IP": address, "HOME": str(tmp_path)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CLIENT, env=environment, stdout=asyncio.subprocess.PIPE
    )
    told, _ = await process.communicate()
    answer = json.loads(told)
    assert (answer["project"], answer["email"], answer["valid"]) == ("local-project", EMAIL, True)
    assert answer["universe"] == "googleapis.com"
    assert identity.caller(f"Bearer {answer['token']}") == Principal(EMAIL, "us-central1")
    for token in (answer["fetched"], answer["credentials"]):
        assert identity.verify_id_token(token, ["http://127.0.0.1:8081"])["email"] == EMAIL


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("project/project-id", "local-project"),
        ("project/numeric-project-id", "123456789012"),
        ("instance/id", "0042"),
        ("instance/region", "projects/123456789012/regions/us-central1"),
        ("instance/zone", "projects/123456789012/zones/us-central1-1"),
        ("instance/service-accounts/", f"default\n{EMAIL}\n"),
        ("instance/service-accounts/default/email", EMAIL),
        (f"instance/service-accounts/{EMAIL}/email", EMAIL),
        ("instance/service-accounts/default/scopes", "https://www.googleapis.com/auth/cloud-platform"),
    ],
)
async def test_values_are_plain_text(server: TestServer, path: str, value: str) -> None:
    assert await get(server, f"/computeMetadata/v1/{path}", headers=GOOGLE) == (200, value, "Google")


async def test_an_account_is_json_when_asked_for_recursively(server: TestServer) -> None:
    _, text, _ = await get(
        server, "/computeMetadata/v1/instance/service-accounts/default/?recursive=true", headers=GOOGLE
    )
    assert json.loads(text)["email"] == EMAIL


async def test_a_request_without_the_flavor_is_refused_but_a_ping_is_answered(server: TestServer) -> None:
    """As on Google: a page that a browser is tricked into fetching gets no token."""
    path = "/computeMetadata/v1/instance/service-accounts/default/token"
    status, text, flavor = await get(server, path)
    assert (status, flavor) == (403, "Google")
    assert "access_token" not in text
    assert (await get(server, "/"))[::2] == (200, "Google")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("instance/nothing", 404),
        ("instance/service-accounts/other@example.com/token", 404),
        ("instance/service-accounts/other@example.com/identity?audience=x", 404),
        ("instance/service-accounts/default/identity", 400),
    ],
)
async def test_what_the_instance_has_not_is_not_given(server: TestServer, path: str, status: int) -> None:
    assert (await get(server, f"/computeMetadata/v1/{path}", headers=GOOGLE))[::2] == (status, "Google")
