"""Tokens can be trusted exactly as far as Google's, and permissions follow the bindings."""

from __future__ import annotations

import time

import pytest
from google.auth import jwt

from localcloud.identity import Identity, InvalidToken, Principal

GATEWAY = "gateway@local-project.iam.gserviceaccount.com"
URL = "http://127.0.0.1:8081"


class Clock:
    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def identity(clock: Clock) -> Identity:
    return Identity("local-project", clock)


def test_an_id_token_names_its_account_and_audience_for_an_hour(identity: Identity) -> None:
    claims = identity.verify_id_token(identity.id_token(GATEWAY, URL), [URL, "https://other"])
    assert claims["iss"] == "https://accounts.google.com"
    assert (claims["aud"], claims["email"], claims["email_verified"]) == (URL, GATEWAY, True)
    assert claims["exp"] - claims["iat"] == 3600
    assert claims["sub"] == claims["azp"] != ""


def test_an_id_token_for_another_audience_is_invalid(identity: Identity) -> None:
    with pytest.raises(InvalidToken, match="wrong audience"):
        identity.verify_id_token(identity.id_token(GATEWAY, URL), ["https://other"])


def test_an_expired_id_token_is_invalid(identity: Identity, clock: Clock) -> None:
    clock.now -= 3700
    with pytest.raises(InvalidToken, match="expired"):
        identity.verify_id_token(identity.id_token(GATEWAY, URL), [URL])


def test_an_id_token_that_somebody_else_signed_is_invalid(identity: Identity) -> None:
    with pytest.raises(InvalidToken, match="signature"):
        identity.verify_id_token(Identity("local-project").id_token(GATEWAY, URL), [URL])


def test_an_id_token_whose_signature_was_removed_is_invalid(identity: Identity) -> None:
    """Cloud Run forwards tokens so: they are good for reading claims, not for calling the next service."""
    head, claims, _ = identity.id_token(GATEWAY, URL).split(".")
    with pytest.raises(InvalidToken):
        identity.verify_id_token(f"{head}.{claims}.SIGNATURE_REMOVED_BY_GOOGLE", [URL])


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "..", "ü.ü.ü"])
def test_what_is_no_token_at_all_is_invalid(identity: Identity, token: str) -> None:
    with pytest.raises(InvalidToken):
        identity.verify_id_token(token, [URL])


def test_an_access_token_leads_back_to_its_principal_until_it_expires(
    identity: Identity, clock: Clock
) -> None:
    token, seconds = identity.access_token(GATEWAY, "us-central1")
    assert seconds == 3600
    assert identity.caller(f"Bearer {token}") == Principal(GATEWAY, "us-central1")
    clock.now += 3601
    assert identity.caller(f"Bearer {token}") is None


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Bearer unknown", "Basic {token}", "{token}"]
)
def test_a_header_without_a_known_bearer_token_is_nobody(identity: Identity, header: str | None) -> None:
    token, _ = identity.access_token(GATEWAY, "us-central1")
    assert identity.caller(header and header.format(token=token)) is None


def test_an_access_token_is_handed_out_again_until_shortly_before_its_end(
    identity: Identity, clock: Clock
) -> None:
    """So that google-auth, which renews 225 s before the end, gets a new one and not the old one again."""
    token, _ = identity.access_token(GATEWAY, "us-central1")
    assert identity.access_token(GATEWAY, "europe-west1")[0] != token
    clock.now += 3000
    assert identity.access_token(GATEWAY, "us-central1") == (token, 600)
    clock.now += 350
    renewed, seconds = identity.access_token(GATEWAY, "us-central1")
    assert (renewed == token, seconds) == (False, 3600)
    assert identity.caller(f"Bearer {token}") is not None, "the old one lives to its end"


@pytest.mark.parametrize(
    ("scope", "role", "member", "asked", "allowed"),
    [
        ("services/extract", "roles/run.invoker", f"serviceAccount:{GATEWAY}", "services/extract", True),
        ("services/extract", "roles/run.invoker", f"serviceAccount:{GATEWAY}", "services/archive", False),
        ("services/extract", "roles/run.invoker", "serviceAccount:other", "services/extract", False),
        (
            "services/extract",
            "roles/storage.objectUser",
            f"serviceAccount:{GATEWAY}",
            "services/extract",
            False,
        ),
        (
            "projects/local-project",
            "roles/run.invoker",
            f"serviceAccount:{GATEWAY}",
            "services/extract",
            True,
        ),
        ("services/extract", "roles/run.invoker", "allUsers", "services/extract", True),
        ("services/extract", "roles/run.invoker", "allAuthenticatedUsers", "services/extract", True),
    ],
)
def test_a_permission_comes_only_from_a_binding_on_the_scope_or_its_project(
    identity: Identity, scope: str, role: str, member: str, asked: str, allowed: bool
) -> None:
    identity.bind(scope, role, member)
    assert identity.allows(GATEWAY, "run.routes.invoke", asked) is allowed
    identity.unbind(scope, role, member)
    assert not identity.allows(GATEWAY, "run.routes.invoke", asked)


@pytest.mark.parametrize(("member", "allowed"), [("allUsers", True), ("allAuthenticatedUsers", False)])
def test_a_stranger_has_only_what_all_users_have(identity: Identity, member: str, allowed: bool) -> None:
    identity.bind("services/gateway", "roles/run.invoker", member)
    assert identity.allows(None, "run.routes.invoke", "services/gateway") is allowed


@pytest.mark.parametrize(
    ("role", "permission", "allowed"),
    [
        ("roles/cloudtrace.agent", "telemetry.traces.write", True),
        ("roles/cloudtrace.agent", "cloudtrace.traces.patch", True),
        ("roles/telemetry.tracesWriter", "telemetry.traces.write", True),
        ("roles/telemetry.tracesWriter", "cloudtrace.traces.patch", False),
        ("roles/aiplatform.user", "aiplatform.endpoints.predict", True),
        ("roles/cloudtrace.agent", "aiplatform.endpoints.predict", False),
        ("roles/storage.objectCreator", "storage.objects.get", False),
        ("roles/storage.objectUser", "storage.objects.delete", True),
        ("roles/storage.objectViewer", "storage.objects.create", False),
        ("roles/storage.objectViewer", "storage.buckets.get", False),
        ("roles/storage.legacyBucketReader", "storage.buckets.get", True),
    ],
)
def test_roles_hold_googles_permissions(
    identity: Identity, role: str, permission: str, allowed: bool
) -> None:
    identity.bind("projects/local-project", role, f"serviceAccount:{GATEWAY}")
    assert identity.allows(GATEWAY, permission, "projects/local-project") is allowed


def test_an_unknown_role_is_refused_with_the_known_ones(identity: Identity) -> None:
    with pytest.raises(ValueError, match=r"role has value 'roles/owner', .* roles/run\.invoker"):
        identity.bind("projects/local-project", "roles/owner", f"serviceAccount:{GATEWAY}")


def test_an_id_token_has_googles_shape(identity: Identity) -> None:
    """Three segments, RS256, a key id: what libraries look at before they verify."""
    header = jwt.decode_header(identity.id_token(GATEWAY, URL))
    assert (header["alg"], header["typ"], bool(header["kid"])) == ("RS256", "JWT", True)
