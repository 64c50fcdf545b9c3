"""The request log, and the other entries that a request's way leaves behind."""

import pytest

TRACE = "abababababababababababababababab"


async def test_an_entry_says_what_was_asked_answered_and_how_long_it_took(lab):
    uri = await lab.public()
    headers = {"User-Agent": "curl/8", "traceparent": f"00-{TRACE}-bbbbbbbbbbbbbbbb-00"}
    async with lab.client.post(uri + "/print?x=1", data=b"hello", headers=headers):
        pass
    [entry] = await lab.requests()
    request = entry["httpRequest"]
    assert float(request.pop("latency").removesuffix("s")) > 0
    assert request == {
        "requestMethod": "POST",
        "requestUrl": uri + "/print?x=1",
        "requestSize": "5",
        "status": 200,
        "responseSize": "0",
        "userAgent": "curl/8",
        "remoteIp": "127.0.0.1",
        "serverIp": "127.0.0.1",
        "protocol": "HTTP/1.1",
    }
    assert entry["resource"] == {
        "type": "cloud_run_revision",
        "labels": {
            "project_id": "p",
            "location": "europe-west1",
            "service_name": "gateway",
            "revision_name": "gateway-00001-rsn",
            "configuration_name": "gateway",
        },
    }


async def test_an_entry_belongs_to_the_requests_trace_and_to_the_platforms_own_span(lab):
    uri = await lab.public()
    seen = await lab.echo(uri, headers={"traceparent": f"00-{TRACE}-bbbbbbbbbbbbbbbb-00"})
    await lab.echo(uri)
    first, second = await lab.requests(2)
    assert first["trace"] == f"projects/p/traces/{TRACE}"
    assert first["spanId"] == seen["headers"]["traceparent"].split("-")[2]
    assert first["traceSampled"] is True
    assert "traceSampled" not in second


@pytest.mark.parametrize(("path", "severity"), [("/", "INFO"), ("/early", "WARNING"), ("/crash", "ERROR")])
async def test_the_severity_follows_the_status(lab, path, severity):
    await lab.get(await lab.public() + path)
    [entry] = await lab.requests()
    assert entry["severity"] == severity


async def test_container_output_and_request_log_carry_the_same_instance(lab, until):
    uri = await lab.public()
    line = b'{"severity": "NOTICE", "message": "hello", "n": 1}'
    async with lab.client.post(uri + "/print?stream=stderr", data=line):
        pass
    await until(lambda: lab.log("stderr"))
    [entry], [request] = lab.log("stderr"), await lab.requests()
    assert (entry["severity"], entry["jsonPayload"]) == ("NOTICE", {"message": "hello", "n": 1})
    assert entry["labels"] == request["labels"]
    assert entry["resource"] == request["resource"]
