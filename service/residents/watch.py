"""Looks at the store again and again, and lets the registry follow it (docs/adr/0011 and 0028)."""

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import Executor
from functools import partial
from time import monotonic

from adapters.errors import DvptError
from adapters.store.store import Store
from adapters.store.task_record import TaskRecord
from service.logs import log_event
from service.metrics import Metrics
from service.residents.absences import Absences
from service.residents.registry import Registry
from service.residents.storage_threads import read_store
from service.residents.store_reader import StoreReader

logger = logging.getLogger("service.watch")
MAX_BUSY_SHARE = 0.1
LOOKING_S = 1.0
"""How long a thread looks on by itself while nothing happens."""


def pause_s(interval_s: float, took_s: float, *, more: bool = False) -> float:
    """Seconds from the end of a look to the next, so that looking takes little of the time.

    While there is `more` to look at, that share alone counts.
    """
    share_s = took_s / MAX_BUSY_SHARE
    return min(share_s, interval_s) if more else max(interval_s, share_s)


class Watch:
    """Polls: that works on a disk, on a network share and on an object store alike."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        *,
        interval_s: float,
        forget_after_s: float,
        loader: Executor,
        metrics: Metrics,
        whole_interval_s: float = 0.0,
    ) -> None:
        self._store = store
        self._reader = StoreReader(store, whole_interval_s)
        self._registry = registry
        self._interval_s = interval_s
        self._loader = loader
        self._metrics = metrics
        self._absences = Absences(forget_after_s)
        self._last_fault = ""
        self._last_problems: dict[str, tuple[str, ...]] = {}
        self._followed_s = monotonic()
        metrics.journal_lag_seconds.set_function(lambda: monotonic() - self._followed_s)

    async def look(self, limit_s: float = 0.0) -> float:
        """Look once, or for so long until there is something, and follow; seconds to pause for.

        A store that cannot be read leaves everything as it is, and what it merely lacks stays for a while.
        """
        started_s = monotonic()
        read = partial(self._reader.watch, self._absences.pending, self._interval_s, limit_s)
        try:
            looked = await read_store(self._loader, self._metrics, "look", read)
        except (DvptError, OSError) as error:
            self._absences.interrupted()
            self._report_fault(str(error))
            return pause_s(self._interval_s, max(0.0, monotonic() - started_s - limit_s))
        looked_s = monotonic()
        self._metrics.last_look.set_to_current_time()
        self._report_fault("")
        if looked.whole_s is not None:
            self._metrics.scan_seconds.observe(looked.whole_s)
        records = self._absences.update(looked.records)
        self._report_problems(records)
        await self._registry.follow_some(records)
        self._followed_s = looked_s
        return pause_s(self._interval_s, looked.took_s, more=looked.more)

    async def look_at(self, task: str, loader: Executor) -> None:
        """Look at one task beside the other looks, and follow: it was changed by this process.

        Raises what `Store.look` raises.
        """
        read = partial(self._store.look, [task])
        records = self._absences.update(await read_store(loader, self._metrics, "look", read))
        await self._registry.follow_some(records)

    async def run(self) -> None:
        """Look until cancelled, spending little of the time on looking however large the store is."""
        pause = self._interval_s
        while True:
            await asyncio.sleep(pause)
            pause = await self.look(LOOKING_S)

    def _report_fault(self, fault: str) -> None:
        if fault:
            self._metrics.scan_faults.inc()
        if fault != self._last_fault:
            if fault:
                log_event(logger, logging.ERROR, "store_unreadable", error=fault)
            else:
                log_event(logger, logging.INFO, "store_readable_again")
            self._last_fault = fault

    def _report_problems(self, records: Mapping[str, TaskRecord | None]) -> None:
        for task, record in records.items():
            problems = record.problems if record else ()
            if problems != self._last_problems.pop(task, ()) and record:
                log_event(logger, logging.WARNING, "store_problems", task=task, problems=problems)
            if problems:
                self._last_problems[task] = problems
