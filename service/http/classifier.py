"""Classify: a task's name and encoded pictures → rows of probabilities, whatever protocol asks."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from adapters.config import PreprocessConfig
from service.batching.batcher import Batcher
from service.engine.payloads import Payload
from service.engine.protocol import Probabilities
from service.errors import AdapterLoading, BadQuery, DeadlineExceeded, DeviceLost
from service.explain.occlusion import COPIES, weights
from service.http.decoding.decoder import Decoder
from service.lifecycle import Lifecycle
from service.metrics import Metrics
from service.residents.registry import Lease, Registry


class Upload(Protocol):
    """What a request has brought, in memory until it is released."""

    async def pictures(self) -> Sequence[bytes]:
        """The encoded pictures, at least one; they are gone once the upload is released."""

    def release(self) -> None:
        """The pictures are not needed any more; more than once is no matter."""


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


@dataclass(frozen=True)
class Classifier:
    """Classifies with the parts that the application wires together: admit, lease, decode, batch."""

    lifecycle: Lifecycle
    registry: Registry
    decoder: Decoder
    batcher: Batcher[Payload, Probabilities]
    metrics: Metrics

    async def classify(self, task: str, query: ClassifyQuery, read: Read) -> Classified:
        """Classify the pictures that `read` gives, which is called only for a known task.

        Raises NotReady, TaskNotFound, VersionNotFound, LabelNotFound, AdapterUnavailable, Overloaded,
        PictureRefused, AdapterLoading, DeadlineExceeded, InferenceFailed, BadQuery where more than one is to
        be explained, and what `read` raises.
        """
        began_s = monotonic()
        self.lifecycle.require_admitting()
        self.registry.state(task)  # before `read`: an unknown task costs no upload
        upload = await read()
        try:
            async with asyncio.timeout(query.timeout_ms / 1000) as deadline:
                pictures = await upload.pictures()
                self.lifecycle.require_admitting()
                with self.batcher.admit(task, _rows(query, len(pictures))):
                    answer = await self._classify(task, query, upload, pictures, deadline.when() or 0.0)
        except TimeoutError as error:
            if self.registry.loading(task, query.version, query.label):
                raise AdapterLoading(
                    f"the adapter was not read from the store within {query.timeout_ms} ms; "
                    "that goes on, so try again"
                ) from error
            raise DeadlineExceeded(f"no answer within {query.timeout_ms} ms") from error
        finally:
            upload.release()
        if answer.lease.cold:
            self.metrics.cold_answer_seconds.observe(monotonic() - began_s)
        return answer

    async def _classify(
        self, task: str, query: ClassifyQuery, upload: Upload, pictures: Sequence[bytes], deadline_s: float
    ) -> Classified:
        async with self.registry.lease(task, query.version, query.label) as lease:
            started_s = monotonic()
            images = await self._decode(task, pictures, lease.config.preprocess, covered=query.explain)
            decode_s = monotonic() - started_s
            upload.release()
            payloads = [(image, lease.slot) for image in images]
            answered = await self.batcher.submit(lease.slot.layout, task, payloads, deadline_s)
        label = self.metrics.task_label(task, self.registry.tasks)
        self.metrics.pictures.labels(label).inc(1 if query.explain else len(images))
        self.metrics.decode_seconds.observe(decode_s)
        self.metrics.queue_seconds.observe(answered.queue_s)
        timing = Timing(decode_s, answered.queue_s, answered.inference_s)
        if not query.explain:
            return Classified(lease, answered.results, timing)
        whole, *parts = answered.results
        return Classified(lease, [whole], timing, weights(whole, parts))

    async def _decode(
        self, task: str, pictures: Sequence[bytes], config: PreprocessConfig, *, covered: bool
    ) -> list[Tensor]:
        try:
            if covered:
                return await self.decoder.decode_covered(task, pictures[0], config)
            return await self.decoder.decode(task, pictures, config)
        except DeviceLost as error:  # on the way to the device; no batch may ever run again to find out
            self.lifecycle.fail(str(error))
            self.batcher.close(error)
            raise


def _rows(query: ClassifyQuery, pictures: int) -> int:
    """How many rows of batches a request needs. Raises BadQuery."""
    if not query.explain:
        return pictures
    if pictures != 1:
        raise BadQuery(f"explain takes one picture a request, not {pictures}")
    return 1 + COPIES
