"""Every view, dark and light, by axe-core's rules; and wide and narrow."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import Open
from incident import VIEWS, happen
from playwright.sync_api import expect

from localcloud.host import Host

pytestmark = pytest.mark.xdist_group("browser")
_DRAWN = {
    "traces": "tbody tr",
    "trace": "aside dl",
    "map": "svg .node",
    "alerts": ".alert-list li",
    "logs": ".entries details",
    "resources": "tbody tr",
}


@pytest.fixture(scope="module", autouse=True)
def _incident(host: Host) -> None:
    happen(host)


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("view", VIEWS)
def test_no_rule_is_broken(visit: Open, view: str, scheme: str) -> None:
    """Names, roles, contrast and structure."""
    page = visit(VIEWS[view], scheme=scheme)
    expect(page.locator(_DRAWN[view]).first).to_be_visible()
    found = Axe().run(page).response["violations"]
    assert not [(each["id"], each["nodes"][0]["html"]) for each in found]


@pytest.mark.parametrize("width", [600, 900, 1600])
@pytest.mark.parametrize("view", VIEWS)
def test_nothing_leaves_the_window(visit: Open, view: str, width: int) -> None:
    """No view scrolls sideways as a whole; wide tables and drawings scroll by themselves."""
    page = visit(VIEWS[view], width=width)
    expect(page.locator(_DRAWN[view]).first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
