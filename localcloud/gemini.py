"""Gemini's API as google-genai speaks it: `generateContent` and `streamGenerateContent`, on Vertex AI and with an API key.

An answer is the first words of the prompt, the same each time. No tools, media, safety or output limits.
A model's name decides what goes wrong: `gemini-x-429` answers that status, `gemini-x-slow` takes 2 s, `gemini-x-slow-300`
300 ms; one that does not begin with `gemini-` is unknown.
"""

import asyncio
import contextlib
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from aiohttp import web

from localcloud.google_error import google_error
from localcloud.identity import Identity

PERMISSION = "aiplatform.endpoints.predict"
SLOW_MS = 2000
WORDS, WORDS_PER_CHUNK = 20, 5
# About four characters are one token (ai.google.dev/gemini-api/docs/tokens).
_TOKEN = 4

_FAILING = re.compile(r"gemini-.*-(429|500|503|504)")
_SLOW = re.compile(r"gemini-.*-slow(?:-([0-9]{1,6}))?")
_UNREADABLE = "Invalid JSON payload received: contents must be a list of contents with text parts."


def gemini_routes(identity: Identity, project: str) -> list[web.RouteDef]:
    """Both doors: Vertex AI's for accounts with `aiplatform.endpoints.predict` on the project, the other for any API key."""

    async def vertex(request: web.Request) -> web.StreamResponse:
        return _refusal(identity, project, request) or await _answer(request)

    async def developer(request: web.Request) -> web.StreamResponse:
        if not (request.headers.get("x-goog-api-key") or request.query.get("key")):
            message = "Method doesn't allow unregistered callers. Please use API Key or other form of API consumer identity."
            return google_error(HTTPStatus.FORBIDDEN, message)
        return await _answer(request)

    call = "models/{model:[^/:]+}:{method:generateContent|streamGenerateContent}"
    place = "projects/{project}/locations/{location}/publishers/google"
    return [
        web.post(f"/{{version:v1|v1beta1}}/{place}/{call}", vertex),
        web.post(f"/{{version:v1|v1beta}}/{call}", developer),
    ]


def _refusal(identity: Identity, project: str, request: web.Request) -> web.Response | None:
    caller = identity.caller(request.headers.get("Authorization"))
    if caller is None:
        return google_error(
            HTTPStatus.UNAUTHORIZED,
            "Request had invalid authentication credentials. Expected OAuth 2 access token.",
        )
    asked = request.match_info["project"]
    if asked == project and identity.allows(caller.email, PERMISSION, f"projects/{project}"):
        return None
    resource = request.path.partition("/projects/")[2].rpartition(":")[0]
    return google_error(
        HTTPStatus.FORBIDDEN,
        f"Permission '{PERMISSION}' denied on resource '//aiplatform.googleapis.com/projects/{resource}'"
        f" (or it may not exist): {caller.email} lacks roles/aiplatform.user.",
    )


async def _answer(request: web.Request) -> web.StreamResponse:
    model = request.match_info["model"]
    if failing := _FAILING.fullmatch(model):
        return google_error(HTTPStatus(int(failing[1])), f"{model} is made to fail with {failing[1]}.")
    if not model.startswith("gemini-"):
        message = f"Publisher model `{model}` was not found or your project does not have access to it."
        return google_error(HTTPStatus.NOT_FOUND, message)
    try:
        answer = Answer.to(model, await request.json())
    except (ValueError, TypeError, AttributeError, LookupError):
        return google_error(HTTPStatus.BAD_REQUEST, _UNREADABLE)
    slow = _SLOW.fullmatch(model)
    seconds = int(slow[1] or SLOW_MS) / 1000 if slow else 0.0
    if request.match_info["method"] == "generateContent":
        await asyncio.sleep(seconds)
        return web.json_response(answer.chunk(0, len(answer.words)))
    if request.query.get("alt") == "sse":
        return await _stream(request, answer, seconds)
    return web.json_response(answer.chunks())


async def _stream(request: web.Request, answer: "Answer", seconds: float) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    chunks = answer.chunks()
    with contextlib.suppress(ConnectionError):  # a reader that has heard enough hangs up
        for chunk in chunks:
            await asyncio.sleep(seconds / len(chunks))
            await response.write(b"data: " + json.dumps(chunk).encode() + b"\r\n\r\n")
        await response.write_eof()
    return response


@dataclass(frozen=True)
class Answer:
    """What the model says to one prompt, and what that costs."""

    model: str
    id: str
    words: list[str]
    prompt_tokens: int
    cached_tokens: int

    @classmethod
    def to(cls, model: str, body: Mapping[str, Any]) -> "Answer":
        """The answer to a request's body; raises what a malformed one leads to."""
        prompt = _text(body["contents"])
        # As implicit caching does with the beginning that many requests share.
        cached = _tokens(_text([body.get("systemInstruction") or {"parts": []}]))
        digest = hashlib.sha256(f"{model}\n{prompt}".encode()).hexdigest()
        return cls(model, digest[:22], prompt.split()[:WORDS], _tokens(prompt) + cached, cached)

    def chunks(self) -> list[dict[str, Any]]:
        """The whole answer in pieces, at least one."""
        count = max(1, len(self.words))
        return [self.chunk(first, first + WORDS_PER_CHUNK) for first in range(0, count, WORDS_PER_CHUNK)]

    def chunk(self, first: int, end: int) -> dict[str, Any]:
        """A GenerateContentResponse with the words from `first` up to `end`; usage counts what was said until then."""
        text = " ".join(self.words[first:end])
        content = {"role": "model", "parts": [{"text": text if first == 0 else f" {text}"}]}
        last = {"finishReason": "STOP"} if end >= len(self.words) else {}
        return {
            "candidates": [{"index": 0, "content": content, **last}],
            "usageMetadata": self._usage(_tokens(" ".join(self.words[:end]))),
            "modelVersion": self.model,
            "responseId": self.id,
        }

    def _usage(self, said: int) -> dict[str, int]:
        thoughts = 2 * _tokens(" ".join(self.words))
        counts = {
            "promptTokenCount": self.prompt_tokens,
            "candidatesTokenCount": said,
            "thoughtsTokenCount": thoughts,
            "cachedContentTokenCount": self.cached_tokens,
            "totalTokenCount": self.prompt_tokens + said + thoughts,
        }
        return {key: value for key, value in counts.items() if value}


def _text(contents: list[dict[str, Any]]) -> str:
    return " ".join(str(part.get("text", "")) for content in contents for part in content["parts"])


def _tokens(text: str) -> int:
    return -(-len(text) // _TOKEN)
