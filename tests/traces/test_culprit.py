"""The hop at fault: which one is named, for what reason, and in which words."""

import pytest
from handmade import AUSTRALIA, SPAIN, call, healthy, platform, server, span, stored, story, trace

from traces.analysis import analyse
from traces.culprit import Culprit
from traces.regions import is_elsewhere
from traces.span import Trace


def verdict(trace: Trace, **locations: str) -> Culprit:
    culprit = analyse(trace, (), {name.replace("_", "-"): where for name, where in locations.items()}).culprit
    assert culprit is not None
    return culprit


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
        "extract spent 31 ms of 60 ms (52 %) in POST /documents: its own work; nothing that it called took longer."
    )


@pytest.mark.parametrize(
    ("labels", "cause", "words"),
    [
        ({"faas__coldstart": "true"}, "cold_start", "an instance was started for this request"),
        ({}, "queueing", "no span explains it (network, queueing or a cold start)."),
    ],
)
def test_time_before_the_callee_begins_is_a_cold_start_if_the_callee_says_so(
    labels: dict[str, str], cause: str, words: str
) -> None:
    spans = [
        server(1, 0, "gateway", 0, 2000),
        call(2, 1, "gateway", 5, 1995),
        server(3, 2, "extract", 1900, 1990, **labels),
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
    assert (found.service, found.span, found.cause) == ("extract", "parse", "error")
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
    assert (found.service, found.cause) == ("Cloud Run", "error")
    assert "Cloud Run answered itself, no instance did" in found.sentence


def test_retries_are_named_with_what_each_attempt_gave() -> None:
    spans = [server(1, 0, "gateway", 0, 1000)]
    for attempt, (start, status) in enumerate([(10, 503), (350, 503), (690, 201)]):
        spans += [call(10 + attempt, 1, "gateway", start, start + 290, status)]
        spans += [server(20 + attempt, 10 + attempt, "extract", start + 1, start + 289, status)]
    found = verdict(trace(*spans))
    assert (found.service, found.cause) == ("extract", "retries")
    assert found.sentence == (
        "gateway called extract 3 times in 970 ms, 97 % of the wait: retried after failures (503, 503, 201); "
        "mend extract, or retry less."
    )


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


@pytest.mark.parametrize("spans", [(), (server(1, 0, "a", 5, 5),)])
def test_without_time_there_is_no_culprit(spans: tuple[()]) -> None:
    assert analyse(trace(*spans)).culprit is None


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
