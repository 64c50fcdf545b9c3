"""The rules of the policy pack over what the program declares: for each stack file, and with every option."""

from __future__ import annotations

from typing import Any

import pytest
from policy_stack import declared
from recorded import record
from stack_files import changed, filled_in

from infra.policy.rules import RULES
from tests.infra.stack_options import OPTIONS, everything, with_options

# stack -> rules that its shipped file does not keep, and the reason
REASONED = {
    "local": {},
    "dev": {},
    "staging": {},
    "prod": {"alert-channel": "the shipped file names nobody: blueprint:notify is the operator's to fill in"},
}


@pytest.mark.parametrize("env", REASONED)
def test_the_stacks_keep_the_rules(env: str) -> None:
    """What the program declares for each shipped stack file violates nothing but what is listed with its reason."""
    resources = declared(record(env, filled_in(env)))
    broken = {rule.name: list(map(str, rule.findings(resources, env))) for rule in RULES}
    assert {name: said for name, said in broken.items() if said and name not in REASONED[env]} == {}
    assert all(broken[name] for name in REASONED[env]), "a reason that nothing needs any more"


def test_a_stack_that_names_its_people_keeps_every_rule() -> None:
    """With someone on call, production has nothing left to be advised of."""
    values = changed(filled_in("prod"), "notify.emails", ["oncall@example.com"])
    resources = declared(record("prod", values))
    assert [str(each) for rule in RULES for each in rule.findings(resources, "prod")] == []


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("buckets.documents.location", "US", "buckets.documents.cross_region_reason"),
        ("tracing.sample_ratio", 0.5, "tracing.ratio_reason"),
    ],
)
def test_a_reason_in_the_stack_file_is_an_exception(key: str, value: Any, reason: str) -> None:
    """The sentence stays in the file; the resource gets the label that the rule reads."""
    values = changed(changed(filled_in("prod"), key, value), reason, "all readers are in America until May")
    resources = declared(record("prod", changed(values, "notify.emails", ["oncall@example.com"])))
    assert [str(each) for rule in RULES for each in rule.findings(resources, "prod")] == []


@pytest.mark.parametrize("option", OPTIONS)
def test_no_option_breaks_a_rule(option: str) -> None:
    """Whatever a team switches on, the program declares it soundly."""
    resources = declared(record("dev", with_options(filled_in("dev"), option)))
    assert [str(each) for rule in RULES for each in rule.findings(resources, "dev")] == []


def test_production_with_all_options_keeps_every_rule() -> None:
    """CI's roles, secrets, keys and networks together, where most is demanded."""
    values = changed(everything("prod"), "ci.environment", "prod")
    resources = declared(record("prod", changed(values, "services.gateway.traffic", [])))
    assert [str(each) for rule in RULES for each in rule.findings(resources, "prod")] == []
