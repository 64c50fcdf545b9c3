"""The marked request: a trace id that the ratio keeps, one document that is always the same, and another try while instances start."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import requests

from ops.deployment import RECEIVES, Deployment, Service
from ops.errors import OperatorError
from ops.verify.identity import id_token

AGENT = "blueprint-verify/1"
DOCUMENT = b"blueprint verify: one small document, the same each time, so that it is stored once.\n"
TRIES = 4
"""Of a request that is answered 429 or 5xx, or not at all: the first ones may find no instance of any service."""
_TRIED_AGAIN = (429, 500, 502, 503, 504)
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


@dataclass(frozen=True)
class Request:
    """What is asked: method and path."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Probe:
    """One request as its client saw it. `status` 0: there was no answer, and `error` says why; times are Unix seconds.

    `span_id` is the client's own span, which nobody exports; `told` is the trace that the answer names, if it names one.
    """

    service: Service
    request: Request
    trace_id: str
    span_id: str
    sent: float = 0.0
    answered: float = 0.0
    status: int = 0
    error: str = ""
    told: str = ""
    before: tuple[str, ...] = field(default=())

    @property
    def latency_ms(self) -> float:
        """From the request to the whole answer."""
        return (self.answered - self.sent) * 1000

    @property
    def ok(self) -> bool:
        """Whether it was answered as a request that is right."""
        return 0 < self.status < 400


def request_for(service: Service, asked: str = "") -> Request:
    """What `--request` says, else a document for the pipeline's first step, else `GET /`. Raises `OperatorError`."""
    if not asked:
        return Request("POST", "/documents") if service.step == RECEIVES else Request("GET", "/")
    method, _, path = asked.strip().partition(" ")
    path = path.strip()
    if method.upper() not in _METHODS or not path.startswith("/"):
        raise OperatorError(
            f'--request has value {asked[:80]!r}; give a method and a path, as in --request "POST /documents".'
        )
    return Request(method.upper(), path)


def kept_trace_id(ratio: float) -> str:
    """A trace id that a ratio keeps: its low 64 bits decide, as in app/telemetry/sampling.py. Ratio 0 keeps none."""
    low = secrets.randbelow(max(1, min(round(ratio * 2**64), 2**63)))
    return f"{secrets.randbits(63) + 1:016x}{low:016x}"


def send(
    deployment: Deployment,
    service: Service,
    request: Request,
    *,
    timeout: float,
    token: Callable[[str], str] = id_token,
    sleep: Callable[[float], None] = time.sleep,
) -> Probe:
    """Ask up to `TRIES` times, each with a trace of its own, and return the last; `timeout` in seconds is for all of them.

    `token` gives the caller's ID token for a private service's URL.
    """
    before: list[str] = []
    until = time.monotonic() + timeout
    with _session(deployment, service, token) as session:
        while True:
            probe = _sent(session, deployment, service, request, max(1.0, until - time.monotonic()))
            again = not probe.status or probe.status in _TRIED_AGAIN
            if not again or len(before) + 1 == TRIES or time.monotonic() > until:
                return Probe(**{**vars(probe), "before": tuple(before)})
            before.append(str(probe.status or probe.error))
            sleep(1.0 if deployment.is_local else 3.0)


def _session(deployment: Deployment, service: Service, token: Callable[[str], str]) -> requests.Session:
    """One that carries a caller's identity only where the service is private."""
    session = requests.Session()
    session.trust_env = not deployment.is_local
    session.headers["user-agent"] = AGENT
    session.auth = _Bearer(
        "" if service.public else token(service.url)
    )  # without one too: else a .netrc would be read
    return session


class _Bearer(requests.auth.AuthBase):
    """An ID token, or nothing at all."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["authorization"] = f"Bearer {self._token}"
        return request


def _sent(
    session: requests.Session, deployment: Deployment, service: Service, request: Request, seconds: float
) -> Probe:
    trace_id, span_id = kept_trace_id(deployment.sample_ratio), f"{secrets.randbits(63) + 1:016x}"
    headers = {"traceparent": f"00-{trace_id}-{span_id}-01"}
    if has_body := request.method in ("POST", "PUT", "PATCH"):
        headers |= {"content-type": "text/plain", "x-document-name": "blueprint-verify.txt"}
    known: dict[str, Any] = {
        "service": service,
        "request": request,
        "trace_id": trace_id,
        "span_id": span_id,
        "sent": time.time(),
    }
    try:
        answer = session.request(
            request.method,
            service.url + request.path,
            data=DOCUMENT if has_body else None,
            headers=headers,
            timeout=(min(10.0, seconds), seconds),
            allow_redirects=False,
        )
    except requests.RequestException as error:
        return Probe(**known, answered=time.time(), error=type(error).__name__)
    return Probe(**known, answered=time.time(), status=answer.status_code, told=_told(answer))


def _told(answer: requests.Response) -> str:
    """The trace that an answer of the template names: in its JSON, or in `traceresponse` if it keeps its part."""
    try:
        body = answer.json()
    except ValueError:
        body = None
    named = body.get("trace_id") if isinstance(body, dict) else None
    _, _, response = answer.headers.get("traceresponse", "").partition("-")
    return str(named or response.partition("-")[0])
