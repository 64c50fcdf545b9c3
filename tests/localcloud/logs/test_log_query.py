"""The Logging query language as a table: what matches one known entry, and what is refused with which words."""

from typing import Any

import pytest

from localcloud.logs.comparison import QueryError
from localcloud.logs.query import compile_query

ENTRY: dict[str, Any] = {
    "logName": "projects/p/logs/run.googleapis.com%2Fstdout",
    "insertId": "01",
    "severity": "ERROR",
    "timestamp": "2026-02-03T04:05:06.000000007Z",
    "resource": {"type": "cloud_run_revision", "labels": {"service_name": "gateway-local"}},
    "labels": {"k8s-pod/app": "web", "instanceId": "i1"},
    "httpRequest": {
        "status": 504,
        "latency": "1.002s",
        "responseSize": "12",
        "requestUrl": "https://x/documents",
    },
    "trace": "projects/p/traces/" + "a" * 32,
    "jsonPayload": {
        "message": "Deadline exceeded",
        "budget": 1000,
        "ok": False,
        "nothing": None,
        "tags": ["red", "blue"],
        "deep": {"er": 1.5},
        "path": "C:\\d",
    },
}


@pytest.mark.parametrize(
    "query",
    [
        "",
        "-- only a comment",
        'resource.type = "CLOUD_RUN_REVISION"',
        "resource.type=cloud_run_revision resource.labels.service_name=gateway-local",
        'logName="projects/p/logs/run.googleapis.com%2Fstdout"',
        "logName:run.googleapis.com%2Fstdout",
        "severity>=ERROR severity<CRITICAL severity=error severity>=500",
        "httpRequest.status>=500 AND httpRequest.status!=500 httpRequest.status=(503 OR 504)",
        "httpRequest.status:504",
        "httpRequest.latency>1s httpRequest.latency<=1002ms",
        "httpRequest.responseSize>2",
        'timestamp>="2026-02-03T04:05:06Z" timestamp<"2026-02-03T04:05:06.000000008Z" timestamp>"2026-02-03"',
        'labels."k8s-pod/app"=web',
        'jsonPayload.message:"deadline"',
        'jsonPayload.message=~"^Deadline +\\w+$" jsonPayload.message!~"deadline"',
        "jsonPayload.budget>999 jsonPayload.budget=1000.0 jsonPayload.budget>-5",
        "jsonPayload.ok=false",
        "jsonPayload.nothing=NULL_VALUE",
        "jsonPayload.tags=blue",
        "jsonPayload.deep.er<2",
        "jsonPayload:exceeded",
        r'jsonPayload.path="C:\\d"',
        "jsonPayload.budget:* jsonPayload.nothing:* httpRequest:* -jsonPayload.absent:*",
        'jsonPayload.ok=("true" OR NOT "absent")',
        'jsonPayload.message:("deadline" AND "exceeded")',
        'jsonPayload.message:("deadline" "exceeded")',
        'NOT jsonPayload.absent="x"',
        'DEADLINE "exceeded" -absent',
        "andy OR NOT notable",
        "exceeded -- the rest is a comment AND absent\n gateway",
        "NOT(absent)",
        "exceeded AND absent OR gateway",
        'traceSampled=false trace:"traces/aaa" spanId=""',
    ],
)
def test_matches(query: str) -> None:
    """Each of these is true of the entry."""
    assert compile_query(query)(ENTRY)


@pytest.mark.parametrize(
    "query",
    [
        "absent",
        "severity>ERROR",
        'jsonPayload.absent!="x"',
        "jsonPayload.absent=~x",
        "jsonPayload.budget>many",
        "jsonPayload.message=deadline",
        'jsonPayload.message="*" OR absent',
        "httpRequest.status=(500 OR 503)",
        "NOT exceeded",
        "gateway OR exceeded AND absent",
        "(exceeded absent)",
        "operation.first=true",
    ],
)
def test_does_not_match(query: str) -> None:
    """Each of these is false of the entry; a payload field that is missing fails every comparison."""
    assert not compile_query(query)(ENTRY)


@pytest.mark.parametrize("query", ["httpRequest.status>=500", "httpRequest.latency>1s", "severity>=ERROR"])
def test_an_entry_with_a_field_of_the_wrong_type_matches_nothing(query: str) -> None:
    """A container may write anything under httpRequest; reading the log must survive it."""
    broken = {"httpRequest": {"status": "abc", "latency": {"seconds": 1}}, "severity": "LOUD"}
    assert not compile_query(query)(broken)


def test_half_a_surrogate_pair_is_searched_like_any_text() -> None:
    """A log line in JSON may hold one, which no UTF-8 can."""
    assert compile_query('textPayload=~"end$"')({"textPayload": "\ud800 the end"})


def test_or_binds_tighter_than_and() -> None:
    """`a OR b AND c` is `(a OR b) AND c`: Google's order, unlike SQL's."""
    assert not compile_query("gateway OR exceeded AND absent")(ENTRY)
    assert compile_query("gateway OR (exceeded AND absent)")(ENTRY)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ('SEARCH("x")', r"function SEARCH\(\) is not supported"),
        ('log_id("stdout")', r"function log_id\(\)"),
        ("sample(insertId, 0.1)", r"function sample\(\)"),
        ("a AND", "cannot be read"),
        ("severity=", "cannot be read"),
        ("severity=AND b", "cannot be read"),
        ("(a", "cannot be read"),
        ("a)", "cannot be read"),
        ("'a'", "cannot be read"),
        ('"a', "cannot be read"),
        ("insertId = abc:def", "cannot be read"),
        ("severity=LOUD", "'LOUD' is no value of 'severity'"),
        ("httpRequest.status=ok", "an integer"),
        ("timestamp>noon", "a time like"),
        ("httpRequest.latency>5", "a duration like"),
        ("thud=1", "Field not found: 'thud'"),
        ("textPayload.x=1", "Field not found"),
        ("trace=*", "only `:\\*`"),
        ('textPayload=~"a(?=b)"', "no lookaround"),
        ('textPayload=~"("', "Regular expression"),
        ("x" * 20_001, "20001 characters"),
        ("NOT " * 4000 + "a", "nested too deeply"),
    ],
)
def test_refuses(query: str, words: str) -> None:
    """What Google refuses, and what is not supported here, is an error that names the construct."""
    with pytest.raises(QueryError, match=words):
        compile_query(query)
