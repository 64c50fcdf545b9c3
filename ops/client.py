"""The demo's client: sends a document to the gateway and reads it back, as any user of the pipeline would."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests

from ops.documents import Document
from ops.errors import OperatorError

_TIMEOUT_S = (5, 60)


@dataclass(frozen=True)
class Answer:
    """What the client got, and after how many ms."""

    status: int
    latency_ms: float
    trace_id: str
    body: dict[str, Any]


class Client:
    """One user of the gateway at `url`; no proxy is asked, as the gateway is on this machine."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False

    def send(self, document: Document) -> Answer:
        """POST the document. Every answer counts, errors too; raises `OperatorError` if it is not the pipeline's."""
        headers = {"x-document-name": quote(document.name), "content-type": "application/octet-stream"}
        begun = time.perf_counter()
        response = self._session.post(
            f"{self._url}/documents", data=document.content, headers=headers, timeout=_TIMEOUT_S
        )
        latency_ms = (time.perf_counter() - begun) * 1000
        try:
            body = response.json()
            return Answer(response.status_code, latency_ms, body["trace_id"], body)
        except (ValueError, KeyError):
            raise OperatorError(
                f"The gateway answered {response.status_code} without a trace id: {response.text[:200]!r}; see the log lines above it."
            ) from None

    def fetch(self, id: str) -> bytes:
        """GET the document; raises `OperatorError` unless it is there."""
        response = self._session.get(f"{self._url}/documents/{id}", timeout=_TIMEOUT_S)
        if response.status_code != 200:
            raise OperatorError(
                f"The gateway answered {response.status_code} for document {id}; expected 200."
            )
        return response.content
