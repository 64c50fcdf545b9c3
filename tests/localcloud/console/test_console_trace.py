"""One trace for the page: the picture with logs and bucket locations, and what a single span carries."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest
from console_server import serving
from handmade import AUSTRALIA, TRACE_ID, log, story
from stored_traces import fill, stored

from localcloud.trace.store import Span

PATH = f"/blueprint/traces/{TRACE_ID}"


async def test_the_picture_knows_buckets_and_logs(tmp_path: Path) -> None:
    """The verdict rests on where the bucket is; a log line is under the span that wrote it."""
    async with serving(tmp_path) as console:
        fill(console.spans, stored(story()))
        console.objects.create_bucket("documents-overseas", AUSTRALIA)
        console.logs.write(log(999, "WARNING", "no answer in time", 1))
        console.logs.write(log(1, "INFO", "of another trace", 1) | {"trace": "projects/p/traces/other"})
        picture = await console.json(PATH)
        assert picture["verdict"]["cause"] == "cross_region_storage"
        assert [line["message"] for line in picture["rows"][0]["logs"]] == ["no answer in time"]


async def test_a_trace_is_sent_again_when_a_span_or_an_entry_arrives(tmp_path: Path) -> None:
    """A page that is open while spans still arrive shows them, and costs nothing afterwards."""
    async with serving(tmp_path) as console:
        spans = stored(story())
        fill(console.spans, spans[:-1])

        async def changed(tag: str) -> tuple[int, str]:
            response = await console.get(PATH, **{"If-None-Match": tag})
            return response.status, response.headers["ETag"]

        status, first = await changed("")
        assert (await changed(first)) == (304, first)
        console.spans.add(spans[-1])
        status, second = await changed(first)
        assert (status, second != first) == (200, True)
        console.logs.write(log(5, "INFO", "one more", 1))
        assert (await changed(second))[0] == 200


async def test_what_arrives_while_a_trace_is_read_is_sent_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tag stands for what was read, not for what is there by then: otherwise the page stays without it."""
    async with serving(tmp_path) as console:
        *spans, last = stored(story())
        fill(console.spans, spans)
        read = console.spans.trace
        late = [last]

        def slow(trace_id: str) -> Sequence[Span]:
            found = read(trace_id)
            while late:
                console.spans.add(late.pop())
                console.logs.write(log(5, "INFO", "late as well", 1))
            return found

        monkeypatch.setattr(console.spans, "trace", slow)
        first = await console.get(PATH)
        assert len((await first.json())["rows"]) == len(spans)
        again = await console.get(PATH, **{"If-None-Match": first.headers["ETag"]})
        assert again.status == 200
        assert len((await again.json())["rows"]) == len(spans) + 1


async def test_a_span_shows_its_own_attributes_apart_from_its_resource(tmp_path: Path) -> None:
    """Values that are no text are written as JSON; events are timed from the span's start."""
    async with serving(tmp_path) as console:
        first, *_ = stored(story())
        event = {"name": "retry", "time_ns": first.start_ns + 3 * 10**6, "attributes": {"attempt": 2}}
        console.spans.add(dataclasses.replace(first, events=[event]))
        found = await console.json(f"{PATH}/spans/{first.span_id}")
        assert found["attributes"]["http.response.status_code"] == "504"
        assert found["resource"]["service.name"] == "gateway"
        assert found["events"] == [{"name": "retry", "at_ms": 3.0, "attributes": {"attempt": "2"}}]
        assert (found["kind"], found["duration_ms"], found["status"]) == ("SERVER", 1000.0, "ERROR")


async def test_what_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    """An unknown trace and an unknown span are named as such."""
    async with serving(tmp_path) as console:
        assert await console.error(PATH) == (404, f"Trace {TRACE_ID} is not in the store.")
        fill(console.spans, stored(story()))
        assert await console.error(f"{PATH}/spans/{'f' * 16}") == (404, "The span is not in the store.")
