"""What happens in a browser while the server's answers change: nothing that the reader is at is moved, lost or mixed up."""

import re

import pytest
from conftest import Open, tick
from handmade import TRACE_ID, request_log, server, span, trace
from incident import happen
from playwright.sync_api import Browser, Locator, Page, Request, Route, expect
from stored_traces import fill, request, stored

from localcloud.cloud import LocalCloud
from localcloud.host import Host

pytestmark = pytest.mark.xdist_group("browser")
LIST = re.compile(r"/blueprint/traces\?")
MANY = 70


@pytest.fixture(scope="module", autouse=True)
def _incident(host: Host) -> None:
    happen(host)
    fill(host.cloud.spans, (request(number) for number in range(1, MANY + 1)))


def scroll(page: Page, top: int) -> None:
    """As a reader does, with a frame for the page to take note of it."""
    page.evaluate("top => new Promise(done => { scrollTo(0, top); requestAnimationFrame(done); })", top)


def watch(page: Page, id: str) -> None:
    """Have the page note in `window.changed` whether anything changes within that element."""
    page.evaluate(
        """id => new MutationObserver(() => { window.changed = true; })
          .observe(document.getElementById(id), { childList: true, subtree: true, characterData: true })""",
        id,
    )


def test_a_late_span_moves_nothing(visit: Open, cloud: LocalCloud) -> None:
    """Folds, focus and scrolling stay, whether the focus is in the tree, on a button of it, or in the head."""
    steps = [span(id, 1, "a", f"step {id}", "INTERNAL", id, id + 1) for id in range(4, MANY)]
    work = [span(2, 1, "a", "work", "INTERNAL", 1, 99), span(3, 2, "a", "inner", "INTERNAL", 2, 98)]
    *spans, last, later, latest = stored(trace(server(1, 0, "a", 0, 100), *work, *steps), "d" * 32)
    fill(cloud.spans, spans)
    page = visit(f"/traces/{'d' * 32}", clock=True)
    items, folded = page.locator("[role=treeitem]"), page.get_by_role("treeitem", name="a work")
    expect(items).to_have_count(len(spans))
    folded.focus()
    page.keyboard.press("ArrowLeft")
    focused: list[Locator] = [
        folded,
        page.get_by_role("button", name="Collapse"),
        page.get_by_role("button", name="Show the span"),
    ]
    for place, arriving in zip(focused, (last, later, latest), strict=True):
        place.focus()
        scroll(page, 700)
        before = items.count()
        cloud.spans.add(arriving)
        tick(page)
        expect(items).to_have_count(before + 1)
        expect(place).to_be_focused()
        assert page.evaluate("scrollY") == 700
        expect(folded).to_have_attribute("aria-expanded", "false")


def test_new_alerts_and_traces_leave_links_in_focus(visit: Open, cloud: LocalCloud) -> None:
    """On the views of alerts and of the map, where everything may have changed around them; times pass there as well."""
    page = visit("/alerts", clock=True)
    link = page.get_by_role("link", name="Its log entries").first
    link.focus()
    page.get_by_text("What to do").first.evaluate("element => element.click()")
    cloud.logs.write(request_log(10, "gateway", 504, "2.000s") | {"trace": "projects/p/traces/" + "b" * 32})
    cloud.logs.write(request_log(20, "extract", 504, "2.000s"))
    tick(page)
    expect(page.locator(".alert-list > li")).to_have_count(2)
    expect(page.get_by_role("link", name="Its log entries").last).to_be_focused()
    assert page.locator(".alert-list details[open]").count() == 1
    tick(page, 600)
    expect(page.locator(".alert-list time").last).to_contain_text("10 min ago")

    page.goto("/map")
    service = page.get_by_role("link", name="extract")
    service.focus()
    cloud.spans.add(request(900, service="another"))
    tick(page)
    expect(page.get_by_role("link", name="another")).to_be_visible()
    expect(service).to_be_focused()


def test_nothing_is_asked_while_nobody_looks(visit: Open) -> None:
    """A hidden tab rests; as soon as it is shown it asks at once."""
    page = visit("/traces", clock=True)
    expect(page.locator("tbody tr").first).to_be_visible()
    asked: list[Request] = []
    page.on("request", lambda sent: asked.append(sent))
    show = "hidden => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true }); document.dispatchEvent(new Event('visibilitychange')); }"
    page.evaluate(show, True)
    tick(page, 30)
    assert not asked
    with page.expect_request(LIST):
        page.evaluate(show, False)


def test_an_answer_to_an_older_filter_is_dropped(visit: Open) -> None:
    """It comes after that of the newer one, and must not be what is shown."""
    held: list[Route] = []
    page = visit("/traces?service=gateway")
    expect(page.locator("tbody tr").first).to_be_visible()
    page.route(re.compile("text=slow"), lambda route: held.append(route))
    with page.expect_request(re.compile("text=slow")):
        page.get_by_label("Contains").fill("slow")
    page.get_by_label("Contains").fill("items/7")
    expect(page.locator("tbody tr")).to_have_count(2)
    watch(page, "view")
    with page.expect_response(re.compile("text=slow")) as late:
        held[0].continue_()
    late.value.finished()
    # The page reads the answer after it has come; it may take a moment to do nothing with it.
    page.wait_for_timeout(200)
    assert not page.evaluate("window.changed")
    expect(page.locator("tbody tr")).to_have_count(2)


def test_what_is_typed_stays_with_its_view(visit: Open) -> None:
    """Who follows a link before the typing has paused finds that trace's own address, and the place in the list on return."""
    page = visit("/traces?service=gateway")
    row = page.get_by_role("link", name="GET /items/5", exact=False).last
    expect(row).to_be_visible()
    scroll(page, 900)
    page.evaluate(
        """() => {
          const text = document.getElementById("f-text");
          text.value = "items";
          text.dispatchEvent(new Event("input", { bubbles: true }));
          document.querySelector("tbody tr:nth-child(60) a").click();
        }"""
    )
    expect(page.get_by_role("treeitem")).to_have_count(1)
    # As long as the pause that the filter waits for, and more.
    page.wait_for_timeout(300)
    expect(page).to_have_url(re.compile("/traces/[0-9a-f]{32}$"))
    assert page.evaluate("scrollY") == 0
    page.go_back()
    expect(page.locator("tbody tr").first).to_be_visible()
    page.wait_for_function("scrollY === 900")


def test_queries_of_logs_do_not_mix(visit: Open) -> None:
    """A slow answer does not take the place of a newer one, and older entries are those of the query that is shown."""
    held: list[Route] = []
    page = visit("/logs")
    expect(page.locator(".entries details").first).to_be_visible()
    entries = page.locator(".entries details")

    def delay(route: Route) -> None:
        if "severity=INFO" in (route.request.post_data or ""):
            held.append(route)
        elif (
            "severity>=ERROR" in (route.request.post_data or "")
            and "pageToken" not in route.request.post_data
        ):
            answer = route.fetch()
            route.fulfill(response=answer, json=answer.json() | {"nextPageToken": "next"})
        else:
            route.continue_()

    page.route("**/v2/entries:list", delay)
    query = page.get_by_label("Query")
    for text in ("severity=INFO", "severity>=ERROR"):
        query.fill(text)
        query.press("Control+Enter")
    expect(page.get_by_text("and older ones")).to_be_visible()
    expect(entries.first).to_contain_text("ERROR")
    with page.expect_response("**/v2/entries:list"):
        held[0].continue_()
    expect(entries.first).to_contain_text("ERROR")
    query.fill("something else")
    with page.expect_request("**/v2/entries:list") as older:
        page.get_by_role("button", name="Older entries").click()
    assert older.value.post_data_json["filter"] == "severity>=ERROR"
    expect(page.get_by_role("alert")).to_be_visible()
    expect(entries.first).to_contain_text("ERROR")


def test_a_failure_to_show_is_not_taken_for_a_server_that_is_down(
    browser: Browser, cloud: LocalCloud
) -> None:
    """It is told as what it is, and reaches the browser's console."""
    page = browser.new_context(base_url=cloud.url).new_page()
    errors: list[Exception] = []
    page.on("pageerror", lambda error: errors.append(error))
    page.route(LIST, lambda route: route.fulfill(json={"matching": 1, "in_store": 1}))
    page.goto("/traces")
    expect(page.get_by_role("alert")).to_contain_text("failed to show")
    expect(page.locator("#connection")).to_be_empty()
    assert errors
    page.context.close()


def test_one_old_trace_does_not_stack_all_the_others(visit: Open, cloud: LocalCloud) -> None:
    """It stands at the edge of the plot, which says so; names keep their direction to themselves."""
    fill(cloud.spans, stored(trace(server(1, 0, "plotted", 0, 20)), "c" * 32, at_ns=10**18))
    fill(cloud.spans, (request(number, service="plotted") for number in range(1000, 1020)))
    page = visit("/traces?service=plotted")
    expect(page.locator(".plot circle")).to_have_count(21)
    across = page.locator(".plot circle").evaluate_all("dots => dots.map(dot => dot.cx.baseVal.value)")
    assert len({round(x / 10) for x in across}) > 15
    expect(page.locator(".plot")).to_contain_text("1 trace before")
    direction = "element => getComputedStyle(element).unicodeBidi"
    assert page.locator(".entry bdi").first.evaluate(direction) == "isolate"


def test_a_standing_refusal_is_said_once(visit: Open) -> None:
    """It is not announced again each time that the page asks."""
    page = visit(f"/traces/{TRACE_ID[:-1]}0", clock=True)
    expect(page.get_by_role("alert")).to_contain_text("is not in the store")
    watch(page, "problem")
    with page.expect_response(re.compile(TRACE_ID[:-1])):
        tick(page)
    tick(page)
    assert not page.evaluate("window.changed")
