"""app/genai.py and app/summary.py through the real google-genai and its real instrumentation, against localcloud's Gemini."""

import asyncio
import json
import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from app_fakes import Answer, Cloud, Service
from app_process import ROOT, Reply, ask, service
from app_wires import HEAD, LONG_S, Wire, says, trickles
from conftest import Start
from google.auth.compute_engine import _metadata
from google.oauth2.credentials import Credentials
from opentelemetry.instrumentation.google_genai import GoogleGenAiSdkInstrumentor, instrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from app import deadline as deadlines
from app import retries, summary, threads
from app import settings as environment
from app.deadline import Deadline
from app.documents import Document
from app.genai import Generated, Model
from app.problems import Problem
from app.retries import Budget
from app.settings import InvalidSetting
from localcloud.gemini import gemini_routes
from localcloud.identity import Identity
from localcloud.metadata import metadata_app

EMAIL = "extract@p.iam.gserviceaccount.com"
SECRET = "zebra"
PROMPT = " ".join(f"{SECRET}{number}" for number in range(30))
SAID = " ".join(f"{SECRET}{number}" for number in range(20))
HERE = {
    "gen_ai.operation.name": "generate_content",
    "gen_ai.provider.name": "gcp.vertex_ai",
    "server.address": "127.0.0.1",
}
COST = {
    "gen_ai.usage.input_tokens": -(-len(PROMPT) // 4) + 2,
    "gen_ai.usage.cache_read.input_tokens": 2,
    "gen_ai.usage.output_tokens": 3 * -(-len(SAID) // 4),
    "gen_ai.usage.reasoning.output_tokens": 2 * -(-len(SAID) // 4),
}
ANSWERED = COST | {"gen_ai.response.finish_reasons": ("stop",)}


@dataclass
class Google:
    """Gemini and a metadata server; the next answers may be replaced by `statuses`."""

    identity: Identity
    gemini: str = ""
    metadata: str = ""
    statuses: list[int] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def model(self, name: str = "gemini-2.5-flash", **env: str) -> Model:
        """A model of a service that runs there."""
        known = {"GOOGLE_CLOUD_PROJECT": "p", "GOOGLE_CLOUD_REGION": "europe-west1"}
        known |= {"GEMINI_MODEL": name, "GOOGLE_VERTEX_BASE_URL": self.gemini}
        return Model(environment.parse(known | env))


@pytest.fixture
async def google(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Google]:
    google = Google(Identity("p"))
    google.identity.bind("projects/p", "roles/aiplatform.user", f"serviceAccount:{EMAIL}")

    @web.middleware
    async def replaced(request: web.Request, handler: Any) -> web.StreamResponse:
        google.asked.append(request.path)
        if google.statuses and (status := google.statuses.pop(0)) != 200:
            return web.json_response(
                {"error": {"code": status, "message": "no", "status": "NO"}}, status=status
            )
        answer: web.StreamResponse = await handler(request)
        return answer

    gemini = web.Application(middlewares=[replaced])
    gemini.add_routes(gemini_routes(google.identity, "p"))
    place = {"project": "p", "project_number": "1", "region": "europe-west1"}
    metadata = metadata_app(google.identity, **place, email=EMAIL, instance_id="i")
    async with TestServer(gemini, host="127.0.0.1") as one, TestServer(metadata, host="127.0.0.1") as other:
        google.gemini, google.metadata = (str(server.make_url("")).rstrip("/") for server in (one, other))
        host = google.metadata.removeprefix("http://")
        monkeypatch.setattr(_metadata, "_GCE_METADATA_HOST", host)
        monkeypatch.setenv("GCE_METADATA_HOST", host)
        monkeypatch.setenv("GCE_METADATA_IP", host)
        monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
        monkeypatch.setenv("CLOUDSDK_CONFIG", "/nonexistent")
        yield google


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """The spans of the model calls made here, and of any HTTP request below them."""
    memory, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    monkeypatch.setattr(instrumentor, "get_tracer_provider", lambda: provider)
    monkeypatch.setattr(retries, "Budget", partial(Budget, 0, 0))
    # The old form, still in many samples: it must neither warn nor capture.
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true")
    taken_back(GoogleGenAiSdkInstrumentor(), HTTPXClientInstrumentor())
    HTTPXClientInstrumentor().instrument(tracer_provider=provider)
    yield memory
    for thread in threading.enumerate():
        if thread.name == "genai-import":
            thread.join(LONG_S)
    taken_back(GoogleGenAiSdkInstrumentor(), HTTPXClientInstrumentor())


def taken_back(*instrumentors: Any) -> None:
    for each in instrumentors:
        if each.is_instrumented_by_opentelemetry:
            each.uninstrument()


def seconds(count: float) -> Deadline:
    return Deadline(time.monotonic(), count)


async def call(model: Model, *, stream: bool = False, within: float = LONG_S) -> str:
    """What the model says to PROMPT. A short time begins when all that is made once is there."""

    def work() -> str:
        if 0 < within < 1:
            model._models(seconds(LONG_S))
        asked: dict[str, Any] = {"prompt": PROMPT, "deadline": seconds(within), "instruction": "be short"}
        return "".join(model.stream(**asked)) if stream else model.generate(**asked).text

    return await asyncio.to_thread(work)


def one(spans: InMemorySpanExporter) -> ReadableSpan:
    (span,) = spans.get_finished_spans()
    return span


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("name", "within", "error", "expected"),
    [
        ("gemini-2.5-flash", LONG_S, None, ANSWERED | {"gen_ai.response.model": "gemini-2.5-flash"}),
        ("gemini-x-429", LONG_S, Problem, {"error.type": "429"}),
        ("gemini-x-500", LONG_S, Problem, {"error.type": "500"}),
        ("nothing", LONG_S, Problem, {"error.type": "404"}),
        ("gemini-x-slow-60000", 0.5, TimeoutError, {"error.type": "httpx.ReadTimeout"}),
    ],
)
async def test_a_call_is_one_client_span_with_exactly_these_attributes(
    google: Google,
    spans: InMemorySpanExporter,
    name: str,
    within: float,
    error: type[Exception] | None,
    expected: Mapping[str, Any],
    stream: bool,
) -> None:
    """Table of attributes; whatever is not in it, above all the prompt, is not on the span. Nothing but this one span."""
    if error is None:
        assert await call(google.model(name), stream=stream, within=within) == SAID
    else:
        with pytest.raises(error):
            await call(google.model(name), stream=stream, within=within)
    span = one(spans)
    assert (span.name, span.kind) == (f"generate_content {name}", SpanKind.CLIENT)
    assert span.status.status_code is (StatusCode.UNSET if error is None else StatusCode.ERROR)
    found = dict(span.attributes or {})
    assert found.pop("server.port") == int(google.gemini.rpartition(":")[2])
    if error is None:
        assert len(str(found.pop("gen_ai.response.id"))) == 22
    if stream:
        assert found.pop("gen_ai.request.stream") is True
        first = found.pop("gen_ai.response.time_to_first_chunk", None)
        assert (first is None) == (error is not None)
    assert found == {**HERE, "gen_ai.request.model": name, **expected}
    assert SECRET not in span.to_json()


async def test_the_call_s_span_is_below_the_request_s(google: Google, spans: InMemorySpanExporter) -> None:
    """From the thread in which it runs, for streams too; and the caller's own work is not below the stream's span."""
    model, tracer = google.model(), TracerProvider(shutdown_on_exit=False).get_tracer("test")
    with tracer.start_as_current_span("request") as request:
        await call(model)
        await call(model, stream=True)
    parents = [span.parent.span_id for span in spans.get_finished_spans() if span.parent]
    assert parents == [request.get_span_context().span_id] * 2


@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_is_one_log_line_with_its_cost_and_without_the_prompt(
    google: Google, spans: InMemorySpanExporter, caplog: pytest.LogCaptureFixture, stream: bool
) -> None:
    """No other line, of no library, and no warning of the old form of CAPTURE_MESSAGE_CONTENT."""
    caplog.set_level(logging.INFO)
    await call(google.model(), stream=stream)
    with pytest.raises(Problem):
        await call(google.model("gemini-x-500"), stream=stream)
    records = [record for record in caplog.records if not record.name.startswith(("asyncio", "aiohttp"))]
    answered, failed = (vars(record) for record in records)
    kept = {key: value for key, value in answered.items() if key.endswith("_tokens")}
    assert kept == {
        "input_tokens": COST["gen_ai.usage.input_tokens"],
        "output_tokens": COST["gen_ai.usage.output_tokens"],
        "reasoning_tokens": COST["gen_ai.usage.reasoning.output_tokens"],
        "cached_tokens": COST["gen_ai.usage.cache_read.input_tokens"],
    }
    assert (answered["event"], answered["levelname"]) == ("model_call", "INFO")
    assert (answered["model"], answered["finish_reasons"]) == ("gemini-2.5-flash", ["STOP"])
    assert 0 <= answered["duration_ms"] < LONG_S * 1000
    assert (failed["error_type"], failed["output_tokens"]) == ("500", 0)
    assert SECRET not in str(answered) + str(failed)


@pytest.mark.parametrize(
    ("statuses", "attempts"),
    [([429, 200], 2), ([503, 503, 200], 3), ([429] * 9, 3), ([500, 200], 1)],
)
async def test_a_passing_refusal_is_tried_again_like_any_call(
    google: Google,
    spans: InMemorySpanExporter,
    monkeypatch: pytest.MonkeyPatch,
    statuses: list[int],
    attempts: int,
) -> None:
    """By the rules of app/retries.py. Each attempt is a span, so that its time and its failure are not lost."""
    monkeypatch.setattr(retries, "Budget", Budget)
    google.statuses = list(statuses)
    if statuses[attempts - 1] == 200:
        assert await call(google.model()) == SAID
    else:
        with pytest.raises(Problem):
            await call(google.model())
    types = [(span.attributes or {}).get("error.type") for span in spans.get_finished_spans()]
    assert types == [None if status == 200 else str(status) for status in statuses[:attempts]]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_slow_model_is_left_at_the_deadline(
    google: Google, spans: InMemorySpanExporter, stream: bool
) -> None:
    """While it is waited for, and between the pieces of a stream (each comes after 250 ms)."""
    name = "gemini-x-slow-1000" if stream else "gemini-x-slow-60000"
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        await call(google.model(name), stream=stream, within=0.6)
    assert time.monotonic() - begun < LONG_S / 4
    assert one(spans).status.status_code is StatusCode.ERROR


async def test_a_spent_deadline_makes_no_call(google: Google, spans: InMemorySpanExporter) -> None:
    with pytest.raises(TimeoutError):
        await call(google.model(), within=0)
    assert google.asked == []


async def test_a_stream_that_is_given_up_ends_its_span_and_its_connection(
    google: Google, spans: InMemorySpanExporter
) -> None:
    """What was said until then is counted."""
    model = google.model()

    def first() -> str:
        pieces = model.stream(PROMPT, seconds(LONG_S))
        piece = next(pieces)
        pieces.close()  # type: ignore[attr-defined]  # as leaving a `for` does
        return piece

    assert SAID.startswith(await asyncio.to_thread(first))
    found = one(spans).attributes or {}
    assert 0 < int(str(found["gen_ai.usage.output_tokens"])) < COST["gen_ai.usage.output_tokens"]
    assert model._client is not None
    assert model._client._api_client._httpx_client._transport._pool.connections == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gemini-x-429", "the quota of project p for this model is used up"),
        ("nothing", "set GEMINI_MODEL to a model of location europe-west1"),
        ("no role", "grant the service's account roles/aiplatform.user on project p"),
        ("no token", "its credentials are not accepted"),
        ("no metadata", "No access token: "),
        ("nobody listens", "Connection refused"),
    ],
)
async def test_what_an_operator_can_mend_is_said_in_a_sentence(
    google: Google, spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch, name: str, words: str
) -> None:
    """As the cause for the log; the caller hears a 502 without it."""
    model = google.model(name if "-" in name or name == "nothing" else "gemini-x")
    if name == "no role":
        google.identity.unbind("projects/p", "roles/aiplatform.user", f"serviceAccount:{EMAIL}")
    if name == "no token":
        # About to expire: the library would refresh it, if it had more than the token.
        soon = datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=60)
        monkeypatch.setattr(model._token, "current", lambda deadline: Credentials("made-up", expiry=soon))
    if name == "no metadata":
        monkeypatch.setattr(_metadata, "ping", lambda request: False)
    if name == "nobody listens":
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            model = google.model(GOOGLE_VERTEX_BASE_URL=f"http://127.0.0.1:{unused.getsockname()[1]}")
    with pytest.raises(Problem) as failed:
        await call(model)
    assert (failed.value.status, failed.value.detail) == (502, "The model gave no answer.")
    assert words in str(failed.value.cause)
    assert SECRET not in str(failed.value.cause)


async def test_the_location_is_a_setting(google: Google, spans: InMemorySpanExporter) -> None:
    """A region's own by default; models that only `global` has need the other."""
    await call(google.model())
    await call(google.model(GOOGLE_CLOUD_LOCATION="global"))
    assert ["locations/europe-west1" in google.asked[0], "locations/global" in google.asked[1]] == [
        True,
        True,
    ]


@pytest.mark.parametrize(
    ("env", "key"),
    [
        ({"GOOGLE_VERTEX_BASE_URL": "https://evil-googleapis.com"}, "GOOGLE_VERTEX_BASE_URL"),
        ({"GOOGLE_VERTEX_BASE_URL": "http://aiplatform.googleapis.com"}, "GOOGLE_VERTEX_BASE_URL"),
        ({"GOOGLE_VERTEX_BASE_URL": "http://127.0.0.1:1@evil.example"}, "GOOGLE_VERTEX_BASE_URL"),
        ({"GEMINI_MODEL": "gemini-x"}, "GOOGLE_CLOUD_PROJECT"),
    ],
)
def test_a_token_goes_to_google_only_and_a_model_needs_a_project(env: dict[str, str], key: str) -> None:
    with pytest.raises(InvalidSetting, match=f"^{key} has the value"):
        environment.parse(env)


def test_a_service_without_a_model_imports_nothing_for_it() -> None:
    """Neither the library nor its instrumentation, which take over a second."""
    program = (
        "import sys; from app import main, routes, settings, summary; "
        "found = summary.of(settings.parse({'PIPELINE_STEP': 'extract', 'SERVICE_URLS': '{\"a\": \"http://a\"}'})); "
        "print(type(found).__name__, [name for name in sys.modules if 'genai' in name or name == 'httpx'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "NoSummaries ['app.genai']", done.stderr


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"one two", "one two"),
        ("grün \u20ac".encode(), "grün \u20ac"),
        (b"", None),
        (b" \n\t", None),
        (b"\x89PNG\r\n\x1a\n\x00\x00", None),
        (b"PK\x03\x04", None),
        ("grün".encode("latin-1"), None),
        (b"a" * 50_000, "a" * summary.CHARACTERS),
        (("x" + "\u20ac" * 50_000).encode(), "x" + "\u20ac" * (summary.CHARACTERS - 1)),
    ],
)
def test_only_text_is_summarised_and_only_its_beginning(data: bytes, text: str | None) -> None:
    """UTF-8 without control characters, whatever type was claimed; a character cut in two is left out."""
    assert summary.beginning(data) == text


class Said:
    """A model that answers, or fails, as it is told."""

    name = "m"

    def __init__(self, answer: Generated | Exception) -> None:
        self.answer = answer
        self.prompts: list[str] = []

    def generate(self, prompt: str, deadline: Deadline, **how: Any) -> Generated:
        self.prompts.append(prompt)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def beside(model: Said, data: bytes = b"text", work: Any = None) -> dict[str, Any]:
    """The answer of a step that does `work` beside its summary."""
    summaries = summary.Summaries.__new__(summary.Summaries)
    summaries._model = model  # type: ignore[assignment]
    summaries._threads = threads.Threads(1)

    async def done() -> dict[str, Any]:
        return {"id": 1}

    return await summaries.beside((work or done)(), Document("a", "text/plain", data, ""), seconds(LONG_S))


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (Generated("m", " A text. "), None),
        (Generated("m", "", ["MAX_TOKENS"]), "The model said nothing: MAX_TOKENS."),
        (Generated("m", ""), "The model said nothing: blocked."),
        (Problem(502, "No.", cause="model m: 429"), "model m: 429"),
        (TimeoutError(), "no answer in time"),
        (ValueError(SECRET), "ValueError"),
    ],
)
async def test_a_summary_that_fails_costs_a_warning_and_nothing_else(
    caplog: pytest.LogCaptureFixture, answer: Generated | Exception, cause: str | None
) -> None:
    found = await beside(Said(answer))
    lines = [record for record in caplog.records if record.name == "app.summary"]
    if cause is None:
        assert (found, lines) == ({"id": 1, "summary": "A text."}, [])
        return
    assert found == {"id": 1}
    (line,) = (vars(record) for record in lines)
    assert (line["levelname"], line["event"], line["cause"]) == ("WARNING", "summary_failed", cause)
    assert SECRET not in line["message"]


async def test_what_is_no_text_is_not_shown_to_the_model() -> None:
    model = Said(Generated("m", "x"))
    assert await beside(model, b"\x00") == {"id": 1}
    assert model.prompts == []


async def test_a_failing_hop_does_not_wait_for_the_summary() -> None:
    """Its own error is raised at once."""
    waiting = threading.Event()

    class Slow(Said):
        def generate(self, prompt: str, deadline: Deadline, **how: Any) -> Generated:
            waiting.wait(LONG_S)
            return super().generate(prompt, deadline)

    async def fails() -> dict[str, Any]:
        await asyncio.sleep(0)
        raise Problem(502, "No.")

    begun = time.monotonic()
    with pytest.raises(Problem):
        await beside(Slow(Generated("m", "x")), work=fails)
    assert time.monotonic() - begun < LONG_S / 4
    waiting.set()


async def test_summaries_take_no_thread_of_the_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is still written, though given up, leaves the only place of the documents free."""
    monkeypatch.setattr(deadlines, "_threads", threads.Threads(1))
    begun, waiting = threading.Event(), threading.Event()

    class Stuck(Said):
        def generate(self, prompt: str, deadline: Deadline, **how: Any) -> Generated:
            begun.set()
            waiting.wait(LONG_S)
            return super().generate(prompt, deadline)

    async def works() -> dict[str, Any]:
        await asyncio.to_thread(begun.wait, LONG_S)
        return {"id": await seconds(LONG_S / 4).run(lambda: 2)}

    writing = asyncio.create_task(beside(Stuck(Generated("m", "x")), work=works))
    try:
        assert await asyncio.to_thread(begun.wait, LONG_S)
        assert await seconds(LONG_S / 4).run(lambda: 3) == 3
    finally:
        waiting.set()
    assert (await writing)["id"] == 2


class Raw(Wire):
    """A model that answers `status` with `body`."""

    def __init__(self, body: bytes, status: int = 200) -> None:
        head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        super().__init__(says(head.encode() + body))


PART = {"text": [SECRET]}
ODD = json.dumps({"candidates": [{"content": {"role": "model", "parts": [PART]}}]}).encode()
ECHO = json.dumps({"error": {"code": 400, "message": SECRET, "status": "INVALID_ARGUMENT"}}).encode()


@pytest.mark.parametrize(
    ("body", "status", "cause"),
    [
        (SECRET.encode(), 200, "could not be read"),
        (ODD, 200, "could not be read"),
        (b"[1]", 200, "could not be read"),
        (b"", 200, "could not be read"),
        (ECHO, 400, "400 INVALID_ARGUMENT"),
        (f"<html>{SECRET}".encode(), 400, "model gemini-2.5-flash: 400"),
    ],
)
async def test_an_unusable_answer_is_a_problem_that_repeats_nothing_of_it(
    google: Google, spans: InMemorySpanExporter, start: Start, body: bytes, status: int, cause: str
) -> None:
    """Not in its cause, nor in the span."""
    with pytest.raises(Problem) as failed:
        await call(google.model(GOOGLE_VERTEX_BASE_URL=start(Raw(body, status))))
    assert failed.value.status == 502
    assert str(failed.value.cause).endswith(cause) or cause in str(failed.value.cause)
    assert SECRET not in str(failed.value.cause) + one(spans).to_json()


@pytest.mark.parametrize("head", [HEAD, b"HTTP/1.1 200 OK\r\n"], ids=["body", "head"])
async def test_an_answer_that_trickles_is_left_at_the_deadline(
    google: Google, spans: InMemorySpanExporter, start: Start, head: bytes
) -> None:
    model = google.model(GOOGLE_VERTEX_BASE_URL=start(Wire(trickles(head))))
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        await call(model, within=0.6)
    assert time.monotonic() - begun < LONG_S / 4


# The template, but that a summary is waited for as long as the request has time: imports are slow on a busy machine.
PATIENT = ("-c", "from app import __main__, summary; summary.LONGEST_S = 600.0; __main__.main()")
STORED = b'{"id": "x", "words": 30}'


async def extract(
    google: Google, model: str, documents: list[bytes], **env: str
) -> tuple[list[Reply], Any, Cloud]:
    """A real process of the step, its archive and what receives its spans: the replies, its log lines, the spans."""
    archive, receiver = Service(Answer(201, STORED, {"content-type": "application/json"})), Cloud()
    host = google.metadata.removeprefix("http://")
    known = {"GCE_METADATA_HOST": host, "GCE_METADATA_IP": host, "GOOGLE_VERTEX_BASE_URL": google.gemini}
    known |= {
        "GOOGLE_CLOUD_PROJECT": "p",
        "GOOGLE_CLOUD_REGION": "europe-west1",
        "OTEL_SERVICE_NAME": "extract",
    }
    known |= {"PIPELINE_STEP": "extract", "SERVICE_PUBLIC": "false", "GEMINI_MODEL": model}
    known |= {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true"}

    def run() -> tuple[list[Reply], Any]:
        with archive.running(), receiver.running():
            urls = {"SERVICE_URLS": json.dumps({"archive": archive.url})}
            exporter = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}
            with service({**known, **urls, **exporter, **env}, PATIENT) as process:
                headers = {"x-document-name": "a"}
                replies = [ask(process.url, "POST", "/documents", data, headers) for data in documents]
                process.stop()
                return replies, process.logs

    return *await asyncio.to_thread(run), receiver


async def test_extract_answers_with_a_summary(google: Google) -> None:
    """End to end, in one trace: the model's span beside the hop's, below the request's; no document in span or log."""
    replies, logs, receiver = await extract(google, "gemini-2.5-flash", [PROMPT.encode(), b"\x00\x01"])
    answers = [reply.json() for reply in replies]
    assert [reply.status for reply in replies] == [201, 201]
    assert (answers[0]["summary"], answers[0]["id"]) == (SAID, "x")
    assert "summary" not in answers[1], "a document that is no text"
    assert len(google.asked) == 1
    trace_id = answers[0]["trace_id"]
    found = {span.name: span for _, span in receiver.spans() if span.trace_id.hex() == trace_id}
    assert {"POST /documents", "generate_content gemini-2.5-flash", "POST archive"} <= set(found)
    assert not [name for name in found if name == "POST"], "no HTTP span below the model's"
    root = found["POST /documents"]
    assert found["generate_content gemini-2.5-flash"].parent_span_id == root.span_id
    (line,) = (line for line in logs if line.get("event") == "model_call")
    assert line["logging.googleapis.com/trace"] == f"projects/p/traces/{trace_id}"
    assert SECRET not in str(logs) + str([str(span) for _, span in receiver.spans()])
    assert [line for line in logs if line["severity"] not in ("INFO", "DEBUG")] == []


@pytest.mark.parametrize(("model", "cause"), [("nothing", "404"), ("gemini-x-slow-60000", "in time")])
async def test_a_failing_model_leaves_the_document_alone(google: Google, model: str, cause: str) -> None:
    """201 within the budget, without a summary, and one warning that says why."""
    budget = {"REQUEST_BUDGET_MS": "3000"} if "slow" in model else {}
    begun = time.monotonic()
    # The first is no text, so the model hears nothing of it: what is made once is made then.
    replies, logs, _ = await extract(google, model, [b"\x00\x01", PROMPT.encode()], **budget)
    assert time.monotonic() - begun < LONG_S / 2
    assert [(reply.status, "summary" in reply.json()) for reply in replies] == [(201, False)] * 2
    (line,) = (line for line in logs if line["severity"] not in ("INFO", "DEBUG"))
    assert (line["severity"], line["event"]) == ("WARNING", "summary_failed")
    assert cause in line["cause"]
    assert SECRET not in str(logs)
