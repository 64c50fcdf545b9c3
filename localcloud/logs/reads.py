"""Logging v2 `entries:list`: the log entries of the project, filtered, ordered and paged. Reads need no token here."""

from http import HTTPStatus
from typing import Any

from aiohttp import web

from localcloud.google_error import google_error
from localcloud.logs.comparison import timestamp_ns
from localcloud.logs.query import compile_query
from localcloud.logs.store import LogEntry, LogStore
from localcloud.paging import page, page_size

_ORDERS = {"": False, "timestamp": False, "timestamp asc": False, "timestamp desc": True}


def log_routes(store: LogStore, project: str) -> list[web.RouteDef]:
    """`POST /v2/entries:list`."""

    async def list_entries(request: web.Request) -> web.Response:
        try:
            body = await request.json()
            if f"projects/{project}" not in body["resourceNames"]:
                return google_error(HTTPStatus.FORBIDDEN, f"resourceNames must include projects/{project}.")
            return web.json_response(_list(store, body))
        except (KeyError, TypeError):
            return google_error(HTTPStatus.BAD_REQUEST, 'The body must be {"resourceNames": [...], ...}.')
        except ValueError as error:
            return google_error(HTTPStatus.BAD_REQUEST, str(error))

    return [web.post("/v2/entries:list", list_entries)]


def _list(store: LogStore, body: dict[str, Any]) -> dict[str, Any]:
    order = body.get("orderBy", "")
    if order not in _ORDERS:
        raise ValueError(f"orderBy '{order}' is none of 'timestamp asc', 'timestamp desc'")
    matches = compile_query(body.get("filter", ""))
    entries, token = page(
        filter(matches, store.entries()),
        _key,
        size=page_size(body.get("pageSize"), 50, 1000),
        token=body.get("pageToken"),
        descending=_ORDERS[order],
    )
    return {"entries": entries} | ({"nextPageToken": token} if token else {})


def _key(entry: LogEntry) -> list[Any]:
    return [timestamp_ns(entry["timestamp"]), entry["insertId"]]
