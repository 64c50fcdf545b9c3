"""OTLP/HTTP to the Telemetry API or a collector: one POST per batch, its outcome by its status, an end to it in any case.

Encoded by `otlp_encoding.py`. Trying again is the outbox's business, so nothing is repeated here.
"""

import gzip
import time
from collections.abc import Mapping, Sequence

import requests
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from app.telemetry.otlp_encoding import encode

# Answers are empty or a sentence; of a longer one the connection is given up.
MAX_ANSWER = 64 * 1024


class NotTaken(Exception):
    """The backend answered with another status than 2xx: `code`."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"HTTP {code}: {text}" if text else f"HTTP {code}")
        self.code = code


class OtlpExporter(SpanExporter):
    """Posts to `endpoint`; `auth` adds a token to each request. `timeout` bounds each batch, in seconds."""

    def __init__(
        self,
        endpoint: str,
        timeout: float,
        *,
        headers: Mapping[str, str] | None = None,
        compress: bool = False,
        certificate: str | None = None,
        session: requests.Session | None = None,
    ) -> None:
        self._endpoint, self._timeout, self._compress = endpoint, timeout, compress
        self._session = session or requests.Session()
        if certificate:
            self._session.verify = certificate
        self._headers = {**(headers or {}), "content-type": "application/x-protobuf"}
        if compress:
            self._headers["content-encoding"] = "gzip"

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send one batch. Raises NotTaken, or what requests and its credentials raise."""
        body = _encoded(spans)
        until = time.monotonic() + self._timeout
        with self._session.post(
            self._endpoint,
            data=gzip.compress(body, 1) if self._compress else body,
            headers=self._headers,
            timeout=self._timeout,
            allow_redirects=False,  # a redirect would turn the POST into a GET, and may carry the token away
            stream=True,
        ) as response:
            answer = _read(response, until)
            if not 200 <= response.status_code < 300:
                raise NotTaken(response.status_code, answer.decode("utf-8", "replace")[:500])
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Close the connections."""
        self._session.close()


def _encoded(spans: Sequence[ReadableSpan]) -> bytes:
    try:
        return encode(spans)
    except Exception as error:  # told apart from what the network does, which another try may mend
        raise TypeError(f"{type(error).__name__}: {error}") from error


def _read(response: requests.Response, until: float) -> bytes:
    """What fits. To its end if that comes in time, so that the connection can be used again."""
    answer = b""
    while len(answer) < MAX_ANSWER and time.monotonic() < until:
        piece: bytes = response.raw.read1(MAX_ANSWER, decode_content=True)
        if not piece:
            break
        answer += piece
    return answer
