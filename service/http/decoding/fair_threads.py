"""A bounded pool of threads, off the event loop, that tasks share by the time their work takes."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from time import monotonic
from typing import Any, TypeVar

from service.http.decoding.turns import Job, ThreadTurns

T = TypeVar("T")
R = TypeVar("R")


@dataclass(eq=False, slots=True, kw_only=True)
class _Map(Job):
    """One call of `map`: a step for each item, whose item goes when it begins."""

    function: Callable[[Any], Any]
    items: list[Any]
    results: list[Any]
    ended: Callable[[], object]
    running: int = 0
    errors: dict[int, BaseException] = field(default_factory=dict)


class FairThreads:
    """Runs steps, one item of a request each; after every step the next task's turn comes.

    A step that has begun runs to its end, whatever becomes of its request (docs/adr/0025). Each thread calls
    `begin` before its first.
    """

    def __init__(
        self,
        threads: int,
        clock: Callable[[], float] = monotonic,
        *,
        begin: Callable[[], object] | None = None,
    ) -> None:
        self._threads = threads
        self._clock = clock
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decode", initializer=begin)
        self._lock = Lock()
        self._turns: ThreadTurns[_Map] = ThreadTurns()
        self._busy_threads = 0

    @property
    def running(self) -> int:
        """Steps that a thread is at."""
        return self._turns.running

    @property
    def idle(self) -> bool:
        """Whether no step runs or waits: whoever comes now owes nobody a turn."""
        return not self._turns.running and not self._turns.waiting

    @property
    def waiting(self) -> int:
        """Steps that wait for a thread."""
        return self._turns.waiting

    async def map(self, task: str, function: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """`function` of each item, in order. Raises what the first of those that failed raised.

        Cancelling, or an error, spares the items that no thread has begun with.
        """
        if not items:
            return []
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        job = _Map(
            task,
            len(items),
            function=function,
            items=list(items),
            results=[None] * len(items),
            ended=partial(loop.call_soon_threadsafe, _end_wait, ended),
        )
        self._start(job)
        try:
            await ended
        finally:
            with self._lock:
                self._turns.discard(job)
            job.items.clear()
        if job.errors:
            raise job.errors[min(job.errors)]
        return job.results

    def close(self) -> None:
        """End the threads once the steps that run have ended, for which nothing waits."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _start(self, job: _Map) -> None:
        with self._lock:
            self._turns.push(job)
            new_threads = min(self._threads - self._busy_threads, job.step_count)
            self._busy_threads += new_threads
        for _ in range(new_threads):
            self._pool.submit(self._work)

    def _work(self) -> None:
        """Run steps until none waits."""
        with self._lock:
            begun = self._begin()
        while begun is not None:
            job, step, item = begun
            started_s = self._clock()
            errors: dict[int, BaseException] = {}
            try:
                job.results[step] = job.function(item)
            except BaseException as error:  # it is the caller's, who waits on the event loop
                errors[step] = error
            del begun, item
            seconds = self._clock() - started_s
            with self._lock:
                is_last = self._end(job, seconds, errors)
                begun = self._begin()
            if is_last:
                with suppress(RuntimeError):  # the loop has closed: nobody waits any more
                    job.ended()

    def _begin(self) -> tuple[_Map, int, Any] | None:
        """The next step; without one the thread is free. The lock is held."""
        taken = self._turns.take()
        if taken is None:
            self._busy_threads -= 1
            return None
        job, step = taken
        job.running += 1
        item, job.items[step] = job.items[step], None
        return job, step, item

    def _end(self, job: _Map, seconds: float, errors: dict[int, BaseException]) -> bool:
        """A step has ended; whether that was the last of its request. The lock is held."""
        job.running -= 1
        if errors:
            job.errors |= errors
            self._turns.discard(job)
        self._turns.ended(job.task, seconds)
        return not job.running and not job.waiting


def _end_wait(ended: asyncio.Future[None]) -> None:
    if not ended.done():
        ended.set_result(None)
