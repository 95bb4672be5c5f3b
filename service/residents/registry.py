"""What the running service knows: task, version and label → an adapter ready in its slot."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import Executor
from contextlib import asynccontextmanager, suppress

from adapters.config import STABLE
from adapters.errors import DvptError, StoreConflict, TaskNotFound
from adapters.kinds.adapter_config import AdapterConfig
from adapters.store.label_rules import LabelThresholds
from adapters.store.store import Store
from adapters.store.task_record import TaskRecord
from service.errors import AdapterUnavailable
from service.logs import log_event
from service.metrics import Metrics
from service.residents.lease import Lease
from service.residents.preload import Preload
from service.residents.residency import Residency
from service.residents.resident import Resident
from service.residents.statistics import Statistics
from service.residents.task_state import TaskState
from service.residents.task_states import TaskStates
from service.residents.task_table import TaskTable
from service.residents.version_reads import LOADS_AT_ONCE, Cause, VersionReads
from service.residents.version_state import VersionState

logger = logging.getLogger("service.registry")


class Registry:
    """Follows the store and hands out leases. All methods belong to the event loop's thread.

    Of a task that nobody asks for it holds the store's record and no more.
    """

    def __init__(
        self,
        store: Store,
        residency: Residency,
        *,
        loader: Executor,
        metrics: Metrics,
        preload: Preload | None = None,
    ) -> None:
        self.tasks = TaskTable()
        self.statistics = Statistics()
        self._residency = residency
        self._metrics = metrics
        self._preload = preload or Preload()
        self._behind: set[str] = set()
        self._reads = VersionReads(store, residency, loader=loader, metrics=metrics, accept=self._accept)
        self._states = TaskStates(residency, metrics, self._reads.reading)
        metrics.tasks.set_function(lambda: len(self.tasks))
        metrics.adapters.set_function(lambda: self.tasks.versions)

    def state(self, task: str) -> TaskState:
        """One task, also one that has nothing in memory. Raises TaskNotFound."""
        record = self.tasks.get(task)
        if record is None:
            raise _no_task(task)
        return self._states.get(task) or self._new_state(record)

    def _new_state(self, record: TaskRecord) -> TaskState:
        return TaskState(record, self._preload.labels(record), self._preload.pinned(record))

    async def config(self, state: TaskState, version: int) -> AdapterConfig | None:
        """The configuration of a version, in memory or not; None where it cannot be had now."""
        resident = state.residents.get(version)
        return resident.config if resident else await self._reads.config(state.record.name, version)

    def versions(self, state: TaskState) -> list[VersionState]:
        """How each version stands that the store has of a task, or that requests under way still hold."""
        task = state.record.name
        draining = {each.version: each for each in self._residency.draining if each.task == task}
        return [
            self._version_state(state, version, draining.get(version))
            for version in sorted({*state.record.versions, *draining})
        ]

    def _version_state(self, state: TaskState, version: int, draining: Resident | None) -> VersionState:
        task, refusal = state.record.name, state.refusals.get(version)
        if resident := state.residents.get(version):
            return VersionState(version, "ready", resident, refusal)
        if self._reads.reading(task, version):
            return VersionState(version, "loading", refusal=refusal)
        if refusal:
            return VersionState(version, "refused", refusal=refusal)
        if draining:
            return VersionState(version, "draining", draining)
        return VersionState(version, "evicted" if (task, version) in self._states.evicted else "stored")

    def loading(self, task: str, version: int | None, label: str | None) -> bool:
        """Whether what a request asks for is still on its way from the store."""
        record, state = self.tasks.get(task), self._states.get(task)
        if record is None or (version is None and state and (label or STABLE) in state.serving):
            return False
        wanted = record.labels.get(label or STABLE) if version is None else version
        return wanted is not None and self._reads.reading(task, wanted)

    @asynccontextmanager
    async def lease(self, task: str, version: int | None, label: str | None) -> AsyncIterator[Lease]:
        """Hold the version asked for, or the one serving for the label (`stable` by default).

        Loads it first if it is not in memory. Raises TaskNotFound, VersionNotFound, LabelNotFound, and
        AdapterUnavailable for a version that was refused.
        """
        cold = not self._in_memory(self.state(task), version, label or STABLE)
        resident: Resident | None = None
        while resident is None or resident.gone:  # it may leave memory between its load and this moment
            resident = await self._asked_for(self.state(task), version, label or STABLE)
        async with self._residency.lease(resident) as slot:
            self._states.make_room()
            asked = (label or STABLE) if version is None else None
            thresholds = self._thresholds(task, asked) if asked else None
            yield Lease(task, resident.version, resident.config, slot, cold, asked, thresholds)

    def _thresholds(self, task: str, label: str) -> LabelThresholds | None:
        record = self.tasks.get(task)
        rules = record.rules.get(label) if record else None
        return rules.thresholds if rules else None

    async def load(self, task: str, label: str) -> None:
        """Read what a label names into memory, for a request that comes later. Raises what `lease` raises."""
        await self._asked_for(self.state(task), None, label)
        self._states.make_room()

    @property
    def host_full(self) -> bool:
        """Whether one more adapter in host memory would drive another out."""
        return self._residency.host.full

    def has_room(self, task: str, version: int) -> bool:
        """Whether a version that is in memory can be leased without driving another out of its slot."""
        resident = self.state(task).residents.get(version)
        return resident is not None and self._residency.has_room(resident)

    def _in_memory(self, state: TaskState, version: int | None, label: str) -> bool:
        if version is None and label in state.serving:
            return True
        return (state.record.labels.get(label) if version is None else version) in state.residents

    async def _asked_for(self, state: TaskState, version: int | None, label: str) -> Resident:
        if version is not None:
            return await self._version(state, version, "request")
        return state.serving.get(label) or await self._first_serving(state, label)

    def unload(self, task: str) -> None:
        """Let all of a task leave memory once its leases have ended; a request reads it again.

        Raises TaskNotFound, and StoreConflict where something must stay: a label or a setting wants it in
        memory, or it answers and the store might not give it again.
        """
        state = self.state(task)
        if state.pinned or self._preload.labels(state.record):
            raise StoreConflict(f"task {task!r} is to be in memory: it is preloaded or pinned")
        for resident in state.residents.values():
            if not state.may_leave(resident):
                what = f"version {resident.version} of task {task!r}"
                raise StoreConflict(f"{what} answers, and the store might not give it again")
        state.wanted = frozenset()
        self._states.retire_all(state)
        self._states.tidy(state)

    async def follow(self, records: Mapping[str, TaskRecord]) -> None:
        """As `follow_some`, of all tasks there are: what is not among them is gone."""
        gone = dict.fromkeys(task for task in self.tasks if task not in records)
        await self.follow_some({**gone, **records})

    async def follow_some(self, records: Mapping[str, TaskRecord | None]) -> None:
        """Take in what the store has of some tasks now, None for one that is gone: versions and labels.

        What is in memory and no longer up to date is loaded anew, also of tasks that were behind before.
        """
        for task, record in records.items():
            if record is not None:
                self._note(record)
            elif task in self.tasks:
                self._retire_task(task)
        self._states.forget_refusals()
        if not self._behind:
            return
        turn = asyncio.Semaphore(LOADS_AT_ONCE)
        await asyncio.gather(*(self._catch_up(state, turn) for state in self._not_up_to_date()))
        self._behind = {state.record.name for state in self._not_up_to_date()}
        self._states.make_room()

    def _note(self, record: TaskRecord) -> None:
        self.tasks.put(record)
        now, state = self._new_state(record), self._states.get(record.name)
        if state is None and now.wanted:
            state = self._states.keep(now)
        if state is not None:
            state.record, state.wanted, state.pinned = record, now.wanted, now.pinned
            for resident in state.residents.values():
                resident.pinned = now.pinned
            self._behind.add(record.name)

    def _not_up_to_date(self) -> list[TaskState]:
        states = (self._states.get(task) for task in self._behind)
        return [state for state in states if state is not None and not state.up_to_date]

    async def _catch_up(self, state: TaskState, turn: asyncio.Semaphore) -> None:
        async with turn:
            await self._follow_labels(state)
            for version in state.changed:
                with suppress(DvptError):  # reported where it was found; what was read before stays
                    await self._reads.patiently(state, version, "change")
            versions = state.record.versions
            state.refusals = {at: refusal for at, refusal in state.refusals.items() if at in versions}
            self._states.retire(
                state, [each for each in state.residents.values() if each.version not in versions]
            )
            self._states.tidy(state)

    async def _follow_labels(self, state: TaskState) -> None:
        """Let every label in use or wanted serve the version it names, once that is ready."""
        for label in [label for label in state.serving if label not in state.record.labels]:
            if not state.record.problems:  # a label that cannot be read now is not one that was removed
                del state.serving[label]
                log_event(logger, logging.INFO, "label_gone", task=state.record.name, label=label)
        for label in {*state.wanted, *state.serving} & state.record.labels.keys():
            version = state.record.labels[label]
            before = state.serving.get(label)
            if before is not None and before.version == version:
                continue
            if before is None and self._residency.host.full and not state.pinned:
                state.wanted -= {label}  # what is loaded before anybody asks drives nothing out
                continue
            try:
                resident = state.residents.get(version) or await self._reads.patiently(
                    state, version, "publish" if before else "preload"
                )
                self._states.serve(state, label, resident)
            except DvptError:
                continue  # reported where it was found; the old version stays

    def _retire_task(self, task: str) -> None:
        self.tasks.remove(task)
        self._states.remove(task)
        self._metrics.forget_task(task)
        log_event(logger, logging.INFO, "task_gone", task=task)

    async def _first_serving(self, state: TaskState, label: str) -> Resident:
        """The version of a label that nobody has asked for yet; from now on it serves for that label."""
        record = state.record
        if label not in record.labels:
            raise record.label_not_found(label, ", ".join(sorted(record.labels)) or "none")
        try:
            resident = await self._version(state, record.labels[label], "request")
        except AdapterUnavailable as error:
            if not (error.gone and await self._moved_on(record, label)):
                raise
            return await self._asked_for(self.state(record.name), None, label)
        state = self.state(record.name)
        named = state.residents.get(state.record.labels.get(label, 0))
        if label not in state.serving and named is resident:
            self._states.serve(state, label, resident)
        return resident

    async def _moved_on(self, record: TaskRecord, label: str) -> bool:
        """Whether a label names another version by now than at the last look; takes that in."""
        now = await self._reads.record(record.name)
        if now is None or now.labels.get(label, record.labels[label]) == record.labels[label]:
            return False
        if self.tasks.get(record.name) is record:
            self._note(now)
        return True

    async def _version(self, state: TaskState, version: int, cause: Cause) -> Resident:
        state.record.require_version(version)
        if version in state.residents:
            return state.residents[version]
        state = self._states.keep(state)
        try:
            return await self._reads.read(state, version, cause)
        finally:
            self._states.tidy(state)

    def _accept(self, state: TaskState, resident: Resident, cause: Cause, seconds: float) -> Resident:
        if not self._states.has(state):
            self._residency.retire(resident)  # the task went while its adapter came in
            raise _no_task(resident.task)
        resident.load_s = seconds
        self.statistics.was_read(resident.task, resident.version)
        self._states.take_in(state, resident)
        self._metrics.loads.labels("ok", cause).inc()
        self._metrics.load_seconds.observe(seconds)
        log_event(
            logger,
            logging.DEBUG,
            "adapter_loaded",
            task=resident.task,
            version=resident.version,
            cause=cause,
            layout=resident.layout,
            place="slot" if resident.slot else "host",
            load_ms=1000 * seconds,
        )
        return resident


def _no_task(task: str) -> TaskNotFound:
    return TaskNotFound(f"there is no task {task!r}")
