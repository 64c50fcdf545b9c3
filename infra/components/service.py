"""One Cloud Run service: its account, what that account may do, and the service itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi_gcp import cloudrunv2, serviceaccount

from infra.components.bucket import Bucket
from infra.components.grants import gemini_user, invoker, object_user, secret_reader, trace_writer
from infra.mounts import readable
from infra.revision import template, traffic
from infra.stack import Stack
from infra.stated import stated

_INGRESS = {
    "all": "INGRESS_TRAFFIC_ALL",
    "internal": "INGRESS_TRAFFIC_INTERNAL_ONLY",
    "internal-and-load-balancing": "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER",
}


class Service(pulumi.ComponentResource):
    """The service `<name>-<stack>`. `services` and `buckets` hold at least those it names in `calls` and `buckets`.

    `image` is run where the stack file names none.
    """

    def __init__(
        self,
        stack: Stack,
        name: str,
        services: Mapping[str, Service],
        buckets: Mapping[str, Bucket],
        opts: pulumi.ResourceOptions | None = None,
        image: pulumi.Input[str] | None = None,
    ) -> None:
        super().__init__("blueprint:index:Service", stack.named(name), {}, opts)
        self.child = pulumi.ResourceOptions(parent=self)
        self.account = account(stack, name, self.child)
        grants = self.grants(stack, name, services, buckets)
        self.service = cloudrunv2.Service(
            stack.named(name),
            **arguments(stack, name, self.account.email, urls_of(stack, name, services), image),
            # A first revision that starts before its roles would lose its first spans and calls.
            opts=pulumi.ResourceOptions(parent=self, depends_on=grants),
        )
        if stack.services[name].public and not stack.services[name].invoker_iam_disabled:
            invoker(stack, f"{name}-public", self.service, "allUsers", self.child)
        self.name, self.url = self.service.name, self.service.uri
        self.register_outputs({"name": self.name, "url": self.url})

    def grants(
        self, stack: Stack, name: str, services: Mapping[str, Service], buckets: Mapping[str, Bucket]
    ) -> list[pulumi.Resource]:
        """Every role of this service's account: traces, Gemini if it names a model, and along `calls`, `buckets`, `secrets` only."""
        member = self.account.email.apply(lambda email: f"serviceAccount:{email}")
        config = stack.services[name]
        found: list[pulumi.Resource] = []
        if stack.tracing.reaches_google:
            found.append(trace_writer(stack, name, member, self.child))
        if config.uses_gemini:
            found.append(gemini_user(stack, name, member, self.child))
        for bucket in sorted(config.buckets):
            found.append(object_user(stack, name, bucket, buckets[bucket], member, self.child))
        for secret in readable(stack, name):
            found.append(secret_reader(stack, name, secret, member, self.child))
        for callee in sorted(config.calls):
            found.append(
                invoker(stack, f"{name}-calls-{callee}", services[callee].service, member, self.child)
            )
        return found


def account(stack: Stack, name: str, opts: pulumi.ResourceOptions) -> serviceaccount.Account:
    """An account of its own: no two services share rights."""
    return serviceaccount.Account(
        stack.named(name),
        account_id=stack.named(name),
        display_name=f"{name} · {stack.env}",
        project=stack.project,
        opts=opts,
    )


def urls_of(stack: Stack, name: str, services: Mapping[str, Service]) -> pulumi.Input[str]:
    """The JSON object of its callees' URLs, by logical name."""
    calls = {callee: services[callee].url for callee in stack.services[name].calls}
    return pulumi.Output.json_dumps(calls) if calls else "{}"


def arguments(
    stack: Stack,
    name: str,
    email: pulumi.Input[str],
    urls: pulumi.Input[str],
    image: pulumi.Input[str] | None = None,
) -> dict[str, Any]:
    """Arguments of the Cloud Run service."""
    service = stack.services[name]
    return {
        "name": stack.named(name),
        "location": stack.region,
        "project": stack.project,
        "ingress": _INGRESS[service.ingress],
        "invoker_iam_disabled": service.invoker_iam_disabled,
        # Unset it would be true, and `pulumi destroy` would fail.
        "deletion_protection": stack.is_production,
        "labels": stack.service_labels(name),
        "traffics": traffic(service),
        "template": template(stack, name, email, urls, _working_tree(stack, name) or image),
        **stated(custom_audiences=list(service.custom_audiences)),
    }


def _working_tree(stack: Stack, name: str) -> str | None:
    """What stack `local` runs for a service with code of its own; the template's is `local` alone."""
    source = stack.services[name].source
    return f"local/{source}" if stack.is_local and source else None
