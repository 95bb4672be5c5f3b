"""The batcher: requests in, batches that mix tasks out. Knows no torch and no HTTP.

Work-conserving: a free engine takes what is queued, up to the largest batch; while it runs, the next
batch gathers. There is no wait timer (docs/adr/0010).
"""

import asyncio
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from time import monotonic
from typing import Generic, Protocol, cast

from service.batching.admission import Admission
from service.batching.batch_times import BatchTimes
from service.batching.fair_queue import FairQueue
from service.batching.queued_request import Answered, P, QueuedRequest, R
from service.batching.turns import Span
from service.errors import (
    DeadlineExceeded,
    DeviceLost,
    Draining,
    InferenceFailed,
    OutOfDeviceMemory,
    ServiceError,
)

RECOVERY_BATCHES = 100


class BatchObserver(Protocol):
    """Who is told of batches: the metrics."""

    def batch_ran(self, pictures: int, tasks: int, seconds: float) -> None:
        """A forward pass gave answers."""

    def batch_failed(self, kind: str) -> None:
        """A forward pass failed."""

    def pictures_left(self, pictures: int) -> None:
        """Pictures left the queue without a forward pass."""


class Batcher(Generic[P, R]):
    """Answers pictures through `infer`, which runs on `thread`, one batch at a time.

    `infer` takes payloads of one group and returns for each its result, or the error of that row alone.
    All methods belong to the event loop's thread; `clock` is the loop's time, or finer.
    """

    def __init__(
        self,
        infer: Callable[[Sequence[P]], Sequence[R | InferenceFailed]],
        *,
        thread: Executor,
        max_batch: int,
        max_pictures: int,
        observer: BatchObserver,
        on_device_lost: Callable[[DeviceLost], None],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._infer = infer
        self._thread = thread
        self.max_batch = max_batch
        self._observer = observer
        self._on_device_lost = on_device_lost
        self._clock = clock
        self._queue: FairQueue[QueuedRequest[P, R]] = FairQueue()
        self._times = BatchTimes()
        self._admission = Admission(max_pictures, self._expect_s)
        self._limit = max_batch
        self._good_batches = 0
        self._work = asyncio.Event()
        self._between_batches = asyncio.Event()
        self._between_batches.set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed: ServiceError | None = None

    @property
    def admitted(self) -> int:
        """Pictures admitted and not yet answered."""
        return self._admission.admitted

    @property
    def waiting(self) -> int:
        """Pictures that no forward pass has started on."""
        return len(self._queue)

    def admit(self, task: str, pictures: int) -> AbstractContextManager[None]:
        """Hold room for a request's pictures, from before they are decoded. Raises Overloaded."""
        return self._admission.admit(task, pictures)

    async def submit(
        self, group: Hashable, task: str, payloads: Sequence[P], deadline_s: float
    ) -> Answered[R]:
        """Wait for the results of one request's pictures; `deadline_s` is in the event loop's time.

        Cancelling takes the pictures that have not started out of the queue and harms nobody else.
        Raises DeadlineExceeded at launch, InferenceFailed, and Draining once the batcher is closed.
        """
        if self._closed is not None:
            raise self._closed
        request: QueuedRequest[P, R] = QueuedRequest(
            group,
            task,
            len(payloads),
            deadline_s,
            payloads=payloads,
            answered=asyncio.get_running_loop().create_future(),
            queued_s=self._clock(),
        )
        self._queue.push(request)
        self._work.set()
        self._idle.clear()
        try:
            ended_s = await request.answered
        except BaseException:
            self._leave(request)
            raise
        return request.answer(ended_s)

    async def run(self) -> None:
        """Launch batches until cancelled."""
        while True:
            await self._work.wait()
            spans, expired = self._queue.take(self._limit, self._clock(), self._times.fixed_pictures())
            for request in expired:
                self._observer.pictures_left(request.row_count - request.next_row)
                request.fail(DeadlineExceeded("the timeout passed while the pictures waited for a batch"))
            if not spans:
                self._work.clear()
                self._idle.set()
                continue
            self._between_batches.clear()
            await self._launch(spans, first_attempt=True)
            self._between_batches.set()

    async def idle(self) -> None:
        """Wait until no batch runs and no picture waits for one."""
        while not self._idle.is_set():
            await self._idle.wait()

    async def settled(self) -> None:
        """Wait until the batch that runs now has ended: it may hold rows of cancelled requests."""
        await self._between_batches.wait()

    def close(self, error: ServiceError | None = None) -> None:
        """Refuse what comes and what waits from now on."""
        self._closed = error or Draining("the service is ending")
        for request in self._queue.drain():
            request.fail(self._closed)

    def _expect_s(self, pictures: int) -> float:
        return self._times.expect_queue_s(pictures, self._limit)

    async def _launch(self, spans: list[Span[QueuedRequest[P, R]]], *, first_attempt: bool) -> None:
        """Run rows; on a fault try once more, then halve until only the guilty rows are left."""
        spans = [span for span in spans if not span[0].answered.done()]
        if not spans:
            return
        try:
            await self._run_batch(spans)
        except DeviceLost as error:
            self._give_up(spans, error)
        except OutOfDeviceMemory as error:
            self._shrink(sum(last - first for _, first, last in spans))
            await self._halve(spans, error)
        except Exception as error:  # the engine's fault, whatever it is, must not end the batcher
            self._observer.batch_failed(type(error).__name__)
            if first_attempt:
                await self._launch(spans, first_attempt=False)
            else:
                await self._halve(spans, error)

    async def _halve(self, spans: list[Span[QueuedRequest[P, R]]], error: Exception) -> None:
        rows = [(request, row, row + 1) for request, first, last in spans for row in range(first, last)]
        if len(rows) == 1:
            request, row, _ = rows[0]
            fault = error if isinstance(error, InferenceFailed) else _inference_failed(row, error)
            self._abandon(request, fault)
            return
        middle = len(rows) // 2
        await self._launch(rows[:middle], first_attempt=False)
        await self._launch(rows[middle:], first_attempt=False)

    async def _run_batch(self, spans: list[Span[QueuedRequest[P, R]]]) -> None:
        loop, started_s = asyncio.get_running_loop(), self._clock()
        payloads: list[P] = []
        for request, first, last in spans:
            request.launched_s = request.launched_s or started_s
            payloads += request.payloads[first:last]
        results = await loop.run_in_executor(self._thread, self._infer, payloads)
        if len(results) != len(payloads):
            raise ValueError(f"the engine gave {len(results)} results for {len(payloads)} pictures")
        ended_s = self._clock()
        self._times.learn(len(payloads), ended_s - started_s)
        tasks = len({request.task for request, _, _ in spans})
        self._observer.batch_ran(len(payloads), tasks, ended_s - started_s)
        self._grow()
        # Soon, and not now: the next batch is launched first, so that the engine does not wait for this.
        loop.call_soon(self._deliver, spans, results, ended_s)

    def _deliver(
        self, spans: list[Span[QueuedRequest[P, R]]], results: Sequence[R | InferenceFailed], ended_s: float
    ) -> None:
        flawed = any(issubclass(kind, InferenceFailed) for kind in set(map(type, results)))
        good = cast("Sequence[R]", results)  # where there are flaws, `_fail_flawed` has seen to them
        end = 0
        for request, first, last in spans:
            begin, end = end, end + last - first
            if request.answered.done() or (flawed and self._fail_flawed(request, first, results[begin:end])):
                continue
            if last - first == request.row_count:
                request.results, request.begin = good, begin
                request.answered.set_result(ended_s)
            elif request.collect(first, good[begin:end]):
                request.answered.set_result(ended_s)

    def _fail_flawed(
        self, request: QueuedRequest[P, R], first: int, part: Sequence[R | InferenceFailed]
    ) -> bool:
        """Fail a request for the first of its rows that has an error; whether there was one."""
        for row, result in enumerate(part, first):
            if isinstance(result, InferenceFailed):
                self._abandon(request, type(result)(f"picture {row}: {result}"))
                return True
        return False

    def _leave(self, request: QueuedRequest[P, R]) -> None:
        """Take what waits of a request out of the queue; its pictures need no memory any more."""
        if left := self._queue.discard(request):
            self._observer.pictures_left(left)
        request.payloads = ()

    def _abandon(self, request: QueuedRequest[P, R], error: Exception) -> None:
        """Fail a request; its other pictures need no forward pass any more."""
        self._leave(request)
        request.fail(error)

    def _give_up(self, spans: list[Span[QueuedRequest[P, R]]], error: DeviceLost) -> None:
        self._observer.batch_failed(type(error).__name__)
        self.close(error)
        for request, _, _ in spans:
            request.fail(error)
        self._on_device_lost(error)

    def _shrink(self, pictures: int) -> None:
        self._observer.batch_failed(OutOfDeviceMemory.__name__)
        self._limit = max(1, pictures // 2)
        self._good_batches = 0

    def _grow(self) -> None:
        """After memory ran out, try larger batches again once the smaller ones have gone well."""
        if self._limit < self.max_batch:
            self._good_batches += 1
            if self._good_batches >= RECOVERY_BATCHES:
                self._limit = min(self.max_batch, self._limit * 2)
                self._good_batches = 0


def _inference_failed(row: int, error: Exception) -> InferenceFailed:
    failed = InferenceFailed(f"picture {row}: the forward pass failed ({type(error).__name__})")
    failed.__cause__ = error
    return failed
