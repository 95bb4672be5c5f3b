"""Answers of a label that nobody sees, beside those of `stable`: only while nothing else wants the engine."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from adapters.errors import DvptError
from service.batching.batcher import Batcher
from service.engine.payloads import Payload
from service.engine.protocol import Probabilities
from service.errors import AdapterUnavailable, InferenceFailed
from service.metrics import Metrics
from service.residents.lease import Lease
from service.residents.registry import Registry
from service.traffic.decisions import Decisions
from service.traffic.faults import is_own
from service.traffic.standing import Standings
from service.traffic.tally import Tally

logger = logging.getLogger("service.traffic")
MOST_PICTURES = 64
"""Pictures that wait, in memory; what comes beyond them is left out."""
AT_ONCE = 4
"""Pictures in one forward pass: so long a request that comes meanwhile may wait at most."""
PATIENCE_S = 1.0


@dataclass(frozen=True)
class Answered:
    """Decoded pictures [3, H, W] with the probabilities [C] that `stable` gave, for a label to answer too."""

    tally: Tally
    lease: Lease
    images: Sequence[Tensor]
    rows: Sequence[Probabilities]


class Shadow:
    """Takes in what was answered, and has it answered again once the engine is idle."""

    def __init__(
        self,
        registry: Registry,
        batcher: Batcher[Payload, Probabilities],
        standings: Standings,
        decisions: Decisions,
        metrics: Metrics,
    ) -> None:
        self._registry = registry
        self._batcher = batcher
        self._standings = standings
        self._decisions = decisions
        self._metrics = metrics
        self._waiting: deque[Answered] = deque()
        self._pictures = 0
        self._work = asyncio.Event()

    def offer(self, answered: Answered) -> None:
        """Take in one request's pictures, or leave them out where many wait. Costs the request nothing."""
        count = len(answered.images)
        if self._waiting and self._pictures + count > MOST_PICTURES:
            self._count(answered.tally, "skipped", count)
            return
        self._waiting.append(answered)
        self._pictures += count
        self._work.set()

    async def run(self) -> None:
        """Compare what was taken in, one request after the other, until cancelled."""
        while True:
            await self._work.wait()
            answered = self._waiting.popleft()
            try:
                await self._compare(answered)
            except Exception:  # whatever it is, it was nobody's request
                logger.exception("a comparison broke off")
            finally:
                self._pictures -= len(answered.images)
            if not self._waiting:
                self._work.clear()

    async def _compare(self, answered: Answered) -> None:
        tally, count, done = answered.tally, len(answered.images), 0
        outcome, failed = "skipped", False
        try:
            while done < count:
                await self._batcher.idle()
                classes = await self._ask(answered, answered.images[done : done + AT_ONCE])
                if not classes:
                    break
                for row, mine in zip(answered.rows[done:], classes, strict=False):
                    self._compared(tally, answered.lease.config.classes[int(row.argmax())] == mine)
                done += len(classes)
        except (InferenceFailed, AdapterUnavailable) as error:
            outcome, failed = "failed", is_own(error)
        except (DvptError, TimeoutError):
            pass  # the task went, the service ends, or others want the engine
        if done < count:
            self._count(tally, outcome, count - done)
        if failed or done == count:
            tally.asked(failed=failed)
        self._decisions.look(tally)

    async def _ask(self, answered: Answered, images: Sequence[Tensor]) -> list[str]:
        """The likeliest class of each picture, from the label's version; none where it is not to answer now.

        Raises AdapterUnavailable where it was refused, TimeoutError once others want the engine, and what
        `lease` and `submit` raise.
        """
        tally, patience_s = answered.tally, asyncio.get_running_loop().time() + PATIENCE_S
        standing = self._standings.of(tally, spare=True)
        if standing == "refused":
            raise AdapterUnavailable(f"version {tally.version} of task {tally.task!r} was refused")
        if standing == "loading" or not self._registry.has_room(tally.task, tally.version):
            return []
        async with (
            asyncio.timeout_at(patience_s),
            self._registry.lease(tally.task, None, tally.label) as lease,
        ):
            same_pixels = lease.config.preprocess == answered.lease.config.preprocess
            if lease.version != tally.version or not same_pixels:
                return []
            payloads = [(image, lease.slot) for image in images]
            asked = await self._batcher.submit(lease.slot.layout, tally.task, payloads, patience_s)
        return [lease.config.classes[int(row.argmax())] for row in asked.results]

    def _compared(self, tally: Tally, agreed: bool) -> None:
        tally.compared(agreed)
        self._count(tally, "agreed" if agreed else "differed", 1)

    def _count(self, tally: Tally, outcome: str, pictures: int) -> None:
        task = self._metrics.task_label(tally.task, self._registry.tasks)
        self._metrics.shadow_pictures.labels(task, outcome).inc(pictures)
