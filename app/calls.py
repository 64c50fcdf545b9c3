"""The client for the next service: identity token, deadline, retries, and failures that mean something to our caller.

Blocks: use it in a `def` endpoint or by `Deadline.run`; `async_calls.py` is the same for `async def`.
The instrumentation of requests adds the trace headers.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Self

import requests
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProtocolError

from app import deadline as deadlines
from app import outcomes, retries, sessions
from app.deadline import Deadline
from app.identity import NoIdentity, Refreshed
from app.retries import Attempts, Failure


class Answer:
    """What a service said, always with a status 2xx. Its body is read within the deadline; leave it by `with`."""

    def __init__(self, name: str, response: requests.Response) -> None:
        self.status, self.headers = response.status_code, response.headers
        self._name, self._response = name, response

    def chunks(self, size: int) -> Iterator[bytes]:
        """The body as it comes, in pieces of `size` bytes. Raises TimeoutError, or Problem 502 where it breaks off."""
        with self:
            try:
                yield from self._response.iter_content(size)
            except requests.RequestException as error:
                raise outcomes.broken(self._name, error) from error

    def read(self) -> bytes:
        """The whole body. Raises as `chunks` does."""
        return b"".join(self.chunks(65536))

    def json(self) -> Any:
        """The body, parsed. Raises as `chunks` does, and Problem 502 for one that is not JSON."""
        return outcomes.parsed(self._name, self.read())

    def close(self) -> None:
        """Give the connection back, or end it if more was to come."""
        self._response.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


class NextService:
    """One service of `SERVICE_URLS`, called with our identity."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self._url = url
        self._token = Refreshed(audience=url)
        self._budget = retries.Budget()
        self._session = sessions.plain()

    def call(
        self,
        method: str,
        path: str,
        deadline: Deadline | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        idempotent: bool | None = None,
    ) -> Answer:
        """The answer (2xx) with its body unread. Raises Problem 502, TimeoutError, or the hop's own 4xx problem;
        ValueError for a `path` that does not begin with "/".

        Without `deadline` the running request's holds. What is `idempotent` (by default: by its method) is tried
        again where that may help (`retries.py`).
        """
        limit = deadline or deadlines.of_this_request()
        send = partial(self._send, method, rooted(path), limit, headers or {}, body)
        try:
            with limit.applied():
                response = _answered(send, Attempts(self._budget, limit, method, idempotent))
        except (requests.RequestException, NoIdentity) as error:
            raise outcomes.unreachable(self.name, error) from error
        if 200 <= response.status_code < 300:
            return Answer(self.name, response)
        with response:
            raise outcomes.refusal(self.name, response.status_code, _callers_fault(method, response))

    def _send(
        self, method: str, path: str, limit: Deadline, headers: Mapping[str, str], body: bytes | None
    ) -> requests.Response:
        token = self._token.current(limit).token
        remaining = limit.require()
        return self._session.request(
            method,
            self._url + path,
            data=body,
            headers=own_headers(headers, token, limit),
            timeout=(retries.attempt_s(remaining), remaining),
            allow_redirects=False,
            stream=True,
        )


def rooted(path: str) -> str:
    """`path`, if it begins with "/". Raises ValueError: any other could name another host, which would get our token."""
    if not path.startswith("/"):
        raise ValueError(f'the path {path!r} of a call must begin with "/"')
    return path


def own_headers(headers: Mapping[str, str], token: str, limit: Deadline) -> dict[str, str]:
    """`headers` with our identity and what time is left; these two are never a caller's."""
    given = {name.lower(): value for name, value in headers.items()}
    return {**given, "authorization": f"Bearer {token}", deadlines.HEADER: limit.header}


def _answered(send: Callable[[], requests.Response], attempts: Attempts) -> requests.Response:
    while True:
        try:
            response = send()
        except requests.RequestException as error:
            pause = attempts.pause(_failure(error))
            if pause is None:
                raise
        else:
            failure = retries.of_status(response.status_code, response.headers.get("retry-after"))
            pause = attempts.pause(failure)
            if pause is None:
                return response
            response.close()
        time.sleep(pause)


def _failure(error: requests.RequestException) -> Failure | None:
    causes = list(retries.causes(error))
    name = type(causes[-1]).__name__
    if any(isinstance(cause, NewConnectionError | ConnectTimeoutError) for cause in causes):
        return Failure(name, unsent=True)
    # A pooled connection that the other side closed as we wrote.
    if any(isinstance(cause, ProtocolError) for cause in causes):
        return Failure(name, at_once=True)
    return None


def _callers_fault(method: str, response: requests.Response) -> bytes | None:
    if not outcomes.is_callers_fault(method, response.status_code, response.headers.get("content-type")):
        return None
    try:
        return response.content
    except requests.RequestException:
        return b""
