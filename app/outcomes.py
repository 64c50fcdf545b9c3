"""What the outcome of a call to another service means to our own caller: a TimeoutError (504), or a Problem. No I/O."""

import json
from typing import Any

from app.problems import Problem
from app.retries import causes

# A refusal that our own caller can mend; any other failure of a hop is our 502.
_CALLERS_FAULT = {"POST": {400, 413, 422}, "GET": {400, 404}}
_ANY_FAULT = {400, 404, 409, 412, 413, 422}


def unreachable(name: str, error: Exception) -> Exception:
    """What it means that there was no answer."""
    if timed_out(error):
        return TimeoutError(f"{name} gave no answer in time")
    return Problem(502, f"The service {name} could not be reached.", cause=f"{name}: {error}")


def broken(name: str, error: Exception) -> Exception:
    """What it means that an answer's body did not come, or is none."""
    if timed_out(error):
        return TimeoutError(f"the answer of {name} did not end in time")
    return Problem(502, f"The service {name} gave no usable answer.", cause=f"{name}: {error}")


def is_callers_fault(method: str, status: int, content_type: str | None) -> bool:
    """Whether an answer is a problem that our own caller can mend: then its document is worth reading."""
    problem = (content_type or "").startswith("application/problem+json")
    return problem and status in _CALLERS_FAULT.get(method, _ANY_FAULT)


def refusal(name: str, status: int, callers_fault: bytes | None) -> Exception:
    """What an answer other than 2xx means; `callers_fault` is its problem document, if it is for our caller."""
    if callers_fault is not None:
        return Problem(status, _detail(callers_fault))
    if status == 504:
        return TimeoutError(f"{name} answered 504")
    return Problem(502, f"The service {name} answered {status}.")


def parsed(name: str, body: bytes) -> Any:
    """An answer's JSON. Raises Problem 502."""
    try:
        return json.loads(body)
    except ValueError as error:
        raise broken(name, error) from error


def timed_out(error: Exception) -> bool:
    """Whether time is what was lacking: every client's timeouts come of this one."""
    return any(isinstance(cause, TimeoutError) for cause in causes(error))


def _detail(problem: bytes) -> str:
    try:
        return str(json.loads(problem)["detail"])
    except (ValueError, LookupError, TypeError):
        return "The request was refused."
