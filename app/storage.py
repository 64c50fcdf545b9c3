"""Documents in one Cloud Storage bucket, named by content id. Blocks.

Each operation is a span with `gcp.gcs.bucket` and `gcp.gcs.object` around the library's own HTTP requests.
Nothing connects before the first request needs it.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from google.api_core import exceptions
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import AuthorizedSession
from google.cloud.storage import Client
from google.cloud.storage.retry import DEFAULT_RETRY
from opentelemetry import trace
from requests.adapters import HTTPAdapter

from app.calls import POOL_SIZE
from app.deadline import Deadline
from app.documents import Document
from app.identity import NoIdentity, Refreshed
from app.problems import Problem
from app.telemetry.instrumentation import expecting

tracer = trace.get_tracer(__name__)


class Bucket:
    """The bucket that keeps the documents."""

    def __init__(self, name: str, project: str) -> None:
        self.name = name
        self._project = project
        self._token = Refreshed()
        self._lock = threading.Lock()
        self._client: Client | None = None

    def address(self, document_id: str) -> str:
        """Where a document is kept."""
        return f"gs://{self.name}/{document_id}"

    def store(self, document: Document, deadline: Deadline) -> dict[str, Any]:
        """Store `document` unless it is there already, and return what the stored one says of itself, if it is older.

        One metadata request spares a repetition the upload; two uploads at once are settled by the generation (412).
        """
        with self._span("storage.store", document.sha256) as span:
            span.set_attribute("document.size", len(document.data))
            bucket = self._bucket(deadline)
            with expecting(404):  # most documents are new
                blob = bucket.get_blob(document.sha256, **self._limits(deadline))
            span.set_attribute("document.already_stored", blob is not None)
            if blob is not None:
                return _known(blob)
            self._upload(bucket.blob(document.sha256), document, deadline)
            return {}

    def _upload(self, blob: Any, document: Document, deadline: Deadline) -> None:
        blob.metadata = {"name": document.name, "words": str(document.words), "sha256": document.sha256}
        try:
            blob.upload_from_string(
                document.data,
                content_type=document.content_type,
                if_generation_match=0,
                checksum="crc32c",
                **self._limits(deadline),
            )
        except exceptions.PreconditionFailed:
            # Same id, same bytes: somebody else was faster.
            trace.get_current_span().set_attribute("document.already_stored", True)

    def fetch(self, document_id: str, deadline: Deadline) -> Document:
        """The stored document, its bytes checked by CRC32C. Raises Problem 404 for an unknown id."""
        with self._span("storage.fetch", document_id):
            blob = self._bucket(deadline).get_blob(document_id, **self._limits(deadline))
            if blob is None:
                raise Problem(404, "There is no document with this id.")
            known = _known(blob)  # before the download, whose own headers the library takes over
            data = blob.download_as_bytes(checksum="crc32c", **self._limits(deadline))
            return Document(known["name"], known["content_type"], data, document_id, known["words"])

    def _bucket(self, deadline: Deadline) -> Any:
        credentials = self._token.current(deadline)
        with self._lock:
            if self._client is None:
                self._client = _client(self._project, credentials)
            return self._client.bucket(self.name)

    def _limits(self, deadline: Deadline) -> dict[str, Any]:
        # The library's own limits (60 s an attempt, 120 s in all) are far above a request's budget.
        seconds = deadline.require()
        return {"timeout": seconds, "retry": DEFAULT_RETRY.with_timeout(seconds)}

    @contextmanager
    def _span(self, name: str, document_id: str) -> Iterator[trace.Span]:
        attributes = {"gcp.gcs.bucket": self.name, "gcp.gcs.object": document_id}
        with tracer.start_as_current_span(name, attributes=attributes) as span:
            try:
                yield span
            except Exception as error:
                raise _meaning(error, self.name) from error


def _client(project: str, credentials: Any) -> Client:
    # Credentials are given explicitly: with STORAGE_EMULATOR_HOST the library would else call anonymously.
    session = AuthorizedSession(credentials)  # type: ignore[no-untyped-call]  # google-auth has no types
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=POOL_SIZE))
    return Client(project=project or None, credentials=credentials, _http=session)


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
    cause = error.cause if isinstance(error, exceptions.RetryError) else error
    if isinstance(cause, requests.Timeout | exceptions.GatewayTimeout | TimeoutError):
        return TimeoutError(f"bucket {bucket} gave no answer in time")
    if isinstance(
        error, exceptions.GoogleAPIError | requests.RequestException | GoogleAuthError | NoIdentity
    ):
        return Problem(502, "The document storage failed.", cause=f"bucket {bucket}: {error}")
    return error
