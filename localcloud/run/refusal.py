"""What the front end itself answers, in Cloud Run's words: the page for the client and the line for the request log."""

import html
from dataclasses import dataclass

from aiohttp import web

_DOCS = "https://cloud.google.com/run/docs"
_HTML = """
<html><head>
<meta http-equiv="content-type" content="text/html;charset=utf-8">
<title>{status} {heading}</title>
</head>
<body text=#000000 bgcolor=#ffffff>
<h1>Error: {heading}</h1>
<h2>{text}</h2>
<h2></h2>
</body></html>
"""
_NO_PERMISSION = "Your client does not have permission to get URL <code>{path}</code> from this server."
_SERVER_ERROR = (
    "The server encountered an error and could not complete your request.<p>Please try again in 30 seconds."
)
_BROKEN_OFF = (
    "upstream connect error or disconnect/reset before headers. reset reason: connection termination"
)


@dataclass(frozen=True)
class Answer:
    """`text` is the page's with a heading and the whole body without; {path} and {detail} are filled in."""

    status: int
    text: str
    log: str = ""
    heading: str = ""


NOT_FOUND = Answer(404, "The requested URL was not found on this server.", heading="Page not found")
UNAUTHENTICATED = Answer(
    403,
    _NO_PERMISSION,
    "The request was not authenticated. Either allow unauthenticated invocations or set the proper Authorization header. "
    f"Read more at {_DOCS}/securing/authenticating",
    heading="Forbidden",
)
UNAUTHORIZED = Answer(
    403,
    _NO_PERMISSION,
    "The request was not authorized to invoke this service: {detail} lacks run.routes.invoke, grant it roles/run.invoker. "
    f"Read more at {_DOCS}/securing/authenticating",
    heading="Forbidden",
)
INVALID_TOKEN = Answer(
    401,
    "Your client does not have permission to the requested URL <code>{path}</code>.",
    "The request was not authorized to invoke this service: the Bearer token is invalid ({detail}). "
    f"Read more at {_DOCS}/securing/authenticating",
    heading="Unauthorized",
)
TOO_LARGE = Answer(
    413, "Your client issued a request that was too large.", heading="Request Entity Too Large"
)
NO_INSTANCE = Answer(
    429,
    "Rate exceeded.",
    f"The request was aborted because there was no available instance. See {_DOCS}/troubleshooting#abort-request",
)
NOT_STARTED = Answer(
    500,
    _SERVER_ERROR,
    f"The request was aborted because there was no available instance. See {_DOCS}/troubleshooting#no-instance",
    heading="Server Error",
)
OUT_OF_MEMORY = Answer(
    500,
    _SERVER_ERROR,
    f"The request ended because its instance exceeded the memory limit. See {_DOCS}/configuring/memory-limits",
    heading="Server Error",
)
BAD_UPSTREAM = Answer(
    503,
    _BROKEN_OFF,
    "The request failed because either the HTTP response was malformed or connection to the instance had an error. "
    f"See {_DOCS}/troubleshooting#malformed-response-or-connection-error",
)
TIMED_OUT = Answer(
    504,
    "upstream request timeout",
    "The request has been terminated because it has reached the maximum request timeout. To change this limit, "
    f"see {_DOCS}/configuring/request-timeout",
)
CLIENT_LEFT = Answer(499, "", "The client disconnected before its request was complete.")  # for the log only


class Refusal(Exception):
    """The end of a request that no container answers."""

    def __init__(self, answer: Answer, *, path: str = "", detail: str = "") -> None:
        super().__init__(answer.log or answer.text)
        self.log_text = answer.log.format(detail=detail)
        self._answer = answer
        self._text = answer.text.format(path=html.escape(path))

    def response(self) -> web.Response:
        answer, text = self._answer, self._text
        if answer.heading:
            text = _HTML.format(status=answer.status, heading=answer.heading, text=text)
        response = web.Response(
            status=answer.status, text=text, content_type="text/html" if answer.heading else "text/plain"
        )
        if answer is INVALID_TOKEN:
            response.headers["WWW-Authenticate"] = (
                'Bearer error="invalid_token" error_description="The access token could not be verified"'
            )
        return response
