"""`blueprint:services.<name>`: one Cloud Run service. Limits are Cloud Run's own unless a field says otherwise."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from infra.schema.model import Model
from infra.schema.objectives import ObjectivesConfig
from infra.schema.secret import SecretConfig
from infra.schema.traffic import TrafficConfig
from infra.schema.vpc import VpcConfig

Audience = Annotated[
    str, StringConstraints(pattern=r"^https://[^\s?#]+$"), Field(description="an https address")
]
Callee = Annotated[str, Field(description="the name of another service in this stack")]
Bucket = Annotated[str, Field(description="a name under blueprint:buckets")]


def _as_text(value: Any) -> Any:
    """YAML's numbers and booleans as the text a process sees; anything else unchanged, for the model to judge."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


Value = Annotated[str, BeforeValidator(_as_text), Field(description="text, a number, or true or false")]


class ServiceConfig(Model):
    """One service, deployed as `<name>-<stack>` with a service account of its own."""

    image: str | None = Field(
        default=None,
        min_length=1,
        title="container image, by digest except in `dev` and `dev-…`; stack `local` runs the working tree, and `build` makes one",
        description="an image with a tag or digest, such as europe-west1-docker.pkg.dev/my-project/services-dev/app@sha256:…",
    )
    source: str | None = Field(
        default=None,
        pattern=r"^services/[a-z]([a-z0-9-]*[a-z0-9])?$",
        title="directory that its code and Dockerfile are in, for a service that is not the template: `build` and the pipeline make its image from there, and stack `local` runs it",
        description="services/<directory>, which holds a Dockerfile, or absent for the template itself",
    )
    calls: tuple[Callee, ...] = Field(
        default=(),
        title="services it calls: each gets its URL into `SERVICE_URLS`, and this service may invoke it",
        description="a list of other services' names in this stack",
    )
    buckets: tuple[Bucket, ...] = Field(
        default=(),
        title="buckets it stores objects in and reads them from",
        description="a list of names under blueprint:buckets",
    )
    public: bool = Field(
        default=False, title="whether anyone may call it without a token", description="true or false"
    )
    timeout: int = Field(
        default=60,
        ge=1,
        le=3600,
        title="request timeout, after which Cloud Run answers 504 (the container works on)",
        description="whole seconds from 1 to 3600",
    )
    cpu: float = Field(
        default=1,
        title="vCPUs per instance",
        description="1, 2, 4, 6 or 8, or a fraction from 0.08 to below 1",
    )
    memory: str = Field(
        default="512Mi",
        pattern=r"^[1-9][0-9]{0,8}(Mi|Gi)$",
        title="memory per instance; files written count too",
        description="a quantity in Mi or Gi, such as 512Mi",
    )
    concurrency: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        title="requests one instance serves at once (80, or 1 below one vCPU)",
        description="a whole number from 1 to 1000",
    )
    min_instances: int = Field(
        default=0,
        ge=0,
        le=1000,
        title="instances kept warm; each is billed while idle",
        description="a whole number from 0 to max_instances",
    )
    max_instances: int = Field(
        default=10,
        ge=1,
        le=1000,
        title="instances at most; beyond them requests wait, then get 429",
        description="a whole number from 1 to 1000",
    )
    billing: Literal["request", "instance"] = Field(
        default="request",
        title="`request`: CPU only while a request is served; `instance`: CPU always",
        description="request or instance",
    )
    env: dict[str, Value] = Field(
        default={},
        title="the application's own settings",
        description="a map of variable names to text, numbers or booleans",
    )
    env_accepted: tuple[str, ...] = Field(
        default=(),
        title="variables of `env` or `secrets` whose names look like a secret's or like a slip, or whose values look like a secret, and are neither",
        description="a list of variable names",
    )
    secrets: dict[str, SecretConfig] = Field(
        default={},
        title="secrets of Secret Manager, by the variable that holds each, or its path",
        description="a map of secrets by variable name",
    )
    labels: dict[str, str] = Field(
        default={},
        title="labels of this service and its revisions, beside those of the stack",
        description="a map of labels to text",
    )
    ingress: Literal["all", "internal", "internal-and-load-balancing"] = Field(
        default="all",
        title="from which networks it is reached; IAM decides who may call in each case",
        description="all, internal or internal-and-load-balancing",
    )
    invoker_iam_disabled: bool = Field(
        default=False,
        title="whether `public` skips the check for a role instead of granting it to `allUsers`, which some organisations forbid",
        description="true or false",
    )
    custom_audiences: tuple[Audience, ...] = Field(
        default=(),
        title="audiences of ID tokens that it takes beside its own URL",
        description="a list of https addresses",
    )
    vpc: VpcConfig | None = Field(
        default=None,
        title="Direct VPC egress",
        description="a map of network, subnetwork, egress, private_run_app and tags, or absent",
    )
    traffic: tuple[TrafficConfig, ...] = Field(
        default=(),
        title="shares of traffic by revision, for a canary or a rollback",
        description="a list of shares, each with revision, percent and tag; empty for the latest revision alone",
    )
    expected_rps: float = Field(
        default=0,
        ge=0,
        le=1e9,
        title="requests a second that are expected on average, for the estimate of costs",
        description="a number from 0 to 1000000000",
    )
    objectives: ObjectivesConfig | None = Field(
        default=None,
        title="what it promises; a `public` service has the defaults if it names none",
        description="a map of availability, latency_ms, latency_share, or absent",
    )

    @property
    def promises(self) -> ObjectivesConfig | None:
        """Its objectives; those of a private service are its callers' business unless it names some."""
        return self.objectives or (ObjectivesConfig() if self.public else None)

    @property
    def requests_at_once(self) -> int:
        """Concurrency, explicit even where the operator left Cloud Run's own default."""
        return self.concurrency or (80 if self.cpu >= 1 else 1)

    @property
    def uses_gemini(self) -> bool:
        """Whether the application asks a Gemini model, which it does if `GEMINI_MODEL` names one."""
        return bool(self.env.get("GEMINI_MODEL"))

    @property
    def memory_mib(self) -> int:
        """Memory in MiB."""
        return int(self.memory[:-2]) * (1024 if self.memory.endswith("Gi") else 1)


def image_name(source: str | None) -> str:
    """The name, in a stack's registry, of the image that is built from `source`; `app` is the template's."""
    return source.removeprefix("services/") if source else "app"
