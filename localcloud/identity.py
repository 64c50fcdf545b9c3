"""Who may do what: access tokens, signed ID tokens, and the IAM bindings that decide.

It knows only the roles the blueprint grants; conditions, groups and inherited organisation policies do not exist here.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import crypt, exceptions, jwt

ISSUER = "https://accounts.google.com"
OWNER = "owner@localhost"
"""Whoever runs the local cloud. Like the owner of a project, allowed everything in it."""

LIFETIME_S = 3600
# A metadata server hands out the token it has until shortly before its end: google-auth asks anew 225 s before.
RENEW_S = 300

_TRACES = frozenset({"telemetry.traces.write"})
_OBJECTS = frozenset(f"storage.objects.{verb}" for verb in ("get", "list", "create", "delete", "update"))

# https://cloud.google.com/iam/docs/roles-permissions, cut down to the permissions that localcloud checks, or, where it
# keeps the books only (secrets, keys, images, federation), to the one that the role is given for.
ROLES: Mapping[str, frozenset[str]] = {
    "roles/cloudtrace.agent": _TRACES | {"cloudtrace.traces.patch"},
    "roles/telemetry.tracesWriter": _TRACES,
    "roles/run.invoker": frozenset({"run.routes.invoke"}),
    "roles/storage.objectViewer": frozenset({"storage.objects.get", "storage.objects.list"}),
    "roles/storage.objectCreator": frozenset({"storage.objects.create"}),
    "roles/storage.objectUser": _OBJECTS,
    "roles/storage.objectAdmin": _OBJECTS,
    "roles/storage.legacyBucketReader": frozenset({"storage.buckets.get", "storage.objects.list"}),
    "roles/logging.logWriter": frozenset({"logging.logEntries.create"}),
    "roles/aiplatform.user": frozenset({"aiplatform.endpoints.predict"}),
    "roles/monitoring.metricWriter": frozenset({"monitoring.timeSeries.create"}),
    "roles/secretmanager.secretAccessor": frozenset({"secretmanager.versions.access"}),
    "roles/cloudkms.cryptoKeyEncrypterDecrypter": frozenset({"cloudkms.cryptoKeyVersions.useToEncrypt"}),
    "roles/iam.workloadIdentityUser": frozenset({"iam.serviceAccounts.getAccessToken"}),
    "roles/iam.serviceAccountUser": frozenset({"iam.serviceAccounts.actAs"}),
    "roles/artifactregistry.writer": frozenset({"artifactregistry.repositories.uploadArtifacts"}),
}
_CUSTOM = re.compile(r"^(projects|organizations)/[^/]+/roles/[A-Za-z0-9_.]{3,64}$")


class InvalidToken(Exception):
    """The ID token is malformed, expired, signed by someone else or meant for another audience."""


@dataclass(frozen=True)
class Principal:
    """Whose token it is, and the region of the instance that it was issued to."""

    email: str
    region: str


class Identity:
    """Tokens and bindings of one project; they live as long as the process."""

    def __init__(self, project: str, clock: Callable[[], float] = time.time) -> None:
        self._project = f"projects/{project}"
        self._clock = clock
        self._bindings: set[tuple[str, str, str]] = set()
        self._custom: dict[str, frozenset[str]] = {}
        self._tokens: dict[str, tuple[Principal, float]] = {}
        self._current: dict[Principal, str] = {}
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self._signer = crypt.RSASigner.from_string(private, key_id="localcloud")  # type: ignore[no-untyped-call]  # google-auth's own
        self._public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def bind(self, scope: str, role: str, member: str) -> None:
        """Grant `role` on `scope` (`projects/P`, `services/NAME`, `buckets/NAME`); ValueError for an unknown role.

        A custom role holds what `define` says, before or after.
        """
        if not is_role(role):
            raise ValueError(unknown_role(role))
        self._bindings.add((scope, role, member))

    def unbind(self, scope: str, role: str, member: str) -> None:
        """Take a grant back; one that does not exist is no error."""
        self._bindings.discard((scope, role, member))

    def bindings(self) -> list[tuple[str, str, str]]:
        """Every grant as (scope, role, member), in order."""
        return sorted(self._bindings)

    def define(self, role: str, permissions: Collection[str]) -> None:
        """What a custom role (`projects/P/roles/ID`) holds from now on; none at all once it is deleted."""
        self._custom[role] = frozenset(permissions)

    def access_token(self, email: str, region: str) -> tuple[str, int]:
        """An opaque token and the seconds it still lives; the same one until shortly before its end."""
        principal, now = Principal(email, region), self._clock()
        token = self._current.get(principal)
        if token is None or self._tokens[token][1] - now < RENEW_S:
            self._tokens = {old: held for old, held in self._tokens.items() if held[1] > now}
            token = self._current[principal] = f"ya29.{secrets.token_urlsafe(32)}"
            self._tokens[token] = (principal, now + LIFETIME_S)
        return token, int(self._tokens[token][1] - now)

    def id_token(self, email: str, audience: str) -> str:
        """A signed ID token for one audience, valid for an hour."""
        now = int(self._clock())
        subject = str(int.from_bytes(hashlib.sha256(email.encode()).digest()[:8], "big"))
        claims: dict[str, Any] = {"iss": ISSUER, "aud": audience, "azp": subject, "sub": subject}
        claims |= {"email": email, "email_verified": True, "iat": now, "exp": now + LIFETIME_S}
        return str(jwt.encode(self._signer, claims).decode())  # type: ignore[no-untyped-call]  # google-auth's own

    def caller(self, authorization: str | None) -> Principal | None:
        """The principal of a `Bearer` access token; None if it is missing, unknown or expired."""
        scheme, _, token = (authorization or "").partition(" ")
        principal, end = self._tokens.get(token.strip(), (None, 0.0))
        return principal if scheme.lower() == "bearer" and end > self._clock() else None

    def verify_id_token(self, token: str, audiences: Collection[str]) -> Mapping[str, Any]:
        """The claims of a token that we signed for one of `audiences`; raises InvalidToken."""
        try:
            claims: Mapping[str, Any] = jwt.decode(token, certs=self._public, audience=list(audiences))  # type: ignore[no-untyped-call]  # google-auth's own
        except (exceptions.GoogleAuthError, ValueError, TypeError) as error:
            raise InvalidToken(str(error)) from error
        return claims

    def allows(self, email: str | None, permission: str, scope: str) -> bool:
        """Whether a member (None: a stranger) has `permission` on `scope`, or on the project above it."""
        if email == OWNER:
            return True
        members = {"allUsers"}
        if email:
            members |= {"allAuthenticatedUsers", f"serviceAccount:{email}", f"user:{email}"}
        return any(
            permission in (ROLES.get(role) or self._custom.get(role, frozenset()))
            for held, role, member in self._bindings
            if held in (scope, self._project) and member in members
        )


def is_role(role: str) -> bool:
    """Whether localcloud knows the role: one of `ROLES`, or any custom role by its full name."""
    return role in ROLES or bool(_CUSTOM.match(role))


def unknown_role(role: str) -> str:
    """The sentence for a role that localcloud does not know."""
    return f"role has value {role!r}, which localcloud does not know: it knows {', '.join(sorted(ROLES))}"
