"""The hop at fault: which one is named, for what reason, and in which words."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from handmade import (
    AUSTRALIA,
    SPAIN,
    call,
    healthy,
    platform,
    request_log,
    server,
    span,
    started,
    stored,
    story,
    trace,
)

from traces.analysis import analyse
from traces.cause import CAUSES
from traces.regions import is_elsewhere
from traces.span import Span, Trace
from traces.verdict import Verdict


def verdict(trace: Trace, **locations: str) -> Verdict:
    found = analyse(trace, (), {name.replace("_", "-"): where for name, where in locations.items()}).verdict
    assert found is not None
    return found


def test_the_story_blames_the_bucket_in_another_region() -> None:
    found = verdict(story(), documents_overseas=AUSTRALIA)
    assert (found.service, found.span, found.cause) == ("archive", "storage.store", "cross_region_storage")
    assert found.share == pytest.approx(0.985)
    assert found.sentence == (
        "archive spent 1,085 ms in storage.store, 985 ms of the 1,000 ms that the client waited (98 %): bucket documents-overseas "
        "is in australia-southeast1, the service runs in europe-southwest1; put the bucket into the service's region."
    )
    assert found.sentence.endswith(found.reason)


def test_a_bucket_in_the_services_region_is_not_blamed_for_its_place() -> None:
    found = verdict(story(), documents_overseas=SPAIN)
    assert (found.cause, found.reason) == (
        "slow_dependency",
        "Cloud Storage worked on bucket documents-overseas, in the service's own region.",
    )


def test_a_bucket_whose_place_is_not_known_is_not_blamed_for_it() -> None:
    found = verdict(story())
    assert found.cause == "slow_dependency"
    assert "is not known" in found.reason


def test_without_a_wrapper_span_the_bucket_is_read_from_the_calls_address() -> None:
    url = "https://storage.googleapis.com/upload/storage/v1/b/documents/o?uploadType=media"
    spans = [server(1, 0, "archive", 0, 100), call(2, 1, "archive", 10, 90, 200, url__full=url)]
    assert verdict(trace(*spans), documents=AUSTRALIA).cause == "cross_region_storage"


def test_a_healthy_trace_names_the_service_with_the_most_work() -> None:
    found = verdict(healthy(), documents=SPAIN)
    assert (found.service, found.cause) == ("extract", "own_work")
    assert found.sentence == (
        "extract spent 31 ms of 60 ms (52 %) in POST /documents: its own work; nothing that it waited for took longer."
    )


@pytest.mark.parametrize(
    ("start", "cause", "words"),
    [
        ([started(4, 3, "extract", 10, 100)], "cold_start", "an instance was started for this request"),
        ([], "queueing", "no span explains it (network, queueing or a cold start)."),
    ],
)
def test_time_before_the_callee_begins_is_a_cold_start_if_the_start_was_within_it(
    start: list[Span], cause: str, words: str
) -> None:
    spans = [
        server(1, 0, "gateway", 0, 2000),
        call(2, 1, "gateway", 5, 1995),
        server(3, 2, "extract", 1900, 1990),
        *start,
    ]
    found = verdict(trace(*spans))
    assert (found.service, found.span, found.cause) == ("extract", "POST /documents", cause)
    assert found.sentence.startswith(
        "1,900 ms of 2,000 ms (95 %) passed between the call to extract and its own spans: "
    )
    assert words in found.reason


def test_a_cold_start_is_seen_through_the_platforms_span() -> None:
    spans = [
        server(1, 0, "gateway", 0, 2000),
        call(2, 1, "gateway", 5, 1995),
        platform(8, 2, "extract", 10, 1994),
        server(3, 2, "extract", 1900, 1990, faas__coldstart="true"),
        started(4, 3, "extract", 20, 1800),
    ]
    found = verdict(trace(*spans))
    assert (found.service, found.cause) == ("extract", "cold_start")


def test_a_quick_failure_is_traced_to_where_it_began() -> None:
    broken = {"otel__status_code": "ERROR", "otel__status_description": "ValueError: not a document"}
    spans = [
        server(1, 0, "gateway", 0, 50, 502),
        call(2, 1, "gateway", 40, 49, 500),
        server(3, 2, "extract", 42, 48, 500),
        span(4, 3, "extract", "parse", "INTERNAL", 43, 47, **broken),
    ]
    found = verdict(trace(*spans))
    assert (found.service, found.span, found.cause) == ("extract", "parse", "own_work")
    assert found.sentence == (
        "extract failed in parse after 4.0 ms (ERROR: ValueError: not a document): the request's error began there."
    )


def test_of_several_failures_the_last_is_the_one_that_ended_the_request() -> None:
    spans = [
        server(1, 0, "gateway", 0, 50, 502),
        call(2, 1, "gateway", 5, 30, 500, url__full="http://cache/x"),
    ]
    spans += [
        server(3, 2, "cache", 6, 29, 500),
        call(4, 1, "gateway", 31, 49, 500),
        server(5, 4, "extract", 32, 48, 500),
    ]
    assert verdict(trace(*spans)).service == "extract"


def test_a_refusal_by_cloud_run_itself_is_not_blamed_on_the_application() -> None:
    spans = [
        server(1, 0, "gateway", 0, 50, 502),
        call(2, 1, "gateway", 5, 45, 503),
        platform(8, 2, "extract", 6, 44, 503),
    ]
    found = verdict(trace(*spans))
    assert (found.service, found.cause) == ("Cloud Run", "unknown")
    assert "Cloud Run answered itself, no instance did" in found.sentence


def test_retries_are_named_with_what_each_attempt_gave() -> None:
    spans = [server(1, 0, "gateway", 0, 1000)]
    for attempt, (start, status) in enumerate([(10, 503), (350, 503), (690, 201)]):
        spans += [call(10 + attempt, 1, "gateway", start, start + 290, status, http__request__method="PUT")]
        spans += [server(20 + attempt, 10 + attempt, "extract", start + 1, start + 289, status)]
    found = verdict(trace(*spans))
    assert (found.service, found.span, found.cause) == ("gateway", "POST", "retries")
    assert found.sentence == (
        "gateway called extract 3 times, and 680 ms of 1,000 ms (68 %) passed in vain: retried after failures (503, 503, 201); "
        "mend extract, or retry less."
    )


@pytest.mark.parametrize(
    ("labels", "retried"),
    [
        ({}, False),
        ({"http__request__method": "POST"}, False),
        ({"http__request__method": "GET"}, True),
        ({"http__request__resend_count": 1}, True),
        ({"http__request__resend_count": 0}, False),
    ],
    ids=str,
)
def test_a_second_item_after_one_that_failed_is_not_called_a_retry(
    labels: dict[str, Any], retried: bool
) -> None:
    """A failure that is the last word is followed by another attempt only if that is marked as one, or idempotent."""
    address = {"url__full": "http://x/items", "peer__service": "items"}
    spans = [
        server(1, 0, "gateway", 0, 400, 200),
        call(2, 1, "gateway", 1, 300, 500, **address),
        server(3, 2, "items", 2, 299, 500),
        call(4, 1, "gateway", 301, 399, 201, **address | labels),
        server(5, 4, "items", 302, 398, 201),
    ]
    found = verdict(trace(*spans))
    assert (found.cause == "retries") is retried
    assert ("retried after failures (500, 201)" in found.reason) is retried


def test_calls_that_may_be_of_different_items_are_said_to_be_called_again() -> None:
    """After 503 a POST can have been repeated, and need not have been."""
    calls = attempts([503, 503, 201], 10, 400, peer__service="extract")
    found = verdict(trace(server(1, 0, "gateway", 0, 1000), *calls))
    assert found.cause == "retries"
    assert found.reason.startswith("called again after failures (503, 503, 201)")


def test_reads_of_different_pages_are_not_retries() -> None:
    """They have one path; what they ask for is in the query."""
    read = {"http__request__method": "GET"}
    calls = [
        call(2, 1, "gateway", 10, 500, 500, url__full="http://x/items?page=1", **read),
        call(3, 1, "gateway", 501, 990, 200, url__full="http://x/items?page=2", **read),
    ]
    assert verdict(trace(server(1, 0, "gateway", 0, 1000, 200), *calls)).cause == "slow_dependency"


def test_calls_that_all_succeed_are_not_retries() -> None:
    spans = [
        server(1, 0, "gateway", 0, 1000),
        *(call(10 + i, 1, "gateway", 10 + 300 * i, 300 + 300 * i) for i in range(3)),
    ]
    found = verdict(trace(*spans))
    assert (found.cause, found.reason) == (
        "slow_dependency",
        "it waited for 127.0.0.1, which sends no spans.",
    )


def test_a_callee_that_sends_no_spans_is_named_by_its_address() -> None:
    spans = [
        server(1, 0, "gateway", 0, 1000, 504),
        call(2, 1, "gateway", 10, 1000, None, server__address="slow.example"),
    ]
    found = verdict(trace(*spans))
    assert found.sentence == (
        "gateway spent 990 ms of 1,000 ms (99 %) in POST: it waited for slow.example, which sends no spans."
    )


def test_the_work_of_one_service_counts_as_one_hop_however_many_spans_it_has() -> None:
    parts = [span(10 + i, 1, "extract", f"page {i}", "INTERNAL", 20 * i, 20 * i + 20) for i in range(3)]
    found = verdict(
        trace(server(1, 0, "extract", 0, 100), *parts, *stored(2, 1, "extract", "documents", 60, 95))
    )
    assert (found.service, found.cause, found.share) == ("extract", "own_work", pytest.approx(0.65))


def test_the_same_trace_always_gets_the_same_verdict() -> None:
    spans = story().spans
    assert verdict(trace(*spans)) == verdict(trace(*reversed(spans)))


def test_without_spans_there_is_no_verdict() -> None:
    assert analyse(trace()).verdict is None


def test_a_trace_of_no_length_has_a_verdict_without_a_share() -> None:
    found = verdict(trace(server(1, 0, "a", 5, 5)))
    assert (found.service, found.share, found.cause) == ("a", 0, "unknown")
    assert "took no time that can be measured" in found.sentence


def test_a_failure_of_no_length_is_still_traced_to_where_it_began() -> None:
    found = verdict(trace(server(1, 0, "a", 5, 5, 500)))
    assert (found.cause, found.share) == ("own_work", 0)


# ---- retries -------------------------------------------------------------------------------------------------------


def attempts(statuses: list[int | None], took: float, pause: float, **labels: str) -> list[Span]:
    """Calls of gateway (span 1) one after the other, from 10 ms on; None is a timeout."""
    made = []
    for number, status in enumerate(statuses):
        start = 10 + number * (took + pause)
        error = {"error__type": "ReadTimeout"} if status is None else {}
        made.append(call(10 + number, 1, "gateway", start, start + took, status, **labels, **error))
    return made


@pytest.mark.parametrize(
    ("statuses", "took", "pause", "share"),
    [
        ([503, 503, 201], 10, 400, 0.82),  # the pauses are the largest part
        ([503, 503, 503], 300, 20, 0.94),  # all of them failed: the last is lost as well
        ([429, 429, 201], 5, 450, 0.91),  # a refusal for now, which no server span marks as an error
        ([None, None, None], 300, 20, 0.94),  # against a dependency that answers nothing in time
    ],
)
def test_attempts_that_failed_and_the_pauses_between_them_are_retries(
    statuses: list[int | None], took: float, pause: float, share: float
) -> None:
    calls = attempts(statuses, took, pause, peer__service="extract")
    found = verdict(trace(server(1, 0, "gateway", 0, 1000, 201 if statuses[-1] == 201 else 502), *calls))
    assert (found.service, found.cause, found.share) == ("gateway", "retries", pytest.approx(share))
    assert "mend extract" in found.reason


def test_one_quick_failure_before_a_long_answer_is_not_what_the_time_went_into() -> None:
    calls = [call(2, 1, "gateway", 10, 20, 503), call(3, 1, "gateway", 30, 980, 201)]
    spans = [server(1, 0, "gateway", 0, 1000), *calls, server(4, 3, "extract", 31, 979)]
    found = verdict(trace(*spans))
    assert (found.service, found.cause) == ("extract", "own_work")


def test_a_retried_call_among_others_of_the_same_address_is_found() -> None:
    """Pages are fetched one after the other; one of them was refused twice."""
    statuses = [(10, 200), (20, 503), (400, 503), (800, 200), (820, 200)]
    calls = [call(10 + i, 1, "gateway", at, at + 10, status) for i, (at, status) in enumerate(statuses)]
    found = verdict(trace(server(1, 0, "gateway", 0, 1000), *calls))
    assert (found.cause, found.share) == ("retries", pytest.approx(0.78))
    assert "called 127.0.0.1 3 times" in found.sentence


def test_where_several_services_retry_the_innermost_is_named_and_all_are_counted() -> None:
    """Each of three attempts of gateway makes extract try archive three times."""
    spans = [server(1, 0, "gateway", 0, 1000, 502)]
    for outer in range(3):
        start = 10 + 330 * outer
        spans.append(call(10 + outer, 1, "gateway", start, start + 300, 503))
        spans.append(server(20 + outer, 10 + outer, "extract", start + 1, start + 299, 503))
        for inner in range(3):
            begin = start + 5 + 95 * inner
            id = 100 + 10 * outer + inner
            spans.append(call(id, 20 + outer, "extract", begin, begin + 20, 503))
            spans.append(server(id + 100, id, "archive", begin + 1, begin + 19, 503))
    found = verdict(trace(*spans))
    assert (found.service, found.cause) == ("extract", "retries")
    assert found.sentence.startswith(
        "gateway called extract 3 times and extract called archive 9 times, and 960 ms"
    )
    assert found.reason.endswith("mend archive, and let one service alone retry.")


def test_retries_of_two_services_add_up_though_neither_is_the_largest_part() -> None:
    spans = [server(1, 0, "gateway", 0, 1000), span(90, 1, "gateway", "parse", "INTERNAL", 600, 1000)]
    for first, name in ((10, "auth"), (310, "extract")):
        for number, status in enumerate((503, 201)):
            start = first + 260 * number
            spans.append(call(first + number, 1, "gateway", start, start + 20, status, peer__service=name))
    found = verdict(trace(*spans))
    assert (found.cause, found.share) == ("retries", pytest.approx(0.52))
    assert "gateway called auth 2 times and gateway called extract 2 times" in found.sentence


@pytest.mark.parametrize(("status", "cause"), [(None, "cross_region_storage"), (503, "retries")])
def test_attempts_that_timed_out_on_a_far_bucket_are_its_symptom(status: int | None, cause: str) -> None:
    spans = [server(1, 0, "gateway", 0, 1000, 504)]
    for number, attempt in enumerate(attempts([status, status, status], 300, 20)):
        spans += [
            attempt,
            server(20 + number, 10 + number, "archive", 11 + 320 * number, 309 + 320 * number, 503),
        ]
        spans += stored(
            30 + 2 * number, 20 + number, "archive", "documents", 12 + 320 * number, 308 + 320 * number
        )
    assert verdict(trace(*spans), documents=AUSTRALIA).cause == cause


def test_a_background_retry_for_which_nobody_waited_is_not_blamed() -> None:
    spans = [server(1, 0, "gateway", 0, 100), span(2, 1, "gateway", "mail", "INTERNAL", 10, 900)]
    spans += [call(3, 2, "gateway", 20, 30, 503), call(4, 2, "gateway", 800, 890, 200)]
    assert verdict(trace(*spans)).cause == "own_work"


# ---- deadlines -----------------------------------------------------------------------------------------------------

GAVE_UP = {"error__type": "ReadTimeout", "otel__status_code": "ERROR"}


@pytest.mark.parametrize(
    ("before", "service", "span_name"),
    [
        ([span(2, 1, "gateway", "parse", "INTERNAL", 5, 890)], "gateway", "parse"),
        (
            [call(2, 1, "gateway", 5, 895, peer__service="auth"), server(3, 2, "auth", 6, 894)],
            "auth",
            "POST /documents",
        ),
        ([call(2, 1, "gateway", 5, 895, server__address="slow.example")], "gateway", "POST"),
    ],
    ids=["its own work", "a call to another service", "a call outside"],
)
@pytest.mark.parametrize("status", [None, 504])
def test_a_callee_that_was_given_too_little_is_not_to_blame(
    before: list[Span], service: str, span_name: str, status: int | None
) -> None:
    """What took the time before it was called is: `extract` answers late, or 504, through no fault of its own."""
    late = call(8, 1, "gateway", 900, 1000, status, **(GAVE_UP if status is None else {}))
    spans = [server(1, 0, "gateway", 0, 1001, 504), *before, late, server(9, 8, "extract", 901, 1300, 201)]
    found = verdict(trace(*spans))
    assert (found.service, found.span, found.cause) == (service, span_name, "deadline_spent")
    assert found.share == pytest.approx(0.9, abs=0.01)
    assert found.sentence.startswith(
        "extract was called after 900 ms of 1,000 ms (90 %) and cut off 100 ms later: "
    )


def test_the_service_that_used_the_time_is_found_behind_others() -> None:
    """gateway called at once; extract worked 900 ms before it called archive. A cancelled call has no error at all."""
    spans = [
        server(1, 0, "gateway", 0, 1000, 504),
        call(2, 1, "gateway", 5, 990, 504),
        server(3, 2, "extract", 6, 985, 504),
        call(4, 3, "extract", 905, 980, None),
        server(5, 4, "archive", 906, 1200),
    ]
    found = verdict(trace(*spans))
    assert (found.service, found.cause) == ("extract", "deadline_spent")


def test_a_callee_that_had_most_of_the_time_is_to_blame_itself() -> None:
    spans = [server(1, 0, "gateway", 0, 1000, 504), call(2, 1, "gateway", 100, 1000, None, **GAVE_UP)]
    assert verdict(trace(*spans, server(3, 2, "extract", 101, 1200))).cause == "own_work"


@pytest.mark.parametrize(("entry", "late"), [(502, {}), (200, GAVE_UP)])
def test_without_a_timeout_of_the_request_itself_no_deadline_is_blamed(
    entry: int, late: dict[str, str]
) -> None:
    """A call that failed otherwise; and one without which the caller could answer."""
    late_call = call(2, 1, "gateway", 900, 1000, None if late else 503, **late)
    spans = [server(1, 0, "gateway", 0, 1000, entry), late_call, server(3, 2, "extract", 901, 999, 503)]
    assert verdict(trace(*spans)).cause == "own_work"


@pytest.mark.parametrize(
    ("status", "labels"),
    [
        (504, {"error__type": "TimeoutError"}),
        (504, {}),
        (503, {"sampling__keep_reason": "deadline"}),
    ],
    ids=str,
)
def test_a_request_whose_time_was_spent_on_arrival_points_at_its_caller(
    status: int, labels: dict[str, str]
) -> None:
    found = verdict(trace(server(5, 4, "extract", 0, 2, status, **labels)))
    assert (found.service, found.cause) == ("extract", "deadline_spent")
    assert found.sentence == (
        f"extract answered {status} after 2.0 ms: its deadline had been spent before the request arrived; look at who called it."
    )


@pytest.mark.parametrize(
    "labels",
    [
        {"error__type": "sqlalchemy.exc.TimeoutError"},
        {"otel__status_code": "ERROR", "otel__status_description": "invalid session timeout value"},
    ],
    ids=str,
)
def test_an_error_that_mentions_a_timeout_is_no_spent_deadline(labels: dict[str, str]) -> None:
    """Only 504 or the service's own reason to keep its part says so: pools and sessions have timeouts as well."""
    found = verdict(trace(server(1, 0, "gateway", 0, 30, 500, **labels)))
    assert (found.cause, found.share) == ("own_work", 1)
    assert found.sentence.startswith("gateway failed in POST /documents after 30 ms (500: ")


def test_work_on_a_bucket_that_timed_out_is_judged_by_time() -> None:
    """Its span is no call, but waits as one does."""
    (work, _) = stored(2, 1, "archive", "documents", 5, 990)
    timed_out = replace(work, labels={**work.labels, "error.type": "TimeoutError"})
    found = verdict(trace(server(1, 0, "archive", 0, 1000, 502), timed_out), documents=SPAIN)
    assert found.cause == "slow_dependency"


@pytest.mark.parametrize("cut_off", [True, False])
def test_a_timeout_error_with_a_call_that_was_cut_off_is_judged_by_time(cut_off: bool) -> None:
    """A service that answers 500 because its own clock cancelled a call: what was slow is to blame."""
    labels = {"error__type": "TimeoutError"}
    cut = call(2, 1, "gateway", 5, 990 if cut_off else 500, None, server__address="slow.example")
    found = verdict(trace(server(1, 0, "gateway", 0, 991, 500, **labels), cut))
    assert found.cause == ("slow_dependency" if cut_off else "own_work")
    assert found.sentence.endswith("the request's error began there.") is not cut_off


@pytest.mark.parametrize("cause", ["cold_start", "queueing", "cross_region_storage"])
def test_a_better_known_cause_of_the_time_goes_before_the_deadline_that_it_broke(cause: str) -> None:
    cold = [started(6, 3, "auth", 10, 800)] if cause == "cold_start" else []
    begun = 6 if cause == "cross_region_storage" else 850
    spans = [
        server(1, 0, "gateway", 0, 1000, 504),
        call(2, 1, "gateway", 5, 895),
        server(3, 2, "auth", begun, 890),
        *cold,
        call(8, 1, "gateway", 900, 1000, None, **GAVE_UP),
        *(stored(4, 3, "auth", "documents", 10, 880) if cause == "cross_region_storage" else []),
    ]
    found = analyse(trace(*spans), (), {"documents": AUSTRALIA})
    assert found.verdict
    assert found.verdict.cause == cause
    assert "deadline_spent" in [other.cause for other in found.also]


# ---- refusals and failures -----------------------------------------------------------------------------------------

NO_INSTANCE = "The request was aborted because there was no available instance."


def refused(at: float, service: str, status: int, text: str = NO_INSTANCE) -> dict[str, Any]:
    return request_log(at, service, status, "0.04s") | {"textPayload": text}


@pytest.mark.parametrize(
    ("spans", "entries"),
    [
        ([call(2, 1, "gateway", 5, 45, 429), platform(8, 2, "extract", 6, 44, 429)], []),
        ([call(2, 1, "gateway", 5, 45, 429, peer__service="extract")], [refused(6, "extract", 429)]),
        ([call(2, 1, "gateway", 5, 45, 500)], [refused(6, "extract", 500)]),
        (
            [call(2, 1, "gateway", 5, 45, 500), platform(8, 2, "extract", 6, 44, 500)],
            [refused(6, "extract", 500)],
        ),
    ],
    ids=["429 span", "logged 429", "logged 500", "logged 500 with span"],
)
def test_a_refusal_for_want_of_an_instance_is_queueing(
    spans: list[Span], entries: list[dict[str, Any]]
) -> None:
    found = analyse(trace(server(1, 0, "gateway", 0, 50, 502), *spans), entries).verdict
    assert found
    assert found.cause == "queueing"
    assert found.sentence.startswith("Cloud Run refused a request to extract")
    assert found.reason.startswith("no instance was free; raise its max instances")


@pytest.mark.parametrize(
    "labels", [{"peer__service": "extract"}, {"server__address": "extract-1.run.app"}], ids=str
)
@pytest.mark.parametrize("start", [5, 40])
def test_a_429_of_a_service_without_its_request_log_may_be_its_own_limit(
    labels: dict[str, str], start: float
) -> None:
    """However long it took: what Cloud Run refuses may have waited for an instance, and so may a limit make it wait."""
    spans = [server(1, 0, "gateway", 0, 100, 503), call(2, 1, "gateway", start, 99, 429, **labels)]
    found = verdict(trace(*spans))
    assert (found.service, found.cause) == ("gateway", "unknown")
    assert "no free instance, or a limit of extract" in found.reason


@pytest.mark.parametrize(("text", "cause"), [(NO_INSTANCE, "queueing"), ("", "unknown")])
def test_a_platforms_429_whose_request_log_gives_no_reason_is_the_applications(text: str, cause: str) -> None:
    """Its server span need not have been kept: a refusal is no error."""
    spans = [call(2, 1, "gateway", 5, 45, 429), platform(8, 2, "extract", 6, 44, 429)]
    found = analyse(
        trace(server(1, 0, "gateway", 0, 50, 502), *spans), [refused(6, "extract", 429, text)]
    ).verdict
    assert found
    assert found.cause == cause


def test_a_request_that_cloud_run_refused_at_the_door_is_queueing() -> None:
    assert verdict(trace(platform(8, 0, "gateway", 0, 900, 429))).cause == "queueing"


@pytest.mark.parametrize(
    "entry",
    [refused(6, "extract", 500, "memory limit"), refused(600, "extract", 500), {"textPayload": NO_INSTANCE}],
    ids=["another reason", "another time", "no time"],
)
def test_a_500_that_no_log_calls_a_refusal_is_none(entry: dict[str, Any]) -> None:
    spans = [server(1, 0, "gateway", 0, 500, 502), call(2, 1, "gateway", 400, 450, 500)]
    found = analyse(trace(*spans), [entry]).verdict
    assert found
    assert found.cause == "unknown"


@pytest.mark.parametrize(
    ("start", "status", "cause"),
    [
        (10, 503, "slow_dependency"),  # it took the time
        (800, 503, "unknown"),  # it did not
        (800, 403, "own_work"),  # it was asked for what it refuses
        (800, 429, "unknown"),  # somebody else's quota
    ],
)
def test_a_dependency_that_failed_is_blamed_only_for_the_time_that_it_took(
    start: float, status: int, cause: str
) -> None:
    labels = {"server__address": "api.example", "otel__status_code": "ERROR"}
    spans = [server(1, 0, "gateway", 0, 1000, 502), call(2, 1, "gateway", start, 990, status, **labels)]
    found = verdict(trace(*spans))
    assert (found.service, found.cause) == ("gateway", cause)
    assert found.sentence.endswith("the request's error began there.")


FAILED = {"otel__status_code": "ERROR"}
OWN = FAILED | {"otel__status_description": "ValueError: no such currency"}


def tried(status: int, until: float, service: str = "cache") -> list[Span]:
    """A call of gateway from 2 ms on, with its callee."""
    answer = {} if status < 500 else FAILED
    return [
        call(2, 1, "gateway", 2, until, status, peer__service=service, **FAILED),
        server(3, 2, service, 3, until - 1, status, **answer),
    ]


@pytest.mark.parametrize(
    ("spans", "end", "entry"),
    [
        (tried(503, 20), 1000, OWN),
        (tried(503, 80), 100, OWN),
        (tried(404, 20), 100, FAILED),
        (tried(404, 95), 100, OWN),
        ([*tried(503, 20), call(4, 1, "gateway", 21, 98, 200, peer__service="cache")], 100, FAILED),
    ],
    ids=["long before", "before another error", "no such thing", "no such thing, at the end", "mended"],
)
def test_a_failure_that_was_survived_is_not_where_a_later_error_began(
    spans: list[Span], end: float, entry: dict[str, str]
) -> None:
    """What the service says of its error is another one, or it had gone on."""
    found = verdict(trace(server(1, 0, "gateway", 0, end, 500, **entry), *spans))
    assert (found.service, found.span, found.cause) == ("gateway", "POST /documents", "own_work")
    assert found.sentence.endswith("the request's error began there.")


@pytest.mark.parametrize(
    "rest",
    [[], [call(4, 1, "gateway", 21, 999, 200, peer__service="shop")]],
    ids=["worked", "called another"],
)
def test_whether_an_earlier_failure_was_the_reason_is_left_open(rest: list[Span]) -> None:
    """The service went on after the failed call, and its own error says nothing."""
    found = verdict(trace(server(1, 0, "gateway", 0, 1000, 502, **FAILED), *tried(503, 20), *rest))
    assert (found.service, found.cause) == ("gateway", "unknown")
    assert found.sentence == (
        "gateway failed in POST /documents after 1,000 ms (502): POST to cache had failed 980 ms before (503), and nothing "
        "says whether that is why."
    )


@pytest.mark.parametrize("said", ["The service cache answered.", "503 Service Unavailable"])
def test_an_earlier_failure_that_the_error_names_is_the_reason(said: str) -> None:
    """By who was called or by its status, however much later it came."""
    labels = FAILED | {"otel__status_description": said}
    found = verdict(trace(server(1, 0, "gateway", 0, 1000, 502, **labels), *tried(503, 20)))
    assert (found.service, found.cause) == ("cache", "own_work")


def test_an_earlier_failure_in_the_same_words_is_the_reason() -> None:
    """One exception that left both spans."""
    spans = [
        server(1, 0, "gateway", 0, 1000, 500, **OWN),
        span(2, 1, "gateway", "parse", "INTERNAL", 5, 20, **OWN),
    ]
    assert verdict(trace(*spans)).span == "parse"


def test_a_failure_after_which_the_service_only_waited_is_the_reason() -> None:
    """For a call that it had begun before: both were awaited together."""
    beside = call(4, 1, "gateway", 3, 495, 200, peer__service="shop")
    found = verdict(trace(server(1, 0, "gateway", 0, 500, 502), *tried(503, 20), beside))
    assert (found.service, found.cause) == ("cache", "own_work")


def test_what_failed_after_the_answer_is_not_the_reason() -> None:
    """The callee whose caller gave up, and work that went on in the background."""
    gave_up = call(2, 1, "gateway", 5, 95, None, error__type="ConnectionError", peer__service="extract")
    spans = [server(1, 0, "gateway", 0, 100, 502), gave_up, server(3, 2, "extract", 6, 400, 500)]
    mail = span(4, 1, "gateway", "mail", "INTERNAL", 50, 900, **FAILED)
    found = verdict(trace(*spans, mail))
    assert (found.service, found.span) == ("gateway", "POST")
    assert verdict(trace(server(1, 0, "gateway", 0, 100, 500), mail)).cause == "own_work"


def test_a_callee_that_answered_an_error_is_named_though_it_went_on_after_its_answer() -> None:
    """With work in the background: what its caller got is its answer all the same."""
    answered = call(2, 1, "gateway", 5, 95, 500)
    found = verdict(
        trace(server(1, 0, "gateway", 0, 100, 502), answered, server(3, 2, "extract", 6, 400, 500))
    )
    assert (found.service, found.cause) == ("extract", "own_work")


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("The service extract answered 403.", "POST"),
        ("502", "POST"),
        ("ValueError: no", "POST /documents"),
    ],
)
def test_a_refusal_just_before_the_end_is_named_unless_the_error_is_another(said: str, name: str) -> None:
    """Cloud Run's 403 for a caller that may not invoke has no span but the call's. A bare status tells no error."""
    may_not = call(2, 1, "gateway", 5, 98, 403, peer__service="extract", **FAILED)
    found = verdict(trace(server(1, 0, "gateway", 0, 100, 502, error__type=said), may_not))
    assert (found.service, found.span, found.cause) == ("gateway", name, "own_work")


def test_a_call_that_failed_though_its_callee_did_not_has_no_known_cause() -> None:
    spans = [
        server(1, 0, "gateway", 0, 100, 502),
        call(2, 1, "gateway", 10, 90, None, error__type="ProtocolError"),
    ]
    assert verdict(trace(*spans, server(3, 2, "extract", 11, 80))).cause == "unknown"


# ---- missing spans -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("called", [True, False])
def test_time_that_lost_spans_hide_has_no_known_cause(called: bool) -> None:
    """extract's spans are lost, so archive hangs in the air: whose time it was cannot be told."""
    spans = [server(1, 0, "gateway", 0, 1000), server(5, 4, "archive", 100, 950)]
    found = verdict(trace(*spans, *([call(2, 1, "gateway", 10, 990)] if called else [])))
    assert (found.service, found.cause) == ("gateway", "unknown")
    assert found.reason == "archive worked meanwhile, and the spans between the two are missing."


def test_lost_spans_elsewhere_hide_nothing() -> None:
    spans = [server(1, 0, "gateway", 0, 1000), server(5, 4, "archive", 100, 150)]
    assert verdict(trace(*spans)).cause == "own_work"
    own = [server(1, 0, "gateway", 0, 1000), span(5, 4, "gateway", "part", "INTERNAL", 100, 950)]
    assert verdict(trace(*own)).cause == "own_work"


def test_a_service_that_sends_no_spans_is_a_slow_dependency_and_an_entry_without_any_is_unknown() -> None:
    called = [
        server(1, 0, "gateway", 0, 1000),
        call(2, 1, "gateway", 5, 995),
        platform(8, 2, "extract", 6, 994),
    ]
    found = verdict(trace(*called))
    assert (found.cause, found.reason) == (
        "slow_dependency",
        "it waited for extract-local, which sends no spans.",
    )
    assert verdict(trace(platform(8, 0, "gateway", 0, 1000))).cause == "unknown"


def test_what_else_took_a_tenth_of_the_time_is_told_beside_the_verdict() -> None:
    spans = [
        server(1, 0, "gateway", 0, 1000),
        call(2, 1, "gateway", 10, 400),
        server(3, 2, "extract", 300, 399, faas__coldstart="true"),
        started(9, 3, "extract", 20, 290),
        *stored(4, 1, "gateway", "documents", 400, 990),
    ]
    found = analyse(trace(*spans), (), {"documents": AUSTRALIA})
    assert found.verdict
    assert found.verdict.cause == "cross_region_storage"
    assert [(other.cause, other.service) for other in found.also] == [("cold_start", "extract")]


def test_what_was_lost_to_retries_is_not_told_twice() -> None:
    """The hand-overs of attempts in vain are part of what the retries cost."""
    spans = [server(1, 0, "gateway", 0, 1000)]
    for number, attempt in enumerate(attempts([503, 503, 201], 300, 20)):
        spans += [
            attempt,
            server(20 + number, 10 + number, "extract", 200 + 320 * number, 309 + 320 * number, 503),
        ]
    found = analyse(trace(*spans))
    assert found.verdict
    assert found.verdict.cause == "retries"
    assert [(other.cause, round(other.share, 2)) for other in found.also] == [("queueing", 0.19)]


def test_every_cause_of_the_contract_is_one_that_these_tests_see() -> None:
    """A cause that is added needs a line in docs/operations.md."""
    text = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
    assert set(CAUSES) == set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))


@pytest.mark.parametrize(
    ("location", "region", "elsewhere"),
    [
        ("EUROPE-SOUTHWEST1", "europe-southwest1", False),
        ("australia-southeast1", "europe-southwest1", True),
        ("EU", "europe-west1", False),
        ("us", "europe-west1", True),
        ("NAM4", "us-east1", False),
        ("nam4", "us-west1", True),
        ("", "us-west1", False),
        ("us-west1", "", False),
    ],
)
def test_where_a_bucket_keeps_a_copy(location: str, region: str, elsewhere: bool) -> None:
    assert is_elsewhere(location, region) is elsewhere
