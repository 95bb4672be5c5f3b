"""Classify: a task's name and encoded pictures → rows of probabilities, whatever protocol asks."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from adapters.config import PreprocessConfig
from adapters.errors import StoreError
from service.answers.observer import AnswerObserver
from service.answers.recent_answers import Asked
from service.batching.batcher import Batcher
from service.engine.payloads import Payload
from service.engine.protocol import Probabilities
from service.errors import (
    AdapterLoading,
    AdapterUnavailable,
    BadQuery,
    DeadlineExceeded,
    DeviceLost,
    InferenceFailed,
)
from service.explain.occlusion import COPIES, weights
from service.http.decoding.decoder import Decoder, Picture
from service.lifecycle import Lifecycle
from service.metrics import Metrics
from service.residents.lease import Lease
from service.residents.registry import Registry
from service.traffic.traffic import Traffic


class Upload(Protocol):
    """What a request has brought, in memory until it is released."""

    @property
    def timeout_ms(self) -> int | None:
        """How long the answer may take, where the body says so instead of the query."""

    async def pictures(self) -> Sequence[Picture]:
        """The pictures, at least one; they are gone once the upload is released."""

    def release(self) -> None:
        """The pictures are not needed any more; more than once is no matter."""


ANYBODY = Asked()
Read = Callable[[], Awaitable[Upload]]
"""Reads the upload of a request; awaited once at most."""


@dataclass(frozen=True)
class ClassifyQuery:
    """Which version or label is asked (`stable` if neither), and how long its answer may take.

    `explain` asks which parts of the picture carried the answer, of one picture.
    """

    version: int | None
    label: str | None
    timeout_ms: int
    explain: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class Timing:
    """Where a request's time went, in seconds."""

    decode_s: float
    queue_s: float
    inference_s: float


@dataclass(frozen=True)
class Classified:
    """Each picture's probabilities [C] in the order of the pictures, and the version that gave them.

    `explanation`: where it was asked for, what each part of the one picture weighs.
    """

    lease: Lease
    rows: Sequence[Probabilities]
    timing: Timing
    explanation: NDArray[np.float32] | None = None


class Until(NamedTuple):
    """When an answer is to be there, in the event loop's time, and what is called once all is decoded."""

    deadline_s: float
    decoded: Callable[[], None]


@dataclass(frozen=True)
class Classifier:
    """Classifies with the parts that the application wires together: admit, lease, decode, batch."""

    lifecycle: Lifecycle
    registry: Registry
    decoder: Decoder
    batcher: Batcher[Payload, Probabilities]
    metrics: Metrics
    traffic: Traffic
    observer: AnswerObserver

    async def classify(
        self, task: str, query: ClassifyQuery, read: Read, asked: Asked = ANYBODY, key: bytes | None = None
    ) -> Classified:
        """Classify the pictures that `read` gives, which is called only for a known task.

        What is told later about the request that `asked` names finds this answer. Where a label has a share
        of the plain requests, those with the same `key` are answered alike.

        Raises NotReady, TaskNotFound, VersionNotFound, LabelNotFound, AdapterUnavailable, Overloaded,
        PictureRefused, AdapterLoading, DeadlineExceeded, InferenceFailed, BadQuery where more than one is to
        be explained, and what `read` raises.
        """
        began_s = monotonic()
        self.lifecycle.require_admitting()
        self.registry.state(task)  # before `read`: an unknown task costs no upload
        upload = await read()
        timeout_ms = upload.timeout_ms or query.timeout_ms
        try:
            async with asyncio.timeout(timeout_ms / 1000) as deadline:
                pictures = await upload.pictures()
                self.lifecycle.require_admitting()
                with (
                    self.batcher.admit(task, _rows(query, len(pictures))),
                    self.observer.keeping(task, pictures) as kept,
                ):
                    until = Until(deadline.when() or 0.0, upload.release)
                    answer = await self._classify(task, query, key, pictures, until)
                    self.observer.answered(asked, answer.lease, answer.rows, kept)
        except TimeoutError as error:
            if self.registry.loading(task, query.version, query.label):
                raise AdapterLoading(
                    f"the adapter was not read from the store within {timeout_ms} ms; "
                    "that goes on, so try again"
                ) from error
            raise DeadlineExceeded(f"no answer within {timeout_ms} ms") from error
        finally:
            upload.release()
        if answer.lease.cold:
            self.metrics.cold_answer_seconds.observe(monotonic() - began_s)
        return answer

    async def _classify(
        self, task: str, query: ClassifyQuery, key: bytes | None, pictures: Sequence[Picture], until: Until
    ) -> Classified:
        plain = query.version is None and query.label is None
        canary = self.traffic.canary(task, key) if plain else None
        if canary is not None:
            kept = until._replace(decoded=_keep)  # `stable` may have to decode them too
            try:
                answer, _ = await self._answer(task, replace(query, label=canary.label), pictures, kept)
            except (InferenceFailed, AdapterUnavailable, StoreError) as error:
                self.traffic.failed(canary, error)
            else:
                self.traffic.answered(canary, answer.lease)
                return answer
        answer, images = await self._answer(task, query, pictures, until)
        if plain:
            self.traffic.offer(answer.lease, images, answer.rows)
        return answer

    async def _answer(
        self, task: str, query: ClassifyQuery, pictures: Sequence[Picture], until: Until
    ) -> tuple[Classified, list[Tensor]]:
        statistics = self.registry.statistics
        async with self.registry.lease(task, query.version, query.label) as lease:
            started_s = monotonic()
            try:
                images = await self._decode(task, pictures, lease.config.preprocess, covered=query.explain)
                decode_s = monotonic() - started_s
                until.decoded()
                payloads = [(image, lease.slot) for image in images]
                answered = await self.batcher.submit(lease.slot.layout, task, payloads, until.deadline_s)
            except BaseException:
                statistics.failed(task, lease.version, monotonic() - started_s)
                raise
        rows = answered.results[:1] if query.explain else answered.results
        task_label = self.metrics.task_label(task, self.registry.tasks)
        self.metrics.pictures.labels(task_label).inc(len(rows))
        self.metrics.decode_seconds.observe(decode_s)
        self.metrics.queue_seconds.observe(answered.queue_s)
        timing = Timing(decode_s, answered.queue_s, answered.inference_s)
        statistics.answered(
            task,
            lease.version,
            len(rows),
            decode_s=decode_s,
            queue_s=answered.queue_s,
            inference_s=answered.inference_s,
        )
        why = weights(rows[0], answered.results[1:]) if query.explain else None
        return Classified(lease, rows, timing, why), images[: len(rows)]

    async def _decode(
        self, task: str, pictures: Sequence[Picture], config: PreprocessConfig, *, covered: bool
    ) -> list[Tensor]:
        try:
            if covered:
                return await self.decoder.decode_covered(task, pictures[0], config)
            return await self.decoder.decode(task, pictures, config)
        except DeviceLost as error:  # on the way to the device; no batch may ever run again to find out
            self.lifecycle.fail(str(error))
            self.batcher.close(error)
            raise


def _keep() -> None:
    """The pictures stay encoded too."""


def _rows(query: ClassifyQuery, pictures: int) -> int:
    """How many rows of batches a request needs. Raises BadQuery."""
    if not query.explain:
        return pictures
    if pictures != 1:
        raise BadQuery(f"explain takes one picture a request, not {pictures}")
    return 1 + COPIES
