"""What waits of one task, and the batch it goes into. The parts of `service.batching.fair_queue`."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar


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
class Batch(Generic[J]):
    """The (job, first row, row after the last) taken so far, the jobs found expired, and the room left."""

    room: int
    now_s: float
    spans: list[Span[J]] = field(default_factory=list)
    expired: list[J] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Turn(Generic[J]):
    """One task's jobs in order of arrival, and the pictures it may still send before the next task.

    `since` numbers the moment it began to wait for this turn. The jobs are linked, for most turns have a
    single one. Discarded jobs stay until they come to the front; `jobs` and `pictures` count the others.
    """

    since: int
    credit: int
    front: J
    back: J
    pictures: int
    jobs: int = 1

    def waiting(self) -> Iterator[J]:
        """The jobs that have not been discarded, oldest first."""
        job: J | None = self.front
        while job is not None:
            if job.queued:
                yield job
            job = job.behind  # type: ignore[assignment]

    def append(self, job: J, pictures: int) -> None:
        """Put a job behind the others."""
        self.back.behind = self.back = job
        self.jobs += 1
        self.pictures += pictures

    def send(self, share: int, batch: Batch[J]) -> int:
        """Move up to `share` pictures to the batch; fewer if no more wait. How many that were."""
        left = share
        while left and self.jobs:
            job = self.front
            if job.queued:
                first, last = job.next_row, job.row_count
                if job.deadline_s <= batch.now_s:
                    batch.expired.append(job)
                    self.pictures -= last - first
                elif last - first > left:
                    job.next_row = first + left
                    batch.spans.append((job, first, first + left))
                    left = 0
                    break
                else:
                    job.next_row = last
                    batch.spans.append((job, first, last))
                    left -= last - first
                job.queued = False
                self.jobs -= 1
            self.front = job.behind  # type: ignore[assignment]  # None only behind the last job
            job.behind = None
        sent = share - left
        self.pictures -= sent
        batch.room -= sent
        return sent
