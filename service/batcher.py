"""The batcher: requests in, batches that mix tasks out. Knows no torch and no HTTP.

Work-conserving: a free engine takes what is queued, up to the largest batch; while it runs, the next
batch gathers. There is no wait timer (docs/adr/0010).
"""

import asyncio
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Generic, Protocol, TypeVar

from service.batch_times import BatchTimes
from service.errors import (
    DeadlineExceeded,
    DeviceLost,
    Draining,
    InferenceFailed,
    OutOfDeviceMemory,
    Overloaded,
    ServiceError,
)
from service.fair_queue import FairQueue, Job

RECOVERY_BATCHES = 100

P = TypeVar("P")
R = TypeVar("R")


class BatchObserver(Protocol):
    """Who is told of batches: the metrics."""

    def batch_ran(self, pictures: int, tasks: int, seconds: float) -> None:
        """A forward pass gave answers."""

    def batch_failed(self, kind: str) -> None:
        """A forward pass failed."""

    def pictures_left(self, pictures: int) -> None:
        """Pictures left the queue without a forward pass."""


@dataclass(frozen=True)
class Answered(Generic[R]):
    """The results of one request's pictures, and where its time went."""

    results: list[R]
    queue_s: float
    inference_s: float


@dataclass(eq=False, slots=True, kw_only=True)
class _Request(Job, Generic[P, R]):
    payloads: Sequence[P]
    answered: asyncio.Future[None]
    results: dict[int, R] = field(default_factory=dict)
    launched_s: float = 0.0


class Batcher(Generic[P, R]):
    """Answers pictures through `infer`, which runs on `thread`, one batch at a time.

    `infer` takes payloads of one group and returns for each its result, or the error of that row alone.
    All methods belong to the event loop's thread.
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
    ) -> None:
        self._infer = infer
        self._thread = thread
        self._max_batch = max_batch
        self._max_pictures = max_pictures
        self._observer = observer
        self._on_device_lost = on_device_lost
        self._queue: FairQueue[_Request[P, R]] = FairQueue()
        self._times = BatchTimes()
        self._admitted = 0
        self._limit = max_batch
        self._good_batches = 0
        self._work = asyncio.Event()
        self._between_batches = asyncio.Event()
        self._between_batches.set()
        self._closed: ServiceError | None = None

    @property
    def admitted(self) -> int:
        """Pictures admitted and not yet answered."""
        return self._admitted

    @property
    def waiting(self) -> int:
        """Pictures that no forward pass has started on."""
        return len(self._queue)

    @contextmanager
    def admit(self, pictures: int) -> Iterator[None]:
        """Hold room for a request's pictures, from before they are decoded. Raises Overloaded."""
        if self._admitted + pictures > self._max_pictures:
            wait_s = self._times.expect_queue_s(self._admitted, self._limit)
            raise Overloaded(
                f"{self._admitted} pictures are waiting, and at most {self._max_pictures} may; "
                f"this request has {pictures}",
                retry_after_s=wait_s,
            )
        self._admitted += pictures
        try:
            yield
        finally:
            self._admitted -= pictures

    async def submit(
        self, group: Hashable, task: str, payloads: Sequence[P], deadline_s: float
    ) -> Answered[R]:
        """Wait for the results of one request's pictures; `deadline_s` is in the event loop's time.

        Cancelling takes the pictures that have not started out of the queue and harms nobody else.
        Raises DeadlineExceeded at launch, InferenceFailed, and Draining once the batcher is closed.
        """
        if self._closed is not None:
            raise self._closed
        answered = asyncio.get_running_loop().create_future()
        request: _Request[P, R] = _Request(
            group, task, len(payloads), deadline_s, payloads=payloads, answered=answered
        )
        queued_s = monotonic()
        self._queue.push(request)
        self._work.set()
        try:
            await request.answered
        finally:
            if left := self._queue.discard(request):
                self._observer.pictures_left(left)
        results = [request.results[row] for row in range(request.row_count)]
        return Answered(results, request.launched_s - queued_s, monotonic() - request.launched_s)

    async def run(self) -> None:
        """Launch batches until cancelled."""
        while True:
            await self._work.wait()
            rows, expired = self._queue.take(self._limit, asyncio.get_running_loop().time())
            for request in expired:
                self._observer.pictures_left(request.row_count - request.next_row)
                _fail(request, DeadlineExceeded("the timeout passed while the pictures waited for a batch"))
            if not rows:
                self._work.clear()
                continue
            self._between_batches.clear()
            await self._launch(rows, first_attempt=True)
            self._between_batches.set()

    async def settled(self) -> None:
        """Wait until the batch that runs now has ended: it may hold rows of cancelled requests."""
        await self._between_batches.wait()

    def close(self, error: ServiceError | None = None) -> None:
        """Refuse what comes and what waits from now on."""
        self._closed = error or Draining("the service is ending")
        for request in self._queue.drain():
            _fail(request, self._closed)

    async def _launch(self, rows: list[tuple[_Request[P, R], int]], *, first_attempt: bool) -> None:
        """Run rows; on a fault try once more, then halve until only the guilty rows are left."""
        rows = [(request, row) for request, row in rows if not request.answered.done()]
        if not rows:
            return
        try:
            await self._run_batch(rows)
        except DeviceLost as error:
            self._give_up(rows, error)
        except OutOfDeviceMemory as error:
            self._shrink(len(rows))
            await self._halve(rows, error)
        except Exception as error:  # the engine's fault, whatever it is, must not end the batcher
            self._observer.batch_failed(type(error).__name__)
            if first_attempt:
                await self._launch(rows, first_attempt=False)
            else:
                await self._halve(rows, error)

    async def _halve(self, rows: list[tuple[_Request[P, R], int]], error: Exception) -> None:
        if len(rows) == 1:
            request, row = rows[0]
            fault = error if isinstance(error, InferenceFailed) else _inference_failed(row, error)
            self._abandon(request, fault)
            return
        middle = len(rows) // 2
        await self._launch(rows[:middle], first_attempt=False)
        await self._launch(rows[middle:], first_attempt=False)

    async def _run_batch(self, rows: list[tuple[_Request[P, R], int]]) -> None:
        started_s = monotonic()
        for request, _ in rows:
            request.launched_s = request.launched_s or started_s
        payloads = [request.payloads[row] for request, row in rows]
        results = await asyncio.get_running_loop().run_in_executor(self._thread, self._infer, payloads)
        seconds = monotonic() - started_s
        self._times.learn(len(rows), seconds)
        self._observer.batch_ran(len(rows), len({request.task for request, _ in rows}), seconds)
        self._grow()
        for (request, row), result in zip(rows, results, strict=True):
            self._deliver(request, row, result)

    def _deliver(self, request: _Request[P, R], row: int, result: R | InferenceFailed) -> None:
        if isinstance(result, InferenceFailed):
            self._abandon(request, type(result)(f"picture {row}: {result}"))
            return
        request.results[row] = result
        if len(request.results) == request.row_count and not request.answered.done():
            request.answered.set_result(None)

    def _abandon(self, request: _Request[P, R], error: Exception) -> None:
        """Fail a request; its other pictures need no forward pass any more."""
        if left := self._queue.discard(request):
            self._observer.pictures_left(left)
        _fail(request, error)

    def _give_up(self, rows: list[tuple[_Request[P, R], int]], error: DeviceLost) -> None:
        self._observer.batch_failed(type(error).__name__)
        self.close(error)
        for request, _ in rows:
            _fail(request, error)
        self._on_device_lost(error)

    def _shrink(self, pictures: int) -> None:
        self._observer.batch_failed(OutOfDeviceMemory.__name__)
        self._limit = max(1, pictures // 2)
        self._good_batches = 0

    def _grow(self) -> None:
        """After memory ran out, try larger batches again once the smaller ones have gone well."""
        if self._limit < self._max_batch:
            self._good_batches += 1
            if self._good_batches >= RECOVERY_BATCHES:
                self._limit = min(self._max_batch, self._limit * 2)
                self._good_batches = 0


def _fail(request: _Request[P, R], error: Exception) -> None:
    if not request.answered.done():
        request.answered.set_exception(error)


def _inference_failed(row: int, error: Exception) -> InferenceFailed:
    failed = InferenceFailed(f"picture {row}: the forward pass failed ({type(error).__name__})")
    failed.__cause__ = error
    return failed
