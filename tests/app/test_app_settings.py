"""app/settings.py: typed once, refused in a sentence."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.settings import InvalidSetting, Settings, load, parse

APP = Path(__file__).parents[2] / "app"


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("PORT", "eighty", "a port"),
        ("PORT", "70000", "a port"),
        ("OTEL_TRACES_EXPORTER", "jaeger", "gcp_otlp, gcp_trace, otlp, console or none"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5", "a ratio, 0-1"),
        ("OTEL_TRACES_SAMPLER_ARG", "nan", "a ratio, 0-1"),
        ("SERVICE_PUBLIC", "perhaps", "true or false"),
        ("SERVICE_TIMEOUT_S", "0", "seconds, 1-3600"),
        ("SERVICE_BILLING", "free", "request or instance"),
        ("SERVICE_URLS", "extract=http://x", "a JSON object"),
        ("SERVICE_URLS", '["http://x"]', "a JSON object"),
        ("SERVICE_URLS", '{"extract": "ftp://x"}', "a JSON object"),
        ("SERVICE_URLS", '{"extract": "https://x/path"}', "a JSON object"),
        ("BUCKET_NAMES", '{"documents": ""}', "a JSON object"),
        ("REQUEST_BUDGET_MS", "-1", "milliseconds above 0"),
        ("MAX_DOCUMENT_BYTES", "0", "bytes above 0"),
        ("PIPELINE_STEP", "shred", "receive, extract or store"),
        ("LOG_LEVEL", "LOUD", "DEBUG, INFO, WARNING or ERROR"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318", "an http(s) URL"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://a.example/?key=1", "an http(s) URL"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "none or gzip"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "0", "seconds above 0 up to 30"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10000", "seconds above 0 up to 30"),
        ("OTEL_BSP_SCHEDULE_DELAY", "0", "milliseconds, 1-60000"),
        ("TRACE_KEEP_SLOW_MS", "0", "milliseconds above 0"),
        ("TRACE_KEEP_PER_SECOND", "-1", "a whole number, 0-1000"),
        ("TRACE_KEEP_PER_SECOND", "1.5", "a whole number, 0-1000"),
        ("OTEL_SDK_DISABLED", "perhaps", "true or false"),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "abc", "a whole number, 0-999999999"),
        ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "-1", "a whole number, 0-999999999"),
        ("OTEL_ATTRIBUTE_COUNT_LIMIT", "1e3", "a whole number, 0-999999999"),
        ("OTEL_SPAN_LINK_COUNT_LIMIT", "9" * 30, "a whole number, 0-999999999"),
    ],
)
def test_a_bad_value_is_refused_in_a_sentence_with_key_value_allowed_and_remedy(
    key: str, value: str, allowed: str
) -> None:
    with pytest.raises(InvalidSetting) as refused:
        parse({key: value})
    sentence = str(refused.value)
    assert key in sentence
    assert value in sentence
    assert allowed in sentence
    assert "correct it" in sentence
    assert "\n" not in sentence


def test_a_step_needs_a_place_to_hand_its_document_on_to() -> None:
    with pytest.raises(InvalidSetting, match="one entry or more, as PIPELINE_STEP 'receive'"):
        parse({"PIPELINE_STEP": "receive"})


def test_the_first_of_several_places_comes_first() -> None:
    """The pipeline hands on to it; the others are for routes of a team's own."""
    given = parse({"PIPELINE_STEP": "receive", "SERVICE_URLS": '{"b": "http://b", "a": "http://a"}'})
    assert next(iter(given.service_urls)) == "b"


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        ("api-key=k1", {"api-key": "k1"}),
        (" Api-Key = k1 , b = 2 ", {"api-key": "k1", "b": "2"}),
        ("authorization=Basic%20aTpr%3D", {"authorization": "Basic aTpr="}),
        ("a=1=2,,b=x%2Cy", {"a": "1=2", "b": "x,y"}),
        ("api-key=%20k1%20", {"api-key": "k1"}),
        ("a=x%20y", {"a": "x y"}),
    ],
)
def test_headers_for_a_vendor_are_written_as_opentelemetry_writes_them(
    value: str, headers: dict[str, str]
) -> None:
    assert parse({"OTEL_EXPORTER_OTLP_HEADERS": value}).otlp_headers == headers


@pytest.mark.parametrize(
    "value",
    [
        "hunter2",
        "=hunter2",
        "a b=hunter2",
        "a=",
        "a=hunter2%0d%0ax: y",
        "a=hünter2",
        "a=%0ahunter2",
        "a=%20%C2%A0hunter2",
    ],
)
def test_bad_headers_are_refused_without_telling_them(value: str) -> None:
    """They are mostly keys; and a line end in one would be another header."""
    with pytest.raises(InvalidSetting, match="OTEL_EXPORTER_OTLP_HEADERS has the value") as refused:
        parse({"OTEL_EXPORTER_OTLP_HEADERS": value})
    assert "nter2" not in str(refused.value)


def test_an_empty_value_counts_as_unset_and_unrelated_variables_are_nobody_s_business() -> None:
    assert parse({"PORT": "", "HOME": "/root", "OTEL_SERVICE_NAME": ""}) == Settings()


def test_defaults_are_those_of_production_and_trust_no_stranger() -> None:
    settings = parse({})
    assert (settings.traces_exporter, settings.sampler_ratio, settings.service_public) == (
        "gcp_otlp",
        1.0,
        True,
    )
    assert (settings.host, settings.port, settings.budget_s) == ("0.0.0.0", 8080, 300.0)
    assert (settings.export_delay_ms, settings.export_timeout_s) == (1000, 3.0)
    assert (settings.keep_slow_ms, settings.keep_per_second) == (2000, 100)
    assert (settings.otlp_headers, settings.otlp_compression, settings.otlp_certificate) == ({}, "none", "")


def test_the_logical_name_comes_before_the_platform_s() -> None:
    assert parse({"K_SERVICE": "gateway-dev"}).name == "gateway-dev"
    assert parse({"K_SERVICE": "gateway-dev", "OTEL_SERVICE_NAME": "gateway"}).name == "gateway"


@pytest.mark.parametrize(("budget", "timeout", "seconds"), [("1000", "300", 1.0), ("90000", "60", 60.0)])
def test_the_budget_is_capped_by_the_platform_s_timeout(budget: str, timeout: str, seconds: float) -> None:
    assert parse({"REQUEST_BUDGET_MS": budget, "SERVICE_TIMEOUT_S": timeout}).budget_s == seconds


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        parse({}).port = 1  # type: ignore[misc]


def test_the_process_ends_with_the_sentence_and_status_1_without_a_stack_trace() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "app"],
        cwd=APP.parent,
        env={"PORT": "x"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("PORT has the value 'x'")
    assert done.stderr.count("\n") == 1


def _modules() -> list[Path]:
    return sorted(APP.rglob("*.py"))


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(APP)))
def test_only_settings_reads_the_environment_and_app_imports_nothing_else_of_ours(path: Path) -> None:
    tree = ast.parse(path.read_text())
    names = {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    if path.name != "settings.py":
        assert not names & {"os.environ", "os.getenv", "os.environb"}
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {name.partition(".")[0] for name in imported} & {"infra", "localcloud", "ops"}


def test_the_access_token_goes_to_google_only() -> None:
    """With gcp_otlp an endpoint elsewhere would get a credential: refused, and its own userinfo is not repeated."""
    with pytest.raises(InvalidSetting, match="for a collector set 'otlp'") as refused:
        parse({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://collector.example/v1/traces"})
    assert "gcp_otlp" in str(refused.value)
    for address in (
        "http://127.0.0.1:4318",
        "http://127.255.0.9",
        "http://localhost:4318/base",
        "http://[::1]:4318/",
        "https://telemetry.googleapis.com",
        "https://googleapis.com:443/v1",
    ):
        assert parse({"OTEL_EXPORTER_OTLP_ENDPOINT": address}).otlp_endpoint == address
    with pytest.raises(InvalidSetting) as refused:
        parse({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://user:hunter2@otlp.example"})
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "address",
    [
        "http://127.evil.example",
        "http://127.0.0.1.evil.example:80/x",
        "http://127.0.0.999",
        "http://127.1",
        "http://localhost.evil.example",
        "http://telemetry.googleapis.com",
        "https://evil-googleapis.com",
        "https://googleapis.com.evil.example",
        "https://[::1].evil.example",
    ],
)
def test_neither_a_host_that_looks_like_this_machine_nor_an_open_line_to_google_gets_the_token(
    address: str,
) -> None:
    with pytest.raises(InvalidSetting, match="for a collector set 'otlp'"):
        parse({"OTEL_EXPORTER_OTLP_ENDPOINT": address})
    with pytest.raises(InvalidSetting, match="this machine"):
        parse({"GOOGLE_VERTEX_BASE_URL": address})
    assert parse({"OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_TRACES_EXPORTER": "otlp"}).otlp_endpoint


@pytest.mark.parametrize("limit", ["0", "128", ""])
def test_limits_that_the_sdk_understands_are_left_to_it(limit: str) -> None:
    assert parse({"OTEL_SPAN_EVENT_COUNT_LIMIT": limit}) == Settings()


@pytest.mark.parametrize(
    ("disabled", "exporter"),
    [("true", "none"), ("TRUE", "none"), ("1", "none"), ("false", "console"), ("", "console")],
)
def test_a_disabled_sdk_sends_nothing(disabled: str, exporter: str) -> None:
    env = {"OTEL_SDK_DISABLED": disabled, "OTEL_TRACES_EXPORTER": "console"}
    assert parse(env).traces_exporter == exporter


def test_a_disabled_sdk_needs_no_endpoint_that_fits() -> None:
    env = {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.example"}
    assert parse(env).traces_exporter == "none"


def test_with_a_disabled_sdk_lines_still_carry_their_trace_and_a_second_load_says_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The SDK itself would make no spans at all: then a request's lines would have no trace in common."""
    monkeypatch.setattr("os.environ", {"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "console"})
    assert [load().traces_exporter for _ in range(2)] == ["none", "none"]
    assert "OTEL_SDK_DISABLED" not in os.environ


NAMES = [str(field.validation_alias) for field in Settings.model_fields.values()]


@given(st.dictionaries(st.sampled_from(NAMES), st.text(max_size=40), max_size=4))
def test_any_value_is_taken_or_refused_in_one_sentence_that_names_its_key(values: dict[str, str]) -> None:
    """No environment, however odd, ends in a stack trace."""
    try:
        parse(values)
    except InvalidSetting as refused:
        said = str(refused)
        assert any(name in said for name in NAMES)
        assert "but must be" in said
        assert said.endswith("(stacks/Pulumi.<stack>.yaml, or the environment when run by hand).")
