"""Threads that tell for whom they were asked."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from service.http.decoding.fair_threads import FairThreads

T = TypeVar("T")
R = TypeVar("R")


class RecordedThreads(FairThreads):
    """One thread, and the tasks it worked for."""

    def __init__(self) -> None:
        super().__init__(1)
        self.tasks: list[str] = []

    async def map(self, task: str, function: Callable[[T], R], items: Sequence[T]) -> list[R]:
        self.tasks.append(task)
        return await super().map(task, function, items)
