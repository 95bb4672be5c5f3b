"""Every task the service knows: a row each, whether anybody asks for it or not."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from itertools import islice

from adapters.store.page import Page
from adapters.store.task_record import TaskRecord


class TaskTable(Mapping[str, TaskRecord]):
    """The records by name, and the names in order; what is done for one task goes through no others."""

    def __init__(self) -> None:
        self._records: dict[str, TaskRecord] = {}
        self._ordered: list[str] = []
        self._new: list[str] = []
        self.versions = 0

    def __getitem__(self, task: str) -> TaskRecord:
        return self._records[task]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._records)

    def put(self, record: TaskRecord) -> None:
        """Take in what is known of a task now."""
        before = self._records.get(record.name)
        if before is None:
            self._new.append(record.name)
        self.versions += len(record.versions) - (len(before.versions) if before else 0)
        self._records[record.name] = record

    def remove(self, task: str) -> None:
        """Forget a task. Raises KeyError for one that is not there."""
        self.versions -= len(self._records.pop(task).versions)
        names = self._names()
        del names[bisect_left(names, task)]

    def page(self, page: Page, visible: Callable[[str], bool] = bool) -> list[TaskRecord]:
        """The tasks of a page, by name, without those that are not visible to who asks."""
        names = filter(visible, page.names(self._names()))
        return [self._records[name] for name in islice(names, page.limit)]

    def _names(self) -> list[str]:
        if self._new:
            self._ordered += self._new
            self._new = []
            self._ordered.sort()  # in order but for the end, which costs next to nothing
        return self._ordered
