"""Which instance serves which request, when instances start and end, and who is turned away."""

import asyncio

SERIAL = {"maxInstanceRequestConcurrency": 1}


async def test_requests_share_an_instance_up_to_its_concurrency(lab):
    uri = await lab.public(maxInstanceRequestConcurrency=2)
    held = [lab.hold(uri) for _ in range(2)]
    for _ in held:
        await lab.gate.arrived()
    assert lab.starts() == ["DEPLOYMENT_ROLLOUT"]


async def test_one_request_more_starts_another_instance_and_waits_for_it(lab):
    uri = await lab.public(**SERIAL)
    held = [lab.hold(uri) for _ in range(3)]
    for _ in held:
        await lab.gate.arrived()
    assert lab.starts() == ["DEPLOYMENT_ROLLOUT", "AUTOSCALING", "AUTOSCALING"]
    lab.gate.open()
    assert [(await request)[0] for request in held] == [200, 200, 200]


async def test_at_the_maximum_a_request_waits_for_a_free_slot(lab):
    uri = await lab.public(**SERIAL, scaling={"maxInstanceCount": 1})
    held = [lab.hold(uri) for _ in range(2)]
    await lab.gate.arrived()
    lab.gate.open()
    assert [(await request)[0] for request in held] == [200, 200]
    assert lab.starts() == ["DEPLOYMENT_ROLLOUT"]


async def test_at_the_maximum_a_request_that_waited_long_enough_gets_429(lab):
    lab.start(pending_floor=0.1)
    uri = await lab.public(**SERIAL, scaling={"maxInstanceCount": 1})
    lab.hold(uri)
    await lab.gate.arrived()
    assert await lab.get(uri) == (429, "Rate exceeded.")
    assert "because there was no available instance" in (await lab.requests())[0]["textPayload"]


async def test_an_idle_instance_ends_after_the_idle_timeout_and_the_next_request_starts_one(lab, until):
    lab.start(idle_timeout=0.1)
    uri = await lab.public()
    await until(lambda: not lab.processes())
    assert (await lab.get(uri))[0] == 200
    assert lab.starts() == ["DEPLOYMENT_ROLLOUT", "AUTOSCALING"]


async def test_minimum_instances_stay_warm_and_more_than_those_end(lab, until):
    lab.start(idle_timeout=0.2)
    uri = await lab.public(**SERIAL, scaling={"minInstanceCount": 1})
    held = [lab.hold(uri) for _ in range(2)]
    for _ in held:
        await lab.gate.arrived()
    assert len(lab.processes()) == 2
    lab.gate.open()
    await asyncio.gather(*held)
    await until(lambda: len(lab.processes()) == 1)
    await asyncio.sleep(0.3)
    assert len(lab.processes()) == 1
    assert lab.starts() == ["DEPLOYMENT_ROLLOUT", "AUTOSCALING"]


async def test_a_crashed_minimum_instance_is_replaced(lab, until):
    uri = await lab.public(scaling={"minInstanceCount": 2})
    await until(lambda: len(lab.processes()) == 2)
    assert (await lab.get(uri + "/crash"))[0] == 503
    await until(lambda: len(lab.starts()) == 3 and len(lab.processes()) == 2)
    assert lab.starts()[1:] == ["MANUAL_OR_CUSTOMER_MIN_INSTANCE"] * 2
    assert "Container called exit(3)." in lab.system()


async def test_when_no_instance_can_start_those_who_wait_get_500(lab, until):
    """The image worked when it was deployed and does not any more."""
    lab.start(idle_timeout=0.1)
    uri = await lab.public()
    await until(lambda: not lab.processes())
    lab.break_image()
    status, body = await lab.get(uri)
    assert status == 500
    assert "Error: Server Error" in body
    assert "no available instance" in (await lab.requests())[0]["textPayload"]
