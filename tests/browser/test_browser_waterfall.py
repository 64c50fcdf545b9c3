"""The waterfall in a browser: what can be seen of the incident, what a screen reader hears, and the keyboard."""

from collections.abc import Iterator

import pytest
from conftest import Open, tick, visiting
from handmade import TRACE_ID, call, server, span, trace
from incident import happen
from playwright.sync_api import Browser, Page, expect
from stored_traces import fill, stored

from localcloud.cloud import LocalCloud
from localcloud.host import Host

pytestmark = pytest.mark.xdist_group("browser")
PATH = f"/traces/{TRACE_ID}"
NAMES = [
    "gateway POST /documents 1,000 ms 504",
    "gateway POST 990 ms ERROR",
    "extract POST /documents 1,098 ms 201",
    "extract POST 1,095 ms 201",
    "archive POST /documents 1,093 ms 201",
    "archive storage.store 1,085 ms",
    "archive POST 1,084 ms 200",
]


@pytest.fixture(scope="module", autouse=True)
def _incident(host: Host) -> None:
    happen(host)


@pytest.fixture(scope="module")
def drawn(browser: Browser, cloud: LocalCloud, _incident: None) -> Iterator[Page]:
    """The incident's trace, for tests that only look at it."""
    with visiting(browser, cloud) as visit:
        yield _seen(visit)


@pytest.fixture
def page(visit: Open) -> Page:
    """The same, for a test's own use."""
    return _seen(visit)


def _seen(visit: Open) -> Page:
    opened = visit(PATH)
    expect(opened.get_by_role("treeitem")).to_have_count(len(NAMES))
    return opened


def test_spans_are_named_and_nested(drawn: Page) -> None:
    """Service, span, duration and status; each one level below its caller."""
    for level, name in enumerate(NAMES, 1):
        item = drawn.get_by_role("treeitem", name=name, exact=True)
        expect(item).to_have_attribute("aria-level", str(level))
        expect(item).to_be_visible()


def test_the_verdict_and_the_figures(drawn: Page) -> None:
    """The first thing that is read is who is at fault; then how long, what, how much is dark."""
    expect(drawn.get_by_role("heading", level=1)).to_contain_text("archive spent 1,085 ms in storage.store")
    expect(drawn.get_by_role("heading", level=1)).to_contain_text(
        "documents-overseas is in australia-southeast1"
    )
    figures = drawn.locator("dl.figures")
    expect(figures).to_contain_text("1,000 ms")
    expect(figures).to_contain_text("504")
    expect(figures).to_contain_text("4.0 ms")


def test_dark_time_is_hatched_and_says_why(drawn: Page) -> None:
    """A stretch that no span explains looks unlike any other, and carries the sentence of the gap."""
    dark = drawn.get_by_role("img", name="gateway waited for extract to begin")
    expect(dark).to_have_attribute(
        "title", "gateway waited for extract to begin (network, queueing or a cold start)"
    )
    assert "repeating-linear-gradient" in dark.evaluate(
        "element => getComputedStyle(element).backgroundImage"
    )
    box = dark.bounding_box()
    assert box
    assert box["width"] >= 3


def test_the_deadline_is_a_line_where_the_client_had_its_answer(drawn: Page) -> None:
    """It runs through all rows at its place on the axis, and says in words what it is."""
    expect(drawn.get_by_text("504 sent to the client at 1,000 ms")).to_be_visible()
    dashed = drawn.get_by_role("img", name="Deadline: 504 sent to the client at 1,000 ms")
    assert dashed.evaluate("element => getComputedStyle(element).borderLeftStyle") == "dashed"
    line = dashed.bounding_box()
    rows, track = drawn.get_by_role("tree").bounding_box(), drawn.locator(".item .track").first.bounding_box()
    assert line
    assert rows
    assert track
    assert line["height"] >= rows["height"]
    assert line["x"] == pytest.approx(track["x"] + track["width"] * 1000 / 1110, abs=3)


def test_errors_and_the_critical_path_are_plain_to_see(drawn: Page) -> None:
    """Failed spans are outlined; the storage work that the client waited for is marked."""
    outlines = [
        item.locator(".bar").evaluate("element => getComputedStyle(element).outlineStyle")
        for item in drawn.get_by_role("treeitem").all()
    ]
    assert outlines == ["solid", "solid", *["none"] * 5]
    stored_item = drawn.get_by_role("treeitem", name=NAMES[-1])
    critical, bar = (
        stored_item.locator(".critical").bounding_box(),
        stored_item.locator(".bar").bounding_box(),
    )
    assert critical
    assert bar
    assert critical["width"] == pytest.approx(bar["width"] * 984.5 / 1084, rel=0.02)
    expect(stored_item).to_have_attribute(
        "aria-description", "on the critical path; ended 100 ms after the client had its answer"
    )


def test_log_lines_are_under_the_span_that_wrote_them(page: Page) -> None:
    """With time, severity and message; one button hides them all."""
    entry = page.get_by_role("treeitem", name=NAMES[0])
    expect(entry).to_contain_text("WARNING504: deadline exceeded: no answer in time")
    expect(entry).to_contain_text("received a.txt")
    page.get_by_role("button", name="Hide logs").click()
    expect(entry.get_by_text("received a.txt")).to_be_hidden()


def test_the_keyboard_moves_folds_and_opens(page: Page) -> None:
    """Arrows, Home and End move; left and right fold; Enter opens the attributes, Tab leads there, Escape closes them."""
    items = page.get_by_role("treeitem")
    items.first.focus()
    for key, expected in (
        ("ArrowDown", 1),
        ("ArrowDown", 2),
        ("ArrowUp", 1),
        ("End", 6),
        ("Home", 0),
        ("ArrowRight", 1),
    ):
        page.keyboard.press(key)
        expect(items.nth(expected)).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(items.nth(1)).to_have_attribute("aria-expanded", "false")
    assert [item.is_visible() for item in page.locator("[role=treeitem]").all()] == [True, True, *[False] * 5]
    page.keyboard.press("ArrowDown")
    expect(page.locator("[role=treeitem]").nth(1)).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(items).to_have_count(7)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(items.first).to_be_focused()
    page.keyboard.press("Enter")
    panel = page.get_by_role("complementary", name="Span")
    expect(panel).to_contain_text("http.response.status_code")
    expect(panel).to_contain_text("1,000 ms10 ms of it by itself")
    expect(page.get_by_text(f"Details of {NAMES[0]} are open")).to_have_role("status")
    page.keyboard.press("Tab")
    expect(panel.get_by_role("button", name="Close")).to_be_focused()
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    expect(items.first).to_be_focused()
    page.keyboard.press("Enter")
    expect(panel).to_be_visible()
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    expect(items.first).to_be_focused()


def test_a_span_has_an_address(page: Page, visit: Open) -> None:
    """The open span is in the address, and that address opens it; Back leads to what was open before."""
    page.get_by_role("treeitem", name=NAMES[5]).click()
    panel = page.get_by_role("complementary", name="Span")
    expect(panel).to_contain_text("gcp.gcs.bucket")
    again = visit(page.url.removeprefix(page.url.split("/traces")[0]))
    expect(again.get_by_role("complementary", name="Span")).to_contain_text("documents-overseas")
    expect(again.get_by_role("treeitem", name=NAMES[5])).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowLeft")
    page.get_by_role("treeitem", name=NAMES[0]).click()
    expect(panel).not_to_contain_text("gcp.gcs.bucket")
    page.go_back()
    expect(panel).to_contain_text("gcp.gcs.bucket")
    page.go_back()
    expect(panel).to_have_count(0)
    expect(page.get_by_role("treeitem")).to_have_count(1)


def test_only_the_critical_path_can_be_shown(visit: Open, cloud: LocalCloud) -> None:
    """What nobody waited for is hidden, also of what arrives later."""
    own = [server(1, 0, "a", 0, 100), call(2, 1, "a", 10, 90)]
    asides = [span(id, 1, "a", f"aside {id}", "INTERNAL", 20, 30) for id in (3, 4)]
    first, second, third, last = stored(trace(*own, *asides), "c" * 32)
    fill(cloud.spans, [first, second, third])
    page = visit(f"/traces/{'c' * 32}", clock=True)
    expect(page.get_by_role("treeitem")).to_have_count(3)
    toggle = page.get_by_role("button", name="Critical path", exact=True)
    toggle.click()
    expect(page.get_by_role("treeitem")).to_have_count(2)
    cloud.spans.add(last)
    tick(page)
    expect(page.locator("[role=treeitem]")).to_have_count(4)
    expect(toggle).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("treeitem")).to_have_count(2)


def test_the_verdict_leads_to_its_span(page: Page) -> None:
    """One click from the sentence to the bar that it is about."""
    page.get_by_role("button", name="Show the span").click()
    expect(page.get_by_role("treeitem", name=NAMES[5])).to_be_focused()


def test_background_work_does_not_make_the_wait_a_sliver(visit: Open, cloud: LocalCloud) -> None:
    """The axis ends with the client's wait if the rest is much longer, until a button shows everything."""
    hour = span(2, 1, "a", "background", "INTERNAL", 5, 3_600_000)
    fill(cloud.spans, stored(trace(server(1, 0, "a", 0, 20), hour), "d" * 32))
    page = visit(f"/traces/{'d' * 32}")
    bars, track = page.locator(".bar"), page.locator(".item .track").first
    button = page.get_by_role("button", name="Client's wait")
    expect(button).to_have_attribute("aria-pressed", "true")
    width = "element => element.getBoundingClientRect().width"
    assert bars.first.evaluate(width) > 0.8 * track.evaluate(width)
    assert bars.last.evaluate(width) <= track.evaluate(width)
    expect(bars.last).to_have_attribute("title", "until 3,600 s")
    button.click()
    assert bars.first.evaluate(width) < 5
    assert bars.last.evaluate(width) > 0.8 * track.evaluate(width)


def test_a_narrow_window_shows_names_bars_and_details(visit: Open) -> None:
    """The panel leaves the row that it is about in sight, with its whole name and its bar."""
    page = visit(PATH, width=700)
    item = page.get_by_role("treeitem", name=NAMES[5])
    item.click()
    panel = page.get_by_role("complementary", name="Span")
    expect(panel).to_contain_text("gcp.gcs.bucket")
    expect(item.locator(".text")).to_have_attribute("title", "archive storage.store")
    assert item.locator(".text").evaluate("element => element.scrollWidth <= element.clientWidth")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    bar, details = item.locator(".bar").bounding_box(), panel.bounding_box()
    assert bar
    assert details
    assert bar["width"] > 500
    assert bar["y"] + bar["height"] <= details["y"]


def test_an_unknown_trace_is_one_sentence(visit: Open) -> None:
    """A mistyped address says that the trace is not there."""
    page = visit(f"/traces/{'e' * 32}")
    expect(page.get_by_role("alert")).to_have_text(f"Trace {'e' * 32} is not in the store.")
