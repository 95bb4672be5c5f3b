"""One request between its admission and its answer."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar, cast

from service.batching.turns import Job

P = TypeVar("P")
R = TypeVar("R")


class Answered(NamedTuple, Generic[R]):
    """The results of one request's pictures, and where its time went."""

    results: Sequence[R]
    queue_s: float
    inference_s: float


@dataclass(eq=False, slots=True, kw_only=True)
class QueuedRequest(Job, Generic[P, R]):
    """One request. Its results are those of a batch from `begin` on, or a list of its own if it is spread.

    What `answered` brings is the time. Nothing is made for a request before its client takes the answer: a
    batch of new objects at once would call the garbage collector again and again.
    """

    payloads: Sequence[P]
    answered: asyncio.Future[float]
    queued_s: float
    launched_s: float = 0.0
    results: Sequence[R] = ()
    begin: int = 0
    missing: int = 0

    def answer(self, ended_s: float) -> Answered[R]:
        """What the client gets of a request whose last batch ended at `ended_s`."""
        results = self.results[self.begin : self.begin + self.row_count]
        return Answered(results, self.launched_s - self.queued_s, ended_s - self.launched_s)

    def collect(self, first: int, part: Sequence[R]) -> bool:
        """Take in the results of the pictures from `first` on; whether they were the last."""
        if not self.missing:
            self.missing = self.row_count
            self.results = [part[0]] * self.row_count  # places, each to be filled by its own result
        results = cast("list[R]", self.results)
        results[first : first + len(part)] = part
        self.missing -= len(part)
        return not self.missing

    def fail(self, error: Exception) -> None:
        """Give the client an error, if it has nothing yet."""
        if not self.answered.done():
            self.answered.set_exception(error)
