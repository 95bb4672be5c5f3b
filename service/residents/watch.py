"""Looks at the store again and again, and lets the registry follow it (docs/adr/0011)."""

import asyncio
import logging
from concurrent.futures import Executor
from time import monotonic

from adapters.errors import DvptError
from adapters.store.store import Store
from adapters.store.task_record import TaskRecord
from service.logs import log_event
from service.metrics import Metrics
from service.residents.absences import Absences
from service.residents.registry import Registry
from service.residents.storage_threads import read_store

logger = logging.getLogger("service.watch")
MAX_BUSY_SHARE = 0.1


def pause_s(interval_s: float, took_s: float) -> float:
    """Seconds from the end of a look to the next, so that looking takes little of the time."""
    return max(interval_s, took_s / MAX_BUSY_SHARE)


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
    ) -> None:
        self._store = store
        self._registry = registry
        self._interval_s = interval_s
        self._loader = loader
        self._metrics = metrics
        self._absences = Absences(forget_after_s)
        self._last_fault = ""
        self._last_problems: dict[str, tuple[str, ...]] = {}

    async def look(self) -> float:
        """Look once, and return only when the registry has followed; seconds the look itself took.

        A store that cannot be read leaves everything as it is, and what it merely lacks stays for a while.
        """
        started_s = monotonic()
        try:
            looked = await read_store(self._loader, self._metrics, "look", self._store.look)
        except (DvptError, OSError) as error:
            self._absences.interrupted()
            self._report_fault(str(error))
            return monotonic() - started_s
        took_s = monotonic() - started_s
        self._metrics.scan_seconds.observe(took_s)
        self._metrics.last_look.set_to_current_time()
        self._report_fault("")
        records = self._absences.complete(looked)
        self._report_problems(records)
        await self._registry.follow(records)
        return took_s

    async def run(self) -> None:
        """Look until cancelled, spending little of the time on looking however large the store is."""
        took_s = 0.0
        while True:
            await asyncio.sleep(pause_s(self._interval_s, took_s))
            took_s = await self.look()

    def _report_fault(self, fault: str) -> None:
        if fault:
            self._metrics.scan_faults.inc()
        if fault != self._last_fault:
            if fault:
                log_event(logger, logging.ERROR, "store_unreadable", error=fault)
            else:
                log_event(logger, logging.INFO, "store_readable_again")
            self._last_fault = fault

    def _report_problems(self, records: dict[str, TaskRecord]) -> None:
        for task, record in records.items():
            if record.problems != self._last_problems.get(task, ()):
                log_event(logger, logging.WARNING, "store_problems", task=task, problems=record.problems)
        self._last_problems = {task: record.problems for task, record in records.items() if record.problems}
