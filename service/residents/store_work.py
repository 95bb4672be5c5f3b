"""What requests ask of the store itself, on threads that it may hold for ever, and for a limited time."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from typing import TypeVar
from weakref import WeakValueDictionary

from adapters.errors import DvptError, StoreError, TaskNotFound
from adapters.store.store import Store
from service.errors import StoreSlow
from service.lifecycle import Lifecycle
from service.logs import log_event
from service.metrics import Metrics
from service.residents.storage_threads import read_store
from service.residents.watch import Watch

logger = logging.getLogger("service.store")
R = TypeVar("R")
TIMEOUT_S = 30.0
FOLLOW_S = 10.0
"""How long an answer waits until this process serves what changed; after that the journal tells."""


class StoreWork:
    """Looks into the store and changes it, the changes of one task one after the other."""

    def __init__(
        self,
        store: Store,
        watch: Watch,
        lifecycle: Lifecycle,
        metrics: Metrics,
        threads: Executor,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._store = store
        self._watch = watch
        self._lifecycle = lifecycle
        self._metrics = metrics
        self._threads = threads
        self._timeout_s = timeout_s
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def require_admitting(self) -> None:
        """Raise NotReady unless requests are admitted."""
        self._lifecycle.require_admitting()

    async def read(self, task: str, work: Callable[[Store], R]) -> R:
        """What `work` finds of a task.

        Raises NotReady, StoreSlow, StoreError where the store cannot be reached, and what `work` raises.
        """
        self.require_admitting()
        try:
            async with asyncio.timeout(self._timeout_s):
                return await read_store(self._threads, self._metrics, task, partial(work, self._store))
        except TimeoutError as error:
            raise StoreSlow(
                f"the store did not do that within {self._timeout_s:g} s; it may yet, so look before you ask "
                "again"
            ) from error
        except TaskNotFound as error:  # the store names all there are, of which the one who asks may not know
            raise TaskNotFound(f"there is no task {task!r}") from error
        except OSError as error:
            raise StoreError(f"the store cannot be used now: {error.strerror or error}") from error

    async def change(self, task: str, work: Callable[[Store], R]) -> R:
        """As `read`, of what changes a task: when it returns, this process answers accordingly."""
        turn = self._turns.setdefault(task, asyncio.Lock())
        try:
            async with asyncio.timeout(self._timeout_s):
                await turn.acquire()
        except TimeoutError as error:
            raise StoreSlow(f"changes of the task {task!r} that came before are not done yet") from error
        try:
            done = await self.read(task, work)
            await self._follow(task)
        finally:
            turn.release()
        return done

    async def refresh(self, task: str) -> None:
        """Look at one task now, whatever the journal tells of it. Raises as `read`."""

        def look(store: Store) -> None:
            store.check_backbone()

        await self.change(task, look)

    async def refresh_all(self) -> bool:
        """Look at everything now; whether that ended in time. Raises NotReady."""
        self.require_admitting()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._timeout_s):
                await self._watch.look_at_everything()
                return True
        return False

    async def _follow(self, task: str) -> None:
        try:
            async with asyncio.timeout(FOLLOW_S):
                await self._watch.look_at(task, self._threads)
        except (DvptError, OSError, TimeoutError) as error:
            log_event(logger, logging.WARNING, "not_followed", task=task, error=error or "timeout")
