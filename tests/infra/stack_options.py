"""Every option of the schema, as a change of a stack file: what the tests of order and of the real engine switch on."""

from __future__ import annotations

from typing import Any

from tests.infra.stack_files import DIGEST, changed, filled_in

KEY = "projects/acme-keys/locations/europe-southwest1/keyRings/ring/cryptoKeys/key"
SECRETS = {
    "API_KEY": {"secret": "api-key"},
    "TLS_KEY": {"secret": "projects/acme-docs/secrets/tls-key", "version": "3", "file": "/secrets/tls/key"},
}
VPC = {"network": "default", "subnetwork": "default", "egress": "all-traffic", "tags": ["cloud-run"]}
CANARY = [{"percent": 90}, {"revision": "gateway-dev-00001-abc", "percent": 10, "tag": "before"}]
NOTIFY = {
    "emails": ["team@example.com"],
    "slack": {"oncall": {"channel": "#oncall", "auth_token": "xoxb-not-a-token"}},
    "pagerduty": {"oncall": {"service_key": "not-a-key"}},
    "webhooks": {"own": {"url": "https://alerts.example.com/in", "username": "google", "password": "not-one"}},
}  # fmt: skip

OPTIONS: dict[str, dict[str, Any]] = {
    "secrets": {"services.archive.secrets": SECRETS},
    "gemini": {"services.extract.env.GEMINI_MODEL": "gemini-2.5-flash"},
    "ingress": {"services.archive.ingress": "internal", "services.extract.vpc": VPC},
    "traffic": {"services.gateway.traffic": CANARY},
    "vpc": {"services.extract.vpc": VPC},
    "labels": {"labels": {"team": "documents"}},
    "labels of a service": {"services.gateway.labels": {"tier": "front"}},
    "min_instances": {"services.gateway.min_instances": 1},
    "max_instances": {"services.gateway.max_instances": 8},
    "billing": {"services.gateway.billing": "instance"},
    "size": {"services.gateway.cpu": 2, "services.gateway.memory": "1Gi", "services.gateway.concurrency": 20},
    "timeout": {"services.gateway.timeout": 30},
    "env": {"services.gateway.env.LOG_LEVEL": "DEBUG"},
    "private": {"services.gateway.public": False},
    "custom_audiences": {"services.extract.custom_audiences": ["https://extract.example.com"]},
    "public without allUsers": {"services.gateway.invoker_iam_disabled": True},
    "objectives": {
        "services.extract.objectives": {"availability": 0.99, "latency_ms": 500, "latency_share": 0.9}
    },
    "expected_rps": {"services.gateway.expected_rps": 2},
    "tracing": {"tracing.sample_ratio": 0.5, "tracing.keep_slow_ms": 500, "tracing.keep_per_second": 10},
    "exporter": {"tracing.exporter": "gcp_trace"},
    "no tracing": {"tracing.exporter": "none"},
    "an alert off": {"alerts.off": ["instances"]},
    "thresholds": {"alerts.error_ratio": 0.1},
    "notify": {"notify": NOTIFY},
    "runbook_url": {"runbook_url": "https://wiki.example.com/runbook"},
    "ci": {"ci": {"repository": "acme/docs", "branch": "main"}},
    "encryption_key": {"encryption_key": KEY},
    "a service more": {"services.report": {"image": DIGEST, "calls": ["archive"], "concurrency": 10}},
    "a bucket more": {"buckets.reports": {"delete_after_days": 7}},
    "soft delete": {"buckets.documents.soft_delete_days": 7},
}

_DECLARING = (
    "secrets", "gemini", "vpc", "traffic", "labels", "objectives", "notify", "ci", "encryption_key",
    "a service more", "a bucket more",
)  # fmt: skip


def with_options(values: dict[str, Any], *names: str) -> dict[str, Any]:
    """A copy of `values` with these options."""
    for name in names:
        for path, value in OPTIONS[name].items():
            values = changed(values, path, value)
    return values


def everything(env: str) -> dict[str, Any]:
    """The stack file of `env` with all options that declare resources at once."""
    return with_options(filled_in(env), *_DECLARING)
