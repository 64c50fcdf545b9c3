"""OTLP/HTTP to the Telemetry API or a collector: one POST per batch, its outcome by its status, an end to it in any case.

Encoded by `otlp_encoding.py`. Trying again is the outbox's business, so nothing is repeated here.
"""

import gzip
import time
from collections.abc import Mapping, Sequence

import requests
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from urllib3.exceptions import HTTPError

from app.deadline import Deadline
from app.sessions import bounded
from app.telemetry.otlp_encoding import encode

# Answers are empty or a sentence; of a longer one the connection is given up.
MAX_ANSWER = 64 * 1024


class NotTaken(Exception):
    """The backend answered with another status than 2xx: `code`."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"HTTP {code}: {text}" if text else f"HTTP {code}")
        self.code = code


class PartlyTaken(Exception):
    """The backend took the batch, but for `rejected` of its spans; trying again would not help."""

    def __init__(self, rejected: int, text: str) -> None:
        super().__init__(f"{rejected} spans were rejected: {text}")
        self.rejected = rejected


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
        self._session = bounded(session or requests.Session())
        if certificate:
            self._session.verify = certificate
        self._headers = {**(headers or {}), "content-type": "application/x-protobuf"}
        if compress:
            self._headers["content-encoding"] = "gzip"

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send one batch. Raises NotTaken, PartlyTaken, or what requests and its credentials raise."""
        body = _encoded(spans)
        limit = Deadline(time.monotonic(), self._timeout)  # the library's own timeout is per read
        with (
            limit.applied(),
            self._session.post(
                self._endpoint,
                data=gzip.compress(body, 1) if self._compress else body,
                headers=self._headers,
                timeout=self._timeout,
                allow_redirects=False,  # a redirect would turn the POST into a GET, and may carry the token away
                stream=True,
            ) as response,
        ):
            answer = _read(response)
            if not 200 <= response.status_code < 300:
                raise NotTaken(response.status_code, answer.decode("utf-8", "replace")[:500])
        _require_all(answer)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Close the connections."""
        self._session.close()


def _encoded(spans: Sequence[ReadableSpan]) -> bytes:
    try:
        return encode(spans)
    except Exception as error:  # told apart from what the network does, which another try may mend
        raise TypeError(f"{type(error).__name__}: {error}") from error


def _read(response: requests.Response) -> bytes:
    """What fits. To its end if that comes in time, so that the connection can be used again."""
    try:
        answer: bytes = response.raw.read(MAX_ANSWER, decode_content=True)
    except (HTTPError, OSError):  # the status is what counts, and that has come
        return b""
    return answer


def _require_all(answer: bytes) -> None:
    """Raises PartlyTaken if the answer to a batch says so: `partial_success` with `rejected_spans` and `error_message`."""
    try:
        partial = _fields(answer).get(1)
        told = _fields(partial) if isinstance(partial, bytes) else {}
    except IndexError:  # something else, but the status was success
        return
    rejected, text = told.get(1, 0), told.get(2, b"")
    if isinstance(rejected, int) and isinstance(text, bytes) and 0 < rejected < 1 << 32:
        raise PartlyTaken(rejected, text.decode("utf-8", "replace")[:500])


def _fields(message: bytes) -> dict[int, int | bytes]:
    """The varint and length-delimited fields of a message in protobuf's wire format. Raises IndexError if it is none."""
    found: dict[int, int | bytes] = {}
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        value, at = _varint(message, at)
        if tag & 7 == 2:
            found[tag >> 3], at = message[at : at + value], at + value
        elif tag & 7 == 0:
            found[tag >> 3] = value
        else:
            raise IndexError
    return found


def _varint(message: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while message[at] > 127:
        number |= (message[at] & 127) << shift
        at, shift = at + 1, shift + 7
    return number | message[at] << shift, at + 1
