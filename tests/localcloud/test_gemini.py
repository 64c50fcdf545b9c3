"""Gemini's API through the real google-genai client: both doors, streams, who is refused, and models made to fail."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from google.genai import Client
from google.genai.errors import APIError
from google.genai.types import GenerateContentConfig, GenerateContentResponse, HttpOptions
from google.oauth2.credentials import Credentials

from localcloud.cloud import LocalCloud, Options
from localcloud.gemini import gemini_routes
from localcloud.identity import Identity

PROMPT = " ".join(f"word{number}" for number in range(30))
SAID = " ".join(f"word{number}" for number in range(20))


@pytest.fixture
def identity() -> Identity:
    """`asker` holds the role on project p; `stranger` has a token and nothing else."""
    identity = Identity("p")
    identity.bind("projects/p", "roles/aiplatform.user", "serviceAccount:asker@p")
    return identity


@pytest.fixture
async def url(identity: Identity) -> AsyncIterator[str]:
    app = web.Application()
    app.add_routes(gemini_routes(identity, "p"))
    async with TestServer(app, host="127.0.0.1") as server:
        yield str(server.make_url("")).rstrip("/")


def token(identity: Identity, name: str) -> str:
    return identity.access_token(f"{name}@p", "europe-west1")[0]


def vertex(url: str, token: str, project: str = "p") -> Client:
    options = HttpOptions(base_url=url, client_args={"trust_env": False})
    return Client(
        vertexai=True,
        project=project,
        location="europe-west1",
        credentials=Credentials(token),  # type: ignore[no-untyped-call]  # google-auth's own
        http_options=options,
    )


async def ask(client: Client, model: str = "gemini-2.5-flash", **config: Any) -> GenerateContentResponse:
    """One answer to PROMPT."""
    made = GenerateContentConfig(**config)
    return await asyncio.to_thread(client.models.generate_content, model=model, contents=PROMPT, config=made)


@pytest.mark.parametrize("door", ["vertex", "developer"])
async def test_both_doors_answer_with_the_first_words_and_what_they_cost(
    url: str, identity: Identity, door: str
) -> None:
    """The whole of what the client reads: text, why it ended, ids, and every token count; the same when asked again."""
    key = Client(
        vertexai=False,
        api_key="any",
        http_options=HttpOptions(base_url=url, client_args={"trust_env": False}),
    )
    client = vertex(url, token(identity, "asker")) if door == "vertex" else key
    answer = await ask(client, system_instruction="be short")
    again = await ask(client, system_instruction="be short")
    assert (answer.text, again.text) == (SAID, SAID)
    assert answer.candidates is not None
    assert [str(each.finish_reason) for each in answer.candidates] == ["FinishReason.STOP"]
    assert answer.model_version == "gemini-2.5-flash"
    assert answer.response_id == again.response_id
    assert len(answer.response_id or "") == 22
    usage = answer.usage_metadata
    assert usage is not None
    counts = (usage.prompt_token_count, usage.cached_content_token_count, usage.candidates_token_count)
    assert counts == (-(-len(PROMPT) // 4) + 2, 2, -(-len(SAID) // 4))
    assert usage.thoughts_token_count == 2 * -(-len(SAID) // 4)
    assert usage.total_token_count == sum((counts[0] or 0, counts[2] or 0, usage.thoughts_token_count or 0))


async def test_a_stream_says_the_same_in_pieces_and_its_last_one_tells_the_cost(
    url: str, identity: Identity
) -> None:
    """Finish reason and full usage come with the last piece only."""
    client = vertex(url, token(identity, "asker"))
    whole = await ask(client)
    stream = client.models.generate_content_stream(model="gemini-2.5-flash", contents=PROMPT)
    pieces = await asyncio.to_thread(list, stream)
    assert "".join(piece.text or "" for piece in pieces) == SAID
    assert len(pieces) == 4
    reasons = [bool(piece.candidates and piece.candidates[0].finish_reason) for piece in pieces]
    assert reasons == [False, False, False, True]
    assert pieces[-1].usage_metadata == whole.usage_metadata


@pytest.mark.parametrize(
    ("caller", "project", "model", "status", "words"),
    [
        ("nobody", "p", "gemini-x", (401, "UNAUTHENTICATED"), "authentication credentials"),
        ("stranger", "p", "gemini-x", (403, "PERMISSION_DENIED"), "stranger@p lacks roles/aiplatform.user"),
        (
            "asker",
            "other",
            "gemini-x",
            (403, "PERMISSION_DENIED"),
            "//aiplatform.googleapis.com/projects/other/",
        ),
        ("asker", "p", "claude", (404, "NOT_FOUND"), "`claude` was not found"),
        ("asker", "p", "gemini-x-429", (429, "RESOURCE_EXHAUSTED"), "made to fail"),
        ("asker", "p", "gemini-x-503", (503, "UNAVAILABLE"), "made to fail"),
        ("asker", "p", "gemini-x-504", (504, "DEADLINE_EXCEEDED"), "made to fail"),
    ],
)
async def test_a_refusal_is_google_s_error_body(
    url: str, identity: Identity, caller: str, project: str, model: str, status: tuple[int, str], words: str
) -> None:
    """Whole and streamed alike, as the client reads it: code, status and a sentence."""
    bearer = "made-up" if caller == "nobody" else token(identity, caller)
    client = vertex(url, bearer, project)
    for call in (client.models.generate_content, client.models.generate_content_stream):
        with pytest.raises(APIError) as refused:
            await asyncio.to_thread(lambda call=call: list(call(model=model, contents="x")))
        assert (refused.value.code, refused.value.status) == status
        assert words in str(refused.value.message)


@pytest.mark.parametrize("body", [b"no json", b"{}", b'{"contents": 7}', b'{"contents": [{"parts": 7}]}'])
async def test_a_body_without_contents_is_refused(url: str, body: bytes) -> None:
    """400 in Google's shape, not a failure of the server."""
    import aiohttp

    address = f"{url}/v1beta/models/gemini-x:generateContent"
    async with aiohttp.ClientSession() as session:
        async with session.post(address, data=body, headers={"x-goog-api-key": "any"}) as response:
            assert (response.status, (await response.json())["error"]["status"]) == (400, "INVALID_ARGUMENT")
        async with session.post(address, data=body) as response:
            assert response.status == 403, "and without a key nothing is read at all"


async def test_a_slow_model_takes_its_time_piece_by_piece(url: str, identity: Identity) -> None:
    """A name's last number is its milliseconds, spread over a stream."""
    client = vertex(url, token(identity, "asker"))
    begun = time.monotonic()
    await ask(client, "gemini-x-slow-200")
    assert time.monotonic() - begun >= 0.2
    stream = client.models.generate_content_stream(model="gemini-x-slow-1000", contents=PROMPT)
    begun = time.monotonic()
    await asyncio.to_thread(next, stream)
    first = time.monotonic() - begun
    await asyncio.to_thread(list, stream)
    assert 0.25 <= first < 1 <= time.monotonic() - begun


async def test_the_local_cloud_serves_it(tmp_path: Path) -> None:
    """On the one port of all APIs, for the accounts of its own project."""
    cloud = LocalCloud(Options(directory=tmp_path, project="p", region="europe-west1"))
    await cloud.start()
    try:
        cloud.identity.bind("projects/p", "roles/aiplatform.user", "serviceAccount:asker@p")
        assert (await ask(vertex(cloud.url, token(cloud.identity, "asker")))).text == SAID
    finally:
        await cloud.close()
