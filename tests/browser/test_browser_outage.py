"""A local cloud that is stopped and started again, with other contents, under pages that stay open."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from conftest import Open, tick
from handmade import PROJECT, SPAIN, TRACE_ID
from incident import happen
from playwright.sync_api import expect

from localcloud.cloud import LocalCloud, Options
from localcloud.host import Host

pytestmark = pytest.mark.xdist_group("browser")
SILENT = "The local cloud does not answer. Is it running? This page keeps asking."


@pytest.fixture(scope="module")
def running() -> Iterator[ExitStack]:
    """What is to be stopped."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def host(running: ExitStack, tmp_path_factory: pytest.TempPathFactory) -> Host:
    """A local cloud that the test may stop."""
    options = Options(directory=tmp_path_factory.mktemp("first"), project=PROJECT, region=SPAIN)
    return running.enter_context(Host(options))


def test_open_pages_say_so_and_recover(
    visit: Open, cloud: LocalCloud, host: Host, running: ExitStack, tmp_path: Path
) -> None:
    """Each says it in one sentence and keeps what it shows; what is gone with the restart is not shown any more."""
    happen(host)
    trace, logs, resources = (
        visit(path, clock=True) for path in (f"/traces/{TRACE_ID}", "/logs", "/resources")
    )
    expect(trace.get_by_role("treeitem")).to_have_count(7)
    expect(logs.locator(".entries details")).to_have_count(3)
    expect(resources.get_by_text("2 resources")).to_be_visible()
    port = int(cloud.url.rsplit(":", 1)[1])
    running.close()

    for page in (trace, resources):
        tick(page)
        expect(page.locator("#connection")).to_have_text("not reachable")
        expect(page.get_by_role("alert")).to_have_text(SILENT)
    expect(trace.get_by_role("treeitem")).to_have_count(7)
    logs.get_by_role("button", name="Run query").click()
    expect(logs.get_by_role("alert")).to_have_text(SILENT)
    expect(logs.locator(".entries details")).to_have_count(3)
    resources.get_by_role("link", name="Map").click()
    expect(resources.get_by_role("alert")).to_have_text(SILENT)

    options = Options(directory=tmp_path, project=PROJECT, region=SPAIN, port=port)
    running.enter_context(Host(options))
    for page in (trace, resources):
        tick(page)
        expect(page.locator("#connection")).to_be_empty()
    expect(trace.get_by_role("alert")).to_have_text(f"Trace {TRACE_ID} is not in the store.")
    expect(trace.get_by_role("treeitem")).to_have_count(0)
    expect(resources.get_by_role("alert")).to_have_count(0)
    expect(resources.get_by_text("No calls in this time.")).to_be_visible()
    logs.get_by_role("button", name="Try again").click()
    expect(logs.get_by_text("No entry matches.")).to_be_visible()
    expect(logs.get_by_role("alert")).to_have_count(0)
