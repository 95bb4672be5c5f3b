"""Adapters in host memory, bounded in bytes: who leaves for the store when there are too many."""

from collections.abc import Callable
from time import monotonic

from service.residents.resident import Resident

JUST_LOADED_S = 1.0
"""How long after its load an adapter is among the last to leave, and stays until somebody has used it."""


class HostMemory:
    """Those that wait for a slot; the least recently used leave first, but what was just loaded last."""

    def __init__(self, limit_bytes: int, clock: Callable[[], float] = monotonic) -> None:
        self._limit_bytes = limit_bytes
        self._clock = clock
        self._bytes: dict[Resident, int] = {}  # the least recently used first
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._bytes)

    @property
    def full(self) -> bool:
        """Whether there is no room for more."""
        return self.bytes >= self._limit_bytes

    def add(self, resident: Resident) -> None:
        """Count an adapter, which was used last, whose tensors are on the host from now on."""
        self.discard(resident)
        self._bytes[resident] = resident.host_bytes
        self.bytes += self._bytes[resident]

    def discard(self, resident: Resident) -> None:
        """Count an adapter no more; nothing happens where it was not counted."""
        self.bytes -= self._bytes.pop(resident, 0)

    def excess(self, may_leave: Callable[[Resident], bool]) -> list[Resident]:
        """Those that are to leave so that the others fit, of those that may."""
        if self.bytes <= self._limit_bytes:
            return []
        first, last = [], []
        over, new_since_s = self.bytes - self._limit_bytes, self._clock() - JUST_LOADED_S
        for resident, size in self._bytes.items():
            if over <= 0:
                break
            if resident.leases or not may_leave(resident):
                continue
            if resident.loaded_s > new_since_s:
                last.append(resident)
                continue
            first.append(resident)
            over -= size
        for resident in last:
            if over > 0 and resident.used_s is not None:
                first.append(resident)
                over -= self._bytes[resident]
        return first
