"""Threads of the service compute alone what torch would spread over many."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import torch

from adapters.store.store import Store
from adapters.vit.backbone import Backbone
from service.app import create_service
from service.http.decoding.fair_threads import FairThreads
from service.settings import settings_from
from service.wiring.threads import alone

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def several_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


async def test_each_decoding_thread_computes_alone() -> None:
    threads = FairThreads(2, begin=alone)

    counts = await threads.map("task", lambda _: torch.get_num_threads(), range(8))

    threads.close()
    assert counts == [1] * 8


async def test_the_event_loop_s_thread_computes_alone_once_the_service_runs(
    backbone: Backbone, tmp_path: Path
) -> None:
    store = Store.create(tmp_path / "store", backbone.config)
    service = create_service(settings_from({"store": store.url, "device": "cpu"}), store)
    transport = httpx.ASGITransport(service.app)
    async with (
        service.app.router.lifespan_context(service.app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        assert (await client.get("/healthz")).status_code == 200
        assert torch.get_num_threads() == 1
