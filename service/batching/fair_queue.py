"""Which pictures run next: the group whose turn is oldest, and within it deficit round-robin over tasks."""

from collections import OrderedDict
from collections.abc import Hashable
from itertools import count
from typing import Generic

from service.batching.turns import Batch, J, Span, Turn

DEFAULT_QUANTUM = 4
LIGHT_FOR_S = 1.0

_Ring = OrderedDict[str, Turn[J]]


class FairQueue(Generic[J]):
    """Jobs by group and task. Every operation is O(1) per job, and taking a batch O(its jobs + groups).

    A task waits for its turn from the arrival of its first job, or from its last turn if it has more: so
    the oldest job chooses the group, but a flood of old jobs does not choose it again and again.
    """

    def __init__(self, quantum: int = DEFAULT_QUANTUM) -> None:
        self._quantum = quantum
        self._rings: dict[Hashable, _Ring[J]] = {}
        self._moments = count()
        self._pictures = 0
        self._light = _LightTasks()

    def __len__(self) -> int:
        """Pictures waiting."""
        return self._pictures

    def push(self, job: J) -> None:
        """Queue a job behind those of its task."""
        pictures = job.row_count - job.next_row
        ring = self._rings.get(job.group)
        if ring is None:
            ring = self._rings[job.group] = OrderedDict()
        turn = ring.get(job.task)
        if turn is None:
            ring[job.task] = Turn(next(self._moments), self._quantum, job, job, pictures)
        else:
            turn.append(job, pictures)
        job.queued = True
        self._pictures += pictures

    def discard(self, job: J) -> int:
        """Take a job's waiting pictures out of the queue; how many those were."""
        if not job.queued:
            return 0
        job.queued = False
        left = job.row_count - job.next_row
        ring = self._rings[job.group]
        turn = ring[job.task]
        turn.jobs -= 1
        turn.pictures -= left
        if not turn.jobs:
            del ring[job.task]
        if not ring:
            del self._rings[job.group]
        self._pictures -= left
        return left

    def take(
        self, limit: int, now_s: float, fixed_pictures: int | None = None
    ) -> tuple[list[Span[J]], list[J]]:
        """Up to `limit` pictures of one group as (job, first row, row after the last), and expired jobs.

        The jobs found past their deadline have left the queue. There are no pictures only if no job is left.
        `fixed_pictures` is how many take as long as what every batch takes beside its pictures: with it, a
        task that floods does not hold up others that are light.
        """
        batch: Batch[J] = Batch(limit, now_s)
        while self._rings and not batch.spans:
            group = min(self._rings, key=self._since)
            ring = self._rings[group]
            self._fill(ring, batch, fixed_pictures)
            if not ring:
                del self._rings[group]
        self._pictures -= sum(last - first for _, first, last in batch.spans)
        self._pictures -= sum(job.row_count - job.next_row for job in batch.expired)
        return batch.spans, batch.expired

    def drain(self) -> list[J]:
        """Empty the queue; the jobs that were in it, task by task."""
        jobs = [job for ring in self._rings.values() for turn in ring.values() for job in turn.waiting()]
        for job in jobs:
            self.discard(job)
        return jobs

    def _since(self, group: Hashable) -> int:
        # A ring is in the order of its turns' moments: they enter, and come round, at its end.
        return next(iter(self._rings[group].values())).since

    def _fill(self, ring: _Ring[J], batch: Batch[J], fixed_pictures: int | None) -> None:
        """One turn for each task, and then more of them in the room that is left."""
        spare = None if fixed_pictures is None else self._spare(ring, fixed_pictures)
        flood = light = None
        for _ in range(len(ring)):
            task, turn = ring.popitem(last=False)
            if 2 * turn.pictures > self._pictures:
                flood = task
            share = turn.credit if turn.credit < batch.room else batch.room
            self._advance(ring, task, turn, turn.send(share, batch))
            if not turn.jobs:
                light = task
            if not batch.room:
                break
        if light is not None:
            self._light.saw(light, batch.now_s)
        held = 0
        if flood is not None and spare is not None and self._light.others(flood, batch.now_s):
            held = max(0, batch.room - spare)
        batch.room -= held
        while ring and batch.room:
            task, turn = ring.popitem(last=False)
            # A task alone in its ring need not come round again for every quantum.
            share = turn.credit if ring and turn.credit < batch.room else batch.room
            self._advance(ring, task, turn, turn.send(share, batch))
        batch.room += held

    def _advance(self, ring: _Ring[J], task: str, turn: Turn[J], sent: int) -> None:
        """Put a task back: at the end, or at the front if the batch ended within its turn."""
        if not turn.jobs:
            return
        ring[task] = turn
        turn.credit -= sent
        if turn.credit <= 0:
            turn.credit = self._quantum
            turn.since = next(self._moments)
        else:
            ring.move_to_end(task, last=False)

    def _spare(self, ring: _Ring[J], fixed_pictures: int) -> int:
        """Pictures beyond the turns, so that a round of batches over the groups at most doubles in time.

        What may double is the fixed time; a batch that is for the flood alone has added its own already.
        """
        others = len(self._rings) - 1
        batches = max(1, others) if len(ring) > 1 or not others else others - 1
        return max(0, batches * fixed_pictures - self._quantum)


class _LightTasks:
    """The last two tasks that needed no more than their turn, and when."""

    def __init__(self) -> None:
        self._last = self._before = ("", float("-inf"))

    def saw(self, task: str, now_s: float) -> None:
        """A batch has taken all that a task had."""
        if task != self._last[0]:
            self._before = self._last
        self._last = task, now_s

    def others(self, flood: str, now_s: float) -> bool:
        """Whether a task other than `flood` was light of late."""
        task, at_s = self._last
        if task == flood:
            _, at_s = self._before
        return now_s - at_s < LIGHT_FOR_S
