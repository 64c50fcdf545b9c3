"""What Cloud Run itself records of a request: its log entry and, only if the request was sampled, its own span."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from localcloud.run.exchange import Exchange
from localcloud.run.ports import HOST
from localcloud.run.region import Region
from localcloud.run.trace_headers import Hop
from localcloud.trace.store import Span


@dataclass
class Record:
    """Filled while the request passes; `write` at its end, as the client saw it."""

    request: web.BaseRequest
    hop: Hop
    service: str
    revision: str = ""
    exchange: Exchange | None = None
    start_ns: int = field(default_factory=time.time_ns)

    def write(self, region: Region, response: web.StreamResponse, log_text: str = "") -> None:
        """Both records of a finished request; `log_text` says why the front end itself answered."""
        end_ns = time.time_ns()
        exchange = self.exchange
        instance = exchange.instance.id if exchange and exchange.instance else ""
        sampled = exchange is not None and exchange.sampled
        entry: dict[str, Any] = {
            "logName": f"projects/{region.project}/logs/run.googleapis.com%2Frequests",
            "resource": region.resource(self.service, self.revision),
            "labels": {"instanceId": instance} if instance else {},
            "timestamp": datetime.fromtimestamp(self.start_ns / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "severity": "ERROR"
            if response.status >= 500
            else "WARNING"
            if response.status >= 400
            else "INFO",
            "httpRequest": self._http(response, (end_ns - self.start_ns) / 1e9),
            "trace": f"projects/{region.project}/traces/{self.hop.trace_id}",
            "spanId": self.hop.span_id,
        }
        region.logs.write(
            entry
            | ({"traceSampled": True} if sampled else {})
            | ({"textPayload": log_text} if log_text else {})
        )
        if sampled:
            region.spans.add(self._span(region, response.status, end_ns, instance))

    def _http(self, response: web.StreamResponse, seconds: float) -> dict[str, Any]:
        request = self.request
        sent = self.exchange.sent if self.exchange and self.exchange.sent else response.content_length or 0
        agent = request.headers.get("User-Agent")
        return ({"userAgent": agent} if agent else {}) | {
            "requestMethod": request.method,
            "requestUrl": f"http://{request.host}{request.raw_path}",
            "requestSize": str(request.content.total_bytes),
            "status": response.status,
            "responseSize": str(sent),
            "remoteIp": request.remote or "",
            "serverIp": HOST,
            "latency": f"{seconds:.6f}s",
            "protocol": f"HTTP/{request.version.major}.{request.version.minor}",
        }

    def _span(self, region: Region, status: int, end_ns: int, instance: str) -> Span:
        """`blueprint.source` tells the platform's span from the app's own."""
        request, hop = self.request, self.hop
        resource = {
            "service.name": self.service,
            "blueprint.source": "platform",
            "gcp.project_id": region.project,
        }
        resource |= {"cloud.provider": "gcp", "cloud.platform": "gcp_cloud_run", "cloud.region": region.name}
        resource |= {"faas.name": self.service, "faas.version": self.revision, "faas.instance": instance}
        return Span(
            trace_id=hop.trace_id,
            span_id=hop.span_id,
            parent_id=hop.parent_id,
            name=request.path,
            kind="SERVER",
            start_ns=self.start_ns,
            end_ns=end_ns,
            attributes={
                "http.request.method": request.method,
                "url.path": request.path,
                "http.response.status_code": status,
            },
            resource=resource,
            status="ERROR" if status >= 500 else "UNSET",
        )
