"""What the failures of a model call mean: to our own caller, to who operates the service, and for another attempt.

Imports google-genai: import it where that is loaded already. No I/O.
"""

import re

import httpx
from google.auth.exceptions import GoogleAuthError
from google.genai.errors import APIError

from app import retries
from app.identity import NoIdentity
from app.problems import Problem
from app.retries import Failure

_REMEDIES = {
    401: "its credentials are not accepted: run the service as a service account",
    403: "grant the service's account roles/aiplatform.user on project {project}, where aiplatform.googleapis.com must be enabled",
    404: "set GEMINI_MODEL to a model of location {location}, or GOOGLE_CLOUD_LOCATION to a location that has it",
    429: "the quota of project {project} for this model is used up: try later, or raise it",
}


def meaning(error: Exception, model: str, project: str, location: str) -> Exception:
    """A TimeoutError, a Problem 502 whose cause names the remedy, or `error` itself if it is none of a call's."""
    status = error.code if isinstance(error, APIError) else None
    if isinstance(error, TimeoutError | httpx.TimeoutException) or status == 504:
        return TimeoutError(f"model {model} gave no answer in time")
    if isinstance(error, APIError):
        remedy = _REMEDIES.get(error.code, "").format(project=project, location=location)
        # Not its message, which may repeat the prompt.
        cause = "; ".join(filter(None, (_named(error), remedy)))
    elif isinstance(error, httpx.HTTPError | NoIdentity | GoogleAuthError):
        cause = str(error)
    elif isinstance(error, ValueError | TypeError | AttributeError):
        # Of the library's reading (its own error, json's, pydantic's), whose texts repeat the answer.
        cause = f"its answer could not be read ({type(error).__name__})"
    else:
        return error
    return Problem(502, "The model gave no answer.", cause=f"model {model}: {cause}")


def failure(error: Exception) -> Failure | None:
    """`error` as one that another attempt may mend; None if it may not."""
    if isinstance(error, APIError):
        headers = getattr(error.response, "headers", {})
        return retries.of_status(error.code, headers.get("retry-after"))
    return Failure("ConnectError", unsent=True) if isinstance(error, httpx.ConnectError) else None


def _named(error: APIError) -> str:
    status = str(error.status or "")
    return f"{error.code} {status}" if re.fullmatch("[A-Z_]{1,40}", status) else str(error.code)
