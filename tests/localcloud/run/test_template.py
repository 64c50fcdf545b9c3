"""What a service's inputs mean: Cloud Run's defaults, and what is refused."""

import pytest

from localcloud.resources import Refused
from localcloud.run.template import read_template


def read(container=None, **template):
    container = {"image": "box"} | (container or {})
    return read_template({"template": {"containers": [container]} | template}, project="p", default_max=7)


def test_cloud_runs_defaults_are_filled_in():
    template = read()
    assert (template.timeout, template.concurrency, template.memory) == (300.0, 80, 512 * 1024**2)
    assert (template.min_instances, template.max_instances) == (0, 7)
    assert (template.startup.label, template.startup.allowance, template.liveness) == ("TCP", 240.0, None)
    assert template.service_account == "p-compute@developer.gserviceaccount.com"


@pytest.mark.parametrize(
    ("resources", "cpu_idle"),
    [
        (None, True),
        ({"limits": {"memory": "1Gi"}}, False),
        ({"cpuIdle": True}, True),
        ({"limits": {"memory": "1Gi"}, "cpuIdle": False}, False),
    ],
)
def test_resources_without_cpu_idle_silently_mean_instance_based_cpu(resources, cpu_idle):
    assert read({"resources": resources}).cpu_idle is cpu_idle


@pytest.mark.parametrize(
    ("cpu", "given", "concurrency"),
    [("1", None, 80), ("500m", None, 1), ("0.5", 0, 1), ("1000m", None, 80), ("500m", 4.0, 4)],
)
def test_concurrency_falls_to_one_below_one_cpu(cpu, given, concurrency):
    limits = {"resources": {"limits": {"cpu": cpu}}}
    assert read(limits, maxInstanceRequestConcurrency=given).concurrency == concurrency


@pytest.mark.parametrize(
    ("text", "size"), [("512Mi", 512 * 1024**2), ("1Gi", 1024**3), ("2G", 2 * 10**9), ("1000", 1000)]
)
def test_memory_is_read_in_kubernetes_units(text, size):
    assert read({"resources": {"limits": {"memory": text}}}).memory == size


def test_a_probe_has_cloud_runs_defaults_for_what_it_leaves_out():
    probe = read({"livenessProbe": {"httpGet": {"path": "/healthz"}}}).liveness
    assert (probe.path, probe.timeout, probe.period, probe.failures) == ("/healthz", 1.0, 10.0, 3)


@pytest.mark.parametrize(
    ("container", "template", "message"),
    [
        ({"envs": [{"name": "PORT", "value": "1"}]}, {}, "reserved env names were provided: PORT"),
        (
            {"envs": [{"name": "KEY", "valueSource": {"secretKeyRef": {}}}]},
            {},
            "env KEY takes its value from a secret",
        ),
        ({"args": ["--debug"]}, {}, "containers\\[0\\].args is not supported"),
        ({"startupProbe": {"grpc": {"port": 1}}}, {}, "grpc probe is not supported"),
        ({"resources": {"limits": {"memory": "lots"}}}, {}, "memory has value 'lots'; allowed is"),
        ({}, {"containers": []}, "template.containers has 0 entries"),
    ],
)
def test_what_cannot_be_run_is_refused_in_a_sentence(container, template, message):
    with pytest.raises(Refused, match=message):
        read(container, **template)


def test_split_traffic_is_refused():
    spec = {"template": {"containers": [{"image": "box"}]}, "traffics": [{"percent": 50}, {"percent": 50}]}
    with pytest.raises(Refused, match="traffics splits traffic"):
        read_template(spec, project="p", default_max=1)
