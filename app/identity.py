"""Google credentials: ID tokens for the next service, access tokens for storage. One refresh at a time, none early.

Everything here blocks: call it in a thread. `google.oauth2.id_token.fetch_id_token` has no cache, so it is not used.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import google.auth
import google.auth.exceptions
import google.oauth2.id_token
from google.auth.transport.requests import Request
from opentelemetry import trace
from opentelemetry.instrumentation.utils import suppress_instrumentation

from app.deadline import Deadline

CLOUD_SCOPE = "https://www.googleapis.com/auth/cloud-platform"

logger = logging.getLogger(__name__)
tracer = trace.get_tracer(__name__)


class NoIdentity(Exception):
    """No credentials could be had; the message says what would give them."""


class Refreshed:
    """Credentials that are refreshed shortly before they expire (google-auth's 3 min 45 s)."""

    def __init__(self, audience: str | None = None) -> None:
        self._audience = audience
        self._credentials: Any = None
        self._lock = threading.Lock()

    def current(self, deadline: Deadline) -> Any:
        """Valid credentials. Raises NoIdentity, or TimeoutError when another's refresh outlasts `deadline`."""
        credentials = self._credentials
        if credentials is not None and credentials.valid:
            return credentials
        if not self._lock.acquire(timeout=deadline.require()):
            raise TimeoutError("waiting for a token")
        try:
            if self._credentials is None or not self._credentials.valid:
                with _refreshing(self._audience):
                    self._refresh()
            return self._credentials
        finally:
            self._lock.release()

    def _refresh(self) -> None:
        request = Request()
        if self._credentials is None:
            self._credentials = self._found(request)
        self._credentials.refresh(request)

    def _found(self, request: Request) -> Any:
        if self._audience is not None:
            fetch: Any = google.oauth2.id_token.fetch_id_token_credentials
            return fetch(self._audience, request=request)
        return google.auth.default(scopes=[CLOUD_SCOPE], request=request)[0]


@contextmanager
def _refreshing(audience: str | None) -> Iterator[None]:
    # One named span instead of the several requests a refresh makes.
    attributes = (
        {"auth.token": "access"} if audience is None else {"auth.token": "id", "auth.audience": audience}
    )
    with (
        tracer.start_as_current_span("auth.refresh_token", attributes=attributes),
        suppress_instrumentation(),
    ):
        try:
            yield
        except google.auth.exceptions.GoogleAuthError as error:
            kind = "access token" if audience is None else f"ID token for {audience}"
            message = (
                f"No {kind}: {error} On Cloud Run the metadata server gives it; "
                "elsewhere set GCE_METADATA_HOST or GOOGLE_APPLICATION_CREDENTIALS."
            )
            # Written here too: the request may have ended long before google-auth gave up.
            logger.error(message, extra={"event": "identity_missing", "audience": audience})
            raise NoIdentity(message) from error
