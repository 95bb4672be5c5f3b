"""Versions on their way from the store into memory."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from time import monotonic
from typing import Literal, TypeVar

from adapters.errors import DvptError, TaskNotFound, VersionNotFound
from adapters.kinds.adapter_config import AdapterConfig
from adapters.store.artifact import Artifact
from adapters.store.files import Fingerprint
from adapters.store.store import Store
from adapters.store.task_record import TaskRecord
from service.errors import AdapterUnavailable
from service.logs import log_event
from service.metrics import Metrics
from service.residents.refusals import Refusal, next_refusal
from service.residents.residency import Residency
from service.residents.resident import Resident
from service.residents.storage_threads import read_store
from service.residents.task_state import TaskState

logger = logging.getLogger("service.registry")
R = TypeVar("R")
Cause = Literal["request", "preload", "publish", "change"]
"""Why a version is read: somebody asks, it is to be there before, a label in use moved, its files changed."""
LOADS_AT_ONCE = 4
PATIENCE_S = 5.0
"""How long following the store waits for one read of it before it goes on with other tasks."""


class VersionReads:
    """Reads versions, each once for all who want it at the same time.

    `accept` takes in what a read of that cause, which took so many seconds, made ready; it may raise
    TaskNotFound.
    """

    def __init__(
        self,
        store: Store,
        residency: Residency,
        *,
        loader: Executor,
        metrics: Metrics,
        accept: Callable[[TaskState, Resident, Cause, float], Resident],
    ) -> None:
        self._store = store
        self._residency = residency
        self._loader = loader
        self._metrics = metrics
        self._accept = accept
        self._loads: dict[tuple[str, int], asyncio.Task[Resident]] = {}
        self._reads: dict[tuple[str, int], float] = {}  # since when the store has been read for them

    def reading(self, task: str, version: int | None = None) -> bool:
        """Whether a version, or any of a task, is on its way now."""
        if version is not None:
            return (task, version) in self._loads
        return any(name == task for name, _ in self._loads)

    async def config(self, task: str, version: int) -> AdapterConfig | None:
        """The configuration of a version that is in the store; None where it cannot be had now."""
        try:
            read = partial(self._store.config, task, version)
            reading = read_store(self._loader, self._metrics, f"{task}/{version}", read)
            return await asyncio.wait_for(reading, PATIENCE_S)
        except (DvptError, OSError, TimeoutError):
            return None

    async def record(self, task: str) -> TaskRecord | None:
        """What the store has of a task at this moment; None where that cannot be had."""
        try:
            return await read_store(self._loader, self._metrics, task, partial(self._store.record, task))
        except (DvptError, OSError):
            return None

    async def patiently(self, state: TaskState, version: int, cause: Cause) -> Resident:
        """Read a version; but where storage hangs, go on without it, and let it come in when it does.

        Raises what `read` raises, and AdapterUnavailable where it goes on.
        """
        key = state.record.name, version
        if self._hangs(key) or sum(map(self._hangs, self._reads)) >= LOADS_AT_ONCE:
            raise _not_read(*key)
        reading = asyncio.ensure_future(self.read(state, version, cause))
        try:
            while not (await asyncio.wait({reading}, timeout=PATIENCE_S))[0]:
                if self._hangs(key):
                    raise _not_read(*key)
            return reading.result()
        finally:
            reading.cancel()

    def _hangs(self, key: tuple[str, int]) -> bool:
        return key in self._reads and monotonic() - self._reads[key] >= PATIENCE_S

    async def read(self, state: TaskState, version: int, cause: Cause) -> Resident:
        """Read a version, also one that is in memory; those who want it at once share one read.

        Raises VersionNotFound, AdapterUnavailable for one that was refused or cannot be read now, and what
        `accept` raises.
        """
        task = state.record.name
        state.record.require_version(version)
        load = self._loads.get((task, version))
        if load is None:
            load = asyncio.create_task(self._load(state, version, cause))
            self._loads[task, version] = load
            load.add_done_callback(lambda done: self._loaded(task, version, done))
        return await asyncio.shield(load)

    def _loaded(self, task: str, version: int, load: asyncio.Task[Resident]) -> None:
        del self._loads[task, version]
        if not load.cancelled():
            load.exception()  # nobody may be left to take it; it has been logged

    async def _load(self, state: TaskState, version: int, cause: Cause) -> Resident:
        key, started_s = (state.record.name, version), monotonic()
        stamp = state.record.stamps.get(version)
        fingerprint: Fingerprint = await self._from_store(key, self._store.fingerprint)
        refusal = state.refusals.get(version)
        if refusal is not None and not refusal.may_retry(monotonic(), fingerprint):
            raise _unavailable(*key, refusal)
        try:
            artifact: Artifact = await self._from_store(key, partial(self._store.load, card=False))
            before = state.residents.get(version)
            same = before is not None and before.config == artifact.config
            resident = (
                before if before and same else await self._residency.add(*key, artifact, pinned=state.pinned)
            )
        except (TaskNotFound, VersionNotFound) as error:  # gone since the look; if for good, the next tells
            raise _not_read(*key, gone=True) from error
        except Exception as error:  # whatever it is, it refuses this version and harms no other
            raise self._refuse(state, version, cause, error, fingerprint) from error
        state.stamps[version] = stamp
        state.refusals.pop(version, None)
        return resident if same else self._accept(state, resident, cause, monotonic() - started_s)

    async def _from_store(self, key: tuple[str, int], read: Callable[[str, int], R]) -> R:
        self._reads[key] = monotonic()
        try:
            return await read_store(self._loader, self._metrics, f"{key[0]}/{key[1]}", partial(read, *key))
        finally:
            del self._reads[key]

    def _refuse(
        self, state: TaskState, version: int, cause: Cause, error: Exception, fingerprint: Fingerprint
    ) -> AdapterUnavailable:
        task = state.record.name
        refusal = next_refusal(state.refusals.get(version), error, monotonic(), fingerprint)
        state.refusals[version] = refusal
        self._metrics.loads.labels("refused", cause).inc()
        log_event(
            logger,
            logging.ERROR,
            "adapter_refused",
            task=task,
            version=version,
            attempt=refusal.attempts,
            kind=refusal.kind,
            error=refusal.error,
        )
        return _unavailable(task, version, refusal)


def _not_read(task: str, version: int, *, gone: bool = False) -> AdapterUnavailable:
    return AdapterUnavailable(
        f"version {version} of task {task!r} cannot be read from the store now", gone=gone
    )


def _unavailable(task: str, version: int, refusal: Refusal) -> AdapterUnavailable:
    return AdapterUnavailable(f"version {version} of task {task!r} was refused: {refusal.error}")
