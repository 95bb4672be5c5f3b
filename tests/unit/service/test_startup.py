"""A fault in the background ends the service; it never leaves it ready and mute."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from adapters.errors import BackboneWeights, DvptError
from adapters.kinds.layout import Layout
from service.errors import ServiceError
from service.lifecycle import Lifecycle, Phase
from service.startup import Startup

pytestmark = pytest.mark.anyio


@dataclass
class Parts:
    """Engine, batcher and watch that fail where the test says."""

    faults: dict[str, Exception] = field(default_factory=dict)
    closed: ServiceError | None = None
    max_batch: int = 16
    warmed: list[Layout] = field(default_factory=list)

    def start(self) -> None:
        self._fail("start")

    def warm(self, layout: Layout) -> None:
        self.warmed.append(layout)

    async def look(self) -> float:
        self._fail("look")
        return 0.0

    async def run(self) -> None:
        self._fail("run")
        await asyncio.Event().wait()

    def close(self, error: ServiceError) -> None:
        self.closed = error

    def _fail(self, step: str) -> None:
        if step in self.faults:
            raise self.faults[step]


def startup(parts: Parts, lifecycle: Lifecycle, thread: ThreadPoolExecutor) -> Startup:
    part = cast("Any", parts)
    return Startup(lifecycle, part, thread, part, part)


@pytest.mark.parametrize(
    ("step", "error", "reason"),
    [
        ("start", BackboneWeights("no weights at x"), "no weights at x"),
        ("look", RuntimeError("oops"), "broke down (RuntimeError)"),
        ("run", RuntimeError("oops"), "broke down"),
        ("run", DvptError("oops"), "broke down"),
    ],
)
async def test_a_fault_ends_the_service(step: str, error: Exception, reason: str) -> None:
    parts, lifecycle = Parts({step: error}), Lifecycle()
    with ThreadPoolExecutor(1) as thread:
        await startup(parts, lifecycle, thread).run()

    assert lifecycle.phase is Phase.FAILED
    assert reason in lifecycle.reason
    assert parts.closed is not None


async def test_ready_comes_after_the_adapters_and_a_warm_up() -> None:
    parts, lifecycle, ready = Parts(), Lifecycle(), asyncio.Event()
    lifecycle.on_change.append(lambda _: ready.set())
    with ThreadPoolExecutor(1) as thread:
        task = asyncio.create_task(startup(parts, lifecycle, thread).run())
        await ready.wait()
        assert lifecycle.phase is Phase.READY
        assert len(parts.warmed) == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert lifecycle.phase is Phase.READY
