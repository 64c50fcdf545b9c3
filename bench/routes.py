"""The application that every variant serves: endpoints that do nothing, have an id, call on, or fail."""

import os
from typing import Any

import requests
from fastapi import FastAPI, HTTPException
from requests.adapters import HTTPAdapter

NEXT_URL = os.environ["NEXT_URL"]
_session = requests.Session()
_session.mount("http://", HTTPAdapter(pool_maxsize=40))  # as many as the thread pool's threads


async def noop() -> dict[str, str]:
    """Answer."""
    return {"status": "ok"}


async def item(item: str) -> dict[str, str]:
    """Answer with the id of the path."""
    return {"item": item}


def chain(fail: bool = False) -> dict[str, Any]:
    """Ask the next service, and pass on the wish to see it fail; 502 if it did."""
    answer = _session.get(NEXT_URL, params={"fail": "1"} if fail else None, timeout=10)
    if answer.status_code >= 500:
        raise HTTPException(502, f"the next service answered {answer.status_code}")
    return {"status": "ok", "next": answer.json()}


async def fail(fail: bool = False) -> dict[str, str]:
    """The last hop: 500 if so asked."""
    if fail:
        raise HTTPException(500, "asked to fail")
    return {"status": "ok"}


def create_app(**options: Any) -> FastAPI:
    """The application with FastAPI's `options`."""
    app = FastAPI(openapi_url=None, **options)
    app.add_api_route("/noop", noop)
    app.add_api_route("/items/{item}", item)
    app.add_api_route("/chain", chain)
    app.add_api_route("/fail", fail)
    return app
