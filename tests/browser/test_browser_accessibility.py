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


@pytest.mark.parametrize("view", VIEWS)
def test_no_rule_is_broken_and_nothing_leaves_the_window(visit: Open, view: str) -> None:
    """Names, roles, contrast and structure, dark and light; wide tables and drawings scroll by themselves."""
    page = visit(VIEWS[view])
    expect(page.locator(_DRAWN[view]).first).to_be_visible()
    for scheme in ("dark", "light"):
        # Colours that fade over have no contrast yet.
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found = Axe().run(page).response["violations"]
        assert not [(scheme, each["id"], each["nodes"][0]["html"]) for each in found]
    for width in (600, 900, 1600):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
