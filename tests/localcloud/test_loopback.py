"""The local cloud answers this machine alone, by its own names: no page of another origin may become one of its own."""

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.cloud import LocalCloud, Options
from localcloud.host import Host


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    directory: Path = tmp_path_factory.mktemp("cloud")
    with Host(Options(directory=directory, project="p", region="r")) as running:
        yield running.cloud


def ask(cloud: LocalCloud, path: str, host: str) -> tuple[int, str]:
    """Status and text of an answer to a request with exactly this Host."""
    connection = http.client.HTTPConnection(cloud.url.removeprefix("http://"), timeout=30)
    try:
        connection.putrequest("GET", path, skip_host=True)
        connection.putheader("Host", host)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:1", "localhost", "LOCALHOST:8080", "[::1]", "[::1]:80"]
)
def test_this_machine_is_answered(cloud: LocalCloud, host: str) -> None:
    """At whatever port: one that is forwarded is another."""
    assert ask(cloud, "/blueprint.json", host)[0] == 200


@pytest.mark.parametrize(
    "path", ["/", "/blueprint.json", "/blueprint/traces", "/v1/projects/p/traces", "/nothing"]
)
@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8080",
        "127.0.0.1.evil.example",
        "localhost@evil.example",
        "127.0.0.1/x",
        "[",
        "",
    ],
)
def test_another_name_is_refused(cloud: LocalCloud, path: str, host: str) -> None:
    """A name that points at 127.0.0.1 makes a stranger's page one of the same origin (DNS rebinding)."""
    status, said = ask(cloud, path, host)
    assert status == 421
    assert said.startswith(f"Host has value '{host}'; localcloud answers as 127.0.0.1")
