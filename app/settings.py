"""The service's environment, typed once and frozen. The only reader (and writer) of `os.environ`.

Not here: what Google's libraries read for themselves.
"""

import json
import os
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from urllib.parse import unquote

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator


class InvalidSetting(Exception):
    """A setting that was refused; the message is one sentence for an operator: key, value, allowed, remedy."""

    def __init__(self, key: str, value: object, allowed: str) -> None:
        shown = value if isinstance(value, str) else json.dumps(value, default=str)
        shown = re.sub(r"//[^/@\s]*@", "//***@", shown)  # credentials in a URL
        shown = "***" if key.endswith("_HEADERS") else shown
        super().__init__(
            f"{key} has the value '{shown}', but must be {allowed}: correct it in the service's settings "
            "(stacks/Pulumi.<stack>.yaml, or the environment when run by hand)."
        )


def _setting(key: str, default: Any, allowed: str, meaning: str, **limits: Any) -> Any:
    return Field(
        default, validation_alias=key, description=meaning, json_schema_extra={"allowed": allowed}, **limits
    )


def _json(value: object) -> object:
    return json.loads(value) if isinstance(value, str) else value


Url = Annotated[str, Field(pattern=r"^https?://[^/?#\s@]+(/[^?#\s]*)?$")]
# Where an access token may be sent: to Google, or to this machine by its name or number.
_GOOGLE = (
    r"^(https://([a-z0-9-]+\.)*googleapis\.com(:443)?"
    r"|http://(localhost|127(\.(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){3}|\[::1\])(:[0-9]+)?)"
)
GoogleUrl = Annotated[str, Field(pattern=_GOOGLE + "/?$")]
ServiceUrls = Annotated[
    Mapping[str, Annotated[str, Field(pattern=r"^https?://[^/?#\s@]+$")]], BeforeValidator(_json)
]
BucketNames = Annotated[Mapping[str, Annotated[str, Field(min_length=3)]], BeforeValidator(_json)]


def _pairs(value: object) -> object:
    """`a=b,c=d`, as OpenTelemetry writes headers."""
    if not isinstance(value, str):
        return value
    pairs = [pair.partition("=") for pair in value.split(",") if pair.strip()]
    return {name.strip().lower(): unquote(text).strip(" \t") for name, _, text in pairs}


HeaderName = Annotated[str, Field(pattern=r"^[!#$%&'*+.^_`|~0-9a-z-]+$")]
Headers = Annotated[
    Mapping[HeaderName, Annotated[str, Field(pattern=r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$")]],
    BeforeValidator(_pairs),
]


# Read by OpenTelemetry's SDK, which ends in a traceback if one is no number.
_SDK_LIMITS = (
    "OTEL_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_SPAN_EVENT_COUNT_LIMIT",
    "OTEL_SPAN_LINK_COUNT_LIMIT",
)


class Settings(BaseModel):
    """Every setting, its environment variable, its default and what is allowed."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    host: str = _setting("HOST", "0.0.0.0", "an address", "address to listen on")
    port: int = _setting(
        "PORT", 8080, "a port, 0-65535", "port to listen on; set by Cloud Run", ge=0, le=65535
    )
    k_service: str = _setting("K_SERVICE", "", "text", "Cloud Run service; set by Cloud Run")
    k_revision: str = _setting("K_REVISION", "", "text", "Cloud Run revision; set by Cloud Run")
    k_configuration: str = _setting(
        "K_CONFIGURATION", "", "text", "Cloud Run configuration; set by Cloud Run"
    )
    service_name: str = _setting(
        "OTEL_SERVICE_NAME", "", "text", "logical name: `service.name`; else K_SERVICE"
    )
    environment: str = _setting("ENVIRONMENT", "", "text", "stack name: `deployment.environment.name`")
    project: str = _setting(
        "GOOGLE_CLOUD_PROJECT", "", "a project id", "project; else the metadata server is asked"
    )
    region: str = _setting("GOOGLE_CLOUD_REGION", "", "a region", "region; else the metadata server is asked")
    metadata_host: str = _setting(
        "GCE_METADATA_HOST", "", "host or host:port", "where the metadata server is"
    )
    service_urls: ServiceUrls = _setting(
        "SERVICE_URLS",
        {},
        "a JSON object of name to http(s) origin",
        "services called; the URL is also the audience",
    )
    bucket_names: BucketNames = _setting(
        "BUCKET_NAMES", {}, "a JSON object of name to bucket name", "buckets by logical name"
    )
    service_public: bool = _setting(
        "SERVICE_PUBLIC",
        True,
        "true or false",
        "whether strangers can call: then internal headers are not believed",
    )
    service_timeout_s: int = _setting(
        "SERVICE_TIMEOUT_S",
        300,
        "seconds, 1-3600",
        "Cloud Run request timeout, the cap of every budget",
        ge=1,
        le=3600,
    )
    service_billing: Literal["request", "instance"] = _setting(
        "SERVICE_BILLING", "request", "request or instance", "whether CPU is frozen between requests"
    )
    traces_exporter: Literal["gcp_otlp", "gcp_trace", "otlp", "console", "none"] = _setting(
        "OTEL_TRACES_EXPORTER", "gcp_otlp", "gcp_otlp, gcp_trace, otlp, console or none", "where spans go"
    )
    sdk_disabled: bool = _setting(
        "OTEL_SDK_DISABLED", False, "true or false", "true: as OTEL_TRACES_EXPORTER `none`"
    )
    sampler_ratio: float = _setting(
        "OTEL_TRACES_SAMPLER_ARG",
        1.0,
        "a ratio, 0-1",
        "share of traces kept",
        ge=0,
        le=1,
        allow_inf_nan=False,
    )
    otlp_endpoint: Url | None = _setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT", None, "an http(s) URL", "OTLP base address; `/v1/traces` is added"
    )
    otlp_traces_endpoint: Url | None = _setting(
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        None,
        "an http(s) URL",
        "OTLP address for traces, taken as it is",
    )
    otlp_headers: Headers = _setting(
        "OTEL_EXPORTER_OTLP_HEADERS",
        {},
        "name=value pairs with commas between them, values percent-encoded",
        "headers for `otlp`, such as a vendor's API key",
    )
    otlp_compression: Literal["none", "gzip"] = _setting(
        "OTEL_EXPORTER_OTLP_COMPRESSION", "none", "none or gzip", "how `otlp` sends its batches"
    )
    otlp_certificate: str = _setting(
        "OTEL_EXPORTER_OTLP_CERTIFICATE", "", "a file name", "PEM file of the CA that `otlp` trusts"
    )
    credentials_file: str = _setting(
        "GOOGLE_APPLICATION_CREDENTIALS",
        "",
        "a file name",
        "Google credentials off Google; else the metadata server gives a token",
    )
    export_timeout_s: float = _setting(
        "OTEL_EXPORTER_OTLP_TIMEOUT",
        3.0,
        "seconds above 0 up to 30",
        "limit of one export, with retries",
        gt=0,
        le=30,
    )
    export_delay_ms: int = _setting(
        "OTEL_BSP_SCHEDULE_DELAY",
        1000,
        "milliseconds, 1-60000",
        "how long kept spans wait for others before they are sent together",
        ge=1,
        le=60_000,
    )
    keep_slow_ms: int = _setting(
        "TRACE_KEEP_SLOW_MS",
        2000,
        "milliseconds above 0",
        "duration from which a request is kept whatever the ratio says",
        gt=0,
    )
    keep_per_second: int = _setting(
        "TRACE_KEEP_PER_SECOND",
        100,
        "a whole number, 0-1000",
        "requests kept beyond the ratio, at most, per second and instance",
        ge=0,
        le=1000,
    )
    cloud_trace_endpoint: str = _setting(
        "CLOUD_TRACE_ENDPOINT", "", "host:port", "address of the Cloud Trace API for `gcp_trace`"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = _setting(
        "LOG_LEVEL", "INFO", "DEBUG, INFO, WARNING or ERROR", "least severity written; no library's DEBUG"
    )
    log_debug_on_error: bool = _setting(
        "LOG_DEBUG_ON_ERROR",
        False,
        "true or false",
        "whether a failed request's lines below LOG_LEVEL are written as well",
    )
    request_budget_ms: int | None = _setting(
        "REQUEST_BUDGET_MS",
        None,
        "milliseconds above 0",
        "time for one request; else SERVICE_TIMEOUT_S",
        gt=0,
    )
    pipeline_step: Literal["receive", "extract", "store"] | None = _setting(
        "PIPELINE_STEP", None, "receive, extract or store", "the example's step; unset: no document routes"
    )
    max_document_bytes: int = _setting(
        "MAX_DOCUMENT_BYTES",
        32 * 1024 * 1024,
        "bytes above 0",
        "largest document accepted (413 beyond)",
        gt=0,
    )
    gemini_model: str = _setting(
        "GEMINI_MODEL",
        "",
        "a model's name",
        "model that summarises documents in `extract`; unset: none",
    )
    gemini_location: str = _setting(
        "GOOGLE_CLOUD_LOCATION",
        "",
        "a region, or global",
        "where the model runs; else GOOGLE_CLOUD_REGION, else global",
    )
    gemini_endpoint: GoogleUrl | None = _setting(
        "GOOGLE_VERTEX_BASE_URL",
        None,
        "an https URL of googleapis.com, or an http one of this machine",
        "address of Vertex AI; else the location's own",
    )

    @property
    def name(self) -> str:
        """The service's logical name."""
        return self.service_name or self.k_service or "service"

    @property
    def budget_s(self) -> float:
        """Seconds one request may take here when its caller asks for no less."""
        if self.request_budget_ms is None:
            return float(self.service_timeout_s)
        return min(self.request_budget_ms / 1000, self.service_timeout_s)

    @model_validator(mode="after")
    def _token_stays_with_google(self) -> Self:
        """`gcp_otlp` sends an access token: to Google, or on this machine, and nowhere else."""
        endpoint = self.otlp_traces_endpoint or self.otlp_endpoint
        sends = self.traces_exporter == "gcp_otlp" and not self.sdk_disabled
        if sends and endpoint and not re.match(_GOOGLE + "(/|$)", endpoint):
            key = (
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
                if self.otlp_traces_endpoint
                else "OTEL_EXPORTER_OTLP_ENDPOINT"
            )
            raise InvalidSetting(
                key,
                endpoint,
                "absent, Google's by https or this machine's by http with OTEL_TRACES_EXPORTER 'gcp_otlp' (for a collector set 'otlp')",
            )
        return self

    @model_validator(mode="after")
    def _model_has_a_project(self) -> Self:
        if self.gemini_model and not self.project:
            raise InvalidSetting(
                "GOOGLE_CLOUD_PROJECT",
                "",
                f"a project id, as GEMINI_MODEL '{self.gemini_model}' is asked there",
            )
        return self

    @model_validator(mode="after")
    def _a_destination(self) -> Self:
        if self.pipeline_step and not self.service_urls and not self.bucket_names:
            raise InvalidSetting(
                "SERVICE_URLS with BUCKET_NAMES",
                {},
                f"one entry or more, as PIPELINE_STEP '{self.pipeline_step}' calls the first service or, without any, stores in the first bucket",
            )
        return self


def parse(environ: Mapping[str, str]) -> Settings:
    """Settings from `environ`, where an empty value counts as unset. Raises InvalidSetting for the first bad one."""
    for key in _SDK_LIMITS:
        if not re.fullmatch(r"\s*[0-9]{0,9}\s*", environ.get(key, "")):
            raise InvalidSetting(key, environ[key], "a whole number, 0-999999999")
    try:
        settings = Settings.model_validate({key: value for key, value in environ.items() if value != ""})
        return settings.model_copy(update={"traces_exporter": "none"}) if settings.sdk_disabled else settings
    except ValidationError as error:
        key = str(error.errors()[0]["loc"][0])
        raise InvalidSetting(key, environ[key], _allowed(key)) from None


def load() -> Settings:
    """Settings of this process. Also sets what libraries read only from the environment, before they are imported."""
    os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "http"
    # Even with its own tracing off, google-cloud-storage 3.17 else asks for the bucket's metadata in the background.
    os.environ["DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA"] = "true"
    settings = parse(os.environ)
    if settings.sdk_disabled:
        # The SDK would make no spans at all, and a request's log lines would have no trace in common.
        del os.environ["OTEL_SDK_DISABLED"]
        os.environ["OTEL_TRACES_EXPORTER"] = "none"
    return settings


def _allowed(key: str) -> str:
    fields = Settings.model_fields.values()
    extra = next(field.json_schema_extra for field in fields if field.validation_alias == key)
    return str(extra["allowed"]) if isinstance(extra, dict) else "valid"
