"""Adapters in host memory, bounded in bytes: who leaves for the store when there are too many."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Protocol

JUST_LOADED_S = 1.0
"""How long after its load an adapter is the last to leave, and stays until somebody has had it."""


class Held(Protocol):
    """What is held: bytes, when it was loaded and last used (in seconds, None for never), and its leases."""

    host_bytes: int
    loaded_s: float
    used_s: float | None
    leases: int


class HostMemory[H: Held]:
    """The least recently used leave first, but what was just loaded last."""

    def __init__(self, limit_bytes: int, clock: Callable[[], float] = monotonic) -> None:
        self._limit_bytes = limit_bytes
