"""Whose step runs next: start-time fair queueing over tasks, in seconds of a thread."""

from collections import deque
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Generic, TypeVar

LEAST_S = 1e-4
"""What a step costs its task at once: without it one task would get all threads before any step has ended."""


@dataclass(eq=False, slots=True)
class Job:
    """The steps of one request, by number; those from `next_step` on wait unless it has `left`."""

    task: str
    step_count: int
    next_step: int = 0
    left: bool = False

    @property
    def waiting(self) -> int:
        """Steps that no thread has begun and that are still wanted."""
        return 0 if self.left else self.step_count - self.next_step


J = TypeVar("J", bound=Job)


@dataclass(eq=False, slots=True)
class _Lane(Generic[J]):
    """What waits of one task, and the virtual time at which its next step may start."""

    starts_s: float
    jobs: deque[J] = field(default_factory=deque)
    in_order: bool = False


class ThreadTurns(Generic[J]):
    """The next step is that of the task whose steps have taken the least time, as measured when they end.

    A task that comes anew starts where the others are: it neither waits for what they have had before, nor
    is owed for the time it did not ask (Goyal, Vin, Cheng: Start-time Fair Queueing, SIGCOMM 1996; the costs
    are known only after service here). A task alone gets everything. Each operation takes O(log tasks).
    """

    def __init__(self) -> None:
        self._lanes: dict[str, _Lane[J]] = {}
        self._order: list[tuple[float, int, _Lane[J]]] = []
        self._entered = 0
        self._now_s = 0.0
        self.waiting = 0
        self.running = 0

    def push(self, job: J) -> None:
        """Queue a job's steps behind those of its task."""
        lane = self._lanes.get(job.task)
        if lane is None:
            lane = self._lanes[job.task] = _Lane(self._now_s)
        lane.jobs.append(job)
        self.waiting += job.waiting
        if not lane.in_order:
            lane.starts_s = max(lane.starts_s, self._now_s)
            self._enter(lane)

    def take(self) -> tuple[J, int] | None:
        """Begin the next step, if one waits."""
        while self._order:
            starts_s, _, lane = heappop(self._order)
            lane.in_order = False
            while lane.jobs and not lane.jobs[0].waiting:
                lane.jobs.popleft()
            if not lane.jobs:
                continue
            if lane.starts_s > starts_s:  # a step that ended since has made it dearer
                self._enter(lane)
                continue
            return self._begin(lane)
        return None

    def ended(self, task: str, seconds: float) -> None:
        """A step has ended after so long."""
        self.running -= 1
        if not self.running and not self.waiting:  # nobody is owed anything by nobody
            self._lanes.clear()
            self._order.clear()
            self._now_s = 0.0
        else:
            self._lanes[task].starts_s += max(0.0, seconds - LEAST_S)

    def discard(self, job: J) -> None:
        """Let a job's waiting steps leave the queue."""
        self.waiting -= job.waiting
        job.left = True

    def _begin(self, lane: _Lane[J]) -> tuple[J, int]:
        job = lane.jobs[0]
        step = job.next_step
        job.next_step += 1
        self._now_s = lane.starts_s
        lane.starts_s += LEAST_S
        self._enter(lane)
        self.waiting -= 1
        self.running += 1
        return job, step

    def _enter(self, lane: _Lane[J]) -> None:
        lane.in_order = True
        self._entered += 1
        heappush(self._order, (lane.starts_s, self._entered, lane))
