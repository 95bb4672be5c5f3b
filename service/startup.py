"""From process start to ready: backbone, adapters, warm-up; and back at the end."""

import asyncio
import logging
from concurrent.futures import Executor
from dataclasses import dataclass
from time import monotonic

from adapters.errors import DvptError
from adapters.kinds.layout import Layout
from adapters.kinds.linear.options import LinearOptions
from service.batching.batcher import Batcher
from service.engine.payloads import Payload
from service.engine.protocol import Engine, Probabilities
from service.errors import DeviceLost
from service.lifecycle import Lifecycle
from service.logs import log_event
from service.residents.watch import Watch

logger = logging.getLogger("service.startup")
BARE = Layout(LinearOptions())


@dataclass(frozen=True)
class Startup:
    """What runs in the background of the service: first the start, then batches and the watch."""

    lifecycle: Lifecycle
    engine: Engine
    engine_thread: Executor
    batcher: Batcher[Payload, Probabilities]
    watch: Watch

    async def run(self) -> None:
        """Start, and go on until cancelled; a fault ends the service, not silently."""
        try:
            await self._start()
            async with asyncio.TaskGroup() as group:
                group.create_task(self.batcher.run())
                group.create_task(self.watch.run())
        except DvptError as error:
            log_event(logger, logging.CRITICAL, "start_failed", kind=type(error).__name__, error=error)
            self._give_up(str(error))
        except Exception as error:
            logger.critical("the service broke down", exc_info=error)
            self._give_up(f"the service broke down ({type(error).__name__})")

    def _give_up(self, reason: str) -> None:
        self.lifecycle.fail(reason)
        self.batcher.close(DeviceLost(reason))  # nobody will answer what waits

    async def _start(self) -> None:
        loop = asyncio.get_running_loop()
        started_s = monotonic()
        await loop.run_in_executor(self.engine_thread, self.engine.start)
        backbone_s = monotonic()
        await self.watch.look()
        adapters_s = monotonic()
        # Even of an empty store the first request must find a warm backbone.
        await loop.run_in_executor(self.engine_thread, self.engine.warm, BARE)
        log_event(
            logger,
            logging.INFO,
            "started",
            backbone_ms=1000 * (backbone_s - started_s),
            adapters_ms=1000 * (adapters_s - backbone_s),
            warm_up_ms=1000 * (monotonic() - adapters_s),
            max_batch=self.batcher.max_batch,
        )
        self.lifecycle.become_ready()
