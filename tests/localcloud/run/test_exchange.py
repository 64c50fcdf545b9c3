"""How a request and its answer pass through: unchanged, streamed, and without what belongs to one connection."""

import asyncio
import hashlib
import io

import aiohttp
import pytest
import yarl


async def test_path_query_and_repeated_headers_pass_unchanged(lab):
    uri = await lab.public()
    async with lab.client.get(yarl.URL(uri + "/%7Ea%2Fb?q=%20&q=2", encoded=True)) as response:
        assert response.headers.getall("Set-Cookie") == ["a=1", "b=2"]
        assert (await response.json(content_type=None))["path"] == "/%7Ea%2Fb?q=%20&q=2"


async def test_connection_headers_end_at_the_front_end_and_the_callers_address_is_added(lab):
    uri = await lab.public()
    sent = {
        "Connection": "keep-alive, X-Private",
        "X-Private": "1",
        "TE": "trailers",
        "X-Forwarded-For": "10.0.0.1",
    }
    seen = (await lab.echo(uri, headers=sent))["headers"]
    assert not {"x-private", "te", "keep-alive"} & seen.keys()
    assert seen["x-forwarded-for"] == "10.0.0.1, 127.0.0.1"
    assert seen["x-forwarded-proto"] == "http"
    assert seen["host"] == uri.removeprefix("http://")


async def test_a_traceresponse_reaches_the_caller_and_no_log(lab):
    """It tells the caller that the callee keeps its part of the trace; Cloud Run's own records know nothing of it."""
    uri = await lab.public()
    seen = []
    for path in ("/kept", "/"):
        async with lab.client.get(uri + path) as response:
            seen.append(response.headers.get("traceresponse"))
    kept, plain = await lab.requests(2)
    assert seen == [f"00-{kept['trace'].rpartition('/')[2]}-{kept['spanId']}-01", None]
    assert kept.keys() - {"traceSampled"} == plain.keys()
    assert kept["httpRequest"].keys() == plain["httpRequest"].keys()


async def test_an_encoded_body_passes_as_it_is(lab):
    uri = await lab.public()
    seen = await lab.echo(uri, method="POST", data=b"not gzip", headers={"Content-Encoding": "gzip"})
    assert (seen["size"], seen["headers"]["content-encoding"]) == (8, "gzip")


async def test_twenty_megabytes_pass_in_both_directions(lab):
    uri = await lab.public()
    seen = await lab.echo(uri, method="POST", data=io.BytesIO(b"x" * 20_000_000))
    assert (seen["size"], seen["headers"]["content-length"]) == (20_000_000, "20000000")
    async with lab.client.get(f"{uri}/big?size=20000000") as response:
        digest = hashlib.sha256(await response.read()).hexdigest()
    assert digest == hashlib.sha256(b"x" * 20_000_000).hexdigest()


async def test_the_first_piece_of_an_answer_arrives_before_the_last_is_made(lab):
    uri = await lab.public()
    async with lab.client.get(f"{uri}/stream?gate={lab.gate.port}") as response:
        assert await response.content.readany() == b"first"
        await lab.gate.arrived()
        lab.gate.open()
        assert await response.read() == b"last"


async def test_an_answer_that_comes_before_the_body_is_read_reaches_the_client(lab):
    uri = await lab.public()
    async with lab.client.post(uri + "/early", data=io.BytesIO(b"x" * 5_000_000)) as response:
        assert (response.status, await response.read()) == (413, b"too much")


async def test_an_answer_that_breaks_off_breaks_off_for_the_client_too(lab):
    uri = await lab.public()
    with pytest.raises(aiohttp.ClientPayloadError):
        await lab.get(uri + "/break")


async def test_an_answer_cut_by_the_timeout_breaks_off(lab):
    uri = await lab.public(timeout="0.5s")
    with pytest.raises(aiohttp.ClientError):
        await lab.hold(uri, "stream")
    assert (await lab.requests())[0]["httpRequest"]["status"] == 504


async def test_a_client_that_waits_for_permission_to_send_gets_it(lab):
    uri = await lab.public()
    assert (await lab.echo(uri, method="POST", data=b"body", expect100=True))["size"] == 4


async def test_head_has_the_length_and_no_body(lab):
    uri = await lab.public()
    async with lab.client.head(uri + "/big?size=5") as response:
        assert (response.headers["Content-Length"], await response.read()) == ("5", b"")


async def test_a_body_that_never_ends_does_not_hold_an_instance_after_the_timeout(lab):
    """What is abandoned with half a body can never become a whole request: its slot is freed."""
    uri = await lab.public(timeout="0.5s", maxInstanceRequestConcurrency=1, scaling={"maxInstanceCount": 1})
    never = asyncio.Event()

    async def body():
        yield b"x"
        await never.wait()

    async with lab.client.post(uri, data=body(), headers={"Content-Length": "2"}) as response:
        assert response.status == 504
    assert (await lab.get(uri))[0] == 200
