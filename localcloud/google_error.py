"""The error body of Google's REST APIs (cloud.google.com/apis/design/errors#http_mapping), without details."""

from http import HTTPStatus

from aiohttp import web

_STATUS = {
    HTTPStatus.BAD_REQUEST: "INVALID_ARGUMENT",
    HTTPStatus.UNAUTHORIZED: "UNAUTHENTICATED",
    HTTPStatus.FORBIDDEN: "PERMISSION_DENIED",
    HTTPStatus.NOT_FOUND: "NOT_FOUND",
    HTTPStatus.TOO_MANY_REQUESTS: "RESOURCE_EXHAUSTED",
    HTTPStatus.INTERNAL_SERVER_ERROR: "INTERNAL",
    HTTPStatus.SERVICE_UNAVAILABLE: "UNAVAILABLE",
    HTTPStatus.GATEWAY_TIMEOUT: "DEADLINE_EXCEEDED",
}


def google_error(code: HTTPStatus, message: str) -> web.Response:
    """`{"error": {"code", "message", "status"}}` with HTTP status `code`."""
    return web.json_response(
        {"error": {"code": int(code), "message": message, "status": _STATUS[code]}}, status=code
    )
