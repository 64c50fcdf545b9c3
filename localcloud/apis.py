"""The Google APIs that localcloud knows by name, and how Google refuses a call to one that is off in the project.

Which of them are on is in localcloud/projects.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from aiohttp import web
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import code_pb2, error_details_pb2, status_pb2  # type: ignore[import-untyped]  # no types are published

TITLES: Mapping[str, str] = {
    "aiplatform.googleapis.com": "Vertex AI API",
    "artifactregistry.googleapis.com": "Artifact Registry API",
    "cloudbilling.googleapis.com": "Cloud Billing API",
    "cloudkms.googleapis.com": "Cloud Key Management Service (KMS) API",
    "cloudresourcemanager.googleapis.com": "Cloud Resource Manager API",
    "cloudtrace.googleapis.com": "Cloud Trace API",
    "compute.googleapis.com": "Compute Engine API",
    "containerscanning.googleapis.com": "Container Scanning API",
    "iam.googleapis.com": "Identity and Access Management (IAM) API",
    "iamcredentials.googleapis.com": "IAM Service Account Credentials API",
    "logging.googleapis.com": "Cloud Logging API",
    "monitoring.googleapis.com": "Cloud Monitoring API",
    "run.googleapis.com": "Cloud Run Admin API",
    "secretmanager.googleapis.com": "Secret Manager API",
    "serviceusage.googleapis.com": "Service Usage API",
    "storage.googleapis.com": "Cloud Storage API",
    "sts.googleapis.com": "Security Token Service API",
    "telemetry.googleapis.com": "Telemetry API",
}
"""The APIs of infra/components/apis.py and those that `doctor` reads, by their titles in Service Usage (that of the
Telemetry API is inferred)."""

BEFORE_ANY_STACK = frozenset(
    {
        "cloudbilling.googleapis.com",
        "cloudresourcemanager.googleapis.com",
        "serviceusage.googleapis.com",
    }
)
"""On without a declaration: what a deployment itself is made through. A new project at Google has more on, Cloud Trace and
Logging among them (docs.cloud.google.com/service-usage/docs/enabled-service), but not every project is new: here a stack
declares what it uses."""


@dataclass(frozen=True)
class DisabledApi:
    """The refusal of a call to `api`, in the three forms that Google has for it: JSON, protobuf, gRPC trailer.

    403 with reason SERVICE_DISABLED (docs.cloud.google.com/apis/design/errors, google.rpc.ErrorInfo); the text and the
    metadata are those of github.com/google-gemini/gemini-cli/issues/1343.
    """

    api: str
    project_number: str

    @property
    def message(self) -> str:
        """Google's sentence."""
        return (
            f"{self._title} has not been used in project {self.project_number} before or it is disabled. Enable it by"
            f" visiting {self._url} then retry. If you enabled this API recently, wait a few minutes for the action to"
            " propagate to our systems and retry."
        )

    def json(self) -> web.Response:
        """The error of a REST API."""
        info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", **self._info()}
        error = {"code": 403, "message": self.message, "status": "PERMISSION_DENIED", "details": [info]}
        return web.json_response({"error": error}, status=HTTPStatus.FORBIDDEN)

    def status(self) -> bytes:
        """A google.rpc.Status: the body of OTLP/HTTP, and of the trailer `grpc-status-details-bin`."""
        detail = AnyMessage()
        detail.Pack(error_details_pb2.ErrorInfo(**self._info()))
        status = status_pb2.Status(
            code=code_pb2.Code.Value("PERMISSION_DENIED"), message=self.message, details=[detail]
        )
        return bytes(status.SerializeToString())

    @property
    def _title(self) -> str:
        return TITLES.get(self.api, self.api)

    @property
    def _url(self) -> str:
        return f"https://console.developers.google.com/apis/api/{self.api}/overview?project={self.project_number}"

    def _info(self) -> dict[str, Any]:
        metadata = {
            "service": self.api,
            "serviceTitle": self._title,
            "consumer": f"projects/{self.project_number}",
            "containerInfo": self.project_number,
            "activationUrl": self._url,
        }
        return {"reason": "SERVICE_DISABLED", "domain": "googleapis.com", "metadata": metadata}
