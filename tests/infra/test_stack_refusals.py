"""Every mistake in a stack file is refused before anything is declared, in a sentence an operator can act on."""

from __future__ import annotations

from contextvars import copy_context
from typing import Any

import pulumi
import pytest
import yaml
from pulumi.runtime import set_all_config
from recorded import Recorded, record
from stack_files import DIGEST, ENVIRONMENTS, ROOT, as_pulumi_passes, changed, filled_in, parsed

from infra.stack import Stack, StackRefused, parse, read

DEV = filled_in("dev")
FAR = {"location": "australia-southeast1"}
KEY = "projects/acme-keys/locations/europe-southwest1/keyRings/ring/cryptoKeys/key"
VPC = {"network": "default", "subnetwork": "default"}
TAGGED = "europe-southwest1-docker.pkg.dev/acme-docs/services-dev/app:v7"
# What a mistake needs beside it to be one.
BESIDE: dict[str, dict[str, Any]] = {
    "costs": {"services.gateway.expected_rps": 500},
    "services.extract": {"services.archive.ingress": "internal"},
    "services.extract.custom_audiences": {"services.archive.custom_audiences": ["https://archive.example"]},
}

MISTAKES: list[tuple[str, Any, str]] = [
    # path, value (... removes the key), what the sentence must say
    ("gcp:project", "PROJECT_ID", 'gcp:project is "PROJECT_ID", but must be the id of your Google Cloud project'),
    ("gcp:project", ..., "gcp:project is missing, but must be the id of your Google Cloud project"),
    ("gcp:region", "Madrid", 'gcp:region is "Madrid", but must be a Google Cloud region such as europe-west1'),
    ("gcp:region", ..., "gcp:region is missing"),
    ("gcp:region", "europe-southwest2", 'gcp:region is "europe-southwest2", but must be a region of Cloud Run; write europe-southwest1,'),
    ("gcp:region", "moon-zenith1", "choose one of docs.cloud.google.com/run/docs/locations"),
    ("servces", {}, "blueprint:servces is \"servces\", but must be one of alerts, buckets, build, ci, costs, encryption_key, labels, notify, runbook_url, services, tracing; write services."),
    ("services", {}, "blueprint:services is {}, but must be a map of at least one service"),
    ("services", ..., "blueprint:services is missing, but must be a map of services by name"),
    ("services", ["gateway"], 'blueprint:services is (hidden), but must be a map of services by name'),
    ("services.gateway", "yes", 'blueprint:services.gateway is (hidden), but must be a map of image, source, calls, buckets, public'),
    ("services.gateway.timeuot", 9, "blueprint:services.gateway.timeuot"),
    ("services.gateway.timeuot", 9, "write timeout."),
    ("services.timeout", {"image": DIGEST, "cpus": 1}, "write cpu."),
    ("services.Gate", {}, 'blueprint:services.Gate is "Gate-dev", but must be 6 to 30 lower-case letters'),
    ("services.x", {}, 'blueprint:services.x is "x-dev", but must be 6 to 30'),
    ("services.a-name-of-a-service-that-is-long", {}, "must be 6 to 30"),
    ("services.a-calls-b", {"image": DIGEST}, 'blueprint:services.a-calls-b is "a-calls-b", but must be free of the words calls, uses, reads'),
    ("services.reads-b", {"image": DIGEST}, "must be free of the words calls, uses, reads"),
    ("build", "yes", 'blueprint:build is "yes", but must be true or false'),
    ("build", True, "blueprint:build is true, but must be false where every service names an image"),
    ("services.gateway.image", ..., "or set blueprint:build to true."),
    ("services.gateway.image", "a@sha256:abc", "must be an image with a tag or digest"),
    ("services.gateway.image", ..., "blueprint:services.gateway.image is missing, but must be an image with a tag or digest"),
    ("services.gateway.image", "local", "only stack local runs the working tree"),
    ("services.gateway.image", "REGION-docker.pkg.dev/PROJECT_ID/services-dev/app:TAG", "not the placeholder; replace it in stacks/Pulumi.dev.yaml."),
    ("services.gateway.image", "europe-west1-docker.pkg.dev/acme/app/gateway", "must be an image with a tag or digest; name the version"),
    ("services.gateway.image", "localhost:5000/gateway", "must be an image with a tag or digest; name the version"),
    ("services.gateway.calls", "extract", 'blueprint:services.gateway.calls is "extract", but must be a list of other services'),
    ("services.gateway.calls", ["extrat"], 'blueprint:services.gateway.calls is "extrat", but must be one of archive, extract; declare the service or correct the name.'),
    ("services.gateway.calls", ["gateway"], 'calls is "gateway", but must be one of archive, extract'),
    ("services.gateway.calls", ["extract", "extract"], "must be free of repetitions; name extract once."),
    ("services.archive.calls", ["gateway"], '"gateway → extract → archive → gateway", but must be free of cycles'),
    ("services.archive.buckets", ["docs"], 'blueprint:services.archive.buckets is "docs", but must be one of documents; declare the bucket'),
    ("services.gateway.public", "true", 'blueprint:services.gateway.public is "true", but must be true or false'),
    ("services.gateway.timeout", 0, "timeout is 0, but must be whole seconds from 1 to 3600"),
    ("services.gateway.timeout", 3601, "timeout is 3601, but must be whole seconds from 1 to 3600"),
    ("services.gateway.timeout", "60s", 'timeout is "60s", but must be whole seconds'),
    ("services.gateway.timeout", 1.5, "timeout is 1.5, but must be whole seconds"),
    ("services.gateway.cpu", 3, "cpu is 3.0, but must be 1, 2, 4, 6 or 8, or a fraction from 0.08 to below 1"),
    ("services.gateway.cpu", 0.05, "cpu is 0.05, but must be 1, 2, 4, 6 or 8"),
    ("services.gateway.cpu", "2", 'cpu is "2", but must be 1, 2, 4, 6 or 8'),
    ("services.gateway.cpu", 4, 'memory is "512Mi", but must be 2048Mi to 16384Mi with cpu 4'),
    ("services.gateway.cpu", 6, 'memory is "512Mi", but must be 4096Mi to 24576Mi with cpu 6'),
    ("services.gateway", {"image": DIGEST, "cpu": 0.5, "billing": "instance"}, 'billing is "instance", but must be request with cpu 0.5; set it to request, or cpu to 1.'),
    ("services.gateway", {"image": DIGEST, "cpu": 0.5, "concurrency": 9}, "concurrency is 9, but must be 1 with cpu 0.5; set it to 1, or cpu to 1."),
    ("tracing", "off", 'blueprint:tracing is "off", but must be a map of exporter, sample_ratio, ratio_reason, keep_slow_ms, keep_per_second'),
    ("services.gateway.concurrency", 13, "concurrency is 13, but must be at most 12, the documents of 33554432 bytes that fit into 512Mi beside 128Mi; lower it, or env.MAX_DOCUMENT_BYTES, or raise memory."),
    ("services.gateway.env.MAX_DOCUMENT_BYTES", 67108864, "concurrency is 12, but must be at most 6"),
    ("services.gateway.memory", "512", 'memory is "512", but must be a quantity in Mi or Gi, such as 512Mi'),
    ("services.gateway.memory", "9" * 5000 + "Mi", "must be a quantity in Mi or Gi, such as 512Mi"),
    ("services.gateway.memory", "9" * 400 + "Gi", "must be a quantity in Mi or Gi, such as 512Mi"),
    ("services.gateway.memory", "5Gi", 'memory is "5Gi", but must be 128Mi to 4096Mi with cpu 1'),
    ("services.gateway", {"image": DIGEST, "memory": "256Mi", "billing": "instance"}, 'memory is "256Mi", but must be 512Mi or more with billing instance'),
    ("services.gateway.concurrency", 0, "concurrency is 0, but must be a whole number from 1 to 1000"),
    ("services.gateway.min_instances", 9, "min_instances is 9, but must be at most max_instances, which is 4"),
    ("services.gateway.min_instances", 10**400, "min_instances is 1000000"),
    ("services.gateway.min_instances", -1, "min_instances is -1, but must be a whole number from 0 to max_instances"),
    ("services.gateway.max_instances", 0, "max_instances is 0, but must be a whole number from 1 to 1000"),
    ("services.gateway.billing", "cheap", 'billing is "cheap", but must be request or instance'),
    ("services.gateway.env", ["A=1"], "env is (hidden), but must be a map of variable names"),
    ("services.gateway.env.ENVIRONMENT", "x", "since infra/ sets this variable; remove it; the stack's name is used."),
    ("services.gateway.env.OTEL_TRACES_EXPORTER", "none", "remove it; set blueprint:tracing.exporter."),
    ("services.gateway.env.SERVICE_BILLING", "request", "remove it; set billing."),
    ("services.gateway.env.TRACE_KEEP_SLOW_MS", 500, "remove it; set blueprint:tracing.keep_slow_ms."),
    ("services.gateway.env.TRACE_KEEP_PER_SECOND", 5, "remove it; set blueprint:tracing.keep_per_second."),
    ("services.gateway.env.PORT", 80, "since Cloud Run sets this variable"),
    ("services.gateway.env.K_SERVICE", "x", "since Cloud Run sets this variable"),
    ("services.gateway.env.LOG_LEVEL", "debug", 'env.LOG_LEVEL is "debug", but must be DEBUG, INFO, WARNING or ERROR; change it in stacks/Pulumi.dev.yaml.'),
    ("services.gateway.env.PIPELINE_STEP", "stroe", 'env.PIPELINE_STEP is "stroe", but must be receive, extract or store'),
    ("services.gateway.env.REQUEST_BUDGET_MS", -1, 'env.REQUEST_BUDGET_MS is "-1", but must be whole milliseconds above 0'),
    ("services.gateway.env.REQUEST_BUDGET_MS", 60_001, "must be at most 60000, the service's timeout in milliseconds; lower it, or raise timeout."),
    ("services.gateway.env.MAX_DOCUMENT_BYTES", "9" * 400, "must be whole bytes above 0"),
    ("services.gateway.env.MAX_DOCUMENT_BYTES", "9" * 5000, "must be whole bytes above 0"),
    ("services.gateway.env.MAX_DOCUMENT_BYTES", "9007199254740993", "documents of 9007199254740993 bytes"),
    ("services.gateway.env.REQUEST_BUDGET_MS", "9" * 400, "must be whole milliseconds above 0"),
    ("services.gateway.env.OTEL_BSP_SCHEDULE_DELAY", "1" * 5000, "must be whole milliseconds from 1 to 60000"),
    ("services.gateway.env.OTEL_BSP_SCHEDULE_DELAY", 0, "must be whole milliseconds from 1 to 60000"),
    ("services.gateway.env.OTEL_EXPORTER_OTLP_TIMEOUT", "3s", "must be seconds above 0 up to 30"),
    ("services.gateway.env.LOG_DEBUG_ON_ERROR", "maybe", "must be true or false"),
    ("services.gateway.env.GEMINI_MODEL", "gemini-2.5-flash", "as PIPELINE_STEP is receive and only extract asks a model; move it"),
    ("services.gateway.env.HOST", "127.0.0.1", "since Cloud Run reaches a container on every address, which is the default; remove it."),
    ("services.gateway.env.GCE_METADATA_HOST", "x", "must be absent, since the platform's own metadata server is asked"),
    ("services.gateway.env.LOGLEVEL", "INFO", 'env is "LOGLEVEL", but must be a map of names that are not one slip away from LOG_LEVEL; write LOG_LEVEL, or list it under blueprint:services.gateway.env_accepted if it is meant.'),
    ("services.gateway.env.REQUEST_BUDGT_MS", 9, "write REQUEST_BUDGET_MS, or list"),
    ("services.gateway.env.PIPLEINE_STEP", "store", "write PIPELINE_STEP, or list"),
    ("services.gateway.env.DSN", "host=db password=hunter2", "env.DSN is (hidden), but must be absent, since what looks like a secret in plain text is read by all who read the stack file; put it into Secret Manager and name it under blueprint:services.gateway.secrets, or list it under blueprint:services.gateway.env_accepted if it is none."),
    ("services.gateway.env.DB_OPTIONS", '{"password": "hunter2"}', "env.DB_OPTIONS is (hidden), but must be absent"),
    ("services.gateway.env.TLS", "-----BEGIN RSA PRIVATE KEY-----\nMII", "env.TLS is (hidden), but must be absent"),
    ("services.gateway.env.HOOK", "https://hooks.slack.com/services/T0/B0/x", "env.HOOK is (hidden), but must be absent"),
    ("services.gateway.env.STRIPE_API_KEY", "x", "env.STRIPE_API_KEY is (hidden), but must be absent, since what looks like a secret in plain text is read by all who read the stack file; put it into Secret Manager and name it under blueprint:services.gateway.secrets"),
    ("services.gateway.env.GITHUB_TOKEN", "x", "put it into Secret Manager"),
    ("services.gateway.env.OTEL_EXPORTER_OTLP_HEADERS", "a=b", "put it into Secret Manager"),
    ("services.gateway.env.DATABASE_URL", "postgres://me:pw@db/x", "env.DATABASE_URL is (hidden), but must be absent, since a secret in plain text is read by all"),
    ("tracing.exporter", "otlp", "env.OTEL_EXPORTER_OTLP_ENDPOINT is missing, but must be the address of your collector, as blueprint:tracing.exporter is otlp"),
    ("services.gateway.env.OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.example", "must be absent or Google's, as blueprint:tracing.exporter gcp_otlp sends an access token along"),
    ("services.gateway.env.OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "must be an http(s) URL"),
    ("services.archive.buckets", [], "must be one name or more, or buckets, as PIPELINE_STEP is store"),
    ("services.gateway.secrets", {"REQUEST_BUDGET_MS": {"secret": "x"}}, "env.REQUEST_BUDGET_MS is (hidden), but must be absent, since secrets sets this variable too"),
    ("services.gateway.secrets", {"ENVIRONMENT": {"secret": "x"}}, "secrets.ENVIRONMENT is (hidden), but must be absent, since infra/ sets this variable"),
    ("services.gateway.secrets", {"api-key": {"secret": "x"}}, 'secrets is (hidden), but must be a map of names in capitals'),
    ("services.gateway.secrets", {"API_KEY": "sk-live"}, "secrets.API_KEY is (hidden), but must be a map of secret, version, file"),
    ("services.gateway.secrets", {"API_KEY": {"secret": "sk live"}}, "secrets.API_KEY.secret is (hidden), but must be a secret's id such as api-key, or projects/PROJECT/secrets/ID"),
    ("services.gateway.secrets", {"API_KEY": {"secret": "key", "version": 3}}, 'secrets.API_KEY.version is (hidden), but must be "latest", or a number as text'),
    ("services.gateway.secrets", {"API_KEY": {"secret": "key", "file": "key"}}, 'secrets.API_KEY.file is (hidden), but must be an absolute path such as /secrets/api/key'),
    ("services.gateway.secrets", {"API_KEY": {"secret": "key", "file": "/app/key"}}, "must be a file in a directory that the image does not have"),
    ("services.gateway.secrets", {"A": {"secret": "a", "file": "/secrets/a"}, "B": {"secret": "b", "file": "/secrets/b"}}, "secrets.B.file is (hidden), but must be a file in a directory of its own (A is mounted at /secrets, and Cloud Run mounts one secret at a path); give each file its own directory"),
    ("services.gateway.secrets", {"A": {"secret": "a", "file": "/secrets/a"}, "B": {"secret": "b", "file": "/secrets/b/c"}}, "must be a file in a directory of its own"),
    ("services.gateway.ingress", "private", 'ingress is "private", but must be all, internal or internal-and-load-balancing'),
    ("services.extract.ingress", "internal", "blueprint:services.gateway.vpc is missing, but must be a map of network, subnetwork and egress all-traffic, as extract takes no calls from the internet; add it, or set blueprint:services.extract.ingress to all."),
    ("services.extract", {"image": DIGEST, "calls": ["archive"], "vpc": VPC}, "blueprint:services.extract.vpc.egress is \"private-ranges-only\", but must be all-traffic, as archive takes no calls from the internet; set it so, or private_run_app"),
    ("services.gateway.vpc", {"network": "default"}, "vpc.subnetwork is missing, but must be a subnetwork's name"),
    ("services.gateway.vpc", {**VPC, "egress": "all"}, "must be private-ranges-only or all-traffic"),
    ("services.gateway.vpc", {**VPC, "subnetwork": "projects/acme-docs/regions/europe-west1/subnetworks/run"}, "must be a subnetwork in the stack's region europe-southwest1; name one there."),
    ("services.gateway.vpc", {**VPC, "network": "projects/host/global/networks/shared"}, "must be a subnetwork of the network's project host; give both by full name"),
    ("services.gateway.vpc", {**VPC, "tags": ["Web"]}, 'vpc.tags is "Web", but must be network tags of 1 to 63'),
    ("services.extract.invoker_iam_disabled", True, "invoker_iam_disabled is true, but must be false, as the service is not public; remove it, or set public to true"),
    ("services.gateway.custom_audiences", ["api"], 'custom_audiences.0 is "api", but must be an https address;'),
    ("services.gateway.custom_audiences", ["https://a.example", "https://a.example"], "must be an audience of its own (services.gateway has this one)"),
    ("services.extract.custom_audiences", ["https://archive.example"], "must be an audience of its own (services.extract has this one)"),
    ("services.gateway.traffic", [{"percent": 90}], "the sum of blueprint:services.gateway.traffic.*.percent is 90, but must be 100; change the shares."),
    ("services.gateway.traffic", [{"percent": 101}], "percent is 101, but must be a whole number from 0 to 100"),
    ("services.gateway.traffic", [{"percent": 100}, {"revision": "extract-dev-1"}], "traffic.1.revision is \"extract-dev-1\", but must be latest, or a revision of this service such as gateway-dev-00042-abc"),
    ("services.gateway.traffic", [{"percent": 100}, {"revision": "gateway-dev-1"}], "traffic.1.percent is 0, but must be above 0, or with a tag"),
    ("services.gateway.traffic", [{"percent": 50}, {"percent": 50, "tag": "new"}], 'gateway.traffic.1.revision is "latest", but must be named once (traffic.0 has it too)'),
    ("services.gateway.traffic", [{"percent": 100, "tag": "new"}, {"revision": "gateway-dev-1", "tag": "new"}], 'gateway.traffic.1.tag is "new", but must be named once'),
    ("services.gateway.traffic", [{"percent": 100, "tag": "A"}], 'tag is "A", but must be 3 or more lower-case letters'),
    ("services.gateway.traffic", [{"percent": 100, "tag": "a-tag-of-thirty-seven-letters-and-more"}], "traffic.0.tag is \"a-tag-of-thirty-seven-letters-and-more\", but must be at most 35 characters long beside gateway-dev; shorten it."),
    ("services.gateway.traffic", [{"percent": 100, "tag": "v1"}], "must be 3 or more lower-case letters"),
    ("services.gateway.expected_rps", -1, "expected_rps is -1, but must be a number from 0"),
    ("services.gateway.expected_rps", 1e308, "expected_rps is 1e+308, but must be a number from 0 to 1000000000"),
    ("services.gateway.objectives", {"availability": 1}, "objectives.availability is 1, but must be a number from 0.5"),
    ("labels", {"environment": "x"}, 'blueprint:labels.environment is "x", but must be absent, since infra/ sets this label'),
    ("labels", {"Team": "x"}, 'blueprint:labels is "Team", but must be a map whose keys are 1 to 63 lower-case letters'),
    ("labels", {"goog-x": "x"}, "and not with goog; rename the label."),
    ("labels", {"team": "R & D"}, 'blueprint:labels.team is "R & D", but must be at most 63 lower-case letters'),
    ("labels", {"team": 7}, "blueprint:labels.team is 7, but must be text, in a map of labels to text"),
    ("services.gateway.labels", {"service": "x"}, "services.gateway.labels.service is \"x\", but must be absent"),
    ("services.gateway.labels", {f"l{n}": "" for n in range(61)}, "services.gateway.labels is 61, but must be at most 60 together with blueprint:labels"),
    ("encryption_key", "my-key", 'blueprint:encryption_key is "my-key", but must be projects/PROJECT/locations/REGION/keyRings/RING/cryptoKeys/KEY, or ""'),
    ("encryption_key", KEY.replace("europe-southwest1", "global"), "must be a key in the stack's region europe-southwest1; make one there, since a key in global cannot encrypt"),
    ("alerts.off", ["timeout"], "write timeouts."),
    ("costs", {"request_ms": 0}, "blueprint:costs.request_ms is 0, but must be whole milliseconds from 1"),
    ("costs", {"tracing_usd": 1e308}, "costs.tracing_usd is 1e+308, but must be a number of USD from 0 to 1000000000"),
    ("costs", {"logging_usd": 1e300}, "costs.logging_usd is 1e+300, but must be a number of USD from 0 to 1000000000"),
    ("costs", {"tracing_usd": 1}, "blueprint:costs.tracing_usd is 1"),
    ("ci", {"repository": "acme/docs"}, "blueprint:ci"),
    ("ci", {"repository": "docs"}, 'ci.repository is "docs", but must be a repository such as acme/docs'),
    ("notify.slack", {"ops": {"channel": "#ops", "auth_token": 7}}, "notify.slack.ops.auth_token is (hidden), but must be the token, as a secret"),
    ("buckets.documents.force_destroy", "no", 'force_destroy is "no", but must be true or false'),
    ("services.gateway.env.api-key", "s3cret", 'env is "api-key", but must be a map of names in capitals'),
    ("buckets.documents", FAR, "buckets.documents.location is \"australia-southeast1\", but must be the stack's region europe-southwest1 (every access would cross regions); remove location, or say why in blueprint:buckets.documents.cross_region_reason."),
    ("buckets.documents", {**FAR, "cross_region_reason": "because"}, 'cross_region_reason is "because", but must be a reason in words'),
    ("buckets.documents.region", "eu", "buckets.documents.region"),
    ("buckets.documents.soft_delete_days", 3, "soft_delete_days is 3, but must be 0, or 7 to 90"),
    ("buckets.documents.delete_after_days", 0, "delete_after_days is 0, but must be whole days from 1 to 3650"),
    ("buckets.Docs", {}, 'blueprint:buckets.Docs is "acme-docs-Docs-dev", but must be 3 to 63'),
    ("buckets.google", {}, "without the word google"),
    ("tracing.exporter", "datadog", 'tracing.exporter is "datadog", but must be one of gcp_otlp, gcp_trace, otlp, console, none'),
    ("tracing.sample_ratio", 10, "tracing.sample_ratio is 10, but must be a number from 0 to 1"),
    ("tracing.sample_ratio", -0.1, "but must be a number from 0 to 1"),
    ("tracing.sample_ratio", 5e-324, "sample_ratio is 5e-324, but must be a number from 0 to 1 (0, or 0.000000001 at least)"),
    ("tracing.keep_slow_ms", 0, "tracing.keep_slow_ms is 0, but must be whole milliseconds from 1 to 3600000"),
    ("tracing.keep_slow_ms", 3_600_001, "tracing.keep_slow_ms is 3600001, but must be whole milliseconds"),
    ("tracing.keep_slow_ms", 0.5, "tracing.keep_slow_ms is 0.5, but must be whole milliseconds"),
    ("tracing.keep_slow_ms", "2s", 'tracing.keep_slow_ms is "2s", but must be whole milliseconds'),
    ("tracing.keep_per_second", -1, "tracing.keep_per_second is -1, but must be a whole number from 0 (none) to 1000"),
    ("tracing.keep_per_second", 1001, "tracing.keep_per_second is 1001, but must be a whole number from 0 (none) to 1000"),
    ("tracing.keep_slow", 500, "write keep_slow_ms."),
    ("notify.emails", ["team"], 'blueprint:notify.emails.0 is (hidden), but must be an e-mail address such as team@example.com;'),
    ("notify", "a@example.com", 'blueprint:notify is (hidden), but must be a map of emails, slack, pagerduty, webhooks'),
    ("notify.emails", ["team@example.com,"], 'notify.emails.0 is "team@example.com,", but must be an e-mail address'),
    ("notify.emails", ["team@example..com"], "notify.emails.0 is"),
    ("notify.emails", ["a..b@example.com"], "notify.emails.0 is"),
    ("notify.webhooks", {"ops": {"url": "https://hooks.slack.com/services/T0/B0/x", "username": "u", "password": "p"}}, "notify.webhooks.ops.url is (hidden), but must be an address of your own, since Slack does not understand an incident's JSON; remove it, and name the channel under blueprint:notify.slack.ops."),
    ("notify.webhooks", {"ops": {"url": "https://u:hunter2@alerts.example/in", "username": "u", "password": "p"}}, "notify.webhooks.ops.url is (hidden), but must be an https address without user or password, since whoever sees the channels in Cloud Monitoring reads the address; remove them from it, and set username and password."),
    ("notify.webhooks", {"ops": {"url": "https://alerts.example/in?token=abc", "username": "u", "password": "p"}}, "notify.webhooks.ops.url is (hidden), but must be an https address without token, since whoever sees the channels in Cloud Monitoring reads the address; remove it, or set blueprint:notify.webhooks.ops.url_accepted: true in place of username and password if there is no other way."),
    ("notify.webhooks", {"ops": {"url": "https://alerts.example/in?apiKey=abc"}}, "must be an https address without token"),
    ("notify.webhooks", {"ops": {"url": "https://alerts.example/in?key=abc"}}, "must be an https address without token"),
    ("notify.webhooks", {"ops": {"url": "https://alerts.example/in?apiKey=abc", "url_accepted": False}}, "must be an https address without token"),
    ("notify.webhooks", {"ops": {"url": "https://ops@alerts.example", "url_accepted": True}}, "must be an https address without user or password"),
    ("notify.webhooks", {"ops": {"url": "https://alerts.example/in", "username": "u"}}, "notify.webhooks.ops.password is missing, but must be what the address asks for, or blueprint:notify.webhooks.ops.url_accepted: true if it lets in whoever knows it; set one of them."),
    ("notify.webhooks", {"ops": {"url": "https://alerts.example/in", "password": "p"}}, "notify.webhooks.ops.username is missing"),
    ("notify.webhooks", {"ops": {"url": "https://alerts.example/in?apiKey=abc", "username": "u", "url_accepted": True}}, "notify.webhooks.ops.username is (hidden), but must be absent, since url_accepted says that the address is all that lets Google in; remove it, or url_accepted."),
    ("notify.webhooks", {"ops": {"url": "https://alerts.example/in", "password": "p", "url_accepted": True}}, "notify.webhooks.ops.password is (hidden), but must be absent"),
    ("notify.slack", {"channel": "#ops", "auth_token": "x"}, "notify.slack.channel is (hidden), but must be a map of channel, team, auth_token; give it a name of your own: blueprint:notify.slack.<name>.channel."),
    ("buckets", {"location": "eu"}, "give it a name of your own: blueprint:buckets.<name>.location."),
    ("buckets.documents", {"location": "europe-wst1", "cross_region_reason": "the archive of the parent"}, 'buckets.documents.location is "europe-wst1", but must be a location of Cloud Storage; write europe-west1,'),
    ("buckets.documents", {"location": "moon", "cross_region_reason": "the archive of the parent"}, "choose one of docs.cloud.google.com/storage/docs/locations"),
    ("buckets.documents", None, "blueprint:buckets.documents is empty, but must be a map of location, cross_region_reason, delete_after_days, soft_delete_days, force_destroy; write {} or remove it."),
    ("services", None, "blueprint:services is empty, but must be a map of services by name; write {} or remove it."),
    ("tracing", None, "blueprint:tracing is empty, but must be a map of exporter"),
    ("services.gateway.env", None, "env is empty, but must be a map of variable names to text, numbers or booleans; write {} or remove it."),
    ("services.gateway.env.GREETING", None, "env.GREETING is empty, but must be text, a number, or true or false; write \"\" or remove it."),
    ("services.gateway.calls", None, "calls is empty, but must be a list of other services' names in this stack; write [] or remove it."),
    ("services.gateway.timeout", None, "timeout is empty, but must be whole seconds from 1 to 3600; write a value or remove it."),
    ("services.gateway.calls", [7], "calls.0 is 7, but must be the name of another service in this stack;"),
    ("services.gateway.buckets", [7], "buckets.0 is 7, but must be a name under blueprint:buckets;"),
    ("services.gateway.vpc", {**VPC, "tags": [7]}, "vpc.tags.0 is 7, but must be a network tag;"),
    ("alerts.off", [7], "alerts.off.0 is 7, but must be text, in a list of keys"),
    ("services.gateway.secrets", {"API_KEY": {"secret": "key", "file": "/venv/api/key"}}, "must be a file in a directory that the image does not have"),
    ("services.gateway.secrets", {"API_KEY": {"secret": "key", "file": "/srv/key"}}, "must be a file in a directory that the image does not have"),
    ("services.gateway.env.OTEL_TRACES_SAMPLER", "always_on", "since the application does not read it; remove it; set blueprint:tracing.sample_ratio."),
    ("services.gateway.env.DB_PASS", "x", "or list it under blueprint:services.gateway.env_accepted if it is none."),
    ("services.gateway.env.GITHUB_PAT", "x", "put it into Secret Manager"),
    ("services.gateway.env.SECRET_VALUE", "x", "put it into Secret Manager"),
    ("services.gateway.env.CACHE_PASSWORD", "x", "put it into Secret Manager"),
    ("services.gateway.env.https_proxy", "http://me:pw@proxy", "env.https_proxy is (hidden), but must be absent"),
    ("services.gateway.env_accepted", ["NONE_SUCH"], 'env_accepted.0 is "NONE_SUCH", but must be a variable of env or secrets; remove it'),
    ("tracing.ratio", 0.1, "blueprint:tracing.ratio"),
    ("tracing.ratio", 0.1, "write sample_ratio."),
    ("ratio", 0.1, "move it to blueprint:tracing.sample_ratio."),
    ("services.gateway.sample_ratio", 0.1, "move it to blueprint:tracing.sample_ratio."),
    ("alerts.emails", [], "move it to blueprint:notify.emails."),
    ("memory", "1Gi", "move it to blueprint:services.<name>.memory."),
    ("tracing.region", "x", "move it to gcp:region."),
    ("zzz", 1, "; remove it."),
    ("services.gateway.environment", {}, "write env."),
    ("services.gateway.scaling", {}, "; remove it."),
    ("ci", {"repo": "acme/docs"}, "write repository."),
    ("encryption_key", None, 'encryption_key is empty, but must be projects/PROJECT/locations/REGION/keyRings/RING/cryptoKeys/KEY, or ""; write "" or remove it.'),
    ("ci", {"repository": "acme/docs", "branch": "refs/heads/main"}, 'ci.branch is "refs/heads/main", but must be a branch\'s name without refs/heads/; write main.'),
    ("ci", {"repository": "acme/docs", "environment": "production"}, 'ci.environment is "production", but must be dev, the stack\'s name'),
    ("runbook_url", "http://x", 'runbook_url is "http://x", but must be an https address'),
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "value", "says"), MISTAKES, ids=[f"{path}={value}"[:60] for path, value, _ in MISTAKES]
)
def test_a_mistake_is_refused_with_key_value_allowed_and_remedy(path: str, value: Any, says: str) -> None:
    """One line, no dump of a library, no trace; `says` is part of it."""
    values = DEV
    for other, beside in BESIDE.get(path, {}).items():
        values = changed(values, other, beside)
    _refused("dev", changed(values, path, value), says)


@pytest.mark.parametrize(
    ("env", "path", "value", "says"),
    [
        ("staging", "services.gateway.image", TAGGED, "must be an image by digest (…@sha256:…); name the digest that CI pushed and tested in stacks/Pulumi.staging.yaml."),
        ("prod", "services.gateway.image", TAGGED, "must be an image by digest (…@sha256:…)"),
        ("prod", "services.gateway.image", ..., "image is missing, but must be an image by digest"),
        ("prod", "build", True, "blueprint:build is true, but must be false in prod"),
        ("prod", "buckets.documents.force_destroy", True, "force_destroy is true, but must be false in stack prod; remove it; empty the bucket yourself"),
        ("qa", "services.gateway.image", TAGGED, "must be an image by digest (…@sha256:…)"),
        ("develop", "services.gateway.image", TAGGED, "must be an image by digest (…@sha256:…)"),
        ("qa", "build", True, "blueprint:build is true, but must be false in qa"),
        ("production", "services.gateway.image", TAGGED, "must be an image by digest (…@sha256:…)"),
        ("prod-eu", "buckets.documents.force_destroy", True, "force_destroy is true, but must be false in stack prod-eu"),
        ("production", "tracing.sample_ratio", 1.0, "tracing.sample_ratio is 1.0, but must be at most 0.1 in production, or with a reason; lower it, or say why in blueprint:tracing.ratio_reason."),
        ("prod", "notify", {"emails": []}, "blueprint:notify.emails is [], but must be at least one address in prod, as there is no other channel (nobody would be told of an alert); name whoever is on call in stacks/Pulumi.prod.yaml, or declare notify.slack"),
        ("prod-eu", "notify", ..., "nobody would be told of an alert"),
        ("prod", "ci", {"repository": "acme/docs", "environment": "prod"}, "blueprint:ci.branch is missing, but must be a branch such as main, since any branch can name an environment"),
        ("qa", "ci", {"repository": "acme/docs", "environment": "qa"}, "blueprint:ci.branch is missing"),
        ("qa", "ci", {"repository": "acme/docs", "branch": "main"}, "blueprint:ci.environment is missing, but must be a GitHub environment such as qa"),
        ("prod-eu", "ci", {"repository": "acme/docs", "branch": "main", "environment": "prod"}, 'ci.environment is "prod", but must be prod-eu, the stack\'s name, which is the environment that up.yml deploys from; write prod-eu.'),
        ("prod-eu", "ci", {"repository": "acme/docs", "branch": "main", "environment": "prod-eu", "previews": True}, "ci.previews is true, but must be false in prod-eu"),
        ("local", "build", True, "must be false in stack local"),
    ],
)  # fmt: skip
def test_what_is_a_mistake_in_one_environment_only(env: str, path: str, value: Any, says: str) -> None:
    """Only development runs what was tested nowhere; in production nothing is lost by a flag, and somebody is told."""
    _refused(env, changed(_filled_in(env), path, value), says)


def _filled_in(env: str) -> dict[str, Any]:
    """A stack file for a stack of any name: that of the shipped stack whose tier it shares."""
    kin = "prod" if env.startswith("prod") else env if env in ENVIRONMENTS else "staging"
    return filled_in("dev" if env.startswith("dev-") else kin)


@pytest.mark.parametrize("env", ["prod", "production", "prod-eu"])
def test_production_is_whatever_begins_with_prod(env: str) -> None:
    """Nobody loses a bucket over the spelling of a stack's name."""
    stack = parsed(env, _filled_in(env))
    assert stack.is_production
    assert stack.is_production
    assert not stack.is_development


@pytest.mark.parametrize("env", ["local", "dev", "dev-login"])
def test_development_may_use_tags_build_and_preview(env: str) -> None:
    """And may be destroyed, like whatever is not production."""
    stack = parsed(env, _filled_in(env))
    assert stack.is_development
    assert not stack.is_production
    assert not stack.is_production


def test_development_may_use_what_was_tested_nowhere() -> None:
    """A stack of one's own, made for a week."""
    values = changed(_filled_in("dev-login"), "services.gateway.image", TAGGED)
    values = changed(values, "services.extract.image", ...)
    values = changed(values, "ci", {"repository": "acme/docs", "branch": "main", "previews": True})
    assert parsed("dev-login", changed(values, "build", True)).build


@pytest.mark.parametrize("env", ["staging", "qa", "test", "develop", "devops", "preprod"])
def test_any_other_stack_is_held_to_what_staging_is(env: str) -> None:
    """A name that nobody thought of is given no freedom, and no protection that would have to be undone."""
    stack = parsed(env, _filled_in(env))
    assert not stack.is_production
    assert not stack.is_development
    assert not stack.is_production


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("tracing", {"sample_ratio": 0.2, "ratio_reason": "an incident is being looked into"}),
        ("tracing", {"exporter": "none"}),
        ("tracing.sample_ratio", 0.1),
        ("notify", {"pagerduty": {"ops": {"service_key": "k"}}}),
        ("notify", {"emails": ["team@example.com"]}),
    ],
)
def test_what_is_allowed_in_production(path: str, value: Any) -> None:
    """A ratio with a reason, or where nothing is traced; any one channel."""
    assert parsed("prod-eu", changed(_filled_in("prod-eu"), path, value)).is_production


def _refused(env: str, values: dict[str, Any], says: str) -> None:
    with pytest.raises(StackRefused) as refused:
        parsed(env, values)
    sentences = str(refused.value).splitlines()
    assert any(says in sentence for sentence in sentences), str(refused.value)
    for sentence in sentences:
        assert " is " in sentence
        assert ", but must be " in sentence
        assert "; " in sentence
        assert sentence.endswith(".")
        assert "pydantic" not in sentence


def test_all_mistakes_are_named_at_once() -> None:
    """Nobody mends a file one failed deployment at a time."""
    values = changed(changed(DEV, "services.gateway.timeout", 0), "tracing.sample_ratio", 2)
    with pytest.raises(StackRefused) as refused:
        parsed("dev", values)
    assert len(str(refused.value).splitlines()) == 2


@pytest.mark.parametrize("name", ["Dev", "d", "a-very-long-name"])
def test_a_stack_name_that_cannot_end_resource_names_is_refused(name: str) -> None:
    """Every resource is called `<name>-<stack>`."""
    with pytest.raises(StackRefused, match="the stack's name is"):
        parsed(name, DEV)


def test_a_value_is_not_shown_when_only_its_name_is_wrong() -> None:
    """A misnamed variable may hold a secret."""
    with pytest.raises(StackRefused) as refused:
        parsed("dev", changed(DEV, "services.gateway.env.api-key", "s3cret"))
    assert "s3cret" not in str(refused.value)


SECRET = "hunter2hunter2hunter2"
"""Like none of the tokens that are known by how they begin."""


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("notify", SECRET),
        ("notify.slack", SECRET),
        ("notify.slack", {"ops": SECRET}),
        ("notify.slack", {"ops": {"channel": SECRET, "auth_token": ""}}),
        ("notify.pagerduty", {"ops": {"service_key": [SECRET]}}),
        ("notify.webhooks", {"ops": {"url": SECRET, "username": 1, "password": [SECRET]}}),
        ("services.gateway.secrets", {"API_KEY": SECRET}),
        ("services.gateway.secrets", {"API_KEY": {"secret": f"{SECRET}!"}}),
        ("services.gateway.env.API_TOKEN", SECRET),
        ("services.gateway.env.API_TOKEN", [SECRET]),
        ("services.gateway.env.DB", f"postgres://me:{SECRET}@db"),
        ("services.gateway.env.DB", f"postgres://me:{SECRET}@rd@db"),
        ("services.gateway.env", [{"API_KEY": SECRET}]),
        ("services.gateway.env", f"API_KEY={SECRET}"),
        ("services.gateway.env", [f"GREETING={SECRET}"]),
        ("services.gateway.env.STRIPE", {"API_KEY": SECRET}),
        ("services.gateway.env.STRIPE", {"live": SECRET}),
        ("services.gateway", f"env API_KEY={SECRET}"),
        ("services", [{"name": "gateway", "env": {"GREETING": SECRET}}]),
        ("services", SECRET),
        ("services.gateway.calls", [{"api-key": SECRET}]),
        ("services.gateway.calls", {"calls": [{"password": SECRET}]}),
        ("services.gateway.image", f"https://user:{SECRET}@registry.example/app"),
        ("services.gateway.image", f"https://{SECRET}@registry.example/app"),
        ("runbook_url", f"http://user:{SECRET}@wiki.example"),
        ("runbook_url", f"http://wiki.example/?token={SECRET}"),
        ("tracing", f'{{"auth_token":"{SECRET}"}}'),
        ("labels", {"team": {"api_key": SECRET}}),
        ("labels", {"team": {"authToken": SECRET}}),
        ("labels", {"token": SECRET.upper()}),
        ("services.gateway.labels", {"api-key": SECRET.upper()}),
        ("notify.emails", [f"https://hooks.slack.com/services/{SECRET}"]),
        ("notify.emails", SECRET),
        ("notify.emails", [f"u:{SECRET}@example.com"]),
        ("notify.webhooks", {"ops": {"url": f"https://u:{SECRET}@h/", "username": "u", "password": "p"}}),
        ("services.gateway.secrets", {"API_KEY": {"secret": "api-key", "version": SECRET}}),
        ("services.gateway.secrets", {"API_KEY": {"secret": "api-key", "file": SECRET}}),
        ("services.gateway.secrets", {f"TOKEN={SECRET}": {"secret": "api-key"}}),
        ("services.gateway.secrets", {f"TOKEN={SECRET} x": SECRET}),
        ("services.gateway.env", {f"TOKEN={SECRET}": "x"}),
        ("services.gateway.env_accepted", [SECRET]),
        ("services.gateway.env_accepted", SECRET),
        ("services", {"api.v1": {"image": DIGEST, "secrets": {"API_KEY": {"secret": f"{SECRET}!"}}}}),
        ("services", {"api.v1": {"image": DIGEST, "env": {"API_TOKEN": SECRET}}}),
        ("services", {"api.v1": {"image": DIGEST, "env": [SECRET]}}),
        ("services", {"api.v1": SECRET}),
        ("services.gateway.env.TLS", f"-----BEGIN PRIVATE KEY-----\n{SECRET}"),
        ("services.gateway.env.DSN", f"host=db password={SECRET}"),
        ("runbook_url", f"http://hooks.slack.com/services/{SECRET}"),
    ],
)
def test_a_refusal_never_shows_a_secret(path: str, value: Any) -> None:
    """A refused deployment is read by many: in a terminal, in a log of CI, as a comment of a pull request."""
    with pytest.raises(StackRefused, match=r"\(hidden\)") as refused:
        parsed("dev", changed(DEV, path, value))
    assert SECRET not in str(refused.value)
    assert SECRET.upper() not in str(refused.value)
    assert refused.value.__context__ is None


def test_what_pulumi_marks_as_secret_is_not_shown() -> None:
    """One value set with `--secret --path` makes the whole key secret, whatever is wrong in it."""
    declared = {"runbook_url": SECRET, "services": {"gateway": {"timeout": SECRET}}}
    with pytest.raises(StackRefused) as refused:
        parse("dev", "acme-docs", "europe-west1", declared, ["blueprint:runbook_url", "blueprint:services"])
    assert str(refused.value).count("(hidden)") == 4
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("key", ["services", "labels", "runbook_url"])
def test_a_secret_of_pulumis_is_taken_in_notify_only(key: str) -> None:
    """It would reach Cloud Run and the state in plain text, whatever Pulumi's file made of it."""
    with pytest.raises(StackRefused) as refused:
        parsed("dev", DEV, [f"blueprint:{key}"])
    assert str(refused.value) == (
        f"blueprint:{key} is (hidden), but must be without secrets of Pulumi's, since what is made of it stands in plain"
        " text in the state and in Google Cloud; remove the secret (pulumi config rm --path), put it into Secret Manager,"
        " and name it under blueprint:services.<name>.secrets."
    )
    assert parsed("dev", DEV, ["blueprint:notify"])


TOKENS = {
    "notify.slack.oncall.auth_token": {"slack": {"oncall": {"channel": "#o", "auth_token": SECRET}}},
    'notify.pagerduty["on.call"].service_key': {"pagerduty": {"on.call": {"service_key": SECRET}}},
    "notify.webhooks.own.password": {"webhooks": {"own": {"url": "https://h/", "username": "u", "password": SECRET}}},
    "notify.webhooks.own.url": {"webhooks": {"own": {"url": f"https://h/?token={SECRET}", "url_accepted": True}}},
}  # fmt: skip


@pytest.mark.parametrize("path", TOKENS)
def test_a_token_in_plain_text_is_refused(path: str) -> None:
    """With the command that keeps it encrypted; Pulumi tells for the whole of `notify` only. On a laptop it reaches nobody."""
    values = changed(DEV, "notify", TOKENS[path])
    with pytest.raises(StackRefused) as refused:
        parsed("dev", values, [])
    assert str(refused.value) == (
        f"blueprint:{path} is (hidden), but must be a secret of Pulumi's, since in plain text it is read by all who read"
        " the stack file; take it out, replace it where it was made, and set the new one with"
        f" pulumi config set --secret --path 'blueprint:{path}'."
    )
    assert parsed("dev", values).notify
    assert parsed("local", changed(filled_in("local"), "notify", TOKENS[path]), []).notify


def test_a_secret_is_read_like_any_value_and_known_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """`pulumi config set --secret --path`: the program gets it decrypted, and Pulumi says which keys hold one."""
    token = {"channel": "#ops", "auth_token": SECRET}
    values = changed(changed(DEV, "notify.slack", {"ops": token}), "runbook_url", SECRET)
    monkeypatch.setattr(pulumi, "get_stack", lambda: "dev")

    def reads() -> Stack:
        secret = {"blueprint:notify", "blueprint:runbook_url"} & values.keys()
        set_all_config(as_pulumi_passes(values), list(secret))
        return read()

    with pytest.raises(StackRefused) as refused:
        copy_context().run(reads)
    told = str(refused.value).splitlines()
    assert [each.partition(",")[0] for each in told] == ["blueprint:runbook_url is (hidden)"] * 2
    values = changed(values, "runbook_url", ...)
    assert copy_context().run(reads).notify.slack["ops"].auth_token.get_secret_value() == SECRET


def test_the_program_refuses_before_it_declares() -> None:
    """A `RunError`, which Pulumi shows without a stack trace, and not one resource."""
    recorded = Recorded()
    with pytest.raises(pulumi.RunError, match="blueprint:services\\.gateway\\.timeout is 0"):
        record("dev", changed(DEV, "services.gateway.timeout", 0), recorded)
    assert recorded.resources == []


def test_a_value_that_is_no_json_is_judged_as_text() -> None:
    """`pulumi config set blueprint:services gateway` is a mistake like any other."""
    with pytest.raises(pulumi.RunError, match=r"blueprint:services is \(hidden\)"):
        record("dev", changed(DEV, "services", "gateway"))


def test_the_defaults_of_pulumi_yaml_are_accepted() -> None:
    """Pulumi hands over each of them, the empty texts too, where a stack file does not name the key."""
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))
    defaults = {f"blueprint:{key}": of["default"] for key, of in project["config"].items() if "default" in of}
    assert record("dev", {**defaults, **DEV}).text() == record("dev", DEV).text()


def test_an_unknown_key_in_the_stack_file_is_found_by_the_program() -> None:
    """Pulumi itself accepts any key."""
    with pytest.raises(pulumi.RunError, match="write buckets"):
        record("dev", changed(DEV, "bucktes", {}))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("buckets.documents", {"location": "EUROPE-southwest1"}),
        ("buckets.documents", {**FAR, "cross_region_reason": "re-enacts the incident"}),
        ("services.gateway.cpu", 2),
        ("tracing.sample_ratio", 1),
        ("tracing", ...),
        ("tracing.keep_slow_ms", 1),
        ("tracing.keep_slow_ms", 3_600_000),
        ("tracing.keep_per_second", 0),
        ("tracing.keep_per_second", 1000),
        ("services.gateway", {"image": DIGEST, "memory": "256Mi"}),
        ("notify.emails", ["team@example.com"]),
        ("services.gateway.env", {"REQUEST_BUDGET_MS": 1000, "DEBUG": False}),
        ("services.timeout", {"image": DIGEST}),
        ("services.gateway.env.PUBLIC_KEY", "1"),
        ("services.gateway.env.JWT_PUBLIC_KEY", "1"),
        ("services.gateway.env.PARTITION_KEY", "tenant"),
        ("services.gateway.env.CACHE_KEY", "1"),
        ("services.gateway.env.SORT_KEY", "1"),
        ("services.gateway.env.http_proxy", "http://proxy.example:3128"),
        ("services.gateway.env.https_proxy", "http://proxy.example:3128"),
        ("services.gateway.env.no_proxy", "metadata.google.internal"),
        ("gcp:project", "example.com:acme-docs"),
        ("buckets.documents", {"location": "EU", "cross_region_reason": "it is read from two regions"}),
        ("buckets.documents", {"location": "eur4", "cross_region_reason": "it is read from two regions"}),
        ("notify.emails", ["o'neil+alerts@mail.example.co.uk"]),
        ("ci", {"repository": "acme/docs", "branch": "release/1", "environment": "dev"}),
        ("services.recalls", {"image": DIGEST}),
        ("services.gateway.image", TAGGED),
        ("services.gateway.env.GHOST", "1"),
        ("services.gateway.env.SERVICE_URL", "https://other.example"),
        ("services.gateway.env.OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "https://other.example"),
        ("services.gateway.env.MONKEY", "1"),
        ("services.gateway.env.CA", "-----BEGIN CERTIFICATE-----"),
        ("services.gateway.env.GREETING", "Dear reader: welcome"),
        ("tracing.sample_ratio", 1e-9),
        ("services.gateway.env.LOG_LEVEL", ""),
        ("services.gateway.secrets", {"OTEL_EXPORTER_OTLP_HEADERS": {"secret": "headers"}}),
        ("services.gateway.ingress", "internal"),
        ("labels", {"cost-center": "", "team": "r_and-d"}),
        ("encryption_key", KEY),
        ("gcp:region", "us-east5"),
        ("services.gateway.concurrency", 12),
        ("services.gateway.env.REQUEST_BUDGET_MS", 60_000),
    ],
)  # fmt: skip
def test_what_is_allowed_is_accepted(path: str, value: Any) -> None:
    """The rules refuse mistakes only."""
    assert parsed("dev", changed(DEV, path, value)).env == "dev"


@pytest.mark.parametrize("name", ["LOG_LEVELS", "IDEMPOTENCY_KEY"])
def test_a_name_that_only_looks_wrong_can_be_accepted(name: str) -> None:
    """A rule about names guesses; whoever knows better says so, for this name and no other."""
    values = changed(DEV, f"services.gateway.env.{name}", "x")
    with pytest.raises(StackRefused, match="env_accepted"):
        parsed("dev", values)
    values = changed(values, "services.gateway.env_accepted", [name])
    assert parsed("dev", values).services["gateway"].env[name] == "x"
    _refused("dev", changed(values, "services.gateway.env.OTHER_KEY", "x"), "put it into Secret Manager")


@pytest.mark.parametrize("value", ["postgres://me:pw@db/x", "-----BEGIN EC PRIVATE KEY-----"])
def test_what_is_certainly_a_secret_cannot_be_accepted(value: str) -> None:
    """Its name is no reason."""
    values = changed(DEV, "services.gateway.env.DATABASE_URL", value)
    _refused("dev", changed(values, "services.gateway.env_accepted", ["DATABASE_URL"]), "Secret Manager")


@pytest.mark.parametrize(
    "value",
    [
        "Answer with token: and a number",
        "Server=x;Pwd=abc",
        "Authorization: Bearer x",
        "-H 'X-Auth: Bearer 0123456789abcdef'",
        "xoxb-1-a",
        "ghp_abc",
        "github_pat_11A",
        "AIzaSyA",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.x",
        "https://h/blob?sv=1&sig=abc",
        "https://h/o?X-Goog-Signature=abc",
        "https://0123456789abcdef0123@h/repo",
        '{"api_key":"x"}',
        "region=eu,api_key=orders",
    ],
)
def test_what_only_looks_like_a_secret_can_be_accepted(value: str) -> None:
    """A prompt may speak of keys; whoever wrote it says that it holds none."""
    values = changed(DEV, "services.gateway.env.PROMPT", value)
    _refused("dev", values, "or list it under blueprint:services.gateway.env_accepted if it is none.")
    assert parsed("dev", changed(values, "services.gateway.env_accepted", ["PROMPT"]))


@pytest.mark.parametrize(
    "value",
    [
        '{"url":"https://a.example","mail":"ops@example.com"}',
        '["https://a.example:443","ops@example.com"]',
        "http://a:80,ops@example.com",
        "http://a:80;ops@example.com",
        "http://[::1]:80,ops@example.com",
        "https://h:443?cc=ops@x.y",
        "https://h:443#ops@x.y",
        "<https://h:443>ops@x.y",
        "https://h:443|ops@x.y",
        "postgresql://${DB_USER}:${DB_PASSWORD}@h/db",
        "postgresql://app:$(DB_PASSWORD)@h/db",
        "postgresql://{user}:{password}@h/db",
        "host=db password=$(DB_PASSWORD)",
        '{"Authorization": "Bearer ${TOKEN}"}',
        "Reply with the key: value pairs",
        '{"primary_key":"id"}',
        "key=%(key)s",
        "region=eu,key=orders",
        "sort by key=value",
        "ssh://git@github.com/acme/docs",
        "postgresql://app@/db?host=/cloudsql/a",
        "Bearer tokens are refused",
        "PWD",
    ],
)
def test_what_holds_no_secret_is_accepted(value: str) -> None:
    """An address elsewhere in the text, a password that is put in later, a map's key, a user without password."""
    assert parsed("dev", changed(DEV, "services.gateway.env.PROMPT", value))


@pytest.mark.parametrize(
    "value",
    [
        "postgres://me:p,w;x@db/x",
        "postgres://me:pw@rd@db/x",
        "redis://:hunter2@db",
        "postgres://me:${A}b@db",
        "postgres://me:$pw@db",
        "amqp://a:5672,amqp://me:pw@b:5672",
        '{"dsn":"postgres://me:pw@db"}',
        "mongodb://me:1234@a:27017,b:27017/x",
    ],
)
def test_a_password_in_an_address_is_found_wherever_it_stands(value: str) -> None:
    """Signs that an address may have in it, several addresses, JSON, digits: accepted by nobody, and shown by no refusal."""
    values = changed(DEV, "services.gateway.env.DATABASE_URL", value)
    _refused("dev", changed(values, "services.gateway.env_accepted", ["DATABASE_URL"]), "Secret Manager")


def test_an_address_elsewhere_in_a_webhooks_is_no_user() -> None:
    """It is part of the question, not of the authority."""
    webhook = {"url": "https://in.example.com?to=ops@example.com", "username": "u", "password": "p"}
    assert parsed("dev", changed(DEV, "notify.webhooks", {"ops": webhook}))


def test_a_bucket_of_a_domains_project_has_a_name_that_google_takes() -> None:
    """A colon is not allowed in it, and a dot asks for a proof that the domain is yours."""
    stack = parsed("dev", changed(DEV, "gcp:project", "example.com:acme-docs"))
    assert stack.bucket_name("documents") == "example-com-acme-docs-documents-dev"


def test_an_image_whose_name_looks_like_a_secrets_is_shown() -> None:
    """Only what is given to such a name is hidden, not the name of an image with its tag."""
    _refused(
        "prod", changed(filled_in("prod"), "services.gateway.image", "reg/api-token:v7"), "reg/api-token:v7"
    )


def test_a_fraction_of_a_cpu_is_accepted_with_what_it_demands() -> None:
    """Below one vCPU: one request at a time, billed by request."""
    values = changed(changed(DEV, "services.gateway.cpu", 0.5), "services.gateway.concurrency", 1)
    assert (
        parsed("dev", changed(values, "services.gateway.billing", "request")).services["gateway"].cpu == 0.5
    )
