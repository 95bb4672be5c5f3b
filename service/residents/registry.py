"""What the running service knows: task, version and label → an adapter ready in its slot."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic

from adapters.config import STABLE
from adapters.errors import DvptError, LabelNotFound, TaskNotFound, VersionNotFound
from adapters.kinds.adapter_config import AdapterConfig
from adapters.kinds.layout import Slot
from adapters.store.artifact import Artifact
from adapters.store.files import Fingerprint
from adapters.store.store import Store, TaskRecord
from service.errors import AdapterUnavailable
from service.logs import log_event
from service.metrics import Metrics
from service.residents.refusals import Fault, next_fault
from service.residents.residency import Residency, Resident

logger = logging.getLogger("service.registry")
LOADS_AT_ONCE = 4


@dataclass(frozen=True)
class Lease:
    """A request's hold on one version of a task: every picture of the request is answered by it."""

    task: str
    version: int
    config: AdapterConfig
    slot: Slot


@dataclass(eq=False, slots=True)
class TaskState:
    """What is known of one task: the store's record, what is in memory, what answers, what was refused."""

    record: TaskRecord
    residents: dict[int, Resident] = field(default_factory=dict)
    routes: dict[str, Resident] = field(default_factory=dict)
    faults: dict[int, Fault] = field(default_factory=dict)


class Registry:
    """Follows the store and hands out leases. All methods belong to the event loop's thread."""

    def __init__(self, store: Store, residency: Residency, *, loader: Executor, metrics: Metrics) -> None:
        self._store = store
        self._residency = residency
        self._loader = loader
        self._metrics = metrics
        self._states: dict[str, TaskState] = {}
        self._loads: dict[tuple[str, int], asyncio.Task[Resident]] = {}

    @property
    def states(self) -> Mapping[str, TaskState]:
        """Every task the service knows, by name, for those who describe it."""
        return self._states

    def state(self, task: str) -> TaskState:
        """One task. Raises TaskNotFound."""
        state = self._states.get(task)
        if state is None:
            raise TaskNotFound(f"there is no task {task!r}")
        return state

    @asynccontextmanager
    async def lease(self, task: str, version: int | None, label: str | None) -> AsyncIterator[Lease]:
        """Hold the version asked for, or the one that the label (`stable` by default) routes to.

        Loads it first if it is not in memory. Raises TaskNotFound, VersionNotFound, LabelNotFound, and
        AdapterUnavailable for a version that was refused.
        """
        state = self.state(task)
        if version is not None:
            resident = await self._version(state, version)
        else:
            resident = state.routes.get(label or STABLE) or await self._first_route(state, label or STABLE)
        async with self._residency.lease(resident) as slot:
            yield Lease(task, resident.version, resident.config, slot)

    async def follow(self, records: Mapping[str, TaskRecord]) -> None:
        """Take in what the store has now: new versions, moved labels, and what is gone."""
        for task in [task for task in self._states if task not in records]:
            self._forget(task)
        for task, record in records.items():
            state = self._states.setdefault(task, TaskState(record))
            state.record = record
        turn = asyncio.Semaphore(LOADS_AT_ONCE)
        behind = [state for state in self._states.values() if not _up_to_date(state)]
        await asyncio.gather(*(self._catch_up(state, turn) for state in behind))
        self._metrics.tasks.set(len(self._states))
        self._metrics.refused_adapters.set(sum(len(state.faults) for state in self._states.values()))

    async def _catch_up(self, state: TaskState, turn: asyncio.Semaphore) -> None:
        async with turn:
            await self._follow_labels(state)
            self._release_unused(state)

    async def _follow_labels(self, state: TaskState) -> None:
        """Flip every route in use, and `stable`, to the version its label names, once that is ready."""
        for label in [label for label in state.routes if label not in state.record.labels]:
            if not state.record.problems:  # a label that cannot be read now is not one that was removed
                del state.routes[label]
                log_event(logger, logging.INFO, "label_gone", task=state.record.name, label=label)
        for label in {STABLE, *state.routes} & state.record.labels.keys():
            version = state.record.labels[label]
            route = state.routes.get(label)
            if route is not None and route.version == version:
                continue
            try:
                self._flip(state, label, await self._version(state, version))
            except DvptError:
                continue  # reported where it was found; the old version stays

    def _flip(self, state: TaskState, label: str, resident: Resident) -> None:
        before = state.routes.get(label)
        state.routes[label] = resident
        if before is not None:
            self._metrics.swaps.inc()
        log_event(
            logger,
            logging.INFO,
            "serving",
            task=resident.task,
            label=label,
            version=resident.version,
            before=before.version if before else "none",
        )
        if before is not None and before.version not in state.record.labels.values():
            self._retire(state, before)

    def _release_unused(self, state: TaskState) -> None:
        """Let versions go that the store no longer has, unless they still answer for a label."""
        routed = {resident.version for resident in state.routes.values()}
        for version in [version for version in state.residents if version not in state.record.versions]:
            if version not in routed:
                self._retire(state, state.residents[version])
        for version in [version for version in state.faults if version not in state.record.versions]:
            del state.faults[version]

    def _retire(self, state: TaskState, resident: Resident) -> None:
        if resident not in state.routes.values():
            state.residents.pop(resident.version, None)
            self._residency.retire(resident)

    def _forget(self, task: str) -> None:
        state = self._states.pop(task)
        state.routes.clear()
        for resident in list(state.residents.values()):
            self._retire(state, resident)
        self._metrics.forget_task(task)
        log_event(logger, logging.INFO, "task_gone", task=task)

    async def _first_route(self, state: TaskState, label: str) -> Resident:
        """The version of a label that nobody has asked for yet; from now on the route follows the label."""
        record = state.record
        if label not in record.labels:
            labels = ", ".join(sorted(record.labels)) or "none"
            problems = "".join(f"; {problem}" for problem in record.problems)
            raise LabelNotFound(f"task {record.name!r} has no label {label!r}; it has: {labels}{problems}")
        resident = await self._version(state, record.labels[label])
        if label not in state.routes and record.labels.get(label) == resident.version:
            self._flip(state, label, resident)
        return resident

    async def _version(self, state: TaskState, version: int) -> Resident:
        resident = state.residents.get(version)
        if resident is not None:
            return resident
        task = state.record.name
        if version not in state.record.versions:
            versions = ", ".join(map(str, state.record.versions)) or "none"
            raise VersionNotFound(f"task {task!r} has no version {version}; it has: {versions}")
        load = self._loads.get((task, version))
        if load is None:
            load = asyncio.create_task(self._load(state, version))
            self._loads[task, version] = load
            load.add_done_callback(lambda _: self._loads.pop((task, version)))
        return await asyncio.shield(load)

    async def _load(self, state: TaskState, version: int) -> Resident:
        task, started_s = state.record.name, monotonic()
        loop = asyncio.get_running_loop()
        fingerprint = await loop.run_in_executor(self._loader, self._store.fingerprint, task, version)
        fault = state.faults.get(version)
        if fault is not None and not fault.may_retry(monotonic(), fingerprint):
            raise _unavailable(task, version, fault)
        try:
            artifact: Artifact = await loop.run_in_executor(self._loader, self._store.load, task, version)
            resident = await self._residency.add(task, version, artifact)
        except (TaskNotFound, VersionNotFound):
            raise  # deleted between the listing and the load
        except Exception as error:  # whatever it is, it refuses this version and harms no other
            raise self._refuse(state, version, error, fingerprint) from error
        return self._accept(state, resident, monotonic() - started_s)

    def _accept(self, state: TaskState, resident: Resident, seconds: float) -> Resident:
        if self._states.get(resident.task) is not state:
            self._residency.retire(resident)  # the task went while its adapter came in
            raise TaskNotFound(f"there is no task {resident.task!r}")
        state.faults.pop(resident.version, None)
        state.residents[resident.version] = resident
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

    def _refuse(
        self, state: TaskState, version: int, error: Exception, fingerprint: Fingerprint
    ) -> AdapterUnavailable:
        task = state.record.name
        fault = next_fault(state.faults.get(version), error, monotonic(), fingerprint)
        state.faults[version] = fault
        self._metrics.loads.labels("refused").inc()
        log_event(
            logger,
            logging.ERROR,
            "adapter_refused",
            task=task,
            version=version,
            attempt=fault.attempts,
            kind=fault.kind,
            error=fault.error,
        )
        return _unavailable(task, version, fault)


def _up_to_date(state: TaskState) -> bool:
    """Whether every route is where its label is, and nothing is held that the store no longer has."""
    labels, routes = state.record.labels, state.routes
    wanted = {label: at for label, at in labels.items() if label in routes or label == STABLE}
    routed = {label: resident.version for label, resident in routes.items()}
    return routed == wanted and {*state.residents, *state.faults}.issubset(state.record.versions)


def _unavailable(task: str, version: int, fault: Fault) -> AdapterUnavailable:
    return AdapterUnavailable(f"version {version} of task {task!r} was refused: {fault.error}")
