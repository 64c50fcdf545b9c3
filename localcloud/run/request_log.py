"""What Cloud Run itself records of a request: its log entry and, only if the request was sampled, its own span."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiohttp import web

from localcloud.run.exchange import Exchange
from localcloud.run.refusal import Refusal
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

    def write(self, region: Region, response: web.StreamResponse, refusal: Refusal | None) -> None:
        """Both records of the finished request."""
        end_ns = time.time_ns()
        sampled = self.exchange is not None and self.exchange.sampled
        self._write_log(region, response, refusal, end_ns, sampled)
        if sampled:
            region.spans.add(self._span(region, response.status, end_ns))

    def _write_log(
        self,
        region: Region,
        response: web.StreamResponse,
        refusal: Refusal | None,
        end_ns: int,
        sampled: bool,
    ) -> None:
        status = response.status
        instance = self.exchange.instance if self.exchange else None
        entry = {
            "logName": f"projects/{region.project}/logs/run.googleapis.com%2Frequests",
            "resource": region.resource(self.service, self.revision),
            "labels": {"instanceId": instance.id} if instance else {},
            "timestamp": datetime.fromtimestamp(self.start_ns / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "severity": "ERROR" if status >= 500 else "WARNING" if status >= 400 else "INFO",
            "httpRequest": self._http(response, end_ns),
            "trace": f"projects/{region.project}/traces/{self.hop.trace_id}",
            "spanId": self.hop.span_id,
        }
        if sampled:
            entry["traceSampled"] = True
        if refusal and refusal.log_text:
            entry["textPayload"] = refusal.log_text
        region.logs.write(entry)

    def _http(self, response: web.StreamResponse, end_ns: int) -> dict[str, object]:
        request = self.request
        sent = self.exchange.sent if self.exchange and self.exchange.sent else response.content_length or 0
        fields: dict[str, object] = {
            "requestMethod": request.method,
            "requestUrl": f"http://{request.host}{request.raw_path}",
            "requestSize": str(request.content.total_bytes),
            "status": response.status,
            "responseSize": str(sent),
            "remoteIp": request.remote or "",
            "serverIp": "127.0.0.1",
            "latency": f"{(end_ns - self.start_ns) / 1e9:.6f}s",
            "protocol": f"HTTP/{request.version.major}.{request.version.minor}",
        }
        if agent := request.headers.get("User-Agent"):
            fields["userAgent"] = agent
        return fields

    def _span(self, region: Region, status: int, end_ns: int) -> Span:
        """`blueprint.source` tells the platform's span from the app's own."""
        request, instance = self.request, self.exchange and self.exchange.instance
        return Span(
            trace_id=self.hop.trace_id,
            span_id=self.hop.span_id,
            parent_id=self.hop.parent_id,
            name=request.path,
            kind="SERVER",
            start_ns=self.start_ns,
            end_ns=end_ns,
            attributes={
                "http.request.method": request.method,
                "url.path": request.path,
                "http.response.status_code": status,
            },
            resource={
                "service.name": self.service,
                "cloud.provider": "gcp",
                "cloud.platform": "gcp_cloud_run",
                "cloud.region": region.name,
                "gcp.project_id": region.project,
                "faas.name": self.service,
                "faas.version": self.revision,
                "faas.instance": instance.id if instance else "",
                "blueprint.source": "platform",
            },
            status="ERROR" if status >= 500 else "UNSET",
        )
