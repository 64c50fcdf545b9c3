"""Sessions that carry an operator's Google credentials, and only to Google."""

import functools
import warnings
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import google.auth
import requests
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import AuthorizedSession, Request

from ops.errors import OperatorError

LOGIN = "gcloud auth application-default login"
_TIMEOUT_S = 10
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"


def session_for(urls: Iterable[str]) -> requests.Session:
    """One with application default credentials if every address is Google's; else a plain one that ignores proxies.

    So no token ever goes to another host. Raises `OperatorError` if there are no credentials.
    """
    if all(map(_is_google, urls)):
        authorized: requests.Session = AuthorizedSession(_credentials()[0])  # type: ignore[no-untyped-call]  # google-auth has none here
        return authorized
    plain = requests.Session()
    plain.trust_env = False
    return plain


def refresh(session: requests.Session) -> str:
    """Get a token for a session of `session_for`, and say whose it is. Raises `OperatorError` if there is none to get."""
    credentials = getattr(session, "credentials", None)
    if credentials is None:
        return "none needed"
    try:
        with requests.Session() as plain:
            credentials.refresh(functools.partial(Request(session=plain), timeout=_TIMEOUT_S))
    except GoogleAuthError as error:
        reason = " ".join(str(error).split())[:200]
        raise OperatorError(f"Google gives no token ({reason}): run `{LOGIN}`.") from error
    return str(getattr(credentials, "service_account_email", None) or "application default credentials")


def default_project() -> str | None:
    """The project of the application default credentials. Raises `OperatorError` if there are none."""
    return _credentials()[1]


def _is_google(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" and (parts.hostname or "").endswith(".googleapis.com")


def _credentials() -> tuple[Any, str | None]:
    try:
        with warnings.catch_warnings():
            # Without a quota project google-auth warns before every answer; `doctor` and the refusals tell what to do.
            warnings.filterwarnings("ignore", message=".*end user credentials", category=UserWarning)
            credentials, project = google.auth.default(scopes=[_SCOPE])
    except GoogleAuthError as error:
        raise OperatorError(
            f"No Google credentials were found: run `{LOGIN}`; for a trace of the local cloud, keep `make local` running."
        ) from error
    return credentials, project
