"""The client for code that waits for each answer."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar, overload

import httpx
from tenacity import Retrying

from service.client import calls
from service.client.address import Address, asked, no_answer
from service.client.answers import Answer, Judged, Label, Published, TaskDetail, TaskSummary
from service.client.calls import Asked, Call
from service.client.errors import PictureRefused
from service.client.pictures import Limits, Picture, in_requests, read_picture
from service.client.retries import Repeats, until, wait_s

Read = TypeVar("Read")


class Client:
    """Asks one service; threads may share it.

    `url` may have a proxy's prefix; without it `DVPT_URL` counts, then this machine. `key` or `DVPT_KEY` is
    the API key. What may be sent again is, until `deadline_s` after the first attempt. Every method raises
    ClientError, below it ProblemError with the service's `code`. Raises ValueError for a bad URL.
    """

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
        self._http = httpx.Client(**self._address.options(connections))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    @overload
    def classify(
        self, task: str, pictures: Picture, *, top_k: int = 5, version: int | None = None,
        label: str | None = None, timeout_ms: int | None = None, abstain: bool = True,
    ) -> Answer: ...  # fmt: skip
    @overload
    def classify(
        self, task: str, pictures: Sequence[Picture], *, top_k: int = 5, version: int | None = None,
        label: str | None = None, timeout_ms: int | None = None, abstain: bool = True,
    ) -> list[Answer]: ...  # fmt: skip
    def classify(
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
        """The answer to a picture, or to each of several, in their order.

        Several travel in as few requests as the limits allow. Raises PictureRefused with the `index` of one
        that cannot be answered, and Unreadable for a file.
        """
        query = Asked(top_k, version, label, timeout_ms, abstain)
        if not isinstance(pictures, Sequence) or isinstance(pictures, bytes):
            return self._classify(task, [read_picture(pictures, self._limits)], query)[0]
        return self._classify(task, [read_picture(picture, self._limits) for picture in pictures], query)

    def tasks(self, *, prefix: str = "", search: str = "") -> Iterator[TaskSummary]:
        """Every task by name, page by page; only those whose names begin with or contain a text."""
        after: str | None = ""
        while after is not None:
            page, after = self.send(calls.tasks(after, prefix, search))
            yield from page

    def task(self, name: str) -> TaskDetail:
        """One task with its classes."""
        return self.send(calls.task(name))

    def feedback(self, answer: Answer, label: str) -> Judged:
        """Tell the service which class the picture of an answer really has."""
        return self.send(calls.feedback(answer, label))

    def label(self, task: str, name: str) -> Label:
        """Where a label points."""
        return self.send(calls.label(task, name))

    def move_label(
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
        return self.send(call)

    def roll_back(self, task: str, name: str = "stable") -> Label:
        """Point a label at the version before."""
        return self.send(calls.roll_back(task, name))

    def publish(
        self, task: str, artifact: Path, *, label: str | None = "stable", replace_classes: bool = False
    ) -> Published:
        """Publish an artifact, a folder or a tar, and move a label to it. Raises OSError."""
        return self.send(calls.publish(task, artifact, label=label, replace_classes=replace_classes))

    def send(self, call: Call[Read], *, deadline_s: float | None = None) -> Read:
        """Send a call until it is answered, may not be sent again, or the deadline is there."""
        within_s = self._deadline_s if deadline_s is None else deadline_s
        ends = time.monotonic() + within_s
        again = Repeats(repeatable=call.repeatable)
        retrying = Retrying(retry=again, wait=wait_s, stop=until(within_s), reraise=True)
        answer: Read = retrying(self._attempt, call, ends)
        return answer

    def _classify(self, task: str, pictures: Sequence[bytes], query: Asked) -> list[Answer]:
        answers: list[Answer] = []
        for part in in_requests(pictures, self._limits):
            try:
                answers.extend(self.send(calls.classify(task, part, query)))
            except PictureRefused as error:
                error.index = len(answers) + (error.index or 0)
                raise
        return answers

    def _attempt(self, call: Call[Read], ends: float) -> Read:
        try:
            response = self._http.request(**asked(call, ends))
        except httpx.HTTPError as error:
            raise no_answer(error, self._address.url) from error
        return call.answer_of(response)
