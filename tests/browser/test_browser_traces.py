"""The list of traces in a browser: rows, the filter and its address, and that it lives."""

import re

import pytest
from conftest import Open, tick
from playwright.sync_api import Page, expect
from stored_traces import fill, request

from localcloud.cloud import LocalCloud

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module", autouse=True)
def traces(cloud: LocalCloud) -> None:
    """Four traces, one of them a 504 that was kept for its deadline."""
    fill(
        cloud.spans,
        [
            request(1),
            request(2, ms=1500, **{"url.path": "/far/away"}),
            request(3, status=504, ms=1000, **{"sampling.keep_reason": "deadline"}),
            request(4, service="other"),
        ],
    )


def rows(page: Page) -> list[str]:
    """The entries of the list, once it has rows."""
    page.locator("tbody tr").first.wait_for()
    return [text.strip() for text in page.locator("td.entry").all_inner_texts()]


def test_a_row_tells_what_happened(visit: Open) -> None:
    """Service and name, status, duration, reason and failed spans are read off one line; it leads to the trace."""
    page = visit("/")
    row = page.get_by_role("row", name="gateway GET /items/3")
    expect(row).to_contain_text("504")
    expect(row).to_contain_text("1,000 ms")
    expect(row).to_contain_text("deadline")
    expect(row).to_contain_text("1 failed spans")
    assert rows(page) == [
        "other GET /items/4",
        "gateway GET /items/3",
        "gateway GET /items/2",
        "gateway GET /items/1",
    ]
    row.get_by_role("link").click()
    expect(page).to_have_url(re.compile(f"/traces/{3:032x}$"))
    expect(page.get_by_role("treeitem")).to_have_count(1)
    page.go_back()
    expect(row).to_be_visible()


def test_a_choice_filters_and_is_in_the_address(visit: Open) -> None:
    """The address of a filtered list can be passed on."""
    page = visit("/traces")
    for label, value, query, left in (
        ("Service", "other", "service=other", ["other GET /items/4"]),
        ("Status", "error", "status=error", ["gateway GET /items/3"]),
        ("Kept because", "deadline", "kept=deadline", ["gateway GET /items/3"]),
    ):
        expect(page.locator("tbody tr")).to_have_count(4)
        page.get_by_label(label).select_option(value)
        expect(page.locator("tbody tr")).to_have_count(len(left))
        assert rows(page) == left
        expect(page).to_have_url(re.compile(f"/traces\\?{query}$"))
        page.reload()
        expect(page.locator("tbody tr")).to_have_count(len(left))
        expect(page.get_by_label(label)).to_have_value(value)
        page.get_by_role("button", name="Clear").click()


def test_a_text_filters_while_it_is_typed(visit: Open) -> None:
    """Attributes and trace ids are searched; the number of matches is told."""
    page = visit("/traces")
    for label, text, left in (
        ("Contains", "FAR/away", 1),
        ("Contains", f"{1:032x}", 1),
        ("At least, ms", "900", 2),
    ):
        page.get_by_label(label).fill(text)
        expect(page.locator("tbody tr")).to_have_count(left)
        expect(page.get_by_text(re.compile(f"^{left} traces? of"))).to_be_visible()
        page.get_by_role("button", name="Clear").click()
        expect(page.locator("tbody tr")).to_have_count(4)
        expect(page).to_have_url(re.compile("/traces$"))


def test_several_services_and_an_exact_status_come_from_an_address(visit: Open) -> None:
    """What a link of an alert names is what the form shows."""
    page = visit("/traces?service=gateway&service=other&status=504")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.get_by_label("Service")).to_have_value("gateway,other")
    expect(page.get_by_label("Status")).to_have_value("504")


def test_a_filter_that_is_refused_says_why(visit: Open) -> None:
    """The server's sentence is shown in place of the rows."""
    page = visit("/traces?status=broken")
    expect(page.get_by_role("alert")).to_contain_text("status has value 'broken'")


def test_after_a_refusal_the_same_list_is_back(visit: Open) -> None:
    """Although nothing in it has changed meanwhile."""
    page = visit("/traces?status=504")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_label("At least, ms").fill("long")
    expect(page.get_by_role("alert")).to_contain_text("min_ms has value 'long'")
    page.get_by_label("At least, ms").fill("")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_new_trace_appears_by_itself(visit: Open, cloud: LocalCloud) -> None:
    """The focus stays where it is while rows come in above it."""
    page = visit("/traces?service=live", clock=True)
    expect(page.get_by_text("0 traces of")).to_be_visible()
    cloud.spans.add(request(50, service="live"))
    tick(page)
    link = page.get_by_role("link", name="live GET /items/50")
    link.focus()
    cloud.spans.add(request(51, service="live"))
    tick(page)
    expect(page.locator("tbody tr")).to_have_count(2)
    expect(link).to_be_focused()
