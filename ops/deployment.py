"""What was deployed, as far as `verify` has to know it: of a stack, from its outputs and its stack file.

Only what is listed here is ever read of a stack file, so its record, which a local cloud serves, has no secrets. Knows no
requests and no traces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from infra.schema.tracing import TracingConfig
from ops.errors import OperatorError

LOCAL = "local"
RECEIVES = "receive"

DESTINATIONS = (
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "CLOUD_TRACE_ENDPOINT",
    "OTEL_SDK_DISABLED",
)
"""The variables of a service's own `env` that say where spans go, or that they do not; addresses hold no credentials there."""


@dataclass(frozen=True)
class Service:
    """One Cloud Run service. `run_name` is its name there, `step` its step in the example pipeline, if it is one,
    `ingress` from which networks it is reached."""

    name: str
    run_name: str
    url: str
    account: str
    public: bool = False
    calls: tuple[str, ...] = ()
    step: str = ""
    ingress: str = "all"
    destination: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Bucket:
    """A bucket by its global name; `reason` says why it may be elsewhere, if it may."""

    name: str
    reason: str = ""


@dataclass(frozen=True)
class Deployment:
    """`alerts` are the policies' resource names by title; services and buckets are by logical name."""

    stack: str
    project: str
    region: str
    exporter: str
    sample_ratio: float
    services: Mapping[str, Service]
    buckets: Mapping[str, Bucket]
    alerts: Mapping[str, str]

    @classmethod
    def of(cls, stack: str, config: Mapping[str, Any], outputs: Mapping[str, Any]) -> Self:
        """From the config of a stack file and the program's outputs; raises `OperatorError` if these do not fit together."""
        deployed = _outputs(stack, outputs)
        project, region = str(outputs["project"]), str(outputs["region"])
        tracing = {**TracingConfig().model_dump(), **_mapping(config, "blueprint:tracing")}
        declared, buckets = _mapping(config, "blueprint:services"), _mapping(config, "blueprint:buckets")
        if lacking := [name for name in declared if name not in deployed]:
            raise OperatorError(
                f"stacks/Pulumi.{stack}.yaml declares {', '.join(map(str, lacking))}, which stack {stack!r} has not deployed: "
                f"run `pulumi up --stack {stack}` first."
            )
        return cls(
            stack=stack,
            project=project,
            region=region,
            exporter=str(tracing["exporter"]),
            sample_ratio=_ratio(stack, tracing["sample_ratio"]),
            services={
                name: _service(name, _mapping(declared, name), each, project)
                for name, each in deployed.items()
            },
            buckets={
                name: Bucket(str(bucket), str(_mapping(buckets, name).get("cross_region_reason") or ""))
                for name, bucket in _mapping(outputs, "buckets").items()
            },
            alerts={str(title): str(name) for title, name in _mapping(outputs, "alerts").items()},
        )

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Self:
        """The inverse of `record`. Raises `OperatorError` for one of another version."""
        try:
            services = {
                name: Service(**{**each, "calls": tuple(each["calls"])})
                for name, each in record["services"].items()
            }
            buckets = {name: Bucket(**each) for name, each in record["buckets"].items()}
            return cls(**{**record, "services": services, "buckets": buckets})
        except (KeyError, TypeError, AttributeError) as error:
            raise OperatorError(
                "The local cloud was started by another version, and its record cannot be read: end `make local` and start it again."
            ) from error

    def record(self) -> dict[str, Any]:
        """As plain maps and lists, for JSON."""
        return asdict(self)

    @property
    def is_local(self) -> bool:
        """Whether a local cloud runs it."""
        return self.stack == LOCAL

    @property
    def file(self) -> str:
        """The stack file, for messages."""
        return f"stacks/Pulumi.{self.stack}.yaml"

    @property
    def redeploy(self) -> str:
        """How what the program declares is put in place, as a clause."""
        return (
            "end `make local` and start it again"
            if self.is_local
            else f"run `pulumi up --refresh --stack {self.stack}`"
        )

    def entries(self) -> list[Service]:
        """The public services; without any, those that no other one calls."""
        called = {callee for service in self.services.values() for callee in service.calls}
        public = [service for service in self.services.values() if service.public]
        return public or [service for service in self.services.values() if service.name not in called]

    def doors(self, *, document: bool = False) -> list[Service]:
        """The entries, and whatever else has to be asked so that every service is reached (see `along_calls`)."""
        called = {callee for service in self.services.values() for callee in service.calls}
        found = self.entries()
        reached = {name for service in found for name in self.along_calls(service.name, document=document)}
        for service in sorted(self.services.values(), key=lambda each: each.name in called):
            if service.name not in reached:
                found.append(service)
                reached |= {*self.along_calls(service.name, document=document)}
        return found

    def along_calls(self, entry: str, *, document: bool = False) -> list[str]:
        """The names of the services that a request to `entry` can reach, nearest first.

        The example's `document` is handed on to the first of a step's calls alone (app/routes.py).
        """
        found = [entry]
        for name in found:
            service = self.services[name]
            calls = service.calls[:1] if document and service.step else service.calls
            found += [callee for callee in calls if callee in self.services and callee not in found]
        return found

    def callers(self, name: str) -> list[str]:
        """Who may call a service."""
        return [service.name for service in self.services.values() if name in service.calls]


def _outputs(stack: str, outputs: object) -> Mapping[str, Any]:
    """The services of a program's outputs, which have what is needed."""
    if not isinstance(outputs, Mapping) or not outputs.get("services"):
        raise OperatorError(
            f"Stack {stack!r} has no output `services`, so nothing is deployed: run `pulumi up --stack {stack}` first."
        )
    services = outputs["services"]
    whole = isinstance(services, Mapping) and all(
        isinstance(each, Mapping) and {"name", "url"} <= set(each) for each in services.values()
    )
    if not whole or not {"project", "region"} <= set(outputs):
        raise OperatorError(
            f"Stack {stack!r} has not the outputs of infra/__main__.py (project, region, and a name and url of each service): "
            f"run `pulumi up --stack {stack}` first."
        )
    return {str(name): each for name, each in services.items()}


def _ratio(stack: str, value: object) -> float:
    try:
        ratio = float(str(value))
    except ValueError:
        ratio = -1.0
    if not 0 <= ratio <= 1:
        raise OperatorError(
            f"stacks/Pulumi.{stack}.yaml: blueprint:tracing.sample_ratio has value {value!r}; give a number from 0 to 1."
        )
    return ratio


def _service(name: str, declared: Mapping[str, Any], deployed: Mapping[str, Any], project: str) -> Service:
    env, calls = _mapping(declared, "env"), declared.get("calls")
    run_name = str(deployed["name"])
    # An account of a domain's project, example.com:shop, is at shop.example.com (cloud.google.com/iam/docs/service-account-types).
    home = ".".join(reversed(project.split(":")))
    return Service(
        name=name,
        run_name=run_name,
        url=str(deployed["url"]),
        account=f"{run_name}@{home}.iam.gserviceaccount.com",
        public=bool(declared.get("public")),
        calls=tuple(map(str, calls)) if isinstance(calls, list | tuple) else (),
        step=str(env.get("PIPELINE_STEP") or ""),
        ingress=str(declared.get("ingress") or "all"),
        destination={key: str(env[key]) for key in DESTINATIONS if isinstance(env.get(key), str | bool)},
    )


def _mapping(of: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A map in a map; nothing where there is none, or where Pulumi has it encrypted."""
    found = of.get(key)
    return found if isinstance(found, Mapping) and "secure" not in found else {}
