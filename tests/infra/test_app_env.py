"""What a stack file may say of the template's variables, against the application that reads them."""

from __future__ import annotations

import json

import pytest

from app.settings import _SDK_LIMITS, InvalidSetting, Settings, parse
from infra.environment import SET_HERE
from infra.schema.app_env import MAX_DOCUMENT_BYTES, NOT_HERE, SECRET, UNREAD, VARIABLES, meant
from infra.schema.pipeline import is_google

# With these around it, no variable of the table is judged by another.
BESIDE = {
    "GOOGLE_CLOUD_PROJECT": "acme-docs",
    "BUCKET_NAMES": json.dumps({"documents": "acme-docs-documents-dev"}),
    "OTEL_TRACES_EXPORTER": "otlp",
}
VALUES = [
    "", "0", "1", "-1", "+5", " 7 ", "1.0", "1.5", "0.5", "30", "30.5", "999", "60000", "60001", "1000000000",
    "1e3", "nan", "inf", "x", "7s", "true", "True", "YES", "off", "maybe", "none", "gzip", "GZIP",
    "debug", "DEBUG", "INFO", "WARN", "WARNING", "ERROR", "CRITICAL", "receive", "extract", "store", "Store", "stroe",
    "http://localhost:4318", "https://collector.example/otlp", "https://user:pw@collector.example", "collector:4317",
    "https://telemetry.googleapis.com", "https://googleapis.com.example", "http://127.0.0.1:9000/", "ftp://x",
    "europe-west1", "gemini-2.5-flash", "/etc/ssl/ca.pem",
]  # fmt: skip


def test_the_table_has_every_variable_of_the_application() -> None:
    """A new setting needs a row here, or a reason why a stack file cannot set it."""
    read = {str(field.validation_alias) for field in Settings.model_fields.values()} | {*_SDK_LIMITS}
    elsewhere = {*SET_HERE, *NOT_HERE, "K_SERVICE", "K_REVISION", "K_CONFIGURATION"}
    in_secrets = {name for name in read if SECRET.search(name)}
    assert in_secrets == {"OTEL_EXPORTER_OTLP_HEADERS"}
    assert read - elsewhere - in_secrets == VARIABLES.keys()
    assert not VARIABLES.keys() & elsewhere
    assert not UNREAD.keys() & read


@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_both_accept_and_refuse_the_same_values(name: str) -> None:
    """A value that is refused at start must not be deployed, and one that works must not be refused before."""
    verdicts = {
        value: (not value or VARIABLES[name].accepts(value), _app_accepts(name, value)) for value in VALUES
    }
    assert {value: both for value, both in verdicts.items() if both[0] != both[1]} == {}
    assert any(ours for ours, _ in verdicts.values())


def _app_accepts(name: str, value: str) -> bool:
    try:
        parse({**BESIDE, name: value})
    except InvalidSetting:
        return False
    return True


@pytest.mark.parametrize(
    "address", [value for value in VALUES if value.startswith("http") and "@" not in value]
)
def test_both_send_googles_token_to_the_same_addresses(address: str) -> None:
    """`gcp_otlp` sends an access token along."""
    own = {"OTEL_TRACES_EXPORTER": "gcp_otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": address}
    try:
        parse({**BESIDE, **own})
    except InvalidSetting:
        assert not is_google(address)
    else:
        assert is_google(address)


def test_the_largest_document_is_the_applications() -> None:
    """What a service must have memory for, if its stack file names no other size."""
    assert Settings.model_fields["max_document_bytes"].default == MAX_DOCUMENT_BYTES


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("LOGLEVEL", "LOG_LEVEL"),
        ("LOG__LEVEL", "LOG_LEVEL"),
        ("PIPELINESTEP", "PIPELINE_STEP"),
        ("PIPELINE_STEPS", "PIPELINE_STEP"),
        ("PIPELINE_STP", "PIPELINE_STEP"),
        ("PIPELINE_STAP", "PIPELINE_STEP"),
        ("PIPELNIE_STEP", "PIPELINE_STEP"),
        ("LOG_LEVEL", None),
        ("LOG_LABEL", None),
        ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", None),
        ("QUEUE_NAME", None),
    ],
)
def test_a_slip_is_told_from_a_name_of_ones_own(written: str, known: str | None) -> None:
    """A misspelt variable is ignored by the application, silently; a fork's own is nobody's business."""
    assert meant(written) == known


@pytest.mark.parametrize(
    "name",
    [
        *("API_KEY", "STRIPE_APIKEY", "KEY", "TLS_KEY", "PRIVATE_KEY", "SECRET_ACCESS_KEY", "PUBLIC_API_KEY"),
        *("GITHUB_TOKEN", "GITHUB_PAT", "DB_PASS", "DB_PASSWORD", "DB_PASSWD", "SSH_PASSPHRASE", "DB_PWD"),
        *("CLIENT_SECRET", "SECRET", "SECRET_VALUE", "CACHE_PASSWORD", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"),
    ],
)
def test_a_secret_is_known_by_its_name(name: str) -> None:
    """It belongs into Secret Manager."""
    assert SECRET.search(name)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "PUBLIC_KEY",
            "JWT_PUBLIC_KEY",
            "PARTITION_KEY",
            "CACHE_KEY",
            "SORT_KEY",
            "MONKEY",
            "TOKENS",
            "COMPASS",
        ),
        *("PATH", "PWD", "SECRET_NAME", "BYPASS", "KEY_ID", "TOKEN_LIFETIME_S"),
    ],
)
def test_what_is_no_secret_is_not_taken_for_one(name: str) -> None:
    """A refusal that is wrong teaches people to rename their variables."""
    assert not SECRET.search(name)
