"""How much one key may ask for at a time."""

import math
import time
from collections import Counter
from collections.abc import Callable

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from service.access.key_record import KeyRecord
from service.errors import KeyOverLimit

TRY_AGAIN_S = 1.0


class KeyShares:
    """Counts each key's requests, those of the last second and those under way."""

    def __init__(self) -> None:
        self._rates = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._under_way: Counter[str] = Counter()

    def take(self, key: KeyRecord) -> Callable[[], None]:
        """Count a request; what is returned is called when it has ended. Raises KeyOverLimit."""
        if key.concurrent_requests is not None and self._under_way[key.id] >= key.concurrent_requests:
            raise KeyOverLimit(
                f"the key '{key.name}' may have {key.concurrent_requests} requests under way at a time",
                TRY_AGAIN_S,
            )
        if key.requests_per_s is not None:
            self._count(key, RateLimitItemPerSecond(key.requests_per_s))
        self._under_way[key.id] += 1
        return lambda: self._end(key.id)

    def _count(self, key: KeyRecord, rate: RateLimitItemPerSecond) -> None:
        if not self._rates.hit(rate, key.id):
            wait_s = self._rates.get_window_stats(rate, key.id).reset_time - time.time()
            raise KeyOverLimit(
                f"the key '{key.name}' may ask {key.requests_per_s} times a second", math.ceil(max(wait_s, 0))
            )

    def _end(self, key: str) -> None:
        self._under_way[key] -= 1
        if not self._under_way[key]:
            del self._under_way[key]
