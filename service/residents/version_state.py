"""How one version of a task stands, for who asks."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Literal

from service.residents.refusals import Refusal
from service.residents.resident import Resident

State = Literal["loading", "ready", "refused", "draining", "evicted", "stored"]
Place = Literal["slot", "host", "store"]
MOST_EVICTED = 1000


@dataclass(frozen=True)
class VersionState:
    """One version: what becomes of requests for it, where it is, and its `resident` or `refusal` if any.

    loading: on its way into memory. ready: in memory. refused: not usable, and tried again later. draining:
    out of use but for requests under way. evicted: left memory for want of room. stored: not in memory.
    """

    version: int
    state: State
    resident: Resident | None = None
    refusal: Refusal | None = None

    @property
    def place(self) -> Place:
        """Where it is."""
        if self.resident is None:
            return "store"
        return "slot" if self.resident.slot else "host"

    @property
    def last_used(self) -> datetime | None:
        """When a request had it last, None since it was read."""
        if self.resident is None or self.resident.used_s is None:
            return None
        return datetime.now(UTC) + timedelta(seconds=self.resident.used_s - monotonic())

    @property
    def next_try(self) -> datetime | None:
        """From when on one that was refused may be tried again, if anybody wants it."""
        if self.refusal is None:
            return None
        return datetime.now(UTC) + timedelta(seconds=self.refusal.retry_at_s - monotonic())


class Evicted:
    """Those that left memory last; of older ones nothing is kept."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, int], None] = OrderedDict()

    def __contains__(self, key: tuple[str, int]) -> bool:
        return key in self._known

    def add(self, task: str, version: int) -> None:
        """It left for want of room."""
        self._known[task, version] = None
        if len(self._known) > MOST_EVICTED:
            self._known.popitem(last=False)

    def discard(self, task: str, version: int) -> None:
        """It is in memory again."""
        self._known.pop((task, version), None)
