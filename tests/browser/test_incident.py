"""The incident end to end: real services, a bucket on another continent, and its cause read off the page.

The pictures that it takes are left in BLUEPRINT_ARTIFACTS, if that is set: docs/console.png is its trace-dark.png.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from smallpng import reduce_colours

from ops import stackfile
from ops.arrival import wait_for_trace
from ops.client import Client
from ops.documents import documents
from ops.environment import Environment
from ops.options import EngineChoice
from ops.story import FAR

ROOT = Path(__file__).parents[2]
# One cloud at a time: its processes compete for the 1000 ms that the story is about.
pytestmark = pytest.mark.xdist_group("cloud")


@dataclass(frozen=True)
class Incident:
    """Where the page is, and the id of the request that was answered 504."""

    url: str
    trace_id: str


@pytest.fixture(scope="module")
def incident(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Incident]:
    """One document is stored near by; then `archive` stores in Australia, and the next one takes too long."""
    config = stackfile.load(ROOT, "local")
    broken = stackfile.changed(config, "buckets", "overseas", value=FAR)
    broken = stackfile.changed(broken, "services", "archive", "buckets", value=["overseas"])
    sent, state = documents(ROOT, None), tmp_path_factory.mktemp("state")
    with Environment(ROOT, state, config, engine=EngineChoice.embedded) as environment:
        assert Client(environment.up(config).urls["gateway"]).send(sent[0]).status == 201
        answer = Client(environment.up(broken).urls["gateway"]).send(sent[0])
        assert answer.status == 504
        arrival = wait_for_trace(environment.google, answer.trace_id, settled=1.2, timeout=60)
        assert arrival.complete, arrival.missing
        yield Incident(environment.url, answer.trace_id)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where pictures are left."""
    directory = Path(os.environ.get("BLUEPRINT_ARTIFACTS") or tmp_path)
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_cause_is_read_off_the_page(
    browser: Browser, incident: Incident, pictures: Path, scheme: str
) -> None:
    """From the alert to the trace: the culprit, the 504, the dark time and the deadline, with nothing but links."""
    context = browser.new_context(
        base_url=incident.url, color_scheme=scheme, viewport={"width": 1400, "height": 800}
    )
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.goto("/alerts")
    alert = (
        page.get_by_role("listitem")
        .filter(has_text="Timeouts (504) · local")
        .filter(has_text="gateway-local")
    )
    expect(alert).to_have_count(1)
    page.screenshot(path=pictures / f"alerts-{scheme}.png")
    alert.get_by_role("link", name="Its trace").click()
    expect(page).to_have_url(re.compile(f"/traces/{incident.trace_id}$"))

    verdict = page.get_by_role("heading", level=1)
    expect(verdict).to_contain_text("archive")
    expect(verdict).to_contain_text("australia-southeast1")
    expect(page.get_by_text("bucket in another region")).to_be_visible()
    expect(
        page.get_by_role("treeitem", name=re.compile(r"^gateway POST .documents .* ms 504$"))
    ).to_be_visible()
    expect(page.get_by_role("treeitem", name=re.compile(r"^archive storage\.\w+ .* ms$"))).to_have_class(
        re.compile("on-path")
    )
    dark = page.get_by_role("img", name=re.compile("dark: gateway waited for")).first
    assert "repeating-linear-gradient" in dark.evaluate(
        "element => getComputedStyle(element).backgroundImage"
    )
    expect(page.get_by_role("img", name=re.compile(r"^Deadline: 504 sent to the client at"))).to_be_visible()
    page.mouse.move(0, 0)
    page.screenshot(path=pictures / f"trace-{scheme}.png")
    if "BLUEPRINT_ARTIFACTS" in os.environ:
        reduce_colours(pictures / f"trace-{scheme}.png")

    for view in ("traces", "map", "logs", "resources"):
        page.goto(f"/{view}")
        expect(page.locator("tbody tr, details").first).to_be_visible()
        page.screenshot(path=pictures / f"{view}-{scheme}.png")
    context.close()
