"""A service's desired state, read from the inputs of pulumi_gcp's cloudrunv2.Service, with Cloud Run's defaults filled in.

What would change behaviour and is not implemented is refused rather than ignored; labels, VPC and the like are inert.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from localcloud.resources import Refused

_UNITS = {"Ki": 1024, "Mi": 1024**2, "Gi": 1024**3, "k": 1000, "M": 1000**2, "G": 1000**3}
_RESERVED = {"PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION"}
_UNSUPPORTED = ("commands", "args", "volumeMounts", "dependsOns", "workingDir")


@dataclass(frozen=True)
class Probe:
    """A startup or liveness probe; `path` is "" for TCP."""

    path: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    initial_delay: float = 0.0
    timeout: float = 240.0
    period: float = 240.0
    failures: int = 1
    is_default: bool = True

    @property
    def allowance(self) -> float:
        """Seconds after which a starting instance has failed."""
        return self.initial_delay + self.failures * self.period

    @property
    def label(self) -> Literal["HTTP", "TCP"]:
        return "HTTP" if self.path else "TCP"


@dataclass(frozen=True)
class Template:
    """What one revision runs; equal templates are one revision."""

    image: str
    env: Mapping[str, str]
    service_account: str
    timeout: float
    concurrency: int
    min_instances: int
    max_instances: int
    cpu_idle: bool
    memory: int
    startup: Probe
    liveness: Probe | None


def read_template(spec: Mapping[str, Any], *, project: str, default_max: int) -> Template:
    """The template of `spec`; raises Refused for what this Cloud Run cannot run."""
    template = spec.get("template") or {}
    container = _only_container(spec, template)
    resources, scaling = container.get("resources"), template.get("scaling") or {}
    limits = (resources or {}).get("limits") or {}
    whole_service = spec.get("scaling") or {}
    return Template(
        image=container["image"],
        env=_environment(container),
        service_account=template.get("serviceAccount") or f"{project}-compute@developer.gserviceaccount.com",
        timeout=float(str(template.get("timeout") or "300s").rstrip("s")),
        concurrency=int(template.get("maxInstanceRequestConcurrency") or (80 if _cpus(limits) >= 1 else 1)),
        min_instances=max(int(s.get("minInstanceCount") or 0) for s in (scaling, whole_service)),
        max_instances=int(
            scaling.get("maxInstanceCount") or whole_service.get("maxInstanceCount") or default_max
        ),
        # Google's trap: without `resources` the default is true, with them an unset cpuIdle is false.
        cpu_idle=bool(resources.get("cpuIdle", False)) if resources else True,
        memory=_bytes(str(limits.get("memory") or "512Mi")),
        startup=_probe(container.get("startupProbe")) or Probe(),
        liveness=_probe(container.get("livenessProbe")),
    )


def _only_container(spec: Mapping[str, Any], template: Mapping[str, Any]) -> Mapping[str, Any]:
    containers = template.get("containers") or []
    if len(containers) != 1:
        raise Refused(
            f"template.containers has {len(containers)} entries; the local Cloud Run runs exactly one: remove sidecars."
        )
    for key in _UNSUPPORTED:
        if containers[0].get(key):
            raise Refused(
                f"template.containers[0].{key} is not supported by the local Cloud Run: put it into the image."
            )
    for target in spec.get("traffics") or []:
        if target.get("revision") or int(target.get("percent") or 100) != 100:
            raise Refused(
                "traffics splits traffic; the local Cloud Run sends 100 % to the latest revision: remove traffics."
            )
    container: Mapping[str, Any] = containers[0]
    return container


def _environment(container: Mapping[str, Any]) -> dict[str, str]:
    env = {}
    for variable in container.get("envs") or []:
        if variable.get("valueSource"):
            raise Refused(
                f"env {variable['name']} takes its value from a secret; the local Cloud Run allows plain values: set value."
            )
        env[variable["name"]] = str(variable.get("value") or "")
    if reserved := sorted(_RESERVED & env.keys()):
        raise Refused(
            f"The following reserved env names were provided: {', '.join(reserved)}. These values are automatically set by the system."
        )
    return env


def _probe(inputs: Mapping[str, Any] | None) -> Probe | None:
    if not inputs:
        return None
    if inputs.get("grpc"):
        raise Refused("A grpc probe is not supported by the local Cloud Run: use httpGet or tcpSocket.")
    http = inputs.get("httpGet")
    return Probe(
        path=(http.get("path") or "/") if http is not None else "",
        headers={h["name"]: h.get("value") or "" for h in (http or {}).get("httpHeaders") or []},
        initial_delay=float(inputs.get("initialDelaySeconds") or 0),
        timeout=float(inputs.get("timeoutSeconds") or 1),
        period=float(inputs.get("periodSeconds") or 10),
        failures=int(inputs.get("failureThreshold") or 3),
        is_default=False,
    )


def _cpus(limits: Mapping[str, Any]) -> float:
    cpu = str(limits.get("cpu") or "1")
    return float(cpu[:-1]) / 1000 if cpu.endswith("m") else float(cpu)


def _bytes(text: str) -> int:
    for unit, size in _UNITS.items():
        if text.endswith(unit):
            return int(float(text.removesuffix(unit)) * size)
    try:
        return int(text)
    except ValueError:
        raise Refused(
            f"resources.limits.memory has value {text!r}; allowed is a number with Ki, Mi or Gi, as in 512Mi."
        ) from None
