"""Google credentials: ID tokens for the next service, access tokens for storage. One refresh at a time, none early.

A refresh has a thread of its own: its callers wait no longer than their deadlines, and what it brings serves the next.
`google.oauth2.id_token.fetch_id_token` has no cache, so it is not used.
"""

import asyncio
import logging
import threading
import time
from concurrent.futures import Future
from contextvars import copy_context
from typing import Any

import google.auth
import google.auth.exceptions
import google.oauth2.id_token
from google.auth.credentials import Credentials, TokenState
from google.auth.transport.requests import Request
from opentelemetry import trace
from opentelemetry.instrumentation.utils import suppress_instrumentation

from app.deadline import Deadline, of_this_request

CLOUD_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
# So long after a refresh there is no early one: it failed, or the metadata server gave the token that it had itself.
PAUSE_S = 30.0

logger = logging.getLogger(__name__)
tracer = trace.get_tracer(__name__)


class NoIdentity(Exception):
    """No credentials could be had; the message says what would give them."""


class Refreshed:
    """Credentials that are refreshed shortly before they expire (google-auth's 3 min 45 s), and used until they do."""

    def __init__(self, audience: str | None = None) -> None:
        self._audience = audience
        self._credentials: Any = None
        self._lock = threading.Lock()
        self._refresh: Future[None] | None = None
        self._failing = False
        self._not_before = 0.0

    def current(self, deadline: Deadline) -> Any:
        """Valid credentials; blocks only if there are none. Raises NoIdentity, or TimeoutError at `deadline`."""
        if refresh := self._awaited_refresh():
            try:
                refresh.result(deadline.require())
            except TimeoutError:
                raise TimeoutError("waiting for a token") from None
        return self._credentials

    async def awaited(self, deadline: Deadline) -> Any:
        """`current` for `async def`: nothing blocks."""
        if refresh := self._awaited_refresh():
            await deadline.await_for(asyncio.wrap_future(refresh))
        return self._credentials

    def _awaited_refresh(self) -> Future[None] | None:
        """The refresh to wait for; None if there are valid credentials, though they may be refreshed meanwhile."""
        if self._state() is TokenState.FRESH:
            return None
        with self._lock:
            state = self._state()
            due = state is TokenState.INVALID or time.monotonic() >= self._not_before
            if self._refresh is None and state is not TokenState.FRESH and due:
                self._refresh = self._begin(early=state is TokenState.STALE)
            return self._refresh if state is TokenState.INVALID else None

    def _state(self) -> TokenState:
        credentials = self._credentials
        return TokenState.INVALID if credentials is None else credentials.token_state

    def _begin(self, early: bool) -> Future[None]:
        refresh: Future[None] = Future()
        refresh.set_running_or_notify_cancel()  # who stops waiting does not stop it

        def run() -> None:
            failure: Exception | None = None
            try:
                self._renew()
            except Exception as error:
                failure = self._explained(error, early)
            with self._lock:
                self._refresh = None
                self._failing = failure is not None
                self._not_before = time.monotonic() + PAUSE_S
            refresh.set_exception(failure) if failure else refresh.set_result(None)

        threading.Thread(target=copy_context().run, args=(run,), name="token", daemon=True).start()
        return refresh

    def _renew(self) -> None:
        kind = (
            {"auth.token": "id", "auth.audience": self._audience}
            if self._audience
            else {"auth.token": "access"}
        )
        # One named span instead of the several requests a refresh makes.
        with tracer.start_as_current_span("auth.refresh_token", attributes=kind), suppress_instrumentation():
            request = Request()
            credentials = self._credentials or self._found(request)
            credentials.refresh(request)
            self._credentials = credentials

    def _found(self, request: Request) -> Any:
        if self._audience is not None:
            fetch: Any = google.oauth2.id_token.fetch_id_token_credentials
            return fetch(self._audience, request=request)
        return google.auth.default(scopes=[CLOUD_SCOPE], request=request)[0]

    def _explained(self, error: Exception, early: bool) -> NoIdentity:
        """The error for who waits; logged here too, as the request may have ended long before google-auth gave up."""
        kind = "access token" if self._audience is None else f"ID token for {self._audience}"
        message = (
            f"No {kind}: {error} On Cloud Run the metadata server gives it; "
            "elsewhere set GCE_METADATA_HOST or GOOGLE_APPLICATION_CREDENTIALS."
        )
        if not early:
            logger.error(message, extra={"event": "identity_missing", "audience": self._audience})
        elif not self._failing:
            until = self._credentials.expiry
            logger.warning(
                f"{message} The present one is used until it expires at {until:%H:%M:%S} UTC.",
                extra={"event": "identity_stale", "audience": self._audience},
            )
        missing = NoIdentity(message)
        missing.__cause__ = error
        return missing


class Bearer(Credentials):
    """`Refreshed` as Google's client libraries take it: by themselves they would refresh early, and fail if that fails."""

    def __init__(self, token: Refreshed) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # google-auth has no types
        self._refreshed = token

    def before_request(self, request: Any, method: str, url: str, headers: Any) -> None:
        """Add the token to a request of the library, waiting for one no longer than the deadline in force."""
        credentials = self._refreshed.current(of_this_request())
        if credentials.token_state is TokenState.FRESH:
            credentials.before_request(request, method, url, headers)
        else:
            credentials.apply(headers)

    def refresh(self, request: Any) -> None:
        """Nothing: `Refreshed` does."""
