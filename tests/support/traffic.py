"""A service without HTTP, with an engine that a test tells what to answer."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from adapters.kinds.layout import Slot
from adapters.store.store import Store
from service.audit import Audit
from service.batching.batcher import Batcher
from service.engine.payloads import Payload
from service.engine.protocol import Probabilities
from service.errors import InferenceFailed
from service.http.classifier import Classified, Classifier, ClassifyQuery
from service.metrics import Metrics
from service.residents.host_memory import HostMemory
from service.residents.registry import Registry
from service.traffic.traffic import Traffic
from tests.support.pictures import plain_png

PLAIN = ClassifyQuery(version=None, label=None, timeout_ms=60_000)
Answer = Callable[[int, int], Probabilities | InferenceFailed]
"""What a version answers to a shade."""


def by_shade(_version: int, shade: int) -> Probabilities:
    """Every version gives a shade the same class."""
    row: Probabilities = np.eye(3, dtype=np.float32)[shade % 3]
    return row


class Told(Audit):
    """An audit trail in memory."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    async def write(self, who: str, action: str, task: str | None, result: str, **facts: Any) -> None:
        self.lines.append({"who": who, "action": action, "task": task, "result": result, **facts})


class Upload:
    """Pictures of given shades."""

    def __init__(self, shades: Sequence[int]) -> None:
        self._pictures = [plain_png(shade) for shade in shades]

    @property
    def timeout_ms(self) -> None:
        return None

    async def read(self) -> "Upload":
        return self

    async def pictures(self) -> Sequence[bytes]:
        return self._pictures

    def release(self) -> None:
        self._pictures = []


@dataclass
class World:
    """One service without HTTP."""

    store: Store
    metrics: Metrics
    host: HostMemory
    told: Told = field(default_factory=Told)
    answer: Answer = by_shade
    batches: list[tuple[int, ...]] = field(default_factory=list)
    registry: Registry = field(init=False)
    batcher: Batcher[Payload, Probabilities] = field(init=False)
    traffic: Traffic = field(init=False)
    classifier: Classifier = field(init=False)

    def infer(self, images: Sequence[Tensor], slots: Sequence[Slot]) -> list[Probabilities | InferenceFailed]:
        """As an engine: by the version that is in each slot."""
        residents = self.registry.state("digits").residents
        versions = {each.slot: version for version, each in residents.items()}
        answered = [versions[slot] for slot in slots]
        self.batches.append(tuple(answered))
        shades = [int(image[0, 0, 0]) for image in images]
        return [self.answer(version, shade) for version, shade in zip(answered, shades, strict=True)]

    async def follow(self) -> None:
        """Look at the store."""
        await self.registry.follow(self.store.records())

    async def ask(self, *shades: int, key: bytes | None = None) -> Classified:
        """A plain request."""
        return await self.classifier.classify("digits", PLAIN, Upload(shades or (1,)).read, key=key)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let everything else go on until it holds."""
        async with asyncio.timeout(20):
            while not condition():  # noqa: ASYNC110 - what it asks about raises no event
                await asyncio.sleep(0.005)

    def counted(self, metric: str, **labels: str) -> float:
        """A counter's value."""
        return self.metrics.registry.get_sample_value(f"dvpt_{metric}_total", labels) or 0.0
