"""Many pictures of one task through a bounded window of requests, each with its answer or its error."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Sequence
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

    `pictures` is read as the window moves on, in a thread: it may block. What is wrong with a picture is its
    outcome; what is wrong with the service (not there, no such task, a key refused) is raised.
    """
    source, under_way = iter(pictures), set[asyncio.Task[list[Outcome[P]]]]()
    loop, ended = asyncio.get_running_loop(), False
    threads = ThreadPoolExecutor(window.concurrency + 1, "pictures")
    try:
        while True:
            while not ended and len(under_way) < window.concurrency:
                batch = await loop.run_in_executor(threads, _next, source, min(window.batch, limits.pictures))
                ended = not batch
                if batch:
                    under_way.add(asyncio.create_task(_of_batch(batch, ask, limits, threads)))
            if not under_way:
                return
            done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                yield task.result()
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        threads.shutdown(wait=False, cancel_futures=True)


def _next(source: Iterator[P], count: int) -> list[P]:
    return list(islice(source, count))


async def _of_batch(batch: list[P], ask: Asker, limits: Limits, threads: Executor) -> list[Outcome[P]]:
    found: list[Outcome[P]] = []
    left = batch
    while left:
        reading = asyncio.get_running_loop().run_in_executor(threads, _read_some, left, limits)
        read, unreadable, left = await reading
        found += unreadable
        found += await _answered(read, ask)
    return found


def _read_some(pictures: list[P], limits: Limits) -> tuple[list[tuple[P, bytes]], list[Outcome[P]], list[P]]:
    """As many pictures as one request holds, those that cannot be read, and the rest."""
    read: list[tuple[P, bytes]] = []
    unreadable: list[Outcome[P]] = []
    size = 0
    for index, picture in enumerate(pictures):
        try:
            data = read_picture(picture, limits)
        except (Unreadable, PictureRefused) as error:
            unreadable.append(Outcome(picture, error=error))
            continue
        if read and size + len(data) > limits.request_bytes:
            return read, unreadable, pictures[index:]
        read.append((picture, data))
        size += len(data)
    return read, unreadable, []


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
