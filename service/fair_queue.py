"""Which pictures run next: the layout whose turn is oldest, and within it deficit round-robin over tasks."""

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Generic, TypeVar

DEFAULT_QUANTUM = 4


@dataclass(eq=False, slots=True)
class Job:
    """The pictures of one request, by number; those from `next_row` on still wait while it is `queued`.

    Only jobs of one `group` share a batch; `task` is whose turn they take. `behind` is the queue's.
    """

    group: Hashable
    task: str
    row_count: int
    deadline_s: float
    next_row: int = 0
    queued: bool = False
    behind: "Job | None" = None


J = TypeVar("J", bound=Job)
Span = tuple[J, int, int]


@dataclass(eq=False, slots=True)
class _Turn(Generic[J]):
    """One task's jobs in order of arrival, and the pictures it may still send before the next task.

    `since` numbers the moment it began to wait for this turn. The jobs are linked, for most turns have a
    single one. Discarded jobs stay until they come to the front; `waiting` counts the others.
    """

    since: int
    credit: int
    front: J
    back: J
    waiting: int = 1

    def jobs(self) -> Iterator[J]:
        job: J | None = self.front
        while job is not None:
            if job.queued:
                yield job
            job = job.behind  # type: ignore[assignment]


class FairQueue(Generic[J]):
    """Jobs by group and task. Every operation is O(1) per job, and taking a batch O(its jobs + groups).

    A task waits for its turn from the arrival of its first job, or from its last turn if it has more: so
    the oldest job chooses the group, but a flood of old jobs does not choose it again and again.
    """

    def __init__(self, quantum: int = DEFAULT_QUANTUM) -> None:
        self._quantum = quantum
        self._rings: dict[Hashable, OrderedDict[str, _Turn[J]]] = {}
        self._moments = count()
        self._pictures = 0

    def __len__(self) -> int:
        """Pictures waiting."""
        return self._pictures

    def push(self, job: J) -> None:
        """Queue a job behind those of its task."""
        ring = self._rings.get(job.group)
        if ring is None:
            ring = self._rings[job.group] = OrderedDict()
        turn = ring.get(job.task)
        if turn is None:
            ring[job.task] = _Turn(next(self._moments), self._quantum, job, job)
        else:
            turn.back.behind = turn.back = job
            turn.waiting += 1
        job.queued = True
        self._pictures += job.row_count - job.next_row

    def discard(self, job: J) -> int:
        """Take a job's waiting pictures out of the queue; how many those were."""
        if not job.queued:
            return 0
        job.queued = False
        ring = self._rings[job.group]
        turn = ring[job.task]
        turn.waiting -= 1
        if not turn.waiting:
            del ring[job.task]
        if not ring:
            del self._rings[job.group]
        left = job.row_count - job.next_row
        self._pictures -= left
        return left

    def take(self, limit: int, now_s: float) -> tuple[list[Span[J]], list[J]]:
        """Up to `limit` pictures of one group as (job, first row, row after the last), and expired jobs.

        The jobs found past their deadline have left the queue. There are no pictures only if no job is left.
        """
        spans: list[Span[J]] = []
        expired: list[J] = []
        while self._rings and not spans:
            group = min(self._rings, key=self._since)
            self._take_group(self._rings[group], limit, now_s, spans, expired)
            if not self._rings[group]:
                del self._rings[group]
        self._pictures -= sum(job.row_count - job.next_row for job in expired)
        return spans, expired

    def drain(self) -> list[J]:
        """Empty the queue; the jobs that were in it, task by task."""
        jobs = [job for ring in self._rings.values() for turn in ring.values() for job in turn.jobs()]
        for job in jobs:
            self.discard(job)
        return jobs

    def _since(self, group: Hashable) -> int:
        # A ring is in the order of its turns' moments: they enter, and come round, at its end.
        return next(iter(self._rings[group].values())).since

    def _take_group(
        self,
        ring: OrderedDict[str, _Turn[J]],
        limit: int,
        now_s: float,
        spans: list[Span[J]],
        expired: list[J],
    ) -> None:
        room = limit
        while ring and room:
            task, turn = ring.popitem(last=False)
            # A task alone in its ring need not come round again for every quantum.
            share = turn.credit if ring and turn.credit < room else room
            sent = share - _take_turn(turn, share, now_s, spans, expired)
            room -= sent
            if not turn.waiting:
                continue
            ring[task] = turn
            turn.credit -= sent
            if turn.credit <= 0:
                turn.credit = self._quantum
                turn.since = next(self._moments)
            else:
                ring.move_to_end(task, last=False)
        self._pictures -= limit - room


def _take_turn(turn: _Turn[J], share: int, now_s: float, spans: list[Span[J]], expired: list[J]) -> int:
    """Send up to `share` pictures of a task; how much of the share is left, because nothing else waits."""
    while share and turn.waiting:
        job = turn.front
        if job.queued:
            first = job.next_row
            if job.deadline_s <= now_s:
                expired.append(job)
            elif job.row_count - first > share:
                job.next_row = first + share
                spans.append((job, first, first + share))
                return 0
            else:
                job.next_row = last = job.row_count
                spans.append((job, first, last))
                share -= last - first
            job.queued = False
            turn.waiting -= 1
        turn.front = job.behind  # type: ignore[assignment]  # None only behind the last job
        job.behind = None
    return share
