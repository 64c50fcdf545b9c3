"""app/telemetry/redaction.py: no header, no query value, no URL's credential is in any span, whoever put it into an error."""

import time
from urllib.parse import quote

import pytest
from app_backends import closed_port
from app_fakes import Answer, Cloud, Service
from app_process import OWN, ask, service
from conftest import Start
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import SpanContext, Status, StatusCode

from app.telemetry.log_values import LIMIT, clean_text
from app.telemetry.redaction import MAX_TEXT, redacted, text, without_secrets, without_values


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("", ""),
        ("a=1&b=2", "a=REDACTED&b=REDACTED"),
        ("a=1=2&&b=", "a=REDACTED&b=REDACTED"),
        ("hush", "REDACTED"),
        ("hush&a=1", "REDACTED&a=REDACTED"),
    ],
)
def test_of_a_query_only_the_keys_are_told(query: str, told: str) -> None:
    """A part without a name is a value as well as a key."""
    assert redacted(query) == told


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://a.example/p", "http://a.example/p"),
        ("http://a.example/p?x=hush#hush", "http://a.example/p?x=REDACTED"),
        ("http://a.example/p#hush", "http://a.example/p"),
        ("https://u:hush@a.example/p@q?x=hush@", "https://REDACTED:REDACTED@a.example/p@q?x=REDACTED"),
        ("https://hush@a.example", "https://REDACTED:REDACTED@a.example"),
        ("/p?x=hush", "/p?x=REDACTED"),
    ],
)
def test_of_a_url_neither_values_nor_credentials_nor_fragment(url: str, told: str) -> None:
    assert without_values(url) == told


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("Max retries exceeded with url: /p?token=hush&b=hush (Caused by X)", "url: /p?token=REDACTED&b=REDACTED (Ca"),
        ("Client error '404' for url 'https://u:hush@a.example/p?q=hush'", "'https://REDACTED@a.example/p?q=REDACTED'"),
        ("GET /p?hush failed", "GET /p?REDACTED failed"),
        ("a=hush&password=hush was sent", "a=REDACTED&password=REDACTED was sent"),
        ("<a href=\"//a.example/?x=hush\">", '"//a.example/?x=REDACTED"'),
        ("headers {'Authorization': 'Bearer hush', 'accept': '*/*'}", "'Authorization': 'REDACTED', 'accept': '*/*'"),
        ("[(b'cookie', b'id=hush; s=hush'), (b'host', b'a')]", "(b'cookie', b'REDACTED'), (b'host', b'a')"),
        ("X-Serverless-Authorization: bearer hush\nhost: a", "-Authorization: REDACTED\nhost: a"),
        ("Set-Cookie: id=hush; Path=/\nhost: a", "Set-Cookie: REDACTED\nhost: a"),
        ("sent Bearer hush1hush1 to a", "sent Bearer REDACTED to a"),
        ("sent basic aHVzaDpodXNo= to a", "sent basic REDACTED to a"),
        ("token eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwczovL2EifQ.c2lnbmF0dXJl", "token REDACTED"),
        ("refresh gave ya29.hush-1", "refresh gave REDACTED"),
    ],
)  # fmt: skip
def test_an_error_s_text_keeps_its_sense_and_loses_its_secrets(given: str, told: str) -> None:
    assert told in text(given)
    assert "hush" not in text(given)


SECRETS = [
    ("redis://:hush@cache:6379 refused", "redis://REDACTED@cache:6379 refused"),
    ("postgres://user:hush@db/x", "postgres://REDACTED@db/x"),
    ("GET /p?api_key=hush&page=", "GET /p?api_key=REDACTED&page="),
    ("https://a.example/#access_token=hush&state=", "#access_token=REDACTED"),
    ("sent basic aHVzaDpodXNo= to a", "sent basic REDACTED to a"),
    ("sent Token hush0hush0hush0hush0 to a", "sent Token REDACTED to a"),
    ("sent bearer hushhushhushhushhush to a", "sent bearer REDACTED to a"),
    ("Authorization: Token hush\nhost: a", "Authorization: REDACTED\nhost: a"),
    ('Cookie: a="hush"; b=hush\nhost: a', "Cookie: REDACTED\nhost: a"),
    ("(b'cookie', b'a=\"hush\"; b=hush')", "(b'cookie', b'REDACTED')"),
    ("eyJhbGciOiJSUzI1NiJ9.eyJodXNoIjoiaHVzaCJ9.hush was expired", "REDACTED was expired"),
    ("refresh gave ya29.hush-1", "refresh gave REDACTED"),
    ("key AIzahush" + "0Aa-_" * 7 + " is off", "key REDACTED is off"),
    ("a -----BEGIN RSA PRIVATE KEY-----\nhush\nhush=\n-----END RSA PRIVATE KEY----- b", "a REDACTED b"),
    ("a -----BEGIN PRIVATE KEY-----\\nhush\\nhu", "a REDACTED"),
    ("hush\nhush\n-----END PRIVATE KEY-----\nb", "REDACTED\nb"),
    ("password=hush, host=a", "password=REDACTED, host=a"),
    ("db_passwd = 'hush hush', a", "db_passwd = 'REDACTED', a"),
    ('{"client_secret": "hush, \\"hush\\"", "a": 1}', '{"client_secret": "REDACTED", "a": 1}'),
    ('"{\\"password\\": \\"hush\\", \\"a\\": 1}"', '{\\"password\\": \\"REDACTED\\", \\"a\\": 1}'),
    ("{'X-Api-Key': 'hush', 'a': 1}", "{'X-Api-Key': 'REDACTED', 'a': 1}"),
    ("Api-Key: hush\nhost: a", "Api-Key: REDACTED\nhost: a"),
    ("access_token:hush a", "access_token:REDACTED a"),
    ("(token='hush')", "(token='REDACTED')"),
    ("return character(s) in header value: ' hush'", "header value: 'REDACTED'"),
    ("Illegal header value b'hush\\n'", "Illegal header value b'REDACTED'"),
]


@pytest.mark.parametrize(("given", "told"), SECRETS)
def test_what_spans_hide_logs_hide_as_well(given: str, told: str) -> None:
    """One error goes both ways: as an exception of its span, and as a line with its traceback."""
    for hidden in (text(given), clean_text(given)):
        assert told in hidden
        assert "hush" not in hidden
    assert clean_text(clean_text(given)) == clean_text(given)


@pytest.mark.parametrize(
    "ordinary",
    [
        "",
        "the basic idea of a bearer of news",
        "why? because a=b & c=d",
        "a@b.example wrote",
        "what?that, R&D",
        "no authorization, as expected",
        "x // y @ z",
        "x = 1 if y else 2",
        "KeyError: 'user'",
        "the token expired: 7 of 9 tokens used, max_tokens=100",
        "password == expected",
        "{'token': None, 'secret': null, 'api_key': ''}",
        "the password is wrong: mail a@b.example",
        "unexpected token Identifier at 7",
        "projects/p/secrets/database-url: no access",
        "-----BEGIN CERTIFICATE-----",
        '  File "/app/routes.py", line 7, in get\n    return a / b if c else d\n',
    ],
)
def test_ordinary_text_is_left_alone(ordinary: str) -> None:
    assert text(ordinary) == clean_text(ordinary) == ordinary


@pytest.mark.parametrize(
    "part",
    [
        *("?", "&a", "?a=", "//", "//a", "@", "//a@", "Cookie: ", "bearer ", "basic a", "authorization", "a=b&"),
        *("token", "token ", "token:", "token='", 'token="\\', "token=\\'", "password" + " " * 99, "api_", "secret=a"),
        *("-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "-----END ", "PRIVATE KEY-----", "AIza", "header value '"),
        *("cookie: '", "bearer aa", "token aaaaaaaaaaaaaaaaaaa", "basic aaaaaaaaaaaaaaaaaaaa"),
    ],
)  # fmt: skip
def test_text_made_to_look_like_secrets_costs_little(part: str) -> None:
    """Linear, and so quick in a log's line of 200 000 characters too; each of these squared would take minutes."""
    begun = time.process_time()
    for _ in range(5):
        text(part * (MAX_TEXT // len(part)))
    clean_text(part * (LIMIT // len(part)))
    clean_text("//@" + part + "-----PRIVATE KEY-----token bearer=?" + "a" * LIMIT)
    assert time.process_time() - begun < 5


def test_of_a_long_text_the_end_is_told_from_a_whole_word_on() -> None:
    """A traceback's end says what went wrong; the rest of a secret that was cut would not be known for one."""
    long = "?token=" + "hush" * 100 + " " + "w " * MAX_TEXT + "the end"
    assert text(long).endswith("w the end")
    cut = text("?token=" + "hush" * MAX_TEXT + " the end")
    assert "hush" not in cut
    assert cut.endswith("the end")


def test_only_spans_with_errors_are_copied_and_nothing_else_of_them_changes() -> None:
    plain = ReadableSpan("n", SpanContext(1, 2, False), resource=Resource({}), attributes={"a": 1})
    assert without_secrets(plain) is plain
    told = {"exception.message": "?a=hush", "exception.escaped": "False", "number": 7}
    failed = ReadableSpan(
        "n",
        SpanContext(1, 2, False),
        SpanContext(1, 3, True),
        Resource({"r": 1}),
        {"a": "?b=own"},
        [Event("exception", told, 5), Event("own", {"a": "?b=own"}, 6)],
        status=Status(StatusCode.ERROR, "ValueError: ?a=hush"),
        start_time=1,
        end_time=2,
    )
    got = without_secrets(failed)
    assert got.to_json() == failed.to_json().replace("hush", "REDACTED")


def test_no_span_of_a_real_service_tells_a_secret(start: Start) -> None:
    """Headers, queries, URLs with credentials; in attributes, events and status, of requests and calls that fail or not."""
    cloud, other = Cloud(), Service(Answer(404))
    start(cloud)
    address = start(other).removeprefix("http://")
    dead = closed_port().removeprefix("http://")
    env = {
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_ENDPOINT": cloud.url,
        "OTEL_SEMCONV_STABILITY_OPT_IN": "",
    }
    secrets = {
        "authorization": "Bearer hush",
        "x-serverless-authorization": "Bearer hush",
        "cookie": "id=hush",
        "proxy-authorization": "Basic hush",
        "referer": "http://a.example/?token=hush",
        "tracestate": "hush=1",
        "baggage": "user=hush",
        "traceparent": f"00-{'ab' * 16}-{'cd' * 8}-00",
    }
    with service(env, OWN) as process:
        for library in ("requests", "httpx"):
            for host in (address, dead):
                url = quote(f"http://user:hush@{host}/p?token=hush&hush#hush", safe="")
                ask(process.url, "GET", f"/fetch/{library}?url={url}&keep=true&token=hush", headers=secrets)
        raised = quote("GET http://user:hush@a.example/p?token=hush failed with Authorization: Bearer hush")
        ask(process.url, "GET", f"/raise?text={raised}", headers=secrets)
        ask(process.url, "GET", "/ok?hush", headers=secrets)
        process.stop()
    bodies = [asked.body for asked in cloud.requests if asked.path == "/v1/traces"]
    names = [span.name for _, span in cloud.spans()]
    assert {"GET", "GET /fetch/{library}", "GET /raise", "GET /ok"} <= set(names)
    events = [event for _, span in cloud.spans() for event in span.events if event.name == "exception"]
    assert len(events) >= 5, "of the calls that got no answer, and of the handlers"
    assert b"hush" not in b"".join(bodies), [
        line for _, span in cloud.spans() for line in str(span).splitlines() if "hush" in line
    ]
    assert cloud.requests
