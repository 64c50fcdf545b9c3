"""Documents in one Cloud Storage bucket, named by content id. Blocks.

Each operation is a span with `gcp.gcs.bucket` and `gcp.gcs.object` around the library's own HTTP requests.
Nothing connects before the first request needs it.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import requests
from google.api_core import exceptions
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import AuthorizedSession
from google.cloud.storage import Client
from google.cloud.storage.retry import DEFAULT_RETRY
from opentelemetry import trace

from app import outcomes, retries, sessions
from app.deadline import Deadline, of_this_request
from app.documents import Document
from app.identity import Bearer, NoIdentity, Refreshed
from app.problems import Problem
from app.retries import Attempts, Failure
from app.telemetry.client import expecting

tracer = trace.get_tracer(__name__)


class Bucket:
    """The bucket that keeps the documents. Each call obeys `deadline`; without one, the running request's."""

    def __init__(self, name: str, project: str) -> None:
        self.name = name
        self._project = project
        self._budget = retries.Budget()
        self._lock = threading.Lock()
        self._client: Client | None = None

    def address(self, document_id: str) -> str:
        """Where a document is kept."""
        return f"gs://{self.name}/{document_id}"

    def store(self, document: Document, deadline: Deadline | None = None) -> dict[str, Any]:
        """Store `document` unless it is there already, and return what the stored one says of itself, if it is older.

        One metadata request spares a repetition the upload; two uploads at once are settled by the generation (412).
        """
        limit = deadline or of_this_request()
        with self._span("storage.store", document.sha256, limit) as span:
            span.set_attribute("document.size", len(document.data))
            bucket = self._bucket()
            with expecting(404):  # most documents are new
                blob = bucket.get_blob(document.sha256, **self._limits(limit))
            span.set_attribute("document.already_stored", blob is not None)
            if blob is not None:
                return _known(blob)
            self._upload(bucket.blob(document.sha256), document, limit)
            return {}

    def _upload(self, blob: Any, document: Document, limit: Deadline) -> None:
        blob.metadata = {"name": document.name, "words": str(document.words), "sha256": document.sha256}
        try:
            blob.upload_from_string(
                document.data,
                content_type=document.content_type,
                if_generation_match=0,
                checksum="crc32c",
                **self._limits(limit),
            )
        except exceptions.PreconditionFailed:
            # Same id, same bytes: somebody else was faster, or our own attempt whose answer was lost.
            trace.get_current_span().set_attribute("document.already_stored", True)

    def fetch(self, document_id: str, deadline: Deadline | None = None) -> Document:
        """The stored document, its bytes checked by CRC32C. Raises Problem 404 for an unknown id."""
        limit = deadline or of_this_request()
        with self._span("storage.fetch", document_id, limit):
            blob = self._bucket().get_blob(document_id, **self._limits(limit))
            if blob is None:
                raise Problem(404, "There is no document with this id.")
            known = _known(blob)  # before the download, whose own headers the library takes over
            data = blob.download_as_bytes(checksum="crc32c", **self._limits(limit))
            return Document(known["name"], known["content_type"], data, document_id, known["words"])

    def _limits(self, limit: Deadline) -> dict[str, Any]:
        """The library's `timeout` and `retry` for one operation, in what remains of `limit`.

        Its own (60 s an attempt, 120 s in all) are far above a request's budget. The rules are those of `retries.py`; what
        may be repeated is the library's knowledge.
        """
        seconds = limit.require()
        attempts = Attempts(self._budget, limit, "", idempotent=True)

        def failed(error: Exception) -> None:
            if attempts.pause(Failure(type(error).__name__)) is None:
                raise error

        retry = DEFAULT_RETRY.with_timeout(seconds).with_delay(retries.FIRST_PAUSE_S, retries.LONGEST_PAUSE_S)
        return {"timeout": retries.attempt_s(seconds), "retry": partial(retry, on_error=failed)}

    def _bucket(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = _client(self._project)
            return self._client.bucket(self.name)

    @contextmanager
    def _span(self, name: str, document_id: str, limit: Deadline) -> Iterator[trace.Span]:
        attributes = {"gcp.gcs.bucket": self.name, "gcp.gcs.object": document_id}
        with tracer.start_as_current_span(name, attributes=attributes) as span, limit.applied():
            try:
                yield span
            except Exception as error:
                raise _meaning(error, self.name) from error


def _client(project: str) -> Client:
    # Credentials are given explicitly: with STORAGE_EMULATOR_HOST the library would else call anonymously.
    credentials = Bearer(Refreshed())
    session = AuthorizedSession(credentials, max_refresh_attempts=0)  # type: ignore[no-untyped-call]  # google-auth has no types
    return Client(project=project or None, credentials=credentials, _http=sessions.bounded(session))


def _known(blob: Any) -> dict[str, Any]:
    metadata = blob.metadata or {}
    words = metadata.get("words", "")
    return {
        "name": metadata.get("name", blob.name),
        "words": int(words) if words.isdecimal() else None,
        "content_type": blob.content_type or "application/octet-stream",
        "size": blob.size,
    }


def _meaning(error: Exception, bucket: str) -> Exception:
    if outcomes.timed_out(error) or any(
        isinstance(cause, exceptions.GatewayTimeout) for cause in retries.causes(error)
    ):
        return TimeoutError(f"bucket {bucket} gave no answer in time")
    if isinstance(
        error, exceptions.GoogleAPIError | requests.RequestException | GoogleAuthError | NoIdentity
    ):
        return Problem(502, "The document storage failed.", cause=f"bucket {bucket}: {error}")
    return error
