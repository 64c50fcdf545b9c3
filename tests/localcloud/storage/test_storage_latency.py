"""The simulated network: round trips between regions, counted with a clock that stands still."""

import asyncio
from collections.abc import Callable

import pytest
from conftest import BUCKET
from google.cloud import storage

from localcloud.storage.latency import Latency, round_trips, rtt_ms

RTT_S = 0.123  # us-south1 to europe-west3


class Connection(asyncio.BaseTransport):
    """Some TCP connection."""


class Network(Latency):
    """Records naps instead of taking them."""

    def __init__(self, scale: float = 1.0) -> None:
        self.naps: list[float] = []
        self.now = 0.0
        super().__init__(scale, clock=lambda: self.now, sleep=self._nap)

    async def _nap(self, seconds: float) -> None:
        self.naps.append(seconds)


@pytest.mark.parametrize(
    ("a", "b", "ms"),
    [
        ("us-south1", "europe-west3", 123),
        ("asia-northeast1", "southamerica-east1", 284),
        ("us-central1", "europe-west1", 100),
        ("us-central1", "US-CENTRAL1", 1),
        ("us-central1", "europe-west3", 96.5),  # median of what is known from either to the other's continent
        ("us-west1", "us-west4", 28),  # median within North America
        ("europe-west4", "asia-southeast1", 243),  # median between the continents
        ("us-central1", "US", 25),  # a multi-region is an unmeasured region of its continent
        ("us-central1", "EU", 100),
        ("asia-southeast1", "asia-south1", 25),  # never taken for neighbours
        ("us-central1", "me-west1", 150),
        ("us-central1", "nowhere", 150),
    ],
)
def test_round_trip_time_is_known_both_ways_for_every_pair(a: str, b: str, ms: float) -> None:
    assert rtt_ms(a, b) == rtt_ms(b, a) == ms


@pytest.mark.parametrize(
    ("size", "trips"), [(0, 0), (14_600, 0), (14_601, 1), (43_800, 1), (43_801, 2), (20_000_000, 10)]
)
def test_a_body_beyond_the_first_window_takes_round_trips_of_slow_start(size: int, trips: int) -> None:
    assert round_trips(size) == trips


async def test_a_connection_pays_its_handshakes_once_and_keeps_its_window() -> None:
    network = Network()
    first, second = Connection(), Connection()
    for connection, up, down in [
        (first, 0, 0),
        (first, 100_000, 0),
        (first, 100_000, 0),
        (first, 0, 100_000),
        (second, 0, 0),
    ]:
        await network.travel(connection, 0, "us-south1", "EUROPE-WEST3", up, down)
    assert [round(nap / RTT_S) for nap in network.naps] == [3, 3, 1, 3, 3]


async def test_time_spent_here_is_part_of_the_way() -> None:
    network = Network()
    connection = Connection()
    network.now = 10.3
    await network.travel(connection, 10.0, "us-south1", "EUROPE-WEST3", 0, 0)
    await network.travel(connection, 10.0, "us-south1", "EUROPE-WEST3", 0, 0)
    assert network.naps == [pytest.approx(3 * RTT_S - 0.3)]


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def latency(network: Network) -> Latency:
    return network


@pytest.fixture
def location() -> str:
    return "europe-west3"


def test_a_cold_look_at_the_bucket_and_a_small_upload_are_four_round_trips(
    connect: Callable[..., storage.Client], network: Network
) -> None:
    client = connect("roles/storage.objectUser", "roles/storage.legacyBucketReader", region="us-south1")
    bucket = client.get_bucket(BUCKET)
    bucket.blob("a").upload_from_string("small")
    assert sum(network.naps) == pytest.approx(4 * RTT_S)


def test_a_large_download_pays_for_its_size_and_a_refusal_for_its_way(
    connect: Callable[..., storage.Client], network: Network
) -> None:
    bucket = connect("roles/storage.objectUser", region="us-south1").bucket(BUCKET)
    bucket.blob("a").upload_from_string("x" * 100_000)
    assert network.naps == [pytest.approx(5 * RTT_S)]
    bucket.blob("a").download_as_bytes()
    assert network.naps[1:] == [pytest.approx(3 * RTT_S)]
    assert bucket.get_blob("missing") is None
    assert network.naps[2:] == [pytest.approx(RTT_S)]


def test_next_door_the_way_hardly_counts(connect: Callable[..., storage.Client], network: Network) -> None:
    bucket = connect("roles/storage.objectUser", region="europe-west3").bucket(BUCKET)
    bucket.blob("a").upload_from_string(b"x" * 9_000_000)
    assert sum(network.naps) < 0.02


async def test_scale_zero_never_waits() -> None:
    network = Network(scale=0)
    await network.travel(Connection(), 0, "us-south1", "EUROPE-WEST3", 0, 0)
    assert network.naps == []
