"""Alerts, logs, map and resources in a browser, and the links between them."""

import re

import pytest
from conftest import Open
from handmade import TRACE_ID, log
from incident import ELSEWHERE, FILTER, happen
from playwright.sync_api import expect
from stored_traces import request

from infra import links
from localcloud.cloud import LocalCloud
from localcloud.host import Host

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module", autouse=True)
def _incident(host: Host) -> None:
    happen(host)


def test_an_alert_leads_to_its_trace_and_its_logs(visit: Open) -> None:
    """From what fired to the request, and to the entries that its policy matches."""
    page = visit("/alerts")
    alert = page.get_by_role("list", name="Alerts").get_by_role("listitem")
    expect(alert).to_have_count(1)
    for text in ("Timeouts (504) · local", "ERROR", "OPEN", "gateway-local"):
        expect(alert).to_contain_text(text)
    alert.get_by_role("link", name="Its trace").click()
    expect(page).to_have_url(re.compile(f"/traces/{TRACE_ID}$"))
    expect(page.get_by_role("treeitem").first).to_be_visible()
    page.go_back()
    alert.get_by_role("link", name="Its log entries").click()
    expect(page.get_by_label("Query")).to_have_value(FILTER)
    expect(page.locator(".entries details")).to_have_count(1)


def test_the_document_is_text_with_links_to_both_consoles(visit: Open) -> None:
    """Markup in it stays text; a link into Google's console opens the same place here, never another host's."""
    page = visit("/alerts")
    document = page.locator(".document")
    expect(document).to_contain_text("gateway-local answered 504 <b>in time</b>.")
    expect(document.get_by_role("link", name="on Google").first).to_have_attribute(
        "href", re.compile(r"^https://console\.cloud\.google\.com/logs")
    )
    expect(document.get_by_role("link", name="Elsewhere")).to_have_attribute("href", ELSEWHERE)
    document.get_by_role("link", name="The trace").click()
    expect(page).to_have_url(re.compile(f"/traces/{TRACE_ID}$"))
    page.go_back()
    page.locator(".document").get_by_role("link", name="Matching log entries").click()
    expect(page.get_by_label("Query")).to_have_value('severity>=WARNING\nAND textPayload:"a;b"')


def test_replacing_the_host_of_a_link_is_enough(visit: Open) -> None:
    """Every link that the stack makes opens a view of the page."""
    page = visit("/")
    for link, view in (
        (links.traces("p", failed=True), "Traces"),
        (links.logs("p", FILTER), "Logs"),
        (links.alerts("p"), "Alerts"),
        (links.services("p"), "Resources"),
        (links.dashboard("p", "projects/p/dashboards/1"), "Map"),
    ):
        page.goto(link.removeprefix("https://console.cloud.google.com"))
        expect(page.get_by_role("navigation", name="Views").get_by_role("link", name=view)).to_have_attribute(
            "aria-current", "page"
        )


def test_a_query_lists_entries_newest_first(visit: Open) -> None:
    """With severity and message; an entry opens to all that it holds and leads to its trace."""
    page = visit("/logs?query=severity%3E%3DWARNING")
    entries = page.locator(".entries details")
    expect(entries).to_have_count(2)
    expect(entries.first).to_contain_text("504: deadline exceeded")
    entries.first.locator("summary").click()
    expect(entries.first.locator("pre")).to_contain_text('"insertId"')
    entries.first.get_by_role("link", name="Its trace").click()
    expect(page).to_have_url(re.compile(f"/traces/{TRACE_ID}\\?span={1:016x}$"))


def test_an_error_of_the_language_is_the_apis_sentence(visit: Open) -> None:
    """A function that is not supported is named; the next query works."""
    page = visit("/logs")
    expect(page.locator(".entries details")).to_have_count(3)
    query = page.get_by_label("Query")
    query.fill("log_id(x)")
    query.press("Control+Enter")
    expect(page.get_by_role("alert")).to_have_text(
        "The function log_id() is not supported by localcloud; compare a field instead."
    )
    query.fill("severity=INFO")
    page.get_by_role("button", name="Run query").click()
    expect(page.locator(".entries details")).to_have_count(1)
    expect(page).to_have_url(re.compile("query=severity%3DINFO$"))


def test_the_map_shows_who_calls_whom(visit: Open) -> None:
    """Nodes in a drawing, the same in a table, and a way to a service's traces."""
    page = visit("/map")
    drawing = page.get_by_role("region", name="Drawing of the service map")
    for name in ("clients", "gateway", "extract", "archive"):
        expect(drawing.locator(".name", has_text=name)).to_be_visible()
    places = [
        drawing.locator(".name", has_text=name).bounding_box()
        for name in ("clients", "gateway", "extract", "archive")
    ]
    lefts = [place["x"] for place in places if place]
    assert lefts == sorted(lefts)
    row = page.get_by_role("row", name="archive documents-overseas")
    expect(row).to_contain_text("1,085 ms")
    page.get_by_role("link", name="extract").click()
    expect(page).to_have_url(re.compile(r"/traces\?service=extract$"))


def test_resources_and_grants_are_listed(visit: Open) -> None:
    """What is deployed, where services listen, and who may do what."""
    page = visit("/resources")
    expect(page.get_by_role("link", name="http://127.0.0.1:3")).to_be_visible()
    expect(page.get_by_text("gcp:storage/bucket:Bucket")).to_be_visible()
    expect(
        page.get_by_role("row", name="archive@p roles/storage.objectUser buckets/documents-overseas")
    ).to_be_visible()


def test_text_from_requests_is_never_markup(visit: Open, cloud: LocalCloud) -> None:
    """A name that is an element and a script shows as it is written, in the list and in the logs."""
    name = "<img src=x onerror=document.title='taken'>"
    cloud.spans.add(request(70, service=name))
    cloud.logs.write(log(1, "ALERT", name, service=name))
    page = visit("/traces?text=items/70")
    expect(page.get_by_role("link", name=f"{name} GET /items/70")).to_be_visible()
    page.goto("/logs?query=severity%3DALERT")
    expect(page.locator(".entries .message")).to_have_text(name)
    assert page.locator("img[src=x]").count() == 0


def test_an_open_alert_is_counted_in_the_header(visit: Open) -> None:
    """From any view one sees that something has fired."""
    page = visit("/map")
    expect(page.get_by_role("link", name="Alerts 1 open")).to_be_visible()
