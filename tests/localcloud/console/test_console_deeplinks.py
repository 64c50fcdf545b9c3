"""Links of alerts and stack outputs into Google's console, with the host replaced by the local one."""

import asyncio
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from console_server import serving

from infra import links
from localcloud.console.deeplinks import local_path

TRACE = "0af7651916cd43dd8448eb211c80319c"
QUERY = 'resource.type="cloud_run_revision"\nAND logName="projects/p/logs/run.googleapis.com%2Frequests"\nAND textPayload=~"a;b?c=d&e#f"'


def here(address: str) -> str:
    """The link with only its host replaced."""
    return address.removeprefix("https://console.cloud.google.com")


@pytest.mark.parametrize(
    ("link", "path"),
    [
        (links.traces("p"), "/traces"),
        (links.traces("p", failed=True), "/traces?status=error"),
        (
            links.traces("p", failed=True, services=["b", "a"]),
            "/traces?service=a&service=b&status=error",
        ),
        (links.services("p"), "/resources"),
        (links.alerts("p"), "/alerts"),
        (links.dashboards("p"), "/map"),
        (links.dashboard("p", "projects/1/dashboards/ab-c"), "/map"),
        (f"/traces/list?tid={TRACE}&project=p", f"/traces/{TRACE}"),
        (f"/traces/list;x=1?project=p&tid={TRACE}", f"/traces/{TRACE}"),
        ("/traces/list?tid=../x", "/traces"),
        ("/traces/explorer;query=no%20json?project=p", "/traces"),
        ("/traces/explorer;query=%5B1%5D?project=p", "/traces"),
        ("/monitoring/alerting/incidents/0.abc?project=p", "/alerts"),
        ("/run/detail/r/s/metrics?project=p", "/resources"),
        ("/logs/query?project=p", "/logs"),
    ],
)
async def test_a_link_opens_the_view_that_stands_for_the_page(tmp_path: Path, link: str, path: str) -> None:
    """Replacing the host of any link that `infra/links.py` makes is enough."""
    async with serving(tmp_path) as console:
        response = await console.get(here(link))
        assert (response.status, response.headers.get("Location")) == (302, path)


async def test_a_logging_query_arrives_whole(tmp_path: Path) -> None:
    """What is encoded in a query neither ends it nor is decoded twice."""
    async with serving(tmp_path) as console:
        address = console.client.make_url("/")
        raw = here(links.logs("p", QUERY))
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(f"GET {raw} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = (await reader.read()).decode()
        writer.close()
        location = next(line for line in answer.splitlines() if line.startswith("Location: "))
        parts = urlsplit(location.removeprefix("Location: "))
        assert (parts.path, parse_qs(parts.query)) == ("/logs", {"query": [QUERY]})


@pytest.mark.parametrize("path", ["/nothing", "/traces", "/logsquery"])
def test_other_paths_are_none_of_googles(path: str) -> None:
    """The page's own addresses are not sent elsewhere."""
    assert local_path(path) is None
