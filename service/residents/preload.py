"""Which adapters are in memory whoever asks: chosen by setting, and by label."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from adapters.config import PIN_LABEL, STABLE
from adapters.store.task_record import TaskRecord

PRELOAD_LABEL = "preload"


@dataclass(frozen=True)
class Preload:
    """Patterns of task names: loaded before anybody asks, and of `pins` also kept.

    A task with the label `preload` or `pinned` is taken as if a pattern had it; what that label names is
    loaded beside the stable version.
    """

    tasks: tuple[str, ...] = ()
    pins: tuple[str, ...] = ()

    def labels(self, record: TaskRecord) -> frozenset[str]:
        """The labels whose versions are to be in memory."""
        given = {PRELOAD_LABEL, PIN_LABEL} & record.labels.keys()
        chosen = given or self._any(record, self.tasks) or self._any(record, self.pins)
        return frozenset({STABLE, *given} & record.labels.keys()) if chosen else frozenset()

    def pinned(self, record: TaskRecord) -> bool:
        """Whether what the task has in memory stays there."""
        return PIN_LABEL in record.labels or self._any(record, self.pins)

    @staticmethod
    def _any(record: TaskRecord, patterns: tuple[str, ...]) -> bool:
        return any(fnmatchcase(record.name, pattern) for pattern in patterns)
