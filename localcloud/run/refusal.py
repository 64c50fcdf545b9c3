"""What the front end itself answers, in Cloud Run's words: the page for the client and the line for the request log."""

import html

from aiohttp import web

_DOCS = "https://cloud.google.com/run/docs"
_HTML = """
<html><head>
<meta http-equiv="content-type" content="text/html;charset=utf-8">
<title>{title}</title>
</head>
<body text=#000000 bgcolor=#ffffff>
<h1>Error: {heading}</h1>
<h2>{text}</h2>
<h2></h2>
</body></html>
"""


class Refusal(Exception):
    """The end of a request that no container answers. `log_text` is the request log entry's textPayload."""

    def __init__(
        self, status: int, body: str, log_text: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(f"{status}: {log_text or body}")
        self.status, self.body, self.log_text, self.headers = status, body, log_text, headers or {}

    def response(self) -> web.Response:
        kind = "text/html" if self.body.startswith("\n<html>") else "text/plain"
        return web.Response(
            status=self.status, text=self.body, content_type=kind, charset="utf-8", headers=self.headers
        )

    @classmethod
    def not_found(cls) -> "Refusal":
        return cls(404, _page(404, "Page not found", "The requested URL was not found on this server."))

    @classmethod
    def unauthenticated(cls, path: str) -> "Refusal":
        """No token at all: 403, not 401."""
        text = (
            "The request was not authenticated. Either allow unauthenticated invocations or set the proper Authorization header. "
            f"Read more at {_DOCS}/securing/authenticating"
        )
        return cls(403, _page(403, "Forbidden", _no_permission(path)), text)

    @classmethod
    def invalid_token(cls, path: str, why: str) -> "Refusal":
        challenge = 'Bearer error="invalid_token" error_description="The access token could not be verified"'
        text = (
            f"The request was not authorized to invoke this service: the Bearer token is invalid ({why}). Read more at "
            f"{_DOCS}/securing/authenticating"
        )
        page = _page(
            401,
            "Unauthorized",
            f"Your client does not have permission to the requested URL <code>{html.escape(path)}</code>.",
        )
        return cls(401, page, text, {"WWW-Authenticate": challenge})

    @classmethod
    def unauthorized(cls, path: str, email: str) -> "Refusal":
        text = (
            "The request was not authenticated. The caller lacks run.routes.invoke on this service: grant roles/run.invoker to "
            f"{email}. Read more at {_DOCS}/securing/authenticating"
        )
        return cls(403, _page(403, "Forbidden", _no_permission(path)), text)

    @classmethod
    def too_large(cls) -> "Refusal":
        return cls(
            413, _page(413, "Request Entity Too Large", "Your client issued a request that was too large.")
        )

    @classmethod
    def no_available_instance(cls) -> "Refusal":
        text = f"The request was aborted because there was no available instance. See {_DOCS}/troubleshooting#abort-request"
        return cls(429, "Rate exceeded.", text)

    @classmethod
    def did_not_start(cls) -> "Refusal":
        text = f"The request was aborted because there was no available instance. See {_DOCS}/troubleshooting#no-instance"
        return cls(500, _server_error(), text)

    @classmethod
    def out_of_memory(cls) -> "Refusal":
        text = f"The request ended because its instance exceeded the memory limit. See {_DOCS}/configuring/memory-limits"
        return cls(500, _server_error(), text)

    @classmethod
    def bad_upstream(cls) -> "Refusal":
        text = (
            "The request failed because either the HTTP response was malformed or connection to the instance had an error. "
            f"See {_DOCS}/troubleshooting#malformed-response-or-connection-error"
        )
        return cls(
            503,
            "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
            text,
        )

    @classmethod
    def timed_out(cls) -> "Refusal":
        text = (
            "The request has been terminated because it has reached the maximum request timeout. To change this limit, see "
            f"{_DOCS}/configuring/request-timeout"
        )
        return cls(504, "upstream request timeout", text)

    @classmethod
    def client_left(cls) -> "Refusal":
        """Nobody reads this answer; the status is what the request log shows."""
        return cls(499, "", "The client disconnected before its request was complete.")


def _no_permission(path: str) -> str:
    return (
        f"Your client does not have permission to get URL <code>{html.escape(path)}</code> from this server."
    )


def _server_error() -> str:
    text = "The server encountered an error and could not complete your request.<p>Please try again in 30 seconds."
    return _page(500, "Server Error", text)


def _page(status: int, heading: str, text: str) -> str:
    return _HTML.format(title=f"{status} {heading}", heading=heading, text=text)
