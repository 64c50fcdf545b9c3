"""The service account's access token for the Telemetry API, from the metadata server.

google-auth gives the same and needs 10 MB and 30 ms for it, mostly for keys that an instance on Google does not have;
elsewhere it is used (`exporters.py`). https://docs.cloud.google.com/compute/docs/access/authenticate-workloads
"""

import json
import time
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from typing import Any

import requests
from requests.auth import AuthBase

PATH = "computeMetadata/v1/instance/service-accounts/default/token"
TIMEOUT_S = 2.0
# The metadata server hands out a new token from five minutes before the old one ends.
EARLY_S = 240.0


class MetadataToken(AuthBase):
    """Adds the current token to a request. Raises ValueError if there is none to be had."""

    def __init__(self, host: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._url, self._clock = f"http://{host}/{PATH}", clock
        # The environment's proxies do not lead to the metadata server.
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
        self._token, self._ends = "", 0.0

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """The request with its `authorization`."""
        if self._clock() >= self._ends - EARLY_S:
            self._fetch()
        request.headers["authorization"] = f"Bearer {self._token}"
        request.register_hook("response", self._answered)  # type: ignore[no-untyped-call]  # requests has no type for it
        return request

    def _answered(self, response: requests.Response, **options: Any) -> None:
        if response.status_code == 401:  # whatever its end was to be
            self._ends = 0.0

    def _fetch(self) -> None:
        asked = urllib.request.Request(self._url, headers={"Metadata-Flavor": "Google"})
        now = self._clock()
        try:
            with self._open(asked, timeout=TIMEOUT_S) as response:
                told = json.loads(response.read(64 * 1024))
            self._token, self._ends = str(told["access_token"]), now + float(told["expires_in"])
        except (OSError, HTTPException, ValueError, LookupError, TypeError) as error:
            if now >= self._ends:  # a token that is still good is better than none
                cause = f"{type(error).__name__}: {error}"
                raise ValueError(f"the metadata server gave no access token ({cause})") from error
