"""What the program declares, under Pulumi's mocks with every output awaited."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Any

import pytest
from recorded import Recorded, record
from stack_files import ENVIRONMENTS, changed, filled_in


def golden(env: str) -> Path:
    """Where the reviewed inventory of a stack is."""
    return Path(__file__).with_name(f"inventory_{env}.json")


@pytest.fixture(scope="module")
def local() -> Recorded:
    return record("local", filled_in("local"))


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_the_inventory_is_the_reviewed_one(env: str) -> None:
    """Every resource with all its inputs. After an intended change: `python tests/infra/write_golden.py`, and read the diff."""
    reviewed = golden(env).read_text(encoding="utf-8").splitlines()
    now = record(env, filled_in(env)).text().splitlines()
    diff = "\n".join(difflib.unified_diff(reviewed, now, "reviewed", "now", lineterm="", n=6))
    assert not diff, f"the stack {env} has changed:\n{diff}"


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_a_second_run_declares_the_same(env: str) -> None:
    """Nothing random, nothing that depends on order: a second `pulumi up` finds nothing to do."""
    values = filled_in(env)
    backwards = changed(values, "services", dict(reversed(values["blueprint:services"].items())))
    assert record(env, values).text() == record(env, backwards).text()


def _member(service: str) -> str:
    return f"serviceAccount:{service}-local@blueprint-local.iam.gserviceaccount.com"


def test_invokers_are_exactly_the_calls_and_the_public_service(local: Recorded) -> None:
    """`calls` is the only thing that lets a service call another, `public` the only thing that lets strangers."""
    edges = {
        (grant["member"], grant["role"], grant["name"]) for grant in local.of("ServiceIamMember").values()
    }
    assert edges == {
        (_member("gateway"), "roles/run.invoker", "extract-local"),
        (_member("extract"), "roles/run.invoker", "archive-local"),
        ("allUsers", "roles/run.invoker", "gateway-local"),
    }


def test_bucket_roles_are_exactly_the_buckets(local: Recorded) -> None:
    """`buckets` is the only thing that gives access to objects, and on the bucket, not on the project."""
    edges = {
        (grant["member"], grant["role"], grant["bucket"]) for grant in local.of("BucketIAMMember").values()
    }
    assert edges == {(_member("archive"), "roles/storage.objectUser", "blueprint-local-documents-local")}


def test_the_trace_writer_is_the_only_role_on_the_project(local: Recorded) -> None:
    """It exists nowhere else; each service has it for its own account."""
    grants = {(grant["member"], grant["role"]) for grant in local.of("IAMMember").values()}
    assert grants == {(_member(name), "roles/cloudtrace.agent") for name in ("archive", "extract", "gateway")}


@pytest.mark.parametrize(
    ("exporter", "grants"), [("gcp_trace", 3), ("gcp_otlp", 3), ("otlp", 0), ("console", 0), ("none", 0)]
)
def test_the_trace_role_is_given_only_where_spans_go_to_google(exporter: str, grants: int) -> None:
    """A stack that sends its spans elsewhere has no role on the project at all."""
    recorded = record("local", changed(filled_in("local"), "tracing.exporter", exporter))
    assert len(recorded.of("IAMMember")) == grants


@pytest.mark.parametrize(("model", "users"), [("gemini-2.5-flash", ["extract"]), ("", []), (..., [])])
def test_only_a_service_that_names_a_gemini_model_may_ask_one(model: Any, users: list[str]) -> None:
    """It alone gets the role, and only then is the API enabled; an empty name counts as none, as in the application."""
    recorded = record("local", changed(filled_in("local"), "services.extract.env.GEMINI_MODEL", model))
    grants = recorded.of("IAMMember").values()
    assert [each["member"] for each in grants if each["role"] == "roles/aiplatform.user"] == [
        _member(name) for name in users
    ]
    enabled = {each["service"] for each in recorded.of("Service").values() if "service" in each}
    assert ("aiplatform.googleapis.com" in enabled) is bool(users)
    assert "run.googleapis.com" in enabled


def test_each_service_runs_as_its_own_account(local: Recorded) -> None:
    """No two services share rights, and none has the project's default account."""
    accounts = [
        each["template"]["serviceAccount"] for name, each in local.of("Service").items() if "template" in each
    ]
    assert sorted(accounts) == [
        _member(name).removeprefix("serviceAccount:") for name in ("archive", "extract", "gateway")
    ]


def test_a_service_gets_the_urls_of_its_callees_only(local: Recorded) -> None:
    """SERVICE_URLS holds the URL Cloud Run gave, by logical name; a leaf gets an empty object."""
    urls = {
        name: _env(each)["SERVICE_URLS"] for name, each in local.of("Service").items() if "template" in each
    }
    assert {name: json.loads(text) for name, text in urls.items()} == {
        "gateway-local": {"extract": "https://extract-local.test"},
        "extract-local": {"archive": "https://archive-local.test"},
        "archive-local": {},
    }


def _env(service: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in service["template"]["containers"][0]["envs"]}


@pytest.mark.parametrize(
    ("env", "protected"), [("local", False), ("dev", False), ("staging", False), ("prod", True)]
)
def test_only_prod_is_protected_from_deletion(env: str, protected: bool) -> None:
    """Left out it would be true everywhere, and `pulumi destroy` of dev would fail."""
    services = [each for each in record(env, filled_in(env)).of("Service").values() if "template" in each]
    assert [each["deletionProtection"] for each in services] == [protected] * 3


def test_a_bucket_elsewhere_keeps_its_own_location() -> None:
    """The exception that the incident uses, and only with a reason."""
    values = changed(filled_in("local"), "buckets.documents.location", "australia-southeast1")
    values = changed(values, "buckets.documents.cross_region_reason", "re-enacts the incident")
    assert record("local", values).of("Bucket")["documents-local"]["location"] == "AUSTRALIA-SOUTHEAST1"


def test_alerts_go_to_everyone_named_once() -> None:
    """A channel per address, and every policy notifies all of them."""
    recorded = record(
        "local",
        changed(filled_in("local"), "notify.emails", ["a@example.com", "b@example.com", "a@example.com"]),
    )
    assert [each["labels"]["email_address"] for each in recorded.of("NotificationChannel").values()] == [
        "a@example.com",
        "b@example.com",
    ]
    for policy in recorded.of("AlertPolicy").values():
        assert policy["notificationChannels"] == ["id-a@example.com-local", "id-b@example.com-local"]


def test_exports_are_what_people_and_tools_ask_for(local: Recorded) -> None:
    """URLs, names and console links, by logical name."""
    exports = local.exports
    gateway = exports["services"]["gateway"]
    assert (gateway["name"], gateway["url"]) == ("gateway-local", "https://gateway-local.test")
    assert exports["urls"].keys() == {"archive", "extract", "gateway"}
    assert exports["buckets"] == {"documents": "blueprint-local-documents-local"}
    assert (exports["project"], exports["region"]) == ("blueprint-local", "europe-southwest1")
    assert exports["registry"] == "europe-southwest1-docker.pkg.dev/blueprint-local/services-local"
    assert exports["links"].keys() == {"traces", "logs", "services", "alerts", "dashboard"}
    assert (
        exports["alerts"]["Timeouts (504) · local"] == "projects/blueprint-local/alertPolicies/timeouts-local"
    )
