"""Who is let in, what strangers are told, and what the container sees of a token."""

import pytest

EMAIL = "caller@p.iam.gserviceaccount.com"


@pytest.fixture
async def uri(lab):
    """A private service that EMAIL may call."""
    run = lab.start()
    lab.identity.bind("services/private", "roles/run.invoker", f"serviceAccount:{EMAIL}")
    await run.deploy("private", lab.spec() | {"customAudiences": ["https://private.example"]})
    return await run.reserve("private")


@pytest.mark.parametrize("header", ["Authorization", "X-Serverless-Authorization"])
async def test_an_invoker_gets_in_and_the_container_sees_its_token_without_the_signature(lab, uri, header):
    token = lab.identity.id_token(EMAIL, uri)
    seen = await lab.echo(uri, headers={header: f"Bearer {token}"})
    payload = token.rpartition(".")[0]
    assert seen["headers"][header.lower()] == f"Bearer {payload}.SIGNATURE_REMOVED_BY_GOOGLE"


async def test_the_serverless_header_is_checked_and_leaves_authorization_to_the_app(lab, uri):
    token = lab.identity.id_token(EMAIL, uri)
    seen = await lab.echo(
        uri, headers={"X-Serverless-Authorization": f"bearer {token}", "Authorization": "Basic x"}
    )
    assert seen["headers"]["authorization"] == "Basic x"


async def test_a_custom_audience_is_as_good_as_the_uri(lab, uri):
    token = lab.identity.id_token(EMAIL, "https://private.example")
    assert (await lab.get(uri, Authorization=f"Bearer {token}"))[0] == 200


async def test_a_request_without_a_token_is_forbidden(lab, uri):
    status, body = await lab.get(uri + "/a<b")
    assert status == 403
    assert "Your client does not have permission to get URL <code>/a&lt;b</code> from this server." in body
    assert "The request was not authenticated" in (await lab.requests())[0]["textPayload"]


@pytest.mark.parametrize("audience", ["https://other.example", None])
async def test_a_token_for_another_audience_or_no_token_at_all_is_unauthorized(lab, uri, audience):
    token = lab.identity.id_token(EMAIL, audience) if audience else "rubbish"
    async with lab.client.get(uri, headers={"Authorization": f"Bearer {token}"}) as response:
        assert response.status == 401
        assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]


async def test_a_caller_without_the_role_is_forbidden_and_named_in_the_log(lab, uri):
    token = lab.identity.id_token("stranger@example.com", uri)
    assert (await lab.get(uri, Authorization=f"Bearer {token}"))[0] == 403
    assert "stranger@example.com" in (await lab.requests())[0]["textPayload"]


async def test_a_public_service_leaves_every_authorization_alone(lab):
    uri = await lab.public()
    token = lab.identity.id_token(EMAIL, uri)
    seen = await lab.echo(uri, headers={"Authorization": f"Bearer {token}"})
    assert seen["headers"]["authorization"] == f"Bearer {token}"


async def test_a_service_with_the_invoker_check_disabled_lets_strangers_in(lab):
    run = lab.start()
    await run.deploy("open", lab.spec() | {"invokerIamDisabled": True})
    assert (await lab.get(await run.reserve("open")))[0] == 200
