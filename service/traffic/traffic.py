"""The traffic of labels beside `stable`: what a request asks before it is answered, and tells afterwards."""

import asyncio
import random
from collections.abc import Callable, Sequence

from torch import Tensor

from adapters.config import STABLE
from adapters.store.task_record import TaskRecord
from service.engine.protocol import Probabilities
from service.metrics import Metrics
from service.residents.lease import Lease
from service.residents.registry import Registry
from service.traffic.choice import chosen, point
from service.traffic.decisions import Decisions
from service.traffic.faults import is_own
from service.traffic.shadow import Answered, Shadow
from service.traffic.standing import Standings
from service.traffic.tally import Tallies, Tally, holds

SWEEP_S = 1.0


class Traffic:
    """Chooses the label for plain requests, and offers what `stable` answered to shadows.

    A task without rules costs a look at its record. `draw` gives numbers in [0, 1). All methods belong to the
    event loop's thread.
    """

    def __init__(
        self,
        registry: Registry,
        standings: Standings,
        shadow: Shadow,
        decisions: Decisions,
        metrics: Metrics,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._registry = registry
        self._standings = standings
        self._shadow = shadow
        self._decisions = decisions
        self._metrics = metrics
        self._draw = draw
        self._tallies = Tallies()

    def canary(self, task: str, key: bytes | None) -> Tally | None:
        """The label that is to answer a plain request, None where `stable` is; by its key, or at random.

        One whose version is refused, or not in memory yet, is passed over: no request waits or fails for it.
        """
        record = self._registry.tasks.get(task)
        if record is None or not record.rules:
            return None
        label = chosen(record.rules, self._draw() if key is None else point(task, key))
        tally = self._tally(record, label) if label is not None else None
        if tally is None:
            return None
        standing = self._standings.of(tally)
        if standing == "ready":
            return tally
        self._count(tally, standing)
        if standing == "refused":
            self._asked(tally, failed=True)
        return None

    def answered(self, canary: Tally, lease: Lease) -> None:
        """The canary has answered a request."""
        self._count(canary, "answered")
        if lease.version == canary.version:
            self._asked(canary, failed=False)

    def failed(self, canary: Tally, error: Exception) -> None:
        """The canary could not answer, and `stable` is asked instead."""
        self._count(canary, "failed")
        if is_own(error):
            self._asked(canary, failed=True)

    def offer(self, lease: Lease, images: Sequence[Tensor], rows: Sequence[Probabilities]) -> None:
        """`stable` has answered a plain request: let the labels that share in it answer it unseen."""
        record = self._registry.tasks.get(lease.task)
        if record is None or not record.rules:
            return
        for label, rules in record.rules.items():
            if rules.traffic is not None and self._draw() < rules.traffic.shadow_share:
                tally = self._tally(record, label)
                if tally is not None and lease.version == tally.past:
                    self._shadow.offer(Answered(tally, lease, images, rows))

    def tally(self, record: TaskRecord, label: str) -> Tally | None:
        """What was counted of a label in this process so far."""
        return self._tallies.known(record, label)

    async def run(self) -> None:
        """Let shadows answer, and forget what was counted by rules that are gone, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._shadow.run())
            group.create_task(self._sweep())

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            for tally in self._tallies:
                record = self._registry.tasks.get(tally.task)
                if record is None or not holds(tally, record):
                    self._tallies.forget(tally)

    def _tally(self, record: TaskRecord, label: str) -> Tally | None:
        """The counts of a label that names another version than `stable`."""
        if label == STABLE or record.labels.get(label) == record.labels.get(STABLE):
            return None
        return self._tallies.of(record, label)

    def _asked(self, tally: Tally, *, failed: bool) -> None:
        tally.asked(failed=failed)
        self._decisions.look(tally)

    def _count(self, tally: Tally, outcome: str) -> None:
        task = self._metrics.task_label(tally.task, self._registry.tasks)
        self._metrics.canary_requests.labels(task, outcome).inc()
