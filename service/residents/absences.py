"""What a look at the store lacks and an earlier one had: kept until it was seen to be removed.

A listing that lacks something may be of a share that comes and goes, a restore under way or a folder that was
moved for a moment. The rules are those of docs/adr/0011.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from time import monotonic

from adapters.store.task_record import TaskRecord

Absent = tuple[str, int | str]


@dataclass
class Absences:
    """Completes each look with what it lacks; `forget_after_s` is how long something may be merely absent.

    Only looks at tasks that have changed, and at those that are `pending`, need come here.
    """

    forget_after_s: float
    clock: Callable[[], float] = monotonic
    _known: dict[str, TaskRecord] = field(default_factory=dict)
    _since_s: dict[Absent, float] = field(default_factory=dict)
    _interrupted: set[str] = field(default_factory=set)

    def interrupted(self) -> None:
        """A look failed: what was absent before it may have been so for the same reason."""
        self._interrupted |= self.pending
        self._since_s = {}

    def update(self, looked: Mapping[str, TaskRecord]) -> dict[str, TaskRecord | None]:
        """The records to go by of the tasks that were looked at, None for a task that is gone.

        They are those of the look, with what must be thought to be there all the same.
        """
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
        self._interrupted -= looked.keys()
        return found

    @property
    def pending(self) -> frozenset[str]:
        """The tasks that lack something which another look may find gone or there again."""
        return frozenset(task for task, _ in self._since_s) | self._interrupted

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
            rules={**{name: before.rules[name] for name in labels if name in before.rules}, **now.rules},
            problems=(*now.problems, *(_absent(now.name, at) for at in kept if at not in now.unclear)),
        )

    def _stays(self, now: TaskRecord, name: int | str, absent: dict[Absent, float]) -> bool:
        """Whether a version or label that was there before, and was not deleted, may be there still."""
        if now.has_labels is None or name in now.unclear:
            return True
        first = (now.name, name) not in self._since_s
        since_s = absent[now.name, name] = self._since_s.get((now.name, name), self.clock())
        if isinstance(name, str) and now.has_labels:
            return first  # removing a label leaves no trace but the others
        return first or self.clock() - since_s < self.forget_after_s


def _absent(task: str, version: int) -> str:
    return f"version {version} of {task!r} is missing, though nobody deleted it"
