"""The tasks of which something is in memory: how their versions come in, serve and leave."""

import logging
from collections.abc import Callable, Iterable
from time import monotonic

from service.logs import log_event
from service.metrics import Metrics
from service.residents.residency import Residency
from service.residents.resident import Resident
from service.residents.task_state import TaskState
from service.residents.version_state import Evicted

logger = logging.getLogger("service.registry")


class TaskStates:
    """One state for each task of which something is in memory, on its way there (`reading`), or refused."""

    def __init__(self, residency: Residency, metrics: Metrics, reading: Callable[[str], bool]) -> None:
        self.evicted = Evicted()
        self._residency = residency
        self._metrics = metrics
        self._reading = reading
        self._states: dict[str, TaskState] = {}
        self._refused: set[str] = set()
        metrics.refused_adapters.set_function(self._refused_versions)

    def get(self, task: str) -> TaskState | None:
        """The state of a task, None where nothing of it is in memory."""
        return self._states.get(task)

    def keep(self, state: TaskState) -> TaskState:
        """Have a state for a task: the one there is, or else this one."""
        return self._states.setdefault(state.record.name, state)

    def has(self, state: TaskState) -> bool:
        """Whether a state is its task's still: the task may be gone, or have been tidied up, since."""
        return self._states.get(state.record.name) is state

    def take_in(self, state: TaskState, resident: Resident) -> None:
        """Have a version that was read, in place of what its files held before if it was in memory."""
        before = state.residents.get(resident.version)
        state.residents[resident.version] = resident
        self.evicted.discard(resident.task, resident.version)
        if before is not None:
            self._replace(state, before, resident)

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
            self._metrics.serving_changes.inc()
        self._residency.retire(before)

    def serve(self, state: TaskState, label: str, resident: Resident) -> None:
        """Let a version answer for a label; the one before leaves unless a label still names it."""
        before = state.serving.get(label)
        state.serving[label] = resident
        if before is not None:
            self._metrics.serving_changes.inc()
        log_event(
            logger,
            logging.INFO if before else logging.DEBUG,
            "serving",
            task=resident.task,
            label=label,
            version=resident.version,
            before=before.version if before else "none",
        )
        if before is not None and before.version not in state.record.labels.values():
            self.retire(state, [before])

    def retire(self, state: TaskState, residents: Iterable[Resident]) -> None:
        """Let versions go, except those that still serve for a label."""
        for resident in residents:
            if resident not in state.serving.values():
                state.residents.pop(resident.version, None)
                state.stamps.pop(resident.version, None)
                self._residency.retire(resident)

    def retire_all(self, state: TaskState) -> None:
        """Let all of a task go, whatever it serves for."""
        state.serving.clear()
        self.retire(state, list(state.residents.values()))

    def remove(self, task: str) -> None:
        """Let all of a task go, and the task."""
        state = self._states.pop(task, None)
        if state is not None:
            self.retire_all(state)

    def make_room(self) -> None:
        """Let the least recently used go where host memory has too much; a request reads them again."""
        for resident in self._residency.host.excess(self._may_leave):
            state = self._states[resident.task]
            self._metrics.eviction_age_seconds.labels("host").observe(resident.idle_s())
            state.serving = {label: each for label, each in state.serving.items() if each is not resident}
            state.wanted = frozenset()
            self.evicted.add(resident.task, resident.version)
            self.retire(state, [resident])
            self.tidy(state)

    def _may_leave(self, resident: Resident) -> bool:
        state = self._states.get(resident.task)
        return state is not None and state.may_leave(resident)

    def tidy(self, state: TaskState) -> None:
        """Keep no more than the record of a task of which nothing is in memory, on its way or refused."""
        task = state.record.name
        if state.refusals:
            self._refused.add(task)
        if state.empty and self.has(state) and not self._reading(task):
            del self._states[task]

    def forget_refusals(self) -> None:
        """Forget those that nobody has asked for in a while."""
        now_s = monotonic()
        for state in [self._states[task] for task in self._refused if task in self._states]:
            state.refusals = {at: each for at, each in state.refusals.items() if not each.expired(now_s)}
            self.tidy(state)
        self._refused = {
            task for task in self._refused if task in self._states and self._states[task].refusals
        }

    def _refused_versions(self) -> int:
        return sum(len(self._states[task].refusals) for task in self._refused if task in self._states)
