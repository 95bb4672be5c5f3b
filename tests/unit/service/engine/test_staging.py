"""Each picture begins its way to the device when it is decoded; what goes wrong there is told."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
from torch import Tensor

from adapters.kinds.layout import Layout, Slot
from adapters.store.store import Store
from adapters.vit.backbone import Backbone
from service.app import Service, create_service
from service.engine.protocol import Probabilities
from service.errors import DeviceLost, InferenceFailed, OutOfDeviceMemory
from service.lifecycle import Phase
from service.settings import settings_from
from tests.support.artifacts import MakeArtifact
from tests.support.pictures import plain_png

pytestmark = pytest.mark.anyio
FAULTS = {30: OutOfDeviceMemory("no room for a picture"), 60: DeviceLost("an illegal address")}


@dataclass
class StagingEngine:
    """Marks what it stages, answers only that, and fails for pictures of certain shades."""

    staged: list[int] = field(default_factory=list)

    def start(self) -> None:
        """Nothing to load."""

    def warm(self, layout: Layout) -> None:
        """Nothing to warm."""

    def stage(self, image: Tensor) -> Tensor:
        shade = int(image[0, 0, 0])
        if shade in FAULTS:
            raise FAULTS[shade]
        self.staged.append(shade)
        return image.to(torch.int64) + 1000

    def infer(self, images: Sequence[Tensor], slots: Sequence[Slot]) -> list[Probabilities | InferenceFailed]:
        assert all(int(image.min()) >= 1000 for image in images)
        return [np.full(slot.class_count, 1 / slot.class_count, dtype=np.float32) for slot in slots]


@pytest.fixture
def engine() -> StagingEngine:
    return StagingEngine()


@pytest.fixture
def service(
    engine: StagingEngine, backbone: Backbone, make_artifact: MakeArtifact, tmp_path: Path
) -> Service:
    store = Store.create(tmp_path / "store", backbone.config)
    store.publish("shades", make_artifact())
    settings = settings_from({"store": store.url, "device": "cpu", "precision": "fp32"})
    return create_service(settings, store, lambda *_: engine)


async def statuses(service: Service, shades: Sequence[int]) -> list[tuple[int, str]]:
    """One request after the other: its status, and the code of its problem."""
    started = asyncio.Event()
    service.lifecycle.on_change.append(lambda _: started.set())
    transport = httpx.ASGITransport(service.app)
    async with (
        service.app.router.lifespan_context(service.app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        await started.wait()
        answers = [await client.post(URL, content=plain_png(shade), headers=PNG) for shade in shades]
    return [(answer.status_code, answer.json().get("code", "")) for answer in answers]


URL, PNG = "/v1/tasks/shades/classify", {"Content-Type": "image/png"}


async def test_every_picture_is_staged_once_and_before_its_batch(
    service: Service, engine: StagingEngine
) -> None:
    assert await statuses(service, [1, 2, 3]) == [(200, "")] * 3
    assert engine.staged == [1, 2, 3]


async def test_a_picture_with_no_room_on_the_device_fails_its_own_request(service: Service) -> None:
    assert await statuses(service, [1, 30, 2]) == [(200, ""), (503, "out_of_memory"), (200, "")]


async def test_a_device_that_is_lost_on_the_way_ends_the_service(service: Service) -> None:
    assert await statuses(service, [1, 60, 2]) == [(200, ""), (503, "device_lost"), (503, "device_lost")]
    assert service.lifecycle.phase is Phase.FAILED
