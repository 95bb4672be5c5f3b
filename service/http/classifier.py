"""The way of one classify request: read, admit, lease, decode, batch, answer."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

from starlette.requests import Request
from torch import Tensor

from adapters.config import PreprocessConfig
from adapters.kinds.layout import Slot
from service.batching.batcher import Batcher
from service.engine.protocol import Engine, Probabilities
from service.errors import DeadlineExceeded, DeviceLost, Draining, InferenceFailed
from service.http.answers import Timing, classify_answer
from service.http.connection import cancel_on_disconnect
from service.http.decode_pool import Decoder
from service.http.problems import problem_of
from service.http.request.bodies import read_pictures
from service.http.request.limits import RequestLimits
from service.http.request.query import ClassifyQuery, parse_query
from service.lifecycle import Lifecycle
from service.metrics import Metrics
from service.residents.registry import Registry

Payload = tuple[Tensor, Slot]


def infer_payloads(engine: Engine, payloads: Sequence[Payload]) -> list[Probabilities | InferenceFailed]:
    """The batcher's payloads as the engine's arguments."""
    images, slots = zip(*payloads, strict=True)
    return engine.infer(images, slots)


@dataclass(frozen=True)
class Classifier:
    """Answers classify requests with the parts that the application wires together."""

    lifecycle: Lifecycle
    registry: Registry
    decoder: Decoder
    batcher: Batcher[Payload, Probabilities]
    metrics: Metrics
    limits: RequestLimits

    async def answer(self, task: str, request: Request) -> bytes:
        """The JSON answer to a request for `task`. Raises what `service.http.problems` has in its table."""
        started_s = monotonic()
        code = "ok"
        try:
            return await self._answer(task, request)
        except asyncio.CancelledError:
            code = "draining"  # the drain took longer than it may
            raise Draining("the service ended before the answer was ready") from None
        except BaseException as error:
            code = problem_of(error).code
            raise
        finally:
            label = self.metrics.task_label(task, self.registry.states)
            self.metrics.requests.labels(label, code).inc()
            self.metrics.request_seconds.observe(monotonic() - started_s)

    async def _answer(self, task: str, request: Request) -> bytes:
        query = parse_query(
            request.scope["query_string"], self.limits.default_timeout_ms, self.limits.max_timeout_ms
        )
        self.lifecycle.require_ready()
        self.registry.state(task)  # before the body: an unknown task costs no upload
        pictures = await read_pictures(request, self.limits)
        self.lifecycle.require_ready()
        with self.batcher.admit(task, len(pictures)):
            async with cancel_on_disconnect(request.receive):
                try:
                    async with asyncio.timeout(query.timeout_ms / 1000) as deadline:
                        return await self._classify(task, query, pictures, deadline.when() or 0.0)
                except TimeoutError as error:
                    raise DeadlineExceeded(f"no answer within {query.timeout_ms} ms") from error

    async def _classify(
        self, task: str, query: ClassifyQuery, pictures: Sequence[bytes], deadline_s: float
    ) -> bytes:
        async with self.registry.lease(task, query.version, query.label) as lease:
            started_s = monotonic()
            images = await self._decode(pictures, lease.config.preprocess)
            decode_s = monotonic() - started_s
            payloads = [(image, lease.slot) for image in images]
            answered = await self.batcher.submit(lease.slot.layout, task, payloads, deadline_s)
        label = self.metrics.task_label(task, self.registry.states)
        self.metrics.pictures.labels(label).inc(len(pictures))
        self.metrics.decode_seconds.observe(decode_s)
        self.metrics.queue_seconds.observe(answered.queue_s)
        timing = Timing(decode_s, answered.queue_s, answered.inference_s)
        return classify_answer(lease, answered.results, query.top_k, timing)

    async def _decode(self, pictures: Sequence[bytes], config: PreprocessConfig) -> list[Tensor]:
        try:
            return await self.decoder.decode(pictures, config)
        except DeviceLost as error:  # on the way to the device; no batch may ever run again to find out
            self.lifecycle.fail(str(error))
            self.batcher.close(error)
            raise
