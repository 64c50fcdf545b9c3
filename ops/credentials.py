"""Sessions that carry an operator's Google credentials, and only to Google."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import google.auth
import requests
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import AuthorizedSession

from ops.errors import OperatorError

LOGIN = "run `gcloud auth application-default login`"
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


def default_project() -> str | None:
    """The project of the application default credentials. Raises `OperatorError` if there are none."""
    return _credentials()[1]


def _is_google(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" and (parts.hostname or "").endswith(".googleapis.com")


def _credentials() -> tuple[Any, str | None]:
    try:
        credentials, project = google.auth.default(scopes=[_SCOPE])
    except GoogleAuthError as error:
        raise OperatorError(
            f"No Google credentials were found: {LOGIN}; for a trace of the local cloud, keep `make local` running."
        ) from error
    return credentials, project
