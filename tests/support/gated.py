"""What the batcher's tests share: an engine that a test holds back, and a batcher that runs."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic

from service.batching.batcher import Batcher
from service.batching.queued_request import Answered
from service.errors import DeviceLost, InferenceFailed

FOREVER = 1e12
Infer = Callable[[Sequence[str]], Sequence[str | InferenceFailed]]


@dataclass
class Observed:
    """What the batcher tells."""

    batches: list[tuple[int, int]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    left: int = 0
    seconds: list[float] = field(default_factory=list)

    def batch_ran(self, pictures: int, tasks: int, seconds: float) -> None:
        assert seconds >= 0
        self.seconds.append(seconds)
        self.batches.append((pictures, tasks))

    def batch_failed(self, kind: str) -> None:
        self.faults.append(kind)

    def pictures_left(self, pictures: int) -> None:
        self.left += pictures


class GatedEngine:
    """Answers in capitals, but holds each batch until the test lets it go."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.entered = threading.Semaphore(0)
        self.gate = threading.Semaphore(0)

    def __call__(self, payloads: Sequence[str]) -> list[str | InferenceFailed]:
        self.batches.append(list(payloads))
        self.entered.release()
        assert self.gate.acquire(timeout=60)
        return [payload.upper() for payload in payloads]

    async def wait_entered(self) -> None:
        assert await asyncio.to_thread(self.entered.acquire, timeout=60)

    def release(self, batches: int = 1) -> None:
        self.gate.release(batches)


def upper(payloads: Sequence[str]) -> list[str | InferenceFailed]:
    return [payload.upper() for payload in payloads]


@asynccontextmanager
async def running(
    infer: Infer,
    observed: Observed | None = None,
    *,
    max_batch: int = 8,
    max_pictures: int = 1000,
    on_device_lost: Callable[[DeviceLost], None] = lambda _: None,
    clock: Callable[[], float] = monotonic,
) -> AsyncIterator[Batcher[str, str]]:
    with ThreadPoolExecutor(1, thread_name_prefix="engine") as thread:
        batcher: Batcher[str, str] = Batcher(
            infer,
            thread=thread,
            max_batch=max_batch,
            max_pictures=max_pictures,
            observer=observed or Observed(),
            on_device_lost=on_device_lost,
            clock=clock,
        )
        test, loop = asyncio.current_task(), asyncio.create_task(batcher.run())
        assert test is not None
        # Where the loop or a callback of it has failed nobody is answered: the test must not wait for that.
        loop.add_done_callback(lambda done: done.cancelled() or test.cancel())
        loop.get_loop().set_exception_handler(
            lambda at, context: (at.default_exception_handler(context), test.cancel())
        )
        try:
            yield batcher
        finally:
            if isinstance(infer, GatedEngine):
                infer.release(1000)  # a test that failed has left it closed
            batcher.close()
            loop.cancel()
            with suppress(asyncio.CancelledError):
                await loop


def submit(
    batcher: Batcher[str, str],
    payloads: Sequence[str],
    task: str = "a",
    group: str = "g",
    deadline_s: float = FOREVER,
) -> "asyncio.Task[Answered[str]]":
    return asyncio.create_task(batcher.submit(group, task, payloads, deadline_s))


async def tick() -> None:
    """Let every task that can run do so."""
    for _ in range(10):
        await asyncio.sleep(0)
