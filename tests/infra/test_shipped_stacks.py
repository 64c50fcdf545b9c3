"""The operator's own stack files, in `stacks/`: whatever they say, the program takes it and no mandatory rule forbids it.

All other tests read their copies in `tests/infra/stacks/`, so that filling in a stack file fails none of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from policy_stack import declared
from recorded import record
from stack_files import DIGEST, ENVIRONMENTS, FROZEN, ROOT, changed, config, parsed, read

from infra.policy.rules import RULES
from infra.schema.tiers import is_production

STACKS = {
    file.name.split(".")[1]: values
    for file in sorted((ROOT / "stacks").glob("Pulumi.*.yaml"))
    if (values := read(file))  # `pulumi stack init` leaves a file without any
}
PLACEHOLDERS = ("PROJECT_ID", "REGION-", ":TAG", "sha256:DIGEST")
IS_FILLED_IN = any(
    values.get("gcp:project") not in ("PROJECT_ID", "blueprint-local")
    or any("source" in (service or {}) for service in values.get("blueprint:services", {}).values())
    for values in STACKS.values()
)


def completed(env: str, values: dict[str, Any]) -> dict[str, Any]:
    """The values with what is still open filled in: project, images, secrets, and somebody for prod's alerts."""
    result: dict[str, Any] = {
        key: _decrypted(value)
        for key, value in values.items()
        if key.startswith(("gcp:", "blueprint:")) and not _is_secret(value)
    }
    if result.get("gcp:project") == "PROJECT_ID":
        result["gcp:project"] = "acme-docs"
    for service in result.get("blueprint:services", {}).values():
        image = service.get("image")
        if any(part in image for part in PLACEHOLDERS) if image else _needs_image(env, result):
            service["image"] = DIGEST
    if is_production(env) and not any((result.get("blueprint:notify") or {}).values()):
        result["blueprint:notify"] = {"emails": ["oncall@example.com"]}
    return result


def _needs_image(env: str, values: dict[str, Any]) -> bool:
    """The pipeline writes images that the file leaves out (`.github/images.sh`)."""
    return env != "local" and not values.get("blueprint:build")


def _is_secret(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"secure"}


def _decrypted(value: Any) -> Any:
    """A text in place of each one that only Pulumi can decrypt."""
    if _is_secret(value):
        return "decrypted"
    if isinstance(value, dict):
        return {key: _decrypted(entry) for key, entry in value.items()}
    return [_decrypted(entry) for entry in value] if isinstance(value, list) else value


@pytest.mark.parametrize("env", STACKS)
def test_the_program_takes_the_file(env: str) -> None:
    """A mistake in it is found here, with the sentence that `pulumi up` would say."""
    assert parsed(env, completed(env, STACKS[env])).env == env


@pytest.mark.parametrize("env", STACKS)
def test_the_file_keeps_the_mandatory_rules(env: str) -> None:
    """What the policy pack would stop is found before anything is deployed."""
    resources = declared(record(env, completed(env, STACKS[env])))
    broken = [
        str(finding)
        for rule in RULES
        if rule.level == "mandatory"
        for finding in rule.findings(resources, env)
    ]
    assert broken == []


@pytest.mark.skipif(
    IS_FILLED_IN, reason="these stacks have a project or a service of their own: the files are the operator's"
)
@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_the_tests_read_what_is_shipped(env: str) -> None:
    """As long as no file names a real project or a service that `new-service` made: tests of an outdated copy would say nothing of the product."""
    shipped, copied = (folder / f"Pulumi.{env}.yaml" for folder in (ROOT / "stacks", FROZEN))
    assert _text(shipped) == _text(copied), (
        f"{shipped.relative_to(ROOT)} has changed: `cp stacks/*.yaml tests/infra/stacks/`, then"
        " `python tests/infra/write_golden.py`, and read the diff"
    )


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def test_what_an_operator_has_filled_in_is_left_alone() -> None:
    """Only what is open is completed, so that the tests above judge the operator's own values."""
    values = changed(
        changed(config("prod"), "notify", {"slack": {"a": {"auth_token": {"secure": "v1:x"}}}}),
        "gcp:project",
        "acme",
    )
    values = changed(
        changed(values, "services.gateway.image", "a@sha256:" + "b" * 64), "runbook_url", {"secure": "v1:y"}
    )
    found = completed("prod", changed(values, "services.archive.image", ...))
    assert found["gcp:project"] == "acme"
    assert found["blueprint:notify"] == {"slack": {"a": {"auth_token": "decrypted"}}}
    assert [each["image"] for each in found["blueprint:services"].values()] == [
        "a@sha256:" + "b" * 64,
        DIGEST,
        DIGEST,
    ]
    assert "blueprint:runbook_url" not in found
