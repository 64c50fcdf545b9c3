"""A real browser on a local cloud without services, whose stores the tests fill.

Debian's Chromium, never one that Playwright downloads. Module scope, not session: Playwright's synchronous interface
keeps a loop running in its thread, and the asynchronous tests of other modules need that thread.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from handmade import PROJECT, SPAIN
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from localcloud.cloud import LocalCloud, Options
from localcloud.host import Host

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
Open = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where there is no browser, say so for each test."""
    here = Path(__file__).parent
    missing = pytest.mark.skip(reason="no Chromium: apt-get install chromium")
    for item in items:
        if here in item.path.parents and CHROMIUM is None:
            item.add_marker(missing)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, without a window."""
    arguments = ["--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A local cloud on a free port."""
    with Host(Options(directory=tmp_path_factory.mktemp("cloud"), project=PROJECT, region=SPAIN)) as running:
        yield running


@pytest.fixture(scope="module")
def cloud(host: Host) -> LocalCloud:
    """Its stores."""
    return host.cloud


@contextmanager
def visiting(browser: Browser, cloud: LocalCloud) -> Iterator[Open]:
    """Opens a path of the page; with `clock`, a test moves its time. At the end nothing may have failed in it."""
    failures: list[str] = []
    contexts: list[BrowserContext] = []

    def note(message: ConsoleMessage) -> None:
        # A refusal that the page shows as a sentence is no failure of the page, nor is a server that is not there.
        if message.type == "error" and not re.search(r"status of 40|net::ERR_", message.text):
            failures.append(message.text)

    def opened(
        path: str, *, scheme: str = "dark", width: int = 1400, height: int = 800, clock: bool = False
    ) -> Page:
        context = browser.new_context(
            base_url=cloud.url, color_scheme=scheme, viewport={"width": width, "height": height}
        )
        contexts.append(context)
        context.set_default_timeout(20_000)
        page = context.new_page()
        if clock:
            page.clock.install()
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.on("console", note)
        page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not failures


@pytest.fixture
def visit(browser: Browser, cloud: LocalCloud) -> Iterator[Open]:
    """Pages of one test."""
    with visiting(browser, cloud) as opened:
        yield opened


def tick(page: Page, seconds: float = 2.1) -> None:
    """Let that much time pass on a page with a clock: enough for it to ask for what is new."""
    page.clock.run_for(round(1000 * seconds))
