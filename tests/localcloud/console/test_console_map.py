"""The service map: which calls are counted, and what they add up to."""

import time
from pathlib import Path
from typing import Any

import pytest
from console_server import serving
from handmade import call, platform, server, span, story, trace
from stored_traces import fill, request, stored

from localcloud.console.servicemap import calls_of, service_map


def told(*traces: Any, addresses: Any = None) -> dict[str, Any]:
    """The map of traces that all arrived in the last minute."""
    calls = [calls_of(each.spans) for each in traces]
    return service_map(calls, calls, 1, addresses or {})


def test_the_incident_is_a_chain_from_clients_to_the_bucket() -> None:
    """Each call counts once: storage by its outermost span, a service by the call that it answered."""
    found = told(story(), story())
    edges = {
        (edge["from"], edge["to"]): (edge["calls"], edge["errors"], edge["p50_ms"]) for edge in found["edges"]
    }
    assert edges == {
        ("", "gateway"): (2, 2, 1000.0),
        ("gateway", "extract"): (2, 2, 990.0),
        ("extract", "archive"): (2, 0, 1095.0),
        ("archive", "documents-overseas"): (2, 0, 1085.0),
    }
    nodes = {node["name"]: (node["kind"], node["per_minute"], node["error_share"]) for node in found["nodes"]}
    assert nodes == {
        "gateway": ("service", 2.0, 1.0),
        "extract": ("service", 2.0, 1.0),
        "archive": ("service", 2.0, 0.0),
        "documents-overseas": ("bucket", 2.0, 0.0),
    }


def test_the_platforms_spans_are_passed_over() -> None:
    """With or without Cloud Run's own span between them, two services are joined by one edge."""
    found = told(
        trace(
            server(1, 0, "a", 0, 9), call(2, 1, "a", 1, 8), platform(3, 2, "b", 2, 7), server(4, 3, "b", 3, 6)
        )
    )
    assert [(edge["from"], edge["to"], edge["calls"]) for edge in found["edges"]] == [
        ("", "a", 1),
        ("a", "b", 1),
    ]


@pytest.mark.parametrize(
    ("url", "name", "kind"),
    [
        ("https://api.example.com/v1", "api.example.com", "host"),
        ("http://127.0.0.1:4000/documents", "extract", "service"),
        ("http://169.254.169.254/computeMetadata/v1/token", "metadata server", "host"),
        ("https://me:hush@api.example.com/", "api.example.com", "host"),
    ],
)
def test_what_sends_no_spans_is_named_by_its_address(url: str, name: str, kind: str) -> None:
    """A service that did not answer keeps its name, by the address that it listens on."""
    found = told(
        trace(server(1, 0, "a", 0, 9), call(2, 1, "a", 1, 8, url__full=url)),
        addresses={"127.0.0.1:4000": "extract"},
    )
    assert {"name": name, "kind": kind}.items() <= found["nodes"][-1].items()


def test_the_start_of_an_instance_is_no_call() -> None:
    """It is nobody's request."""
    found = told(trace(server(1, 0, "a", 5, 9), span(2, 1, "a", "instance.start", "INTERNAL", 0, 4)))
    assert [edge["calls"] for edge in found["edges"]] == [1]


async def test_two_requests_at_once_are_not_thousands_a_minute(tmp_path: Path) -> None:
    """A rate is over a window, 15 minutes unless another is asked for; all traces of the store are counted."""
    async with serving(tmp_path) as console:
        now, day = time.time_ns(), 86400 * 10**9
        for number, at in enumerate((now - 10**7, now - 2 * 10**7, now - day)):
            fill(console.spans, stored(trace(server(1, 0, "a", 0, 1)), f"{number:032x}", at))
        found = await console.json("/blueprint/map")
        (node,) = found["nodes"]
        assert (node["requests"], node["per_minute"], found["rate_minutes"]) == (3, 2 / 15, 15)
        found = await console.json("/blueprint/map?minutes=1")
        assert (found["nodes"][0]["per_minute"], found["rate_minutes"]) == (2.0, 1)


async def test_what_was_not_called_lately_has_no_rate(tmp_path: Path) -> None:
    """Rather than none in a minute: how often it was called is told beside it."""
    async with serving(tmp_path) as console:
        fill(console.spans, stored(story(), at_ns=time.time_ns() - 86400 * 10**9))
        assert {node["per_minute"] for node in (await console.json("/blueprint/map"))["nodes"]} == {None}


async def test_minutes_leave_out_what_is_older(tmp_path: Path) -> None:
    """The rate is over the time that was asked for."""
    async with serving(tmp_path) as console:
        old = stored(story(), "e" * 32, request(1).start_ns - 3600 * 10**9)
        fill(console.spans, [*old, request(1), request(2)])
        everything = await console.json("/blueprint/map")
        assert (everything["traces"], len(everything["nodes"])) == (3, 4)
        lately = await console.json("/blueprint/map?minutes=20")
        assert [(node["name"], node["per_minute"]) for node in lately["nodes"]] == [("gateway", 0.1)]
        status, sentence = await console.error("/blueprint/map?minutes=soon")
        assert (status, sentence) == (400, "minutes has value 'soon'; it is a number from 1 to 10000.")
