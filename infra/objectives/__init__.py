"""What public services promise, as arguments of Monitoring resources. Pure functions of the stack; nothing is declared here.

Two sources, for one reason: a fresh project must succeed in one `pulumi up`. The SLOs stand on Cloud Run's own counters,
which exist everywhere; one on a log-based metric without data is refused ("The metric referenced by the provided filter is
unknown", GoogleCloudPlatform/cloud-ops-sandbox#896). Those counters miss what no container answered (429), so the burn
alerts read the request log's metrics by PromQL, which takes a metric that has no data yet.
"""
