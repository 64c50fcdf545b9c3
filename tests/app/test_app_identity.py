"""app/identity.py: tokens fetched once, used until they expire, and waited for no longer than the deadline."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from app_clients import within
from app_fakes import Answer, Asked, Cloud
from app_wires import LONG_S
from conftest import Memory
from google.auth import _helpers
from google.auth.compute_engine import _metadata

from app import identity
from app.deadline import Deadline
from app.identity import NoIdentity, Refreshed

Current = Callable[[Refreshed, Deadline], Any]


def by_thread(token: Refreshed, deadline: Deadline) -> Any:
    return token.current(deadline)


def by_loop(token: Refreshed, deadline: Deadline) -> Any:
    return asyncio.run(token.awaited(deadline))


@pytest.fixture(params=[by_thread, by_loop], ids=["thread", "loop"])
def current(request: pytest.FixtureRequest) -> Current:
    """Both ways to ask."""
    way: Current = request.param
    return way


def expire_in(token: Refreshed, seconds: float) -> str:
    token._credentials.expiry = _helpers.utcnow() + timedelta(seconds=seconds)
    token._not_before = 0.0  # its refresh is long ago
    return str(token._credentials.token)


@pytest.fixture
def hold(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Lets the metadata server keep each token back, until `cloud.released`."""
    plain = cloud._metadata

    def metadata(asked: Asked) -> Answer:
        answer = plain(asked)
        answer.delay = LONG_S if asked.path.endswith(("/identity", "/token")) else 0.0
        return answer

    return lambda: monkeypatch.setattr(cloud, "_metadata", metadata)


@pytest.fixture
def refuse(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Lets the metadata server give nothing."""
    return lambda: monkeypatch.setattr(cloud, "_metadata", lambda asked: Answer(404, b"none"))


def refreshed(token: Refreshed) -> None:
    """Wait for the refresh that is under way, if any."""
    if refresh := token._refresh:
        refresh.exception(30)


def test_one_token_serves_many_calls_even_when_they_start_together(cloud: Cloud) -> None:
    token = Refreshed(audience="http://next")
    with ThreadPoolExecutor(8) as pool:
        tokens = list(pool.map(lambda _: token.current(within(30)).token, range(8)))
    assert len(set(tokens)) == 1
    asked = [asked.query["audience"] for asked in cloud.requests if asked.path.endswith("/identity")]
    assert asked == [["http://next"]]


def test_an_expired_token_is_refreshed_once(cloud: Cloud, current: Current) -> None:
    token = Refreshed(audience="http://next")
    current(token, within(30))
    expire_in(token, -1)
    current(token, within(30))
    current(token, within(30))
    assert cloud.tokens == 2


def test_a_token_that_expires_soon_is_used_while_it_is_refreshed(
    cloud: Cloud, current: Current, hold: Callable[[], None]
) -> None:
    """No request pays for an early refresh."""
    token = Refreshed()
    current(token, within(30))
    hold()
    expire_in(token, 60)
    current(token, within(30))
    assert token._refresh, "it is under way"
    cloud.released.set()
    refreshed(token)
    assert cloud.tokens == 2
    current(token, within(30))
    assert cloud.tokens == 2


def test_a_valid_token_outlives_a_failed_early_refresh_with_one_line(
    current: Current,
    refuse: Callable[[], None],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(identity, "PAUSE_S", 0.0)  # each call may try again
    token = Refreshed(audience="http://next")
    current(token, within(30))
    valid = expire_in(token, 60)
    refuse()
    for _ in range(3):
        assert current(token, within(30)).token == valid
        refreshed(token)
    (line,) = [record for record in caplog.records if record.name == "app.identity"]
    assert (line.levelno, vars(line)["event"]) == (logging.WARNING, "identity_stale")
    assert "is used until it expires at" in line.getMessage()


def test_after_a_failed_early_refresh_there_is_a_pause(cloud: Cloud, refuse: Callable[[], None]) -> None:
    token = Refreshed(audience="http://next")
    token.current(within(30))
    expire_in(token, 60)
    refuse()
    for _ in range(3):
        token.current(within(30))
        refreshed(token)
    assert len([asked for asked in cloud.requests if asked.path.endswith("/identity")]) == 2


def test_a_token_is_waited_for_no_longer_than_the_deadline_and_serves_the_next_call(
    cloud: Cloud, current: Current, hold: Callable[[], None]
) -> None:
    token = Refreshed(audience="http://next")
    hold()
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        current(token, within(0.1))
    assert time.monotonic() - begun < LONG_S / 4
    cloud.released.set()
    current(token, within(30))
    assert cloud.tokens == 1


def test_waiting_for_a_token_stops_nobody_else(cloud: Cloud, hold: Callable[[], None]) -> None:
    """The event loop goes on, and so does every other caller."""
    hold()

    async def both() -> list[str]:
        token, seen = Refreshed(audience="http://next"), []
        waiting = [asyncio.create_task(token.awaited(within(30))) for _ in range(3)]
        while not all(task.done() for task in waiting):
            seen.append("loop")
            if len(seen) == 5:
                cloud.released.set()
            await asyncio.sleep(0.01)
        return seen

    assert len(asyncio.run(both())) >= 5
    assert cloud.tokens == 1
    for thread in threading.enumerate():
        if thread.name == "token":  # it ends after its token is there
            thread.join(30)
            assert not thread.is_alive()


def test_a_refresh_is_one_span_without_the_metadata_requests(cloud: Cloud, spans: Memory) -> None:
    Refreshed(audience="http://next").current(within(30))
    (span,) = spans.get_finished_spans()
    assert span.name == "auth.refresh_token"
    attributes = dict(span.attributes or {})
    assert {key: attributes[key] for key in attributes if key.startswith("auth.")} == {
        "auth.token": "id",
        "auth.audience": "http://next",
    }


def test_without_a_metadata_server_there_is_one_clear_error(
    cloud: Cloud, current: Current, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_metadata, "ping", lambda request: False)
    with pytest.raises(NoIdentity, match=r"No ID token for http://next: .* set GCE_METADATA_HOST"):
        current(Refreshed(audience="http://next"), within(30))
    events = [vars(record).get("event") for record in caplog.records if record.levelno >= logging.ERROR]
    assert events == ["identity_missing"]
