"""Logging v2 `entries:list`: the log entries of the project, filtered, ordered and paged. Reads need no token here.

A query runs in a thread and for a limited time: the requests of the services pass through the same event loop.
"""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any

from aiohttp import web

from localcloud.google_error import google_error
from localcloud.logs.comparison import timestamp_ns
from localcloud.logs.query import compile_query
from localcloud.logs.store import LogEntry, LogStore
from localcloud.paging import page, page_size

LIMIT_S = 10.0
"""Seconds that one query may look through entries."""
_TURN = 64
"""Entries after which a query lets others run: whoever waits for Python's lock gets it 5 ms late otherwise."""
_ORDERS = {"": False, "timestamp": False, "timestamp asc": False, "timestamp desc": True}


class TookTooLong(Exception):
    """A query that is ended; the message is one sentence."""


def log_routes(store: LogStore, project: str) -> list[web.RouteDef]:
    """`POST /v2/entries:list`."""

    async def list_entries(request: web.Request) -> web.Response:
        try:
            body = await request.json()
            if f"projects/{project}" not in body["resourceNames"]:
                return google_error(HTTPStatus.FORBIDDEN, f"resourceNames must include projects/{project}.")
            text = await asyncio.to_thread(lambda: json.dumps(_list(store, body)))
            return web.Response(text=text, content_type="application/json")
        except TookTooLong as error:
            return google_error(HTTPStatus.GATEWAY_TIMEOUT, str(error))
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
        filter(matches, _in_turns(store.entries())),
        _key,
        size=page_size(body.get("pageSize"), 50, 1000),
        token=body.get("pageToken"),
        descending=_ORDERS[order],
    )
    return {"entries": entries} | ({"nextPageToken": token} if token else {})


def _in_turns(entries: Sequence[LogEntry]) -> Iterator[LogEntry]:
    """One after the other, with breaks, until the time is up."""
    end = time.monotonic() + LIMIT_S
    for seen, entry in enumerate(entries):
        if seen % _TURN == 0:
            time.sleep(0.0001)
        if time.monotonic() > end:
            raise TookTooLong(
                f"The query had looked at {seen} of {len(entries)} entries after {LIMIT_S:g} s and was ended; make it simpler."
            )
        yield entry


def _key(entry: LogEntry) -> list[Any]:
    return [timestamp_ns(entry["timestamp"]), entry["insertId"]]
