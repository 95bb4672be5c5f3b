"""What the running service knows: task, version and label → an adapter ready in its slot."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Mapping
from concurrent.futures import Executor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from adapters.config import STABLE
from adapters.errors import DvptError, TaskNotFound
from adapters.kinds.adapter_config import AdapterConfig
from adapters.kinds.layout import Slot
from adapters.store.store import Store
from adapters.store.task_record import TaskRecord
from service.logs import log_event
from service.metrics import Metrics
from service.residents.residency import Residency, Resident
from service.residents.task_state import TaskState
from service.residents.version_reads import LOADS_AT_ONCE, VersionReads

logger = logging.getLogger("service.registry")


@dataclass(frozen=True)
class Lease:
    """A request's hold on one version of a task: every picture of the request is answered by it."""

    task: str
    version: int
    config: AdapterConfig
    slot: Slot


class Registry:
    """Follows the store and hands out leases. All methods belong to the event loop's thread."""

    def __init__(
        self,
        store: Store,
        residency: Residency,
        *,
        loader: Executor,
        metrics: Metrics,
        host_adapters: int = 1024,
    ) -> None:
        self._residency = residency
        self._metrics = metrics
        self._host_adapters = host_adapters
        self._spare: OrderedDict[Resident, None] = (
            OrderedDict()
        )  # no label serves them; least recently used first
        self._states: dict[str, TaskState] = {}
        self._behind: set[str] = set()
        self._reads = VersionReads(store, residency, loader=loader, metrics=metrics, accept=self._accept)

    @property
    def states(self) -> Mapping[str, TaskState]:
        """Every task the service knows, by name, for those who describe it."""
        return self._states

    def state(self, task: str) -> TaskState:
        """One task. Raises TaskNotFound."""
        state = self._states.get(task)
        if state is None:
            raise _no_task(task)
        return state

    @asynccontextmanager
    async def lease(self, task: str, version: int | None, label: str | None) -> AsyncIterator[Lease]:
        """Hold the version asked for, or the one serving for the label (`stable` by default).

        Loads it first if it is not in memory. Raises TaskNotFound, VersionNotFound, LabelNotFound, and
        AdapterUnavailable for a version that was refused.
        """
        state = self.state(task)
        resident = await self._asked_for(state, version, label or STABLE)
        while resident.gone:  # it left memory between its load and this moment
            resident = await self._asked_for(self.state(task), version, label or STABLE)
        if resident in self._spare:
            self._spare.move_to_end(resident)
        async with self._residency.lease(resident) as slot:
            self._forget_spare()
            yield Lease(task, resident.version, resident.config, slot)

    async def _asked_for(self, state: TaskState, version: int | None, label: str) -> Resident:
        if version is not None:
            return await self._version(state, version)
        return state.serving.get(label) or await self._first_serving(state, label)

    async def follow(self, records: Mapping[str, TaskRecord]) -> None:
        """Take in what the store has now: new versions, moved labels, and what is gone."""
        gone = dict.fromkeys(task for task in self._states if task not in records)
        self._behind.update(self._states)
        await self.follow_some({**gone, **records})

    async def follow_some(self, records: Mapping[str, TaskRecord | None]) -> None:
        """As `follow`, of some tasks, None for one that is gone; goes on with those that are behind."""
        for task, record in records.items():
            if record is not None:
                self._states.setdefault(task, TaskState(record)).record = record
                self._behind.add(task)
            elif task in self._states:
                self._retire_task(task)
        if not records and not self._behind:
            return
        turn = asyncio.Semaphore(LOADS_AT_ONCE)
        await asyncio.gather(*(self._catch_up(state, turn) for state in self._not_up_to_date()))
        self._behind = {state.record.name for state in self._not_up_to_date()}
        self._forget_spare()
        self._metrics.tasks.set(len(self._states))
        self._metrics.refused_adapters.set(sum(len(state.refusals) for state in self._states.values()))

    def _not_up_to_date(self) -> list[TaskState]:
        states = (self._states.get(task) for task in self._behind)
        return [state for state in states if state is not None and not state.up_to_date]

    async def _catch_up(self, state: TaskState, turn: asyncio.Semaphore) -> None:
        async with turn:
            await self._follow_labels(state)
            for version in state.changed:
                with suppress(DvptError):  # reported where it was found; what was read before stays
                    await self._reads.patiently(state, version)
            versions = state.record.versions
            state.refusals = {at: refusal for at, refusal in state.refusals.items() if at in versions}
            self._retire(state, [each for each in state.residents.values() if each.version not in versions])

    async def _follow_labels(self, state: TaskState) -> None:
        """Let every label in use, and `stable`, serve the version it names, once that is ready."""
        for label in [label for label in state.serving if label not in state.record.labels]:
            if not state.record.problems:  # a label that cannot be read now is not one that was removed
                self._keep_spare(state, [state.serving.pop(label)])
                log_event(logger, logging.INFO, "label_gone", task=state.record.name, label=label)
        for label in {STABLE, *state.serving} & state.record.labels.keys():
            version = state.record.labels[label]
            before = state.serving.get(label)
            if before is not None and before.version == version:
                continue
            try:
                resident = state.residents.get(version) or await self._reads.patiently(state, version)
                self._serve(state, label, resident)
            except DvptError:
                continue  # reported where it was found; the old version stays

    def _serve(self, state: TaskState, label: str, resident: Resident) -> None:
        before = state.serving.get(label)
        state.serving[label] = resident
        self._spare.pop(resident, None)
        if before is not None:
            self._metrics.serving_changes.inc()
        log_event(
            logger,
            logging.INFO,
            "serving",
            task=resident.task,
            label=label,
            version=resident.version,
            before=before.version if before else "none",
        )
        if before is None:
            return
        if before.version in state.record.labels.values():
            self._keep_spare(state, [before])
        else:
            self._retire(state, [before])

    def _retire(self, state: TaskState, residents: Iterable[Resident]) -> None:
        """Let versions go, except those that still serve for a label."""
        for resident in residents:
            if resident not in state.serving.values():
                state.residents.pop(resident.version, None)
                state.stamps.pop(resident.version, None)
                self._spare.pop(resident, None)
                self._residency.retire(resident)

    def _keep_spare(self, state: TaskState, residents: Iterable[Resident]) -> None:
        """Keep versions for which no label serves any more for as long as there is room."""
        for resident in residents:
            if resident not in state.serving.values():
                self._spare[resident] = None

    def _forget_spare(self) -> None:
        """Let the least recently used go that no label serves, where host memory has too many of them."""
        if len(self._spare) <= self._host_adapters:
            return
        on_host = [each for each in self._spare if each.slot is None and not each.leases]
        for resident in on_host[: max(0, len(on_host) - self._host_adapters)]:
            self._retire(self._states[resident.task], [resident])

    def _retire_task(self, task: str) -> None:
        state = self._states.pop(task)
        state.serving.clear()
        self._retire(state, list(state.residents.values()))
        self._metrics.forget_task(task)
        log_event(logger, logging.INFO, "task_gone", task=task)

    async def _first_serving(self, state: TaskState, label: str) -> Resident:
        """The version of a label that nobody has asked for yet; from now on it serves for that label."""
        record = state.record
        if label not in record.labels:
            raise record.label_not_found(label, ", ".join(sorted(record.labels)) or "none")
        resident = await self._version(state, record.labels[label])
        if label not in state.serving and record.labels.get(label) == resident.version:
            self._serve(state, label, resident)
        return resident

    async def _version(self, state: TaskState, version: int) -> Resident:
        return state.residents.get(version) or await self._reads.read(state, version)

    def _accept(self, state: TaskState, resident: Resident, seconds: float) -> Resident:
        if self._states.get(resident.task) is not state:
            self._residency.retire(resident)  # the task went while its adapter came in
            raise _no_task(resident.task)
        before = state.residents.get(resident.version)
        state.residents[resident.version] = resident
        self._spare[resident] = None
        if before is not None:
            self._replace(state, before, resident)
        self._metrics.loads.labels("ok").inc()
        self._metrics.load_seconds.observe(seconds)
        log_event(
            logger,
            logging.INFO,
            "adapter_loaded",
            task=resident.task,
            version=resident.version,
            layout=resident.layout,
            place="slot" if resident.slot else "host",
            load_ms=1000 * seconds,
        )
        return resident

    def _replace(self, state: TaskState, before: Resident, after: Resident) -> None:
        """Serve what the files of a version hold now; requests under way end with what they began with."""
        log_event(
            logger,
            logging.WARNING,
            "adapter_changed",
            task=after.task,
            version=after.version,
            digest=after.config.tensors_sha256,
            before=before.config.tensors_sha256,
        )
        for label in [label for label, serving in state.serving.items() if serving is before]:
            state.serving[label] = after
            self._spare.pop(after, None)
            self._metrics.serving_changes.inc()
        self._spare.pop(before, None)
        self._residency.retire(before)


def _no_task(task: str) -> TaskNotFound:
    return TaskNotFound(f"there is no task {task!r}")
