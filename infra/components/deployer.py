"""Who CI is: a GitHub workflow becomes a service account for an hour, without any key. What it may do: infra/deployer.py."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
from pulumi_gcp import artifactregistry, iam, projects, serviceaccount

from infra import deployer
from infra.components.registry import Registry
from infra.schema.ci import CiConfig
from infra.stack import Stack


class Deployer(pulumi.ComponentResource):
    """The pool and provider that GitHub's tokens are shown to, and the account `deployer-<stack>` that they open.

    `accounts` are those that services run as. `provider` and `account` (an e-mail) are what a workflow names; `previewer`
    is an account for pull requests that has no role in the project at all, or None.
    """

    def __init__(
        self,
        stack: Stack,
        ci: CiConfig,
        registry: Registry,
        accounts: Mapping[str, serviceaccount.Account],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("blueprint:index:Deployer", stack.named("deployer"), {}, opts)
        self.child = pulumi.ResourceOptions(parent=self)
        pool = self.identity_pool(stack)
        self.provider = self.identity_provider(stack, ci, pool).name
        account = self.opened_account(stack, "deployer", pool, deployer.DEPLOY)
        self.account = account.email
        member = _member(account)
        self.give(stack, "deploying", deployer.deploying(), member)
        self.give(stack, "granting", deployer.granting(), member, deployer.ON_RESOURCES)
        self.give(stack, "granting-on-project", deployer.granting_on_project(), member, deployer.ON_PROJECT)
        self.let_push(stack, registry, member)
        for name in sorted(accounts):
            self.let_deploy_as(stack, name, accounts[name], member)
        self.previewer = (
            self.opened_account(stack, "previewer", pool, deployer.PREVIEW).email if ci.previews else None
        )
        self.register_outputs({"provider": self.provider, "account": self.account})

    def identity_pool(self, stack: Stack) -> iam.WorkloadIdentityPool:
        """A pool for this stack alone: whoever is in it is in no other."""
        return iam.WorkloadIdentityPool(
            stack.named("github"),
            workload_identity_pool_id=stack.named("github"),
            display_name=f"GitHub · {stack.env}",
            project=stack.project,
            opts=self.child,
        )

    def identity_provider(
        self, stack: Stack, ci: CiConfig, pool: iam.WorkloadIdentityPool
    ) -> iam.WorkloadIdentityPoolProvider:
        return iam.WorkloadIdentityPoolProvider(
            stack.named("github"),
            workload_identity_pool_id=pool.workload_identity_pool_id,
            workload_identity_pool_provider_id="github",
            display_name="GitHub Actions",
            project=stack.project,
            attribute_condition=deployer.attribute_condition(ci),
            attribute_mapping=deployer.attribute_mapping(),
            oidc={"issuer_uri": deployer.ISSUER},
            opts=self.child,
        )

    def opened_account(
        self, stack: Stack, name: str, pool: iam.WorkloadIdentityPool, purpose: str
    ) -> serviceaccount.Account:
        """An account that tokens of one purpose open, and nothing else."""
        account = serviceaccount.Account(
            stack.named(name),
            account_id=stack.named(name),
            display_name=f"GitHub {name} · {stack.env}",
            project=stack.project,
            opts=self.child,
        )
        serviceaccount.IAMMember(
            stack.named(f"github-is-{name}"),
            service_account_id=account.name,
            role="roles/iam.workloadIdentityUser",
            member=pulumi.Output.concat(
                "principalSet://iam.googleapis.com/", pool.name, f"/attribute.purpose/{purpose}"
            ),
            opts=self.child,
        )
        return account

    def give(
        self,
        stack: Stack,
        name: str,
        permissions: list[str],
        member: pulumi.Input[str],
        only: tuple[str, ...] = (),
    ) -> None:
        """A role of the project, given to the deployer; if it gives roles itself, then `only` these."""
        role = projects.IAMCustomRole(
            stack.named(name),
            role_id=deployer.role_id(stack, name),
            title=f"Blueprint {name} · {stack.env}",
            permissions=permissions,
            project=stack.project,
            opts=self.child,
        )
        limit = projects.IAMMemberConditionArgs(title="only-these-roles", expression=deployer.only(only))
        projects.IAMMember(
            stack.named(f"deployer-{name}"),
            project=stack.project,
            role=role.name,
            member=member,
            condition=limit if only else None,
            opts=self.child,
        )

    def let_push(self, stack: Stack, registry: Registry, member: pulumi.Input[str]) -> None:
        """Pushes and reads images, of this stack's repository only."""
        artifactregistry.RepositoryIamMember(
            stack.named("deployer-pushes"),
            repository=registry.repository.repository_id,
            location=stack.region,
            project=stack.project,
            role="roles/artifactregistry.writer",
            member=member,
            opts=self.child,
        )

    def let_deploy_as(
        self, stack: Stack, name: str, account: serviceaccount.Account, member: pulumi.Input[str]
    ) -> None:
        """A revision runs as its service's account; on the project this would be a right to be any account of it."""
        serviceaccount.IAMMember(
            stack.named(f"deployer-deploys-{name}"),
            service_account_id=account.name,
            role="roles/iam.serviceAccountUser",
            member=member,
            opts=self.child,
        )


def _member(account: serviceaccount.Account) -> pulumi.Output[str]:
    return pulumi.Output.concat("serviceAccount:", account.email)
