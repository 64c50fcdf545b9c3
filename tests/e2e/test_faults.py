"""Ten faults planted on a local cloud, each named by the command that is for it: `verify` or `explain`. And none where nothing is wrong."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
import typer
from chain import CHAIN, FRONT, LAST, MIDDLE, ROOT, Running, eventually, faulty_chain, running
from typer.testing import CliRunner

from localcloud.run.options import RunOptions
from ops import stackfile
from ops.checks import Check
from ops.explain import explain
from ops.stackfile import Config
from ops.story import FAR
from ops.verify.command import verify

pytestmark = pytest.mark.xdist_group("cloud")

VERIFY, EXPLAIN = typer.Typer(), typer.Typer()
VERIFY.command()(verify)
EXPLAIN.command()(explain)
NOWHERE = "http://127.0.0.1:9/v1/traces"
PIPELINE = ("gateway", "extract", "archive")


def _cold() -> Config:
    """The stack `local`, with instances only while somebody asks, as in dev."""
    config = stackfile.load(ROOT, "local")
    for name in PIPELINE:
        config = stackfile.changed(config, "services", name, "min_instances", value=0)
    return config


COLD, HEALTHY = _cold(), faulty_chain(1.0)
DEPLOYED: dict[Running, Config] = {}


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Three services of a team's own, with faults on demand."""
    with running(HEALTHY, tmp_path_factory.mktemp("chain")) as chain:
        DEPLOYED[chain] = HEALTHY
        yield chain


def deploy(chain: Running, config: Config) -> None:
    """Deploy what is not deployed; it takes seconds."""
    if DEPLOYED.get(chain) != config:
        chain.environment.up(config)
        DEPLOYED[chain] = config


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The pipeline, whose instances end after a few idle seconds."""
    options = RunOptions(idle_timeout=3.0)
    with running(COLD, tmp_path_factory.mktemp("pipeline"), "gateway", options) as chain:
        DEPLOYED[chain] = COLD
        yield chain


def verified(chain: Running, request: str = "") -> list[Check]:
    """What `blueprint verify --json` prints, and that its status agrees."""
    asked = ["--request", request] if request else []
    arguments = ["--endpoint", chain.environment.url, "--timeout", "20", "--json", *asked]
    done = CliRunner().invoke(VERIFY, arguments)
    told: dict[str, Any] = json.loads(done.stdout)
    assert done.exit_code == (0 if told["ok"] else 1)
    assert told["ok"] == all(check["ok"] for check in told["checks"])
    return [Check(**check) for check in told["checks"]]


# ---- by verify -----------------------------------------------------------------------------------------------------

Plant = Callable[[Running], contextlib.AbstractContextManager[object]]


@dataclass(frozen=True)
class Fault:
    """What is planted, and what the first check that fails says of it. `anew` are services that start again before it:
    an instance says the same of its exports once a minute."""

    check: str
    says: str
    mends: str
    request: str = "GET /work"
    anew: tuple[str, ...] = ()
    plant: Plant = lambda chain: contextlib.nullcontext()
    config: Callable[[Config], Config] = lambda config: config


@contextlib.contextmanager
def without_role(chain: Running) -> Iterator[None]:
    """`middle` may not write traces."""
    grant = (
        "projects/blueprint-local",
        "roles/cloudtrace.agent",
        "serviceAccount:middle-local@blueprint-local.iam.gserviceaccount.com",
    )
    chain.environment.identity.unbind(*grant)
    yield
    chain.environment.identity.bind(*grant)


@contextlib.contextmanager
def api_off(chain: Running) -> Iterator[None]:
    """The Telemetry API is off in the project."""
    chain.environment.projects.disable("telemetry.googleapis.com")
    yield
    chain.environment.projects.enable("telemetry.googleapis.com")


def with_env(config: Config, service: str, key: str, value: str) -> Config:
    """One variable more, of that service alone: those of a chain are one object."""
    env = {**config["blueprint:services"][service]["env"], key: value}
    own = {**config["blueprint:services"][service], "env": env}
    return stackfile.changed(config, "services", service, value=own)


FAULTS = {
    "propagator removed": Fault(
        "spans of every service",
        "front does not propagate the trace context to it. Without spans too: last.",
        "in front, call middle by app/calls.py",
        request=f"GET /work?{FRONT}=forgets",
    ),
    "role missing": Fault(
        "spans of every service",
        "middle says that its exports are refused (403): middle-local@blueprint-local.iam.gserviceaccount.com lacks "
        "roles/cloudtrace.agent on project blueprint-local.",
        "gcloud projects add-iam-policy-binding blueprint-local --member "
        "serviceAccount:middle-local@blueprint-local.iam.gserviceaccount.com --role roles/cloudtrace.agent",
        anew=(MIDDLE,),
        plant=without_role,
    ),
    "API disabled": Fault(
        "entry span",
        "front says that its exports are refused (403): the API telemetry.googleapis.com is off in project blueprint-local",
        "gcloud services enable telemetry.googleapis.com --project blueprint-local",
        anew=CHAIN,
        plant=api_off,
    ),
    "exporter pointed nowhere": Fault(
        "spans of every service",
        f"last says that its exports do not get through: {NOWHERE} (OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) cannot be reached "
        "(connection refused).",
        "correct services.last.env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT in stacks/Pulumi.local.yaml",
        config=lambda config: with_env(config, LAST, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", NOWHERE),
    ),
    "sampling 0": Fault(
        "kept",
        "sample_ratio is 0: only errors and slow requests are kept",
        "set blueprint:tracing.sample_ratio above 0 in stacks/Pulumi.local.yaml",
        config=lambda config: stackfile.changed(config, "tracing", "sample_ratio", value=0.0),
    ),
}


def test_verify_finds_nothing_wrong_with_a_healthy_chain(chain: Running) -> None:
    """All checks, in their order, all ok."""
    deploy(chain, HEALTHY)
    checks = verified(chain, "GET /work")
    assert [check for check in checks if not check.ok] == []
    assert [check.name for check in checks] == [
        "reachable",
        "kept",
        "entry span",
        "spans of every service",
        "parents",
        "logs",
        "correlation",
        "alert policies",
        "bucket locations",
    ]


@pytest.mark.parametrize("name", FAULTS)
def test_verify_names_the_fault_and_what_mends_it(chain: Running, name: str) -> None:
    """The first failing check is the cause, in one sentence; logs are there whatever became of the spans."""
    fault = FAULTS[name]
    config = fault.config(HEALTHY)
    for service in fault.anew:
        config = with_env(config, service, "PLANTED", name)
    deploy(chain, config)
    begun = time.monotonic()
    with fault.plant(chain):
        checks = {check.name: check for check in verified(chain, fault.request)}
    assert time.monotonic() - begun < 15, "evidence ends the wait"
    first = next(check for check in checks.values() if not check.ok)
    assert first.name == fault.check
    assert fault.says in first.detail
    assert fault.mends in first.remedy
    assert checks["reachable"].ok
    assert checks["logs"].ok is (name != "propagator removed")
    assert checks["alert policies"].ok
    assert checks["bucket locations"].ok
    assert "correlation" not in checks, "without spans there is nothing to lead to"


def test_a_private_service_that_nobody_calls_is_not_passed_over(chain: Running) -> None:
    """Nothing leads to it, so it is asked by itself, with the ID token of the laptop's owner."""
    aside = {**HEALTHY["blueprint:services"][LAST]}
    deploy(chain, stackfile.changed(HEALTHY, "services", "aside", value=aside))
    checks = {check.name: check for check in verified(chain, "GET /work")}
    assert checks["reachable (aside)"].detail.startswith("GET / to aside: ")
    assert [name for name, check in checks.items() if not check.ok] == []


# ---- by explain ----------------------------------------------------------------------------------------------------


def verdict(chain: Running, trace_id: str) -> dict[str, Any]:
    """What `blueprint explain --json` says of a trace, once no more of its spans come."""
    seen = [-1]

    def quiet() -> bool:
        time.sleep(0.3)  # spans are sent after 50 ms; nobody says which are the last
        seen.append(len(chain.trace(trace_id).spans))
        return seen[-1] == seen[-2] > 0

    assert eventually(quiet)
    done = CliRunner().invoke(EXPLAIN, [trace_id, "--endpoint", chain.environment.url, "--json"])
    told: dict[str, Any] = json.loads(done.stdout)["verdict"]
    return told


@pytest.fixture(scope="module")
def sluggish() -> Iterator[int]:
    """The port of a dependency that takes 400 ms and sends no spans."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(0.4)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


SLOW = {
    "slow dependency": ("slow_dependency", LAST, f"{LAST}=PORT-port"),
    "retry storm": ("retries", MIDDLE, f"{LAST}=503"),
    "spent deadline": ("deadline_spent", FRONT, f"{FRONT}=800-ms&{LAST}=400-ms"),
}


@pytest.mark.parametrize("name", SLOW)
def test_explain_names_why_a_request_was_slow(chain: Running, sluggish: int, name: str) -> None:
    """The cause, and the service where it is."""
    cause, service, query = SLOW[name]
    budget = with_env(HEALTHY, FRONT, "REQUEST_BUDGET_MS", "1000")
    deploy(chain, budget if name == "spent deadline" else HEALTHY)
    chain.ask()  # connections and tokens are there
    found = verdict(chain, sent(chain, query.replace("PORT", str(sluggish))))
    assert (found["cause"], found["service"]) == (cause, service), found["sentence"]


def sent(chain: Running, query: str = "") -> str:
    """The trace of a request to the chain."""
    return chain.ask(query).headers["traceresponse"].split("-")[1]


# ---- the pipeline, cold and far ------------------------------------------------------------------------------------


def test_a_cold_stack_is_explained_but_is_not_broken(pipeline: Running) -> None:
    """The first request finds no instance and may exhaust its 1000 ms; then verify asks again, and finds nothing wrong."""
    deploy(pipeline, COLD)
    assert eventually(lambda: not instances(pipeline)), "idle instances end"
    marked, read = 'httpRequest.userAgent:"blueprint-verify"', pipeline.google.entries
    before = len(read(marked))
    checks = verified(pipeline)
    assert [check for check in checks if not check.ok] == []
    first = read(marked)[before]
    found = verdict(pipeline, first["trace"].rpartition("/")[2])
    assert found["cause"] == "cold_start", found["sentence"]


def instances(chain: Running) -> int:
    """How many containers run."""
    return sum(1 for _ in chain.environment.directory.glob("homes/*"))


def test_a_bucket_abroad_is_named_as_the_cause_of_a_slow_request(pipeline: Running) -> None:
    """Verify, which calls slow things broken only where spans are missing, shows where it is and the stack's own reason."""
    config = stackfile.changed(COLD, "buckets", "documents", value=FAR)
    for name in PIPELINE:
        config = stackfile.changed(config, "services", name, "min_instances", value=1)
    config = stackfile.changed(config, "services", "gateway", "env", "REQUEST_BUDGET_MS", value="20000")
    deploy(pipeline, config)
    pipeline.send({})  # connections and tokens are there
    found = verdict(pipeline, pipeline.send({}).json()["trace_id"])
    assert found["cause"] == "cross_region_storage", found["sentence"]
    checks = verified(pipeline)
    assert [check for check in checks if not check.ok] == []
    assert checks[-1].detail.startswith("documents in australia-southeast1 (re-enacts")
