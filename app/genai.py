"""Gemini on Vertex AI, with the service's identity: each call is one span by the GenAI conventions and one log line.

Blocks: call in a thread. The prompt is in neither span nor log. Not here: chats, tools, media, API keys.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.instrumentation.utils import suppress_http_instrumentation

from app import deadline as deadlines
from app import retries
from app.deadline import Deadline
from app.identity import Refreshed
from app.retries import Attempts
from app.settings import Settings

if TYPE_CHECKING:
    import httpx
    from google.genai import Client
    from google.genai.types import GenerateContentConfig, GenerateContentResponse

# The first tells each request with its URL; the second warns of OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true,
# the form of old samples, which captures nothing.
_QUIET = ("httpx", "opentelemetry.util.genai.utils")

logger = logging.getLogger(__name__)
_loading = threading.Lock()


@dataclass
class Generated:
    """A model's answer so far. Its text is empty when `finish_reasons` say why (MAX_TOKENS, SAFETY) or the prompt was blocked.

    Tokens as they are billed: `output_tokens` contain the reasoning, `input_tokens` the cached ones.
    """

    model: str
    text: str = ""
    finish_reasons: list[str] = field(default_factory=list)
    input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cached_tokens: int = 0

    def add(self, response: "GenerateContentResponse") -> str:
        """Take in a response, or one chunk of it, and return its text. Usage counts all that went before."""
        self.model = response.model_version or self.model
        candidates = response.candidates or []
        self.finish_reasons += [each.finish_reason.value for each in candidates if each.finish_reason]
        if usage := response.usage_metadata:
            self.input_tokens = usage.prompt_token_count or 0
            self.reasoning_tokens = usage.thoughts_token_count or 0
            self.output_tokens = (usage.candidates_token_count or 0) + self.reasoning_tokens
            self.cached_tokens = usage.cached_content_token_count or 0
        text = response.text or ""
        self.text += text
        return text


class Model:
    """The model that `GEMINI_MODEL` names. Its library is imported in the background, beside the rest of the start."""

    def __init__(self, settings: Settings) -> None:
        self.name = settings.gemini_model
        self._project = settings.project
        self._location = settings.gemini_location or settings.region or "global"
        self._endpoint = settings.gemini_endpoint
        self._token = Refreshed()
        self._budget = retries.Budget()
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._bearer: Any = None  # what the client takes for credentials
        threading.Thread(target=_instrumented, name="genai-import", daemon=True).start()

    def generate(
        self,
        prompt: str,
        deadline: Deadline | None = None,
        *,
        instruction: str = "",
        max_tokens: int | None = None,
    ) -> Generated:
        """The answer to `prompt`. `max_tokens` bounds text and reasoning together.

        Without `deadline` the running request's holds. A passing refusal is tried again, each attempt being a span.
        Raises TimeoutError, or Problem 502 whose cause says what to do.
        """
        limit = deadline or deadlines.of_this_request()
        attempts = Attempts(self._budget, limit, "POST", idempotent=True)
        with self._failures(), limit.applied():
            while True:
                try:
                    return self._generate(prompt, limit, instruction, max_tokens)
                except Exception as error:
                    from app import genai_errors

                    pause = attempts.pause(genai_errors.failure(error))
                    if pause is None:
                        raise
                time.sleep(pause)

    def stream(
        self,
        prompt: str,
        deadline: Deadline | None = None,
        *,
        instruction: str = "",
        max_tokens: int | None = None,
    ) -> Iterator[str]:
        """The answer's text in pieces, as they come. Raises like `generate`, at any piece; nothing is tried again."""
        limit = deadline or deadlines.of_this_request()
        with self._failures(), self._logged() as answer:
            models, config = self._models(limit), _config(limit, instruction, max_tokens)
            # The suppression is kept by the stream's span for each of its reads.
            with limit.applied(), suppress_http_instrumentation():
                chunks: Any = models.generate_content_stream(model=self.name, contents=prompt, config=config)
            with chunks:  # so that the span ends with the reading, even if it is given up
                while True:
                    limit.require()
                    with limit.applied():  # not while the caller has the piece
                        chunk = next(chunks, None)
                    if chunk is None:
                        return
                    if text := answer.add(chunk):
                        yield text

    def _generate(self, prompt: str, limit: Deadline, instruction: str, max_tokens: int | None) -> Generated:
        with self._logged() as answer:
            models, config = self._models(limit), _config(limit, instruction, max_tokens)
            with suppress_http_instrumentation():  # the call's one span is the instrumentation's
                response = models.generate_content(model=self.name, contents=prompt, config=config)
            if not response.candidates and not response.prompt_feedback:
                raise ValueError("neither an answer nor a refusal")
            answer.add(response)
        return answer

    def _models(self, limit: Deadline) -> Any:
        token = self._token.current(limit).token
        with self._lock:
            if self._client is None:
                self._client = self._connected()
            # The token only: given the real credentials the library would refresh them itself, early and without a deadline.
            self._bearer.token = token
            return self._client.models

    def _connected(self) -> "Client":
        from google.oauth2.credentials import Credentials

        from app.genai_transport import bounded

        genai = _instrumented()
        self._bearer = Credentials(None)  # type: ignore[no-untyped-call]  # google-auth has no types
        # As for our own services: the token goes to the one address, by no proxy.
        arguments = {"trust_env": False, "follow_redirects": False, "event_hooks": {"request": [_on_request]}}
        arguments |= {"transport": bounded()}
        return genai.Client(  # type: ignore[no-any-return]
            vertexai=True,
            project=self._project,
            location=self._location,
            credentials=self._bearer,
            http_options=genai.types.HttpOptions(base_url=self._endpoint, client_args=arguments),
        )

    @contextmanager
    def _logged(self) -> Iterator[Generated]:
        # Tokens are money: one line for each call, whatever the sampling of traces.
        answer, begun, failed = Generated(self.name), time.monotonic(), {}
        try:
            yield answer
        except BaseException as error:
            failed = {"error_type": str(getattr(error, "code", None) or type(error).__name__)}
            raise
        finally:
            tokens = {key: value for key, value in vars(answer).items() if key.endswith("_tokens")}
            extra: dict[str, Any] = {"event": "model_call", "model": answer.model, **tokens, **failed}
            extra["finish_reasons"] = answer.finish_reasons
            extra["duration_ms"] = round((time.monotonic() - begun) * 1000)
            outcome = f"failed ({failed['error_type']})" if failed else "answered"
            logger.info("%s %s in %d ms", answer.model, outcome, extra["duration_ms"], extra=extra)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            from app import genai_errors

            meaning = genai_errors.meaning(error, self.name, self._project, self._location)
            if meaning is error:
                raise
            raise meaning from error


def _config(limit: Deadline, instruction: str, max_tokens: int | None) -> "GenerateContentConfig":
    from google.genai import types

    return types.GenerateContentConfig(
        # For connecting, for sending and for each wait to receive; the server is told it too, rounded up to seconds.
        http_options=types.HttpOptions(timeout=max(1, int(limit.require() * 1000))),
        system_instruction=instruction or None,
        max_output_tokens=max_tokens,
        # Without tools it does nothing, but says so in the log at each call.
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )


def _on_request(request: "httpx.Request") -> None:
    # The instrumentation (1.3b0) names the provider by a retired value, "vertex_ai", and leaves out the port.
    port = request.url.port or (443 if request.url.scheme == "https" else 80)
    trace.get_current_span().set_attributes({"gen_ai.provider.name": "gcp.vertex_ai", "server.port": port})


def _instrumented() -> Any:
    """google-genai with its spans. The first call takes a second or more."""
    with _loading:
        from google import genai
        from opentelemetry.instrumentation.google_genai import GoogleGenAiSdkInstrumentor

        instrumentor = GoogleGenAiSdkInstrumentor()
        if not instrumentor.is_instrumented_by_opentelemetry:
            for name in _QUIET:
                logging.getLogger(name).setLevel(logging.ERROR)
            instrumentor.instrument()
            _describe_failures_by_type()
    return genai


def _describe_failures_by_type() -> None:
    # The instrumentation (1.3b0) makes an error's text the span's status, and that may repeat prompt or answer.
    from opentelemetry.util.genai.types import Error

    plain = Error.from_exception

    def by_type(*args: Any, **kwargs: Any) -> Error:
        error = plain(*args, **kwargs)
        return replace(error, message=str(error.type))

    if plain.__name__ != by_type.__name__:
        Error.from_exception = by_type  # type: ignore[method-assign]
