"""The page and its files: where they are, and that nothing but them can run in it."""

import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse
from console_server import serving

import localcloud.console

STATIC = Path(localcloud.console.__file__).with_name("static")
GUARDS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": {
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    },
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Every header of the page but those of the transport."""
_TRANSPORT = {"Content-Type", "Content-Length", "Date", "Server", "Etag"}
FILES = sorted(path.name for path in STATIC.iterdir())


def guards(response: ClientResponse) -> dict[str, Any]:
    """The headers by name; the policy as the set of its directives."""
    found: dict[str, Any] = {
        name: value for name, value in response.headers.items() if name not in _TRANSPORT
    }
    policy = found.get("Content-Security-Policy", "")
    return found | {"Content-Security-Policy": {part.strip() for part in policy.split(";")}}


@pytest.mark.parametrize(
    "path", ["/", "/traces", f"/traces/{'a' * 32}", "/map", "/alerts", "/logs", "/resources"]
)
async def test_every_view_has_an_address_of_its_own(tmp_path: Path, path: str) -> None:
    """A link into any view answers with the page, under a policy that lets only the page's own files run."""
    async with serving(tmp_path) as console:
        response = await console.get(path)
        assert (response.status, response.content_type) == (200, "text/html")
        assert guards(response) == GUARDS


@pytest.mark.parametrize("path", ["/blueprint/static/app.js", "/blueprint/static/base.css"])
async def test_files_are_guarded_like_the_page(tmp_path: Path, path: str) -> None:
    """Also where nothing is sent again: a browser takes over the headers of a 304."""
    async with serving(tmp_path) as console:
        response = await console.get(path)
        assert guards(response) == GUARDS
        again = await console.get(path, **{"If-None-Match": response.headers["ETag"]})
        assert (again.status, guards(again)) == (304, GUARDS)


@pytest.mark.parametrize("name", FILES)
async def test_files_are_served_and_fetched_once(tmp_path: Path, name: str) -> None:
    """Each file has its type and a tag; the same tag is answered 304 and nothing is sent again."""
    async with serving(tmp_path) as console:
        response = await console.get(f"/blueprint/static/{name}")
        assert response.status == 200
        assert response.content_type in ("text/html", "text/javascript", "text/css", "image/svg+xml")
        again = await console.get(f"/blueprint/static/{name}", **{"If-None-Match": response.headers["ETag"]})
        assert (again.status, await again.read()) == (304, b"")


@pytest.mark.parametrize("name", ["..%2fpage.py", "nothing.js", "%2e%2e/page.py"])
async def test_no_other_file_is_served(tmp_path: Path, name: str) -> None:
    """Only the page's own files can be asked for."""
    async with serving(tmp_path) as console:
        assert (await console.get(f"/blueprint/static/{name}")).status == 404


@pytest.mark.parametrize("name", FILES)
def test_nothing_comes_from_elsewhere_and_no_text_becomes_markup(name: str) -> None:
    """No address of another host but Google's console, to which alerts link; no inline script or style; no markup from text."""
    text = (STATIC / name).read_text(encoding="utf-8")
    hosts = set(re.findall(r"https?://([\w.-]+)", text))
    assert hosts <= {"console.cloud.google.com", "www.w3.org"}
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", text)
    if name.endswith(".html"):
        assert not re.search(r"<style|style=|\son\w+=|<script(?![^>]*\ssrc=)", text)
