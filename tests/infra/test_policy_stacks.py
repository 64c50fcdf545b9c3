"""The rules of the policy pack over what the program declares: for each stack file, and with every option."""

from __future__ import annotations

from typing import Any

import pytest
from policy_stack import declared
from recorded import record
from stack_files import ENVIRONMENTS, changed, filled_in

from infra.policy.rules import RULES
from tests.infra.stack_options import OPTIONS, everything, with_options


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_the_stacks_keep_the_rules(env: str) -> None:
    """What the program declares for each stack file, once it is filled in, leaves nothing even to be advised of."""
    resources = declared(record(env, filled_in(env)))
    assert [str(each) for rule in RULES for each in rule.findings(resources, env)] == []


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("buckets.documents.location", "US", "buckets.documents.cross_region_reason"),
        ("tracing.sample_ratio", 0.5, "tracing.ratio_reason"),
    ],
)
def test_a_reason_in_the_stack_file_is_an_exception(key: str, value: Any, reason: str) -> None:
    """The sentence stays in the file; the resource gets the label that the rule reads."""
    values = changed(filled_in("prod"), "costs", {})  # a larger ratio is another matter of its price
    values = changed(changed(values, key, value), reason, "all readers are in America until May")
    resources = declared(record("prod", values))
    assert [str(each) for rule in RULES for each in rule.findings(resources, "prod")] == []


@pytest.mark.parametrize("option", OPTIONS)
def test_no_option_breaks_a_rule(option: str) -> None:
    """Whatever a team switches on, the program declares it soundly."""
    resources = declared(record("dev", with_options(filled_in("dev"), option)))
    assert [str(each) for rule in RULES for each in rule.findings(resources, "dev")] == []


def test_production_with_all_options_keeps_every_rule() -> None:
    """CI's roles, secrets, keys and networks together, where most is demanded."""
    ci = {
        "repository": "acme/docs",
        "branch": "main",
        "environment": "prod",
        "repository_id": "1",
        "owner_id": "2",
    }
    values = changed(everything("prod"), "ci", ci)
    resources = declared(record("prod", changed(values, "services.gateway.traffic", [])))
    assert [str(each) for rule in RULES for each in rule.findings(resources, "prod")] == []
