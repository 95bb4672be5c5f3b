"""A classifier over a real store, registry and batcher."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import torch

from adapters.bank.bank import AdapterBank
from adapters.kinds.layout import Layout
from adapters.store.store import Store
from service.answers.drift import Drift
from service.answers.observer import AnswerObserver
from service.answers.recent_answers import RecentAnswers
from service.batching.batcher import Batcher
from service.engine.payloads import infer_payloads
from service.http.classifier import Classifier
from service.http.decoding.decoder import Decoder
from service.http.decoding.fair_threads import FairThreads
from service.http.problems import code_of
from service.lifecycle import Lifecycle
from service.metrics import BatchMetrics, Metrics
from service.residents.host_memory import HostMemory
from service.residents.registry import Registry
from service.residents.residency import Residency
from service.residents.storage_threads import StorageThreads
from service.traffic.wiring import make_traffic
from tests.support.artifacts import MakeArtifact
from tests.support.traffic import World


@pytest.fixture
async def world(store: Store, make_artifact: MakeArtifact) -> AsyncIterator[World]:
    """Task `digits`: `stable` is version 1, `canary` version 2; nothing is ruled, and nothing in memory."""
    store.publish("digits", make_artifact(1))
    store.publish("digits", make_artifact(2), label="canary")
    world = World(store, Metrics(), HostMemory(2**40))
    engine: Any = type("Engine", (), {"infer": staticmethod(world.infer)})
    loader = StorageThreads(2, "loader")
    with ThreadPoolExecutor(1) as thread:
        world.batcher = Batcher(
            partial(infer_payloads, engine),
            thread=thread,
            max_batch=8,
            max_pictures=64,
            observer=BatchMetrics(world.metrics),
            on_device_lost=lambda _: None,
        )

        async def warm(_: Layout) -> None:
            """Nothing to warm."""

        residency = Residency(
            AdapterBank(store.backbone, device=torch.device("cpu"), dtype=torch.float32, slots_per_layout=2),
            loader=thread,
            warm=warm,
            settled=world.batcher.settled,
            metrics=world.metrics,
            host=world.host,
        )
        world.registry = Registry(store, residency, loader=loader, metrics=world.metrics)
        world.traffic = make_traffic(
            store,
            world.registry,
            world.batcher,
            loader,
            world.told,
            world.metrics,
            code_of,
        )
        threads, lifecycle = FairThreads(1), Lifecycle()
        decoder = Decoder(
            threads, image_size=store.backbone.image_size, max_pixels=10_000, stage=lambda image: image
        )
        world.classifier = Classifier(
            lifecycle,
            world.registry,
            decoder,
            world.batcher,
            world.metrics,
            world.traffic,
            AnswerObserver(Drift(world.metrics, world.registry.tasks), RecentAnswers(10)),
        )
        lifecycle.become_ready()
        await world.follow()
        running = [asyncio.create_task(world.batcher.run()), asyncio.create_task(world.traffic.run())]
        yield world
        for task in running:
            task.cancel()
        for task in running:
            with suppress(asyncio.CancelledError):
                await task
        world.batcher.close()
        await residency.close()
        threads.close()
        loader.shutdown()
