"""What an instance has and may do: environment, metadata, CPU, memory, a life as long as its liveness probe passes."""

import os
from pathlib import Path

import pytest

REQUEST_BASED = {"resources": {"cpuIdle": True}}
ALWAYS_ON = {"resources": {"cpuIdle": False}}


def state(pid):
    """The kernel's one-letter state of a process: T is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


needs_proc = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")


async def env_of(lab, uri):
    async with lab.client.get(uri + "/env") as response:
        return await response.json(content_type=None)


async def test_a_container_gets_the_template_and_the_platform_and_nothing_of_the_developer(lab, monkeypatch):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/home/me/key.json")
    monkeypatch.setenv("PYTHONPATH", "/home/me")
    env = await env_of(lab, await lab.public(env={"LOG_LEVEL": "debug"}))
    allowed = {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "LC_CTYPE", "PID", "PWD", "OLDPWD", "SHLVL", "_"}
    assert env.keys() - allowed == {
        *("LOG_LEVEL", "PORT", "HOST", "K_SERVICE", "K_REVISION", "K_CONFIGURATION"),
        *("GCE_METADATA_HOST", "GCE_METADATA_IP", "STORAGE_EMULATOR_HOST"),
    }
    assert env["HOME"].startswith(str(lab.directory))
    assert (env["K_SERVICE"], env["K_CONFIGURATION"]) == ("gateway", "gateway")


async def test_the_metadata_server_issues_tokens_of_the_templates_service_account(lab):
    uri = await lab.public(serviceAccount="gateway@p.iam.gserviceaccount.com")
    metadata = "http://" + (await env_of(lab, uri))["GCE_METADATA_HOST"]
    url = f"{metadata}/computeMetadata/v1/instance/service-accounts/default/email"
    assert await lab.get(url, **{"Metadata-Flavor": "Google"}) == (200, "gateway@p.iam.gserviceaccount.com")


@needs_proc
async def test_request_based_cpu_freezes_between_requests_and_wakes_for_them(lab, until):
    uri = await lab.public(container=REQUEST_BASED)
    [pid] = lab.processes()
    await until(lambda: state(pid) == "T")
    request = lab.hold(uri)
    await lab.gate.arrived()
    assert state(pid) != "T"
    lab.gate.open()
    assert (await request)[0] == 200
    await until(lambda: state(pid) == "T")


@needs_proc
async def test_a_frozen_instance_is_woken_to_shut_down_in_order(lab, until):
    await lab.public(container=REQUEST_BASED)
    [pid] = lab.processes()
    await until(lambda: state(pid) == "T")
    await lab.run.delete("gateway")
    assert lab.log("stdout")[-1]["textPayload"] == "terminating"


@needs_proc
async def test_a_frozen_instance_is_woken_for_its_liveness_probe(lab, until):
    probe = {"httpGet": {"path": "/healthz"}, "failureThreshold": 1, "periodSeconds": 1, "timeoutSeconds": 30}
    lab.start(liveness_scale=0.1)
    await lab.public(container=REQUEST_BASED | {"livenessProbe": probe})
    [pid] = lab.processes()
    await until(lambda: len(lab.log("stdout")) >= 3 and state(pid) == "T")
    assert lab.starts() == ["DEPLOYMENT_ROLLOUT"]


@needs_proc
async def test_instance_based_cpu_is_never_frozen(lab):
    uri = await lab.public(container=ALWAYS_ON)
    await lab.get(uri)
    [pid] = lab.processes()
    assert state(pid) != "T"


async def test_a_failing_liveness_probe_ends_the_instance_and_its_requests_with_503(lab, until):
    lab.start(liveness_scale=0.01)
    uri = await lab.public(
        container={
            "livenessProbe": {"httpGet": {"path": "/healthz"}, "failureThreshold": 2, "timeoutSeconds": 30}
        }
    )
    held = lab.hold(uri)
    await lab.gate.arrived()
    assert (await lab.get(uri + "/sicken"))[0] == 200
    assert (await held)[0] == 503
    assert any(line.startswith("LIVENESS HTTP probe failed 2 times") for line in lab.system())
    assert (await lab.get(uri))[0] == 200


@needs_proc
async def test_an_instance_above_its_memory_limit_is_killed_and_its_requests_end_with_500(lab):
    uri = await lab.public(container={"resources": {"limits": {"memory": "64Mi"}}})
    assert (await lab.get(f"{uri}/eat?bytes=100000000"))[0] == 500
    assert any(line.startswith("Memory limit of 64 MiB exceeded with ") for line in lab.system())


async def test_an_instance_that_ignores_sigterm_is_killed_after_the_grace_period(lab):
    lab.start(grace=0.2)
    await lab.public(env={"STUBBORN": "1"})
    [pid] = lab.processes()
    await lab.run.delete("gateway")
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
