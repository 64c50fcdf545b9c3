"""How long a request to Cloud Storage takes on the network between two Google regions. Moves no bytes.

The model counts round trips (RTT). Every request pays one. The first on a TCP connection pays two more, for
the TCP and TLS 1.3 handshakes it would need with the real endpoint. A body pays for slow start: a connection
carries 14,600 bytes (10 segments, RFC 6928) in its first round trip and as much again as was acknowledged in
each later one, so `size` bytes need ceil(log2(size / window + 1)) round trips, the first of which is the
request's own. The window stays open for later bodies in the same direction. Bandwidth and loss are left out.
A cold metadata request and one small upload are thus 4 RTT; 20 MB on a fresh connection are 13.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import cache
from itertools import product
from statistics import median
from weakref import WeakKeyDictionary

# Monthly averages between IBM Cloud's regions in the metros where Google has regions too, 31 Aug - 29 Sep 2024:
# github.com/ibm-cloud-docs/vpc network-latency.md. Google's own figures are live only (Network Intelligence
# Center). Each row: RTT in ms to the metros that follow in the list.
_METROS = ["us-south1", "northamerica-northeast2", "us-east4", "europe-west3", "europe-west2"]
_METROS += [
    "europe-southwest1",
    "asia-northeast2",
    "australia-southeast1",
    "asia-northeast1",
    "southamerica-east1",
]
_ROWS = (
    (34, 31, 123, 113, 116, 149, 185, 143, 145),
    (19, 93, 82, 108, 168, 216, 162, 129),
    (91, 76, 88, 174, 214, 166, 118),
    (13, 29, 233, 250, 228, 196),
    (27, 243, 261, 243, 186),
    (257, 275, 257, 207),
    (122, 9, 293),
    (115, 328),
    (284,),
)
_PAIRS: dict[frozenset[str], float] = {
    frozenset((_METROS[i], _METROS[i + 1 + j])): rtt
    for i, row in enumerate(_ROWS)
    for j, rtt in enumerate(row)
}
# Middles of the ranges that users report, the only ones for these regions: platform-facts, section 6.
_PAIRS[frozenset(("us-central1", "europe-west1"))] = 100
_PAIRS[frozenset(("us-central1", "us-east1"))] = 25
_PAIRS[frozenset(("us-central1", "asia-east1"))] = 155
_PAIRS[frozenset(("europe-west1", "asia-east1"))] = 225
_REGIONS = sorted(frozenset().union(*_PAIRS))
_CONTINENTS = {"eu": "europe", "eur4": "europe", "northamerica": "us", "nam4": "us", "asia1": "asia"}
SAME_REGION_MS = 1.0
FLOOR_MS = 25.0  # two regions whose distance nobody measured are not taken for neighbours
UNKNOWN_MS = 150.0  # a continent without any measured region: me-, africa-
INITIAL_WINDOW = 14_600


@cache
def rtt_ms(a: str, b: str) -> float:
    """Round-trip time between two locations, regions as in "us-central1" or "US-CENTRAL1".

    A pair that is not in the table takes the median of the known pairs of either region with the other's
    continent, or of the two continents. Multi-regions (US, EU, ASIA) and dual-regions count as such an
    unmeasured region of their continent.
    """
    a, b = a.lower(), b.lower()
    if a == b:
        return SAME_REGION_MS
    if frozenset((a, b)) in _PAIRS:
        return _PAIRS[frozenset((a, b))]
    near_a, near_b = _same_continent(a), _same_continent(b)
    known = _known([a], near_b) + _known(near_a, [b]) or _known(near_a, near_b)
    return max(FLOOR_MS, median(known)) if known else UNKNOWN_MS


def round_trips(size: int, window: int = INITIAL_WINDOW) -> int:
    """Round trips that a body takes beyond the request's own."""
    return max(0, math.ceil(math.log2(size / window + 1)) - 1)


def _continent(location: str) -> str:
    prefix = location.partition("-")[0]
    return _CONTINENTS.get(prefix, prefix)


def _same_continent(location: str) -> list[str]:
    return [region for region in _REGIONS if _continent(region) == _continent(location)]


def _known(some: Iterable[str], others: Iterable[str]) -> list[float]:
    pairs = {frozenset(pair) for pair in product(some, others)}
    return [_PAIRS[pair] for pair in pairs if pair in _PAIRS]


class Latency:
    """Lets requests take as long as the model says, times `scale` (0 switches it off); `rtt_ms` is unscaled."""

    rtt_ms = staticmethod(rtt_ms)

    def __init__(
        self,
        scale: float = 1.0,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._scale = scale
        self.clock = clock
        self._sleep = sleep
        self._windows: WeakKeyDictionary[asyncio.BaseTransport, tuple[int, int]] = WeakKeyDictionary()

    async def travel(
        self,
        connection: asyncio.BaseTransport,
        started: float,
        caller: str,
        location: str,
        up: int,
        down: int,
    ) -> None:
        """Return when a request begun at `started`, with bodies of `up` and `down` bytes, would be answered.

        What this machine itself spent on it since then is part of that time, not on top of it.
        """
        trips = 1 if connection in self._windows else 3
        sent, received = self._windows.get(connection, (INITIAL_WINDOW, INITIAL_WINDOW))
        trips += round_trips(up, sent) + round_trips(down, received)
        self._windows[connection] = (sent + up, received + down)
        seconds = trips * self.rtt_ms(caller, location) / 1000 * self._scale
        remaining = started + seconds - self.clock()
        if remaining > 0:
            await self._sleep(remaining)
