"""What a look at the store lacks and an earlier one had: kept until it was seen to be removed.

A listing that lacks something may be of a share that comes and goes, a restore under way or a folder that was
moved for a moment. The rules are those of docs/adr/0011.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from time import monotonic

from adapters.store.labels import LABELS_FOLDER
from adapters.store.task_record import TaskRecord

Absent = tuple[str, int | str]


@dataclass
class Absences:
    """Completes each look with what it lacks; `forget_after_s` is how long something may be merely absent."""

    forget_after_s: float
    clock: Callable[[], float] = monotonic
    _known: dict[str, TaskRecord] = field(default_factory=dict)
    _since_s: dict[Absent, float] = field(default_factory=dict)

    def interrupted(self) -> None:
        """A look failed: what was absent before it may have been so for the same reason."""
        self._since_s = {}

    def complete(self, looked: Mapping[str, TaskRecord]) -> dict[str, TaskRecord]:
        """The tasks to go by: those of the look, with what must be thought to be there all the same."""
        absent: dict[Absent, float] = {}
        known = {}
        for task in {**self._known, **looked}:
            now = looked.get(task) or TaskRecord(task, (), {}, folders=frozenset())
            before = self._known.get(task)
            record = self._completed(before, now, absent) if before else now
            if record.versions or record.problems:
                known[task] = record
        self._known, self._since_s = known, absent
        return known

    def update(self, looked: Mapping[str, TaskRecord]) -> dict[str, TaskRecord | None]:
        """As `complete`, of a look at some tasks: those to go by, None for one that is gone."""
        absent: dict[Absent, float] = {}
        found: dict[str, TaskRecord | None] = {}
        for task, now in looked.items():
            before = self._known.pop(task, None)
            record = self._completed(before, now, absent) if before else now
            found[task] = record if record.versions or record.problems else None
            if record.versions or record.problems:
                self._known[task] = record
        others = {key: since_s for key, since_s in self._since_s.items() if key[0] not in looked}
        self._since_s = others | absent
        return found

    @property
    def pending(self) -> frozenset[str]:
        """The tasks that lack something which another look may find gone or there again."""
        return frozenset(task for task, _ in self._since_s)

    def _completed(self, before: TaskRecord, now: TaskRecord, absent: dict[Absent, float]) -> TaskRecord:
        if before.stamps == now.stamps and before.labels == now.labels:
            return now
        gone = {*now.versions, *now.buried}
        kept = [at for at in before.versions if at not in gone and self._stays(now, at, absent)]
        stamps = {at: before.stamps[at] for at in kept} | dict(now.stamps)
        labels = {
            name: at
            for name, at in before.labels.items()
            if name not in now.labels and at in stamps and self._stays(now, name, absent)
        }
        return replace(
            now,
            versions=tuple(sorted(stamps)),
            stamps=stamps,
            labels={**now.labels, **labels},
            problems=(*now.problems, *(_absent(now.name, at) for at in kept if at not in now.unclear)),
        )

    def _stays(self, now: TaskRecord, name: int | str, absent: dict[Absent, float]) -> bool:
        """Whether a version or label that was there before, and was not deleted, may be there still."""
        if now.folders is None or name in now.unclear:
            return True
        first = (now.name, name) not in self._since_s
        since_s = absent[now.name, name] = self._since_s.get((now.name, name), self.clock())
        if isinstance(name, str) and LABELS_FOLDER in now.folders:
            return first  # removing a label leaves no trace but the others
        return first or self.clock() - since_s < self.forget_after_s


def _absent(task: str, version: int) -> str:
    return f"version {version} of {task!r} is missing, though nobody deleted it"
