"""The incident of the design in the stores of a local cloud: trace, log entries, alert, bucket. Not a test itself."""

from typing import Any

from handmade import AUSTRALIA, TRACE_ID, log, request_log, story
from stored_traces import fill, stored

from localcloud.host import Host

VIEWS = {
    "traces": "/traces",
    "trace": f"/traces/{TRACE_ID}?span={1:016x}",
    "map": "/map",
    "alerts": "/alerts",
    "logs": "/logs",
    "resources": "/resources",
}
FILTER = 'logName="projects/demo-project/logs/run.googleapis.com%2Frequests"\nAND httpRequest.status=504'
_LINK = "https://console.cloud.google.com/logs/query;query=severity%3E%3DWARNING%0AAND%20textPayload%3A%22a%3Bb%22;duration=PT6H?project=p"
ELSEWHERE = "https://console.cloud.google.com//evil.example/login"
_EXPLORER = "https://console.cloud.google.com/traces/list?tid=" + TRACE_ID
POLICY: dict[str, Any] = {
    "displayName": "Timeouts (504) · local",
    "severity": "ERROR",
    "conditions": [
        {
            "conditionMatchedLog": {
                "filter": FILTER,
                "labelExtractors": {"service": "EXTRACT(resource.labels.service_name)"},
            }
        }
    ],
    "alertStrategy": {"notificationRateLimit": {"period": "300s"}},
    "documentation": {
        "content": "**${log.extracted_label.service}** answered 504 <b>in time</b>.\n\n"
        f"1. [Matching log entries]({_LINK}): open one.\n2. [The trace]({_EXPLORER})\n3. Runbook: `infra/runbook.md`\n"
        f"4. [Elsewhere]({ELSEWHERE})"
    },
}


def happen(host: Host) -> None:
    """Everything that the incident leaves behind."""
    cloud = host.cloud
    bucket = {"name": "documents-overseas", "location": AUSTRALIA}
    host.call(cloud.resources.create("gcp:storage/bucket:Bucket", "overseas", bucket))
    grant = {
        "bucket": "documents-overseas",
        "role": "roles/storage.objectUser",
        "member": "serviceAccount:archive@p",
    }
    host.call(
        cloud.resources.create("gcp:storage/bucketIAMMember:BucketIAMMember", "archive-uses-overseas", grant)
    )
    services = [
        {"name": name, "url": f"http://127.0.0.1:{port}"}
        for port, name in enumerate(("archive", "extract", "gateway"), 1)
    ]
    cloud.about["services"] = services
    cloud.alerts.put("1", POLICY)
    fill(cloud.spans, stored(story()))
    cloud.logs.write(log(20, "INFO", "received a.txt", 1))
    cloud.logs.write(log(999, "WARNING", "504: deadline exceeded: no answer in time", 1))
    cloud.logs.write(request_log(0, "gateway", 504, "1.000s"))
