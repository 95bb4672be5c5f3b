"""Many pictures of one task through a bounded window of requests, each with its answer or its error."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from service.client.answers import Answer
from service.client.errors import ClientError, PictureRefused, ProblemError, Unreadable
from service.client.pictures import Limits, Picture, read_picture
from service.client.retries import BY_THE_PICTURE

Asker = Callable[[Sequence[bytes]], Awaitable[list[Answer]]]
P = TypeVar("P", bound=Picture)
BY_THE_REQUEST = BY_THE_PICTURE | {"request_too_large", "upload_too_slow", "deadline_exceeded"}
"""Errors that half of the pictures may not have."""


@dataclass(frozen=True)
class Outcome(Generic[P]):
    """A picture as it was given, and either its answer or why there is none."""

    picture: P
    answer: Answer | None = None
    error: ClientError | None = None


@dataclass(frozen=True)
class Window:
    """How many pictures a request has, and how many requests are under way."""

    batch: int
    concurrency: int

    def __post_init__(self) -> None:
        if self.batch < 1 or self.concurrency < 1:
            raise ValueError("batch and concurrency must be at least 1")


async def outcomes(
    pictures: Iterable[P], ask: Asker, window: Window, limits: Limits
) -> AsyncGenerator[list[Outcome[P]]]:
    """The outcomes of each batch, in the order in which answers come.

    `pictures` is read as the window moves on, in threads, one at a time: it may block. What is wrong with a
    picture is its outcome; what is wrong with the service (not there, no such task, a key refused) is raised.
    """
    source, under_way = _Source(pictures, window.batch, limits), set[asyncio.Task[list[Outcome[P]] | None]]()
    threads, ended = ThreadPoolExecutor(window.concurrency, "pictures"), False
    try:
        while True:
            while not ended and len(under_way) < window.concurrency:
                under_way.add(asyncio.create_task(_next_batch(source, ask, threads)))
            if not under_way:
                return
            done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                found = task.result()
                ended = ended or found is None
                if found:
                    yield found
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        threads.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True)
class _Read(Generic[P]):
    """As many pictures as one request holds, those that cannot be read, and the rest of a batch."""

    pictures: list[tuple[P, bytes]]
    unreadable: list[Outcome[P]]
    left: list[P]


class _Source(Generic[P]):
    """Batches for threads: one at a time uses the iterator, and files are read side by side."""

    def __init__(self, pictures: Iterable[P], batch: int, limits: Limits) -> None:
        self._pictures, self._limits = iter(pictures), limits
        self._batch = min(batch, limits.pictures)
        self._lock = threading.Lock()

    def next(self) -> _Read[P] | None:
        """The next batch; None where there is none."""
        with self._lock:
            batch = list(islice(self._pictures, self._batch))
        return self.read(batch) if batch else None

    def read(self, batch: list[P]) -> _Read[P]:
        """The files of a batch, as far as they fit in a request."""
        read: list[tuple[P, bytes]] = []
        unreadable: list[Outcome[P]] = []
        size = 0
        for index, picture in enumerate(batch):
            try:
                data = read_picture(picture, self._limits)
            except (Unreadable, PictureRefused) as error:
                unreadable.append(Outcome(picture, error=error))
                continue
            if read and size + len(data) > self._limits.request_bytes:
                return _Read(read, unreadable, batch[index:])
            read.append((picture, data))
            size += len(data)
        return _Read(read, unreadable, [])


async def _next_batch(source: _Source[P], ask: Asker, threads: Executor) -> list[Outcome[P]] | None:
    loop = asyncio.get_running_loop()
    batch = await loop.run_in_executor(threads, source.next)
    if batch is None:
        return None
    found = batch.unreadable + await _answered(batch.pictures, ask)
    while batch.left:
        batch = await loop.run_in_executor(threads, source.read, batch.left)
        found += batch.unreadable + await _answered(batch.pictures, ask)
    return found


async def _answered(read: list[tuple[P, bytes]], ask: Asker) -> list[Outcome[P]]:
    """Ask about all at once; without those that are refused; and about halves where the whole fails."""
    found: list[Outcome[P]] = []
    parts = [read] if read else []
    while parts:
        part = parts.pop()
        try:
            answers = await ask([data for _, data in part])
        except ProblemError as error:
            refused = _whose(error, len(part))
            if refused is not None:
                found.append(Outcome(part[refused][0], error=error))
                parts += [rest] if (rest := part[:refused] + part[refused + 1 :]) else []
            elif error.code in BY_THE_REQUEST:
                parts += [part[: len(part) // 2], part[len(part) // 2 :]]
            else:
                raise
        else:
            found += [Outcome(picture, answer) for (picture, _), answer in zip(part, answers, strict=True)]
    return found


def _whose(error: ProblemError, count: int) -> int | None:
    """Which of so many pictures an error is about."""
    if isinstance(error, PictureRefused) and error.index is not None and error.index < count:
        return error.index
    return 0 if count == 1 and error.code in BY_THE_REQUEST else None
