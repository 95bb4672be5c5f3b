"""Which pictures run next: the oldest request's group, and within it deficit round-robin over tasks."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

DEFAULT_QUANTUM = 4


@dataclass(eq=False, slots=True)
class Job:
    """The pictures of one request, by number; those from `next_row` on still wait.

    Only jobs of one `group` share a batch; `task` is whose turn they take.
    """

    group: Hashable
    task: str
    row_count: int
    deadline_s: float
    next_row: int = 0


J = TypeVar("J", bound=Job)


@dataclass(slots=True)
class _Turn(Generic[J]):
    """One task's jobs in order of arrival, and the pictures it may still send before the next task."""

    credit: int
    jobs: OrderedDict[J, None] = field(default_factory=OrderedDict)


class FairQueue(Generic[J]):
    """Jobs in arrival order, by group and task. Every operation is O(1) per picture or job."""

    def __init__(self, quantum: int = DEFAULT_QUANTUM) -> None:
        self._quantum = quantum
        self._arrivals: OrderedDict[J, None] = OrderedDict()
        self._groups: dict[Hashable, OrderedDict[str, _Turn[J]]] = {}
        self._pictures = 0

    def __len__(self) -> int:
        """Pictures waiting."""
        return self._pictures

    def push(self, job: J) -> None:
        """Queue a job behind those of its task."""
        self._arrivals[job] = None
        ring = self._groups.setdefault(job.group, OrderedDict())
        if job.task not in ring:
            ring[job.task] = _Turn(self._quantum)
        ring[job.task].jobs[job] = None
        self._pictures += job.row_count - job.next_row

    def discard(self, job: J) -> int:
        """Take a job's waiting pictures out of the queue; how many those were."""
        if job not in self._arrivals:
            return 0
        del self._arrivals[job]
        ring = self._groups[job.group]
        turn = ring[job.task]
        del turn.jobs[job]
        if not turn.jobs:
            del ring[job.task]
        if not ring:
            del self._groups[job.group]
        left = job.row_count - job.next_row
        self._pictures -= left
        return left

    def take(self, limit: int, now_s: float) -> tuple[list[tuple[J, int]], list[J]]:
        """Up to `limit` pictures of one group as (job, row), and the jobs found past their deadline.

        The expired jobs have left the queue. There are no pictures only if no job is left.
        """
        rows: list[tuple[J, int]] = []
        expired: list[J] = []
        while self._arrivals and not rows:
            oldest = next(iter(self._arrivals))
            self._take_group(oldest.group, limit, now_s, rows, expired)
        return rows, expired

    def drain(self) -> list[J]:
        """Empty the queue; the jobs that were in it."""
        jobs = list(self._arrivals)
        for job in jobs:
            self.discard(job)
        return jobs

    def _take_group(
        self, group: Hashable, limit: int, now_s: float, rows: list[tuple[J, int]], expired: list[J]
    ) -> None:
        ring = self._groups[group]
        while ring and len(rows) < limit:
            task, turn = next(iter(ring.items()))
            job = next(iter(turn.jobs))
            if job.deadline_s <= now_s:
                self.discard(job)
                expired.append(job)
                continue
            # A task alone in its ring need not come round again for every quantum.
            room = limit - len(rows)
            share = room if len(ring) == 1 else min(room, turn.credit)
            sent = self._send(job, share, rows)
            turn.credit -= sent
            if turn.credit <= 0:
                turn.credit = self._quantum
                if task in ring:
                    ring.move_to_end(task)

    def _send(self, job: J, share: int, rows: list[tuple[J, int]]) -> int:
        first, last = job.next_row, min(job.row_count, job.next_row + share)
        rows.extend((job, row) for row in range(first, last))
        job.next_row = last
        self._pictures -= last - first
        if last == job.row_count:
            self.discard(job)
        return last - first
