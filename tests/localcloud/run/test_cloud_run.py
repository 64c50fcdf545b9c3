"""Deployments: when a new revision takes over, what a failing one leaves behind, and what ends with a service."""

import os

import aiohttp
import pytest

from localcloud.resources import Refused


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def pid_of(lab, uri):
    async with lab.client.get(uri + "/env") as response:
        return (await response.json(content_type=None))["PID"]


async def test_revisions_are_counted_and_named_the_same_on_every_run(lab):
    run = lab.start()
    names = [(await run.deploy("gateway", lab.spec({"N": str(n)}))).name for n in range(2)]
    assert names == ["gateway-00001-rsn", "gateway-00002-bxj"]


async def test_an_unchanged_template_keeps_its_revision_and_new_settings_apply(lab):
    uri = await lab.public()
    before = await pid_of(lab, uri)
    revision = await lab.run.deploy("gateway", lab.spec() | {"customAudiences": ["https://other"]})
    assert revision.name.startswith("gateway-00001-")
    assert await pid_of(lab, uri) == before


async def test_the_old_revision_finishes_its_requests_while_the_new_one_serves(lab, until):
    uri = await lab.public()
    old = await pid_of(lab, uri)
    held = lab.hold(uri)
    assert (await lab.gate.arrived()).startswith("gateway-00001-")
    await lab.run.deploy("gateway", lab.spec({"N": "2"}))
    assert await pid_of(lab, uri) != old
    assert alive(old)
    lab.gate.open()
    assert await held == (200, b"held")
    await until(lambda: not alive(old))


@pytest.mark.parametrize(
    ("env", "last_line", "log_line"),
    [
        ({"REFUSE_TO_START": "1"}, "KeyError: 'DATABASE'", "Container called exit(1)."),
        (
            {"NEVER_LISTEN": "1"},
            "thinking",
            'Default STARTUP TCP probe failed 1 time consecutively for container "gateway-1" on its port.'
            " The instance was not started.",
        ),
    ],
)
async def test_a_revision_that_does_not_start_is_refused_with_its_log_and_the_old_one_serves(
    lab, env, last_line, log_line
):
    lab.start(startup_cap=2.0)
    uri = await lab.public()
    before = await pid_of(lab, uri)
    with pytest.raises(Refused) as refused:
        await lab.run.deploy("gateway", lab.spec(env))
    assert "Revision 'gateway-00002-bxj' is not ready and cannot serve traffic." in str(refused.value)
    assert str(refused.value).endswith(last_line)
    assert log_line in lab.system()
    assert await pid_of(lab, uri) == before


async def test_a_failing_startup_probe_over_http_is_named_with_its_path(lab):
    lab.start(startup_cap=0.5)
    probe = {"httpGet": {"path": "/nonsense"}, "failureThreshold": 2.0, "periodSeconds": 1.0}
    with pytest.raises(Refused, match="failed the configured startup probe checks"):
        await lab.run.deploy("gateway", lab.spec(container={"startupProbe": probe}))
    line = 'STARTUP HTTP probe failed 2 times consecutively for container "gateway-1" on path "/nonsense". The instance was not started.'
    assert line in lab.system()


async def test_a_first_deployment_that_fails_leaves_no_process_and_no_home(lab):
    lab.start(startup_cap=0.5)
    with pytest.raises(Refused):
        await lab.run.deploy("gateway", lab.spec({"NEVER_LISTEN": "1"}))
    assert not lab.processes()
    assert not list(lab.directory.glob("gateway-*"))


async def test_an_unknown_image_is_refused_with_those_that_are_known(lab):
    with pytest.raises(Refused, match=r"Image 'nginx' not found; images that can run locally: box\."):
        await lab.start().deploy("gateway", lab.spec(container={"image": "nginx"}))


async def test_a_deleted_service_ends_its_process_and_stops_listening(lab):
    uri = await lab.public()
    await lab.run.delete("gateway")
    assert not lab.processes()
    with pytest.raises(aiohttp.ClientConnectorError):
        await lab.get(uri)


async def test_closing_ends_every_process_those_of_retiring_revisions_too(lab):
    uri = await lab.public()
    held = lab.hold(uri)
    await lab.gate.arrived()
    await lab.run.deploy("gateway", lab.spec({"N": "2"}))
    await lab.run.close()
    assert not lab.processes()
    with pytest.raises(aiohttp.ClientError):
        await held
