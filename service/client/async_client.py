"""The client for asyncio."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar, overload

import httpx
from tenacity import AsyncRetrying

from service.client import calls
from service.client.address import Address, asked, no_answer
from service.client.answers import Answer, Judged, Label, Published, TaskDetail, TaskSummary
from service.client.calls import Asked, Call
from service.client.errors import PictureRefused
from service.client.pictures import Limits, Picture, in_requests, read_picture
from service.client.retries import Repeats, until, wait_s
from service.client.stream import Outcome, Window, outcomes

Read = TypeVar("Read")
P = TypeVar("P", bound=Picture)


class AsyncClient:
    """`Client` for asyncio: the same arguments, methods and errors, and `stream` for many pictures."""

    def __init__(
        self,
        url: str | None = None,
        *,
        key: str | None = None,
        deadline_s: float = 60.0,
        limits: Limits | None = None,
        connections: int = 16,
    ) -> None:
        self._address = Address.of(url, key)
        self._deadline_s = deadline_s
        self._limits = limits or Limits()
        self._http = httpx.AsyncClient(**self._address.options(connections))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    @overload
    async def classify(
        self, task: str, pictures: Picture, *, top_k: int = 5, version: int | None = None,
        label: str | None = None, timeout_ms: int | None = None, abstain: bool = True,
    ) -> Answer: ...  # fmt: skip
    @overload
    async def classify(
        self, task: str, pictures: Sequence[Picture], *, top_k: int = 5, version: int | None = None,
        label: str | None = None, timeout_ms: int | None = None, abstain: bool = True,
    ) -> list[Answer]: ...  # fmt: skip
    async def classify(
        self,
        task: str,
        pictures: Picture | Sequence[Picture],
        *,
        top_k: int = 5,
        version: int | None = None,
        label: str | None = None,
        timeout_ms: int | None = None,
        abstain: bool = True,
    ) -> Answer | list[Answer]:
        """The answer to a picture, or to each of several, in their order, as `Client.classify` gives it.

        Files are read at once; `stream` reads them beside the requests.
        """
        query = Asked(top_k, version, label, timeout_ms, abstain)
        if not isinstance(pictures, Sequence) or isinstance(pictures, bytes):
            return (await self._classify(task, [read_picture(pictures, self._limits)], query))[0]
        return await self._classify(
            task, [read_picture(picture, self._limits) for picture in pictures], query
        )

    async def stream(
        self,
        task: str,
        pictures: Iterable[P],
        *,
        asked: Asked | None = None,
        batch: int = 16,
        concurrency: int = 8,
    ) -> AsyncGenerator[Outcome[P]]:
        """Each picture with its answer or its error, in the order in which answers come.

        `pictures` may be endless: `concurrency` requests of `batch` pictures are under way at a time, and no
        more is read. Raises ClientError for what is not about a picture.
        """
        query = asked or Asked()

        async def ask(some: Sequence[bytes]) -> list[Answer]:
            return await self.send(calls.classify(task, some, query))

        window = Window(batch, concurrency)
        async with aclosing(outcomes(pictures, ask, window, self._limits)) as batches:
            async for found in batches:
                for outcome in found:
                    yield outcome

    async def tasks(self, *, prefix: str = "", search: str = "") -> AsyncIterator[TaskSummary]:
        """Every task by name, page by page; only those whose names begin with or contain a text."""
        after: str | None = ""
        while after is not None:
            page, after = await self.send(calls.tasks(after, prefix, search))
            for row in page:
                yield row

    async def task(self, name: str) -> TaskDetail:
        """One task with its classes."""
        return await self.send(calls.task(name))

    async def feedback(self, answer: Answer, label: str) -> Judged:
        """Tell the service which class the picture of an answer really has."""
        return await self.send(calls.feedback(answer, label))

    async def label(self, task: str, name: str) -> Label:
        """Where a label points."""
        return await self.send(calls.label(task, name))

    async def move_label(
        self,
        task: str,
        name: str,
        version: int,
        *,
        replace_classes: bool = False,
        if_match: str | None = None,
    ) -> Label:
        """Point a label at a version. With a label's `etag` as `if_match`, Conflict if it was moved since."""
        call = calls.move_label(task, name, version, replace_classes=replace_classes, if_match=if_match)
        return await self.send(call)

    async def roll_back(self, task: str, name: str = "stable") -> Label:
        """Point a label at the version before."""
        return await self.send(calls.roll_back(task, name))

    async def publish(
        self, task: str, artifact: Path, *, label: str | None = "stable", replace_classes: bool = False
    ) -> Published:
        """Publish an artifact, a folder or a tar, and move a label to it. Raises OSError."""
        return await self.send(calls.publish(task, artifact, label=label, replace_classes=replace_classes))

    async def send(self, call: Call[Read], *, deadline_s: float | None = None) -> Read:
        """Send a call until it is answered, may not be sent again, or the deadline is there."""
        within_s = self._deadline_s if deadline_s is None else deadline_s
        ends = time.monotonic() + within_s
        again = Repeats(repeatable=call.repeatable)
        retrying = AsyncRetrying(retry=again, wait=wait_s, stop=until(within_s), reraise=True)
        return await retrying(self._attempt, call, ends)

    async def _classify(self, task: str, pictures: Sequence[bytes], query: Asked) -> list[Answer]:
        answers: list[Answer] = []
        for part in in_requests(pictures, self._limits):
            try:
                answers.extend(await self.send(calls.classify(task, part, query)))
            except PictureRefused as error:
                error.index = len(answers) + (error.index or 0)
                raise
        return answers

    async def _attempt(self, call: Call[Read], ends: float) -> Read:
        try:
            response = await self._http.request(**asked(call, ends))
        except httpx.HTTPError as error:
            raise no_answer(error, self._address.url) from error
        return call.answer_of(response)
