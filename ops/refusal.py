"""Why one of Google's APIs refused, and the command that mends it: one reading of it for every reader. Asks nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from ops.credentials import LOGIN
from traces.safetext import safe

_GCLOUDS_OWN = "764086051850"
"""The project of gcloud's own client: who pays for a person's requests without a quota project
(github.com/hashicorp/terraform-provider-google/issues/1538)."""

_CONSUMER = "roles/serviceusage.serviceUsageConsumer"


class Mending(NamedTuple):
    """Why, as a clause, and the command that mends it."""

    why: str
    command: str


@dataclass(frozen=True)
class Refusal:
    """`reason` and `consumer` are those of Google's ErrorInfo (cloud.google.com/apis/design/errors), if it has one.

    `status` 0: nothing was answered.
    """

    status: int
    message: str
    reason: str = ""
    consumer: str = ""

    @classmethod
    def of(cls, status: int, content: bytes) -> Self:
        """From an answer's body, JSON of Google's shape or anything else."""
        # Google's errors are UTF-8; requests would guess an encoding, and escapes could hide in the wrong one.
        text = content[:100_000].decode("utf-8", "replace")
        try:
            body = json.loads(text)
        except ValueError:
            return cls(status, line(text[:10_000]))
        error = _map(body.get("error") if isinstance(body, dict) else None)
        details = error.get("details")
        info = next(
            (each for each in map(_map, details if isinstance(details, list) else ()) if "reason" in each), {}
        )
        consumer = str(_map(info.get("metadata")).get("consumer", ""))
        return cls(status, line(str(error.get("message") or "")), str(info.get("reason", "")), consumer)

    @property
    def passing(self) -> bool:
        """Whether the same request may be answered when it is sent again."""
        return self.status in (0, 408, 429) or self.status >= 500

    def mending(self, api: str, project: str) -> Mending | None:
        """What can be told from the refusal alone; `api` may be several, with spaces between them."""
        quota = f"gcloud auth application-default set-quota-project {project}"
        if self.reason == "SERVICE_DISABLED" and _GCLOUDS_OWN in self.consumer:
            return Mending("the credentials have no quota project", quota)
        if self.reason == "SERVICE_DISABLED":
            return Mending(f"{api} is off", f"gcloud services enable {api} --project {project}")
        if self.reason == "USER_PROJECT_DENIED":
            paying = self.consumer.removeprefix("projects/") or "the quota project"
            grant = (
                f'gcloud projects add-iam-policy-binding {project} --member "user:$(gcloud config get account)" '
                f"--role {_CONSUMER}"
            )
            return Mending(
                f"you lack {_CONSUMER} on {paying}, which pays for your reads",
                grant if paying == project else quota,
            )
        return Mending("the credentials are not valid", LOGIN) if self.status == 401 else None


def line(text: str) -> str:
    """Text from elsewhere as one short line that is safe to print."""
    return safe(" ".join(text.split())[:300])


def _map(found: object) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}
