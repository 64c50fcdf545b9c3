"""Lets Google's own agents use the stack's key (CMEK); the key itself is made by whoever guards it.

Why the agents are found like this, and the one step by hand: docs/decisions/0040.
"""

from __future__ import annotations

import re

import pulumi
from pulumi_gcp import kms, projects

from infra.stack import Stack

KEY_ROLE = "roles/cloudkms.cryptoKeyEncrypterDecrypter"


class Encryption(pulumi.ComponentResource):
    """The role on the key for the agents of Cloud Run, Artifact Registry and Cloud Storage; what is encrypted waits for it."""

    def __init__(self, stack: Stack, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("blueprint:index:Encryption", stack.named("encryption"), {}, opts)
        self.child = pulumi.ResourceOptions(parent=self)
        run = self.agent(stack, "run")
        self.grant(stack, "run", run)
        self.grant(stack, "artifactregistry", self.agent(stack, "artifactregistry"))
        self.grant(stack, "storage", run.apply(storage_agent))
        self.register_outputs({})

    def agent(self, stack: Stack, api: str) -> pulumi.Output[str]:
        """The e-mail of an API's agent, which is made if it does not exist yet."""
        return projects.ServiceIdentity(
            stack.named(f"{api}-agent"),
            service=f"{api}.googleapis.com",
            project=stack.project,
            opts=self.child,
        ).email

    def grant(self, stack: Stack, api: str, email: pulumi.Output[str]) -> None:
        """The agent may encrypt and decrypt. Destroying one stack must not take that from another stack of the project."""
        kms.CryptoKeyIAMMember(
            stack.named(f"{api}-agent-uses-key"),
            crypto_key_id=stack.encryption_key,
            role=KEY_ROLE,
            member=email.apply(lambda email: f"serviceAccount:{email}"),
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True),
        )


def storage_agent(run_agent: str) -> str:
    """Cloud Storage's agent of the project whose Cloud Run agent is given: both have the project's number in their names.

    Raises ValueError for an address without one.
    """
    number = re.match(r"service-([0-9]+)@", run_agent)
    if number is None:
        raise ValueError(
            f"{run_agent} is no address such as service-123@serverless-robot-prod.iam.gserviceaccount.com"
        )
    return f"service-{number[1]}@gs-project-accounts.iam.gserviceaccount.com"
