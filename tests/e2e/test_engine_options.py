"""The whole program under Pulumi's own engine: its life, and every option switched on and off again while nothing else moves.

The cloud only keeps the books here; tests/e2e/test_stack.py has services that run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from pulumi import automation as auto
from real_engine import CLI, ROOT, Steps, real_engine

from tests.infra.stack_files import changed, filled_in
from tests.infra.stack_options import OPTIONS, everything, with_options

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(CLI is None, reason="no Pulumi CLI: run `make engine`"),
    pytest.mark.xdist_group("engine-options"),
]
DEV = ("dev", "acme-docs", "europe-southwest1")

GATEWAY, EXTRACT, ARCHIVE = (f"update Service {name}-dev" for name in ("gateway", "extract", "archive"))
SERVICES = "update Service *-dev"
ALERTS = "update AlertPolicy *"
VIEWS = ("may update Dashboard *", "may update AlertPolicy *")

# What each option does when it is switched on, all of it; switching it off is the reverse. `may`: depends on the alerts
# and views that the stack has.
BOUNDS = "update Metric request-latencies-dev"  # each promised latency is one
EXPECTED: dict[str, tuple[str, ...]] = {
    "secrets": (
        "create Service secretmanager-dev",
        "create SecretIamMember archive-reads-api-key-dev",
        "create SecretIamMember archive-reads-tls-key-dev",
        ARCHIVE,
    ),
    "gemini": ("create Service aiplatform-dev", "create IAMMember extract-asks-gemini-dev", EXTRACT),
    "ingress": ("create Service compute-dev", ARCHIVE, EXTRACT),
    "traffic": (GATEWAY,),
    "vpc": ("create Service compute-dev", EXTRACT),
    "labels": ("update *",),
    "labels of a service": (GATEWAY,),
    "min_instances": (GATEWAY, *VIEWS),
    "max_instances": (GATEWAY, "update AlertPolicy instances-dev", *VIEWS),
    "billing": (GATEWAY,),
    "size": (GATEWAY,),
    "timeout": (GATEWAY,),
    "env": (GATEWAY,),
    "private": (
        GATEWAY,
        "delete ServiceIamMember gateway-public-dev",
        "delete GenericService gateway-objectives-dev",
        "delete Slo gateway-*-dev",
        "delete AlertPolicy gateway-*-burn-*-dev",
        "delete AlertPolicy latency-dev",  # no service is left that promises one
        BOUNDS,
        *VIEWS,
    ),
    "custom_audiences": (EXTRACT,),
    "public without allUsers": (GATEWAY, "delete ServiceIamMember gateway-public-dev"),
    "objectives": (
        "create GenericService extract-objectives-dev",
        "create Slo extract-*-dev",
        "create AlertPolicy extract-*-burn-*-dev",
        "update AlertPolicy latency-dev",
        BOUNDS,
        *VIEWS,
    ),
    "expected_rps": VIEWS,
    "tracing": (SERVICES, *VIEWS),
    "exporter": (SERVICES,),
    "no tracing": (SERVICES, "delete IAMMember *-writes-traces-dev", "delete AlertPolicy trace-*", *VIEWS),
    "an alert off": ("delete AlertPolicy instances-dev", *VIEWS),
    "thresholds": ("update AlertPolicy error-ratio-dev", *VIEWS),
    "notify": ("create NotificationChannel *", ALERTS),
    "runbook_url": (ALERTS, *VIEWS),
    "ci": (
        "create Service sts-dev",
        "create Service iamcredentials-dev",
        "create WorkloadIdentityPool github-dev",
        "create WorkloadIdentityPoolProvider github-dev",
        "create Account deployer-dev",
        "create IAMCustomRole *-dev",
        "create IAMMember deployer-*-dev",
        "create IAMMember github-is-deployer-dev",
        "create RepositoryIamMember deployer-pushes-dev",
    ),
    "soft delete": ("update Bucket documents-dev",),
    "encryption_key": (
        "create Service cloudkms-dev",
        "create ServiceIdentity *-agent-dev",
        "create CryptoKeyIAMMember *-agent-uses-key-dev",
        "replace Repository services-dev",  # no registry can change its key
        "update Bucket documents-dev",
        SERVICES,
    ),
    "a service more": (
        "create Account report-dev",
        "create IAMMember report-writes-traces-dev",
        "create ServiceIamMember report-calls-archive-dev",
        "create Service report-dev",
        "update Metric *-dev",
        *VIEWS,
    ),
    "a bucket more": ("create Bucket reports-dev", *VIEWS),
}  # fmt: skip
# Kept when their stack goes or takes the option back: other stacks of the project need the same grant.
KEPT = "CryptoKeyIAMMember "
_REVERSE = {"create": "delete", "delete": "create"}


def reverse(expected: Iterable[str]) -> list[str]:
    """The same, switched off."""
    words = (each.split(" ") for each in expected)
    return [" ".join(_REVERSE.get(word, word) for word in each) for each in words]


def surprises(steps: Steps, expected: Iterable[str]) -> list[str]:
    """Steps that nobody expects, and expectations that no step meets."""
    taken = sorted(f"{step} {this}" for step, these in steps.items() for this in these)
    must = [each for each in expected if not each.startswith("may ")]
    known = [each.removeprefix("may ") for each in expected]
    return [f"unexpected: {each}" for each in taken if not any(fnmatchcase(each, row) for row in known)] + [
        f"missing: {row}" for row in must if not any(fnmatchcase(each, row) for each in taken)
    ]


def test_every_option_has_its_row() -> None:
    """A new option is switched on and off as well."""
    assert EXPECTED.keys() == OPTIONS.keys()


def test_every_option_on_and_off_moves_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    """Each `up` switches one option off and the next one on; at the end the books are what they were at first."""
    base, wrong = filled_in("dev"), []
    with real_engine(tmp_path, *DEV) as engine:
        engine.up(base)
        before = engine.books()
        previous: list[str] = []
        for option, expected in EXPECTED.items():
            steps = engine.up(with_options(base, option))
            wrong += [f"{option}: {each}" for each in surprises(steps, [*previous, *expected])]
            previous = reverse(expected)
        steps = engine.up(base)
        wrong += [f"{option} off: {each}" for each in surprises(steps, previous)]
        assert wrong == []
        assert {this: each for this, each in engine.books().items() if not this.startswith(KEPT)} == before
        assert engine.preview(base) == {}


def test_a_registry_that_changes_its_key_is_replaced_with_the_right_to_push(tmp_path: Path) -> None:
    """docs/state.md, "Another key": by itself first, so that images can be pushed again before services deploy. It is
    deleted before its successor comes, which has the same name; the deployer's role on it goes and comes with it.
    """
    recipe = (ROOT / "docs" / "state.md").read_text(encoding="utf-8").partition("## Another key")[2]
    targets = re.findall(r"--target '(.*?)'", recipe)
    base = with_options(filled_in("dev"), "ci")
    with real_engine(tmp_path, *DEV) as engine:
        engine.up(base)
        engine.cloud.log.clear()
        changed_key = with_options(base, "encryption_key")
        engine.configure(changed_key)
        steps = engine.watched(lambda see: engine.handle.up(on_event=see, color="never", target=targets))
        assert steps["replace"] == {"Repository services-dev", "RepositoryIamMember deployer-pushes-dev"}
        assert steps.keys() == {"create", "replace"}
        drop, put = (engine.cloud.log.index(f"{step} Repository services-dev") for step in ("drop", "put"))
        assert drop < put
        assert engine.up(changed_key) == {
            "update": {f"Service {name}-dev" for name in ("gateway", "extract", "archive")}
            | {"Bucket documents-dev"}
        }


def test_the_life_of_a_stack_with_every_option(tmp_path: Path) -> None:
    """Preview with unknowns, up as previewed, in an order that works; a second preview is empty; destroy leaves nothing."""
    values = everything("dev")
    with real_engine(tmp_path, *DEV) as engine:
        planned = engine.preview(values)
        assert planned.keys() == {"create"}
        assert {"Service gateway-dev", "ServiceIamMember gateway-calls-extract-dev"} <= engine.unknown
        assert engine.cloud.log == [], "a preview touches nothing"

        assert engine.up(values) == planned
        assert engine.unknown == set()
        puts = [line.removeprefix("put ") for line in engine.cloud.log]
        apis = {
            this
            for this, inputs in engine.books().items()
            if "service" in inputs and "disableOnDestroy" in inputs
        }
        assert set(puts[: len(apis)]) == apis, "every API comes before anything else"
        assert puts.index("ServiceIamMember extract-calls-archive-dev") < puts.index("Service extract-dev")
        assert puts.index("SecretIamMember archive-reads-api-key-dev") < puts.index("Service archive-dev")

        assert engine.preview(values) == {}
        engine.cloud.log.clear()
        assert engine.destroy() == {"delete": planned["create"]}
        assert [this for this in engine.books() if not this.startswith(KEPT)] == []
        assert {line.removeprefix("drop ") for line in engine.cloud.log[-len(apis) :]} == apis


def test_prod_is_not_destroyed_by_accident(tmp_path: Path) -> None:
    """Its services are protected: the bucket, the roles and the services themselves are all there afterwards."""
    with real_engine(tmp_path, "prod", *DEV[1:]) as engine:
        engine.up(filled_in("prod"))
        with pytest.raises(auto.CommandError, match="is protected: set deletionProtection to false"):
            engine.destroy()
        assert {
            "Service gateway-prod",
            "Service archive-prod",
            "Bucket documents-prod",
        } <= engine.books().keys()


def test_secrets_are_never_in_the_state_in_plain_text(tmp_path: Path) -> None:
    """Given with `pulumi config set --secret --path` they reach the channel, and state, stack file and outputs hide them."""
    secrets = {
        "slack.oncall.auth_token": "xoxb-hidden-1",
        "pagerduty.oncall.service_key": "hidden-2",
        "webhooks.own.password": "hidden-3",
    }
    values = with_options(filled_in("dev"), "notify")
    for path in secrets:
        values = changed(values, f"notify.{path}", ...)
    with real_engine(tmp_path, *DEV) as engine:
        engine.configure(values)
        for path, secret in secrets.items():
            engine.run("config", "set", "--secret", "--path", f"blueprint:notify.{path}", secret)
        told: list[str] = []
        engine.watched(lambda see: told.append(engine.handle.up(on_event=see, color="never").stdout))
        held = str(engine.books())
        state = engine.run("stack", "export")
        file = (tmp_path / "pulumi" / "Pulumi.dev.yaml").read_text(encoding="utf-8")
        for secret in secrets.values():
            assert secret in held, "the channel works"
            assert secret not in state
            assert secret not in file
            assert secret not in told[0]
        assert state.count("ciphertext") >= len(secrets)


def test_a_secret_outside_notify_is_refused(tmp_path: Path) -> None:
    """`pulumi config set --secret --path` on a service's variable would end as plain text in Cloud Run and in the state."""
    with real_engine(tmp_path, *DEV) as engine:
        engine.configure(filled_in("dev"))
        engine.run("config", "set", "--secret", "--path", "blueprint:services.gateway.env.GREETING", "s3cret")
        with pytest.raises(
            auto.CommandError, match=r"blueprint:services is .hidden., but must be without"
        ) as told:
            engine.watched(lambda see: engine.handle.preview(on_event=see, color="never"))
        assert "s3cret" not in str(told.value)
