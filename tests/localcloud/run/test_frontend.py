"""What the front end answers by itself, and what it does to a request's trace context."""

import asyncio

import pytest

TRACE = "abababababababababababababababab"
CALLER = "bbbbbbbbbbbbbbbb"


async def test_a_reserved_service_answers_404_until_it_has_a_revision(lab):
    uri = await lab.start().reserve("gateway")
    status, body = await lab.get(uri)
    assert status == 404
    assert "Error: Page not found" in body


async def test_a_service_whose_default_uri_is_disabled_answers_404(lab):
    uri = await lab.public()
    await lab.run.deploy("gateway", lab.spec() | {"defaultUriDisabled": True})
    assert (await lab.get(uri))[0] == 404


async def test_a_request_above_32_mib_is_refused_before_it_reaches_the_container(lab):
    lab.start(max_request_bytes=10)
    uri = await lab.public()
    async with lab.client.post(uri, data=b"x" * 11) as response:
        assert response.status == 413


async def test_the_container_sees_its_callers_trace_under_a_fresh_parent_and_flag(lab):
    uri = await lab.public()
    sent = {
        "traceparent": f"00-{TRACE}-{CALLER}-00",
        "X-Cloud-Trace-Context": f"{TRACE}/1;o=0",
        "tracestate": "vendor=1",
        "x-original-traceparent": f"00-{TRACE}-{CALLER}-01",
    }
    seen = (await lab.echo(uri, headers=sent))["headers"]
    version, trace, parent, flag = seen["traceparent"].split("-")
    assert (version, trace, flag) == ("00", TRACE, "01")
    assert parent != CALLER
    assert seen["x-cloud-trace-context"] == f"{TRACE}/{int(parent, 16)};o=1"
    assert seen["tracestate"] == "vendor=1"
    assert seen["x-original-traceparent"] == sent["x-original-traceparent"]


async def test_only_the_sampled_first_request_leaves_a_span_of_the_platform(lab):
    lab.start(clock=lambda: 5.0)
    uri = await lab.public()
    flags = []
    for _ in range(3):
        seen = await lab.echo(uri + "/documents?q=1", headers={"traceparent": f"00-{TRACE}-{CALLER}-01"})
        flags.append(seen["headers"]["traceparent"][-2:])
    assert flags == ["01", "00", "00"]
    [span] = lab.spans.trace(TRACE)
    assert (span.parent_id, span.name, span.kind) == (CALLER, "/documents", "SERVER")
    assert span.resource["blueprint.source"] == "platform"
    assert span.attributes["http.response.status_code"] == 200


async def test_a_request_over_its_timeout_gets_504_while_its_container_works_on(lab, until):
    uri = await lab.public(timeout="0.5s", maxInstanceRequestConcurrency=1)
    request = lab.hold(uri)
    await lab.gate.arrived()
    assert await request == (504, b"upstream request timeout")
    assert not lab.log("stdout")
    lab.gate.open()
    await until(lambda: lab.log("stdout"))
    assert lab.log("stdout")[0]["textPayload"] == "released"


async def test_the_late_answer_to_a_timed_out_request_is_not_sent_on_its_connection(lab, until):
    """Whoever keeps the connection would take it for the answer to the next request."""
    uri = await lab.public(timeout="0.5s")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(uri.rpartition(":")[2]))
    writer.write(f"GET /hold?gate={lab.gate.port} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert b" 504 " in await reader.readline()
    lab.gate.open()
    await until(lambda: lab.log("stdout"))
    writer.write(b"GET /late HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    rest = await reader.read()
    assert b"held" not in rest
    assert b'"path": "/late"' in rest
    writer.close()
    await writer.wait_closed()


async def test_an_abandoned_request_keeps_its_slot_until_the_container_is_done(lab):
    lab.start(pending_floor=0.1, pending_factor=0.0)
    uri = await lab.public(timeout="0.5s", maxInstanceRequestConcurrency=1, scaling={"maxInstanceCount": 1})
    held = lab.hold(uri)
    await lab.gate.arrived()
    assert (await held)[0] == 504
    assert (await lab.get(uri))[0] == 429
    lab.gate.open()
    async with asyncio.timeout(30):
        while (await lab.get(uri))[0] != 200:  # its slot is free a moment after it is done
            pass


async def test_the_timeout_counts_from_arrival_not_from_the_instances_start(lab):
    uri = await lab.public(timeout="0.5s", maxInstanceRequestConcurrency=1, scaling={"maxInstanceCount": 1})
    first, second = lab.hold(uri), lab.hold(uri)
    await lab.gate.arrived()
    assert [(await first)[0], (await second)[0]] == [504, 504]
    assert lab.gate.arrivals.empty()


async def test_a_container_works_on_for_a_client_that_has_left(lab, until):
    uri = await lab.public()
    request = lab.hold(uri)
    await lab.gate.arrived()
    request.cancel()
    lab.gate.open()
    assert (await lab.requests())[0]["httpRequest"]["status"] == 200
    await until(lambda: lab.log("stdout"))
    assert [entry["textPayload"] for entry in lab.log("stdout")] == ["released"]


@pytest.mark.parametrize("action", ["crash", "nonsense"])
async def test_a_crash_or_a_malformed_response_is_a_503(lab, action):
    uri = await lab.public()
    status, body = await lab.get(f"{uri}/{action}")
    assert status == 503
    assert body.startswith("upstream connect error or disconnect/reset before headers.")
    assert "either the HTTP response was malformed or connection" in (await lab.requests())[0]["textPayload"]
