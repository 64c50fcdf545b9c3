"""The client for the next service: identity token, deadline, trace, and what its failures mean to our caller.

The trace headers are added by the requests instrumentation through `telemetry/propagation.py`. Blocks: call in a thread.
"""

from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ProtocolError

from app import deadline as deadlines
from app.deadline import Deadline
from app.identity import NoIdentity, Refreshed
from app.problems import Problem

# As many as threads can call at once: beyond the pool's size urllib3 throws connections away.
POOL_SIZE = 80
# A refusal that our own caller can mend; any other failure of a hop is our 502.
_CALLERS_FAULT = {"POST": {400, 413, 422}, "GET": {400, 404}}


class NextService:
    """One service of `SERVICE_URLS`, called with our identity."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self._url = url
        self._token = Refreshed(audience=url)
        self._session = _session()

    def call(
        self,
        method: str,
        path: str,
        deadline: Deadline,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> requests.Response:
        """The answer (2xx) with its body unread. Raises Problem 502, TimeoutError, or the hop's own 4xx problem."""
        try:
            response = self._send(method, path, deadline, headers or {}, body)
        except requests.Timeout as error:
            raise TimeoutError(f"{self.name} gave no answer in time") from error
        except (requests.RequestException, NoIdentity) as error:
            detail = f"The service {self.name} could not be reached."
            raise Problem(502, detail, cause=f"{self.name}: {error}") from error
        if not response.ok or response.is_redirect:
            raise self._refusal(method, response)
        return response

    def _send(
        self, method: str, path: str, deadline: Deadline, headers: Mapping[str, str], body: bytes | None
    ) -> requests.Response:
        try:
            return self._send_once(method, path, deadline, headers, body)
        except requests.ConnectionError as error:
            # A pooled connection that the other side closed as we wrote. Every call here is idempotent.
            if not (error.args and isinstance(error.args[0], ProtocolError)):
                raise
            return self._send_once(method, path, deadline, headers, body)

    def _send_once(
        self, method: str, path: str, deadline: Deadline, headers: Mapping[str, str], body: bytes | None
    ) -> requests.Response:
        token = self._token.current(deadline).token
        return self._session.request(
            method,
            self._url + path,
            data=body,
            headers={**headers, "authorization": f"Bearer {token}", deadlines.HEADER: deadline.header},
            timeout=deadline.require(),
            allow_redirects=False,
            stream=True,
        )

    def _refusal(self, method: str, response: requests.Response) -> Exception:
        with response:
            status = response.status_code
            if status == 504:
                return TimeoutError(f"{self.name} answered 504")
            problem = response.headers.get("content-type", "").startswith("application/problem+json")
            if problem and status in _CALLERS_FAULT[method]:
                return Problem(status, _detail(response))
            return Problem(502, f"The service {self.name} answered {status}.")


def _detail(response: requests.Response) -> str:
    try:
        return str(response.json()["detail"])
    except (ValueError, LookupError, TypeError, requests.RequestException):
        return "The request was refused."


def _session() -> requests.Session:
    session = requests.Session()
    session.headers["accept-encoding"] = "identity"  # a body is passed on as it is
    session.trust_env = False  # no proxies and no .netrc, which would replace our Authorization header
    session.cookies.set_policy(
        DefaultCookiePolicy(allowed_domains=[])
    )  # one caller's cookie is not another's
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_connections=4, pool_maxsize=POOL_SIZE))
    return session
