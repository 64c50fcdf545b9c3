"""The example pipeline: take a document, do this step's part, hand it on. The file a team replaces.

A step is a setting (`PIPELINE_STEP`): `receive` names and sizes, `extract` counts words, `store` keeps.
"""

from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from opentelemetry import trace

from app import deadline, documents, summary
from app.calls import NextService
from app.deadline import BoundedStream, Deadline
from app.documents import Document
from app.problems import Problem, current_trace_id
from app.settings import Settings

CHUNK_BYTES = 256 * 1024

tracer = trace.get_tracer(__name__)


def install(app: FastAPI, settings: Settings) -> None:
    """Add the document routes, if this deployment is a step of the pipeline."""
    app.add_api_route("/", About(settings).get)
    if settings.pipeline_step is None:
        return
    step = Hop(settings) if settings.service_urls else Archive(settings)
    app.add_api_route("/documents", step.post, methods=["POST"], response_model=None)
    app.add_api_route("/documents/{document_id}", step.get, methods=["GET"], response_model=None)


class About:
    """What answers at `/`: a first thing to call, and a trace id to look for."""

    def __init__(self, settings: Settings) -> None:
        self._name = settings.name

    async def get(self) -> dict[str, str]:
        """The service's name and this request's trace."""
        return {"service": self._name, "trace_id": current_trace_id()}


class Step:
    """What every step does: read the document in time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def _document(self, request: Request, limit: Deadline) -> Document:
        believed = not self._settings.service_public and self._settings.pipeline_step != "receive"
        return await limit.await_for(
            documents.read(request, limit=self._settings.max_document_bytes, believed=believed)
        )


class Hop(Step):
    """A step that hands the document to the next service: the first of those it calls. The others are for routes of your own."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._next = NextService(*next(iter(settings.service_urls.items())))
        self._summaries = summary.of(settings)

    async def post(self, request: Request) -> Response:
        """Pass the document on; answer with what the pipeline says of it."""
        limit = deadline.of_this_request()
        document = await self._document(request, limit)
        answer = await self._summaries.beside(limit.run(self._pass_on, document, limit), document, limit)
        return JSONResponse({**answer, "trace_id": current_trace_id()}, 201)

    async def get(self, document_id: str) -> Response:
        """Stream the document back as it comes from the next service."""
        limit = deadline.of_this_request()
        _require_id(document_id)
        found = await limit.run(self._next.call, "GET", f"/documents/{document_id}", limit)
        kept = (
            "content-type",
            "content-length",
            "content-disposition",
            documents.NAME,
            "x-content-type-options",
        )
        headers = {key: found.headers[key] for key in kept if key in found.headers}
        return BoundedStream(limit, found.chunks(CHUNK_BYTES), 200, headers=headers)

    def _pass_on(self, document: Document, limit: Deadline) -> dict[str, Any]:
        if self._settings.pipeline_step == "extract":
            document = _counted(document)
        told = document.headers()
        with self._next.call(
            "POST", "/documents", limit, headers=told, body=document.data, idempotent=True
        ) as answer:
            found = answer.json()
        if not isinstance(found, dict):
            raise Problem(502, f"The service {self._next.name} gave no usable answer.")
        return found


class Archive(Step):
    """A step that keeps the document in the bucket."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        # Imported here: half a second of start that only this step needs.
        from app.storage import Bucket

        self._bucket = Bucket(next(iter(settings.bucket_names.values())), settings.project)

    async def post(self, request: Request) -> Response:
        """Store the document once. A repetition is answered alike (201), from what was stored the first time."""
        limit = deadline.of_this_request()
        document = await self._document(request, limit)
        limit.require()
        # A begun write runs to its end (docs/architecture.md, "Deadlines"): a retry then succeeds at once.
        own = limit.extended_to(self._settings.service_timeout_s)
        answer = await own.run(self._store, document, own)
        return JSONResponse({**answer, "trace_id": current_trace_id()}, 201)

    async def get(self, document_id: str) -> Response:
        """The document's bytes, with its type and name."""
        limit = deadline.of_this_request()
        _require_id(document_id)
        document = await limit.run(self._bucket.fetch, document_id, limit)
        name = quote(document.name, safe="")
        headers = {
            documents.NAME: name,
            "content-type": document.content_type,
            "content-disposition": f"attachment; filename*=UTF-8''{name}",
            "x-content-type-options": "nosniff",
        }
        return Response(document.data, 200, headers)

    def _store(self, document: Document, limit: Deadline) -> dict[str, Any]:
        document = _counted(document)
        older = self._bucket.store(document, limit)
        return {**documents.described(document, self._bucket.address(document.sha256)), **older}


def _require_id(document_id: str) -> None:
    if not documents.is_id(document_id):
        raise Problem(404, "There is no document with this id; an id is 64 hexadecimal digits.")


def _counted(document: Document) -> Document:
    if document.words is not None:
        return document
    with tracer.start_as_current_span("document.count_words") as span:
        document = document.counted()
        span.set_attributes({"document.size": len(document.data), "document.words": document.words or 0})
    return document
