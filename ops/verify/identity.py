"""The caller's ID token for a private service: of a service account by its credentials, of a person by gcloud."""

from __future__ import annotations

import shutil
import subprocess
from urllib.parse import urlsplit

from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request
from google.oauth2 import id_token as google_id_token

_TIMEOUT_S = 30


def id_token(url: str) -> str:
    """A token that a Cloud Run service takes, or "" where the caller can have none.

    A person's token is good for any service that he may call (cloud.google.com/run/docs/authenticating/developers), so it
    goes to Cloud Run's own addresses only.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" or not (parts.hostname or "").endswith(".run.app"):
        return ""
    try:
        return str(google_id_token.fetch_id_token(Request(), url))  # type: ignore[no-untyped-call]  # google-auth has none here
    except GoogleAuthError:
        return _of_gcloud(f"--audiences={url}") or _of_gcloud()


def _of_gcloud(*options: str) -> str:
    """A service account's token has to be for the service, and a person's cannot be
    (cloud.google.com/sdk/gcloud/reference/auth/print-identity-token)."""
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        return ""
    try:
        done = subprocess.run(
            [gcloud, "auth", "print-identity-token", *options],
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_S,
        )
    except (subprocess.TimeoutExpired, OSError, UnicodeDecodeError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
