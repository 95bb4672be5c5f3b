"""One way to classify, whatever protocol asks."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from adapters.bank.bank import AdapterBank
from adapters.errors import TaskNotFound, VersionNotFound
from adapters.kinds.layout import Layout, Slot
from adapters.store.artifact import TENSORS_FILE
from adapters.store.store import Store
from service.answers.drift import Drift
from service.answers.observer import AnswerObserver
from service.answers.recent_answers import Asked, RecentAnswers
from service.audit import Audit
from service.batching.batcher import Batcher
from service.engine.payloads import Payload, infer_payloads
from service.engine.protocol import Probabilities
from service.errors import (
    AdapterLoading,
    BadQuery,
    DeadlineExceeded,
    Draining,
    InferenceFailed,
    Overloaded,
    ServiceError,
    Starting,
)
from service.http.classifier import Classifier, ClassifyQuery
from service.http.decoding.decoder import Decoder
from service.http.decoding.fair_threads import FairThreads
from service.lifecycle import Lifecycle
from service.metrics import BatchMetrics, Metrics
from service.residents.host_memory import HostMemory
from service.residents.preload import Preload
from service.residents.registry import Registry
from service.residents.residency import Residency
from service.residents.storage_threads import StorageThreads
from service.traffic.wiring import make_traffic
from tests.support.artifacts import MakeArtifact
from tests.support.pictures import plain_png

pytestmark = pytest.mark.anyio
QUERY = ClassifyQuery(version=None, label=None, timeout_ms=60_000)


class ShadeEngine:
    """Answers with the shade of each picture."""

    def start(self) -> None:
        """Nothing to load."""

    def warm(self, layout: Layout) -> None:
        """Nothing to warm."""

    def stage(self, image: Tensor) -> Tensor:
        return image

    def infer(self, images: Sequence[Tensor], slots: Sequence[Slot]) -> list[Probabilities | InferenceFailed]:
        return [
            np.full(slot.class_count, int(image[0, 0, 0]), dtype=np.float32)
            for image, slot in zip(images, slots, strict=True)
        ]


class Reader:
    """Reads an upload, and counts how often it is asked and what became of it."""

    timeout_ms: int | None = None

    def __init__(self, *pictures: bytes) -> None:
        self.sent = list(pictures)
        self.reads = self.releases = 0

    async def read(self) -> "Reader":
        self.reads += 1
        return self

    async def pictures(self) -> Sequence[bytes]:
        return self.sent

    def release(self) -> None:
        self.releases += 1
        self.sent.clear()


@pytest.fixture
async def classifier(store: Store, make_artifact: MakeArtifact) -> AsyncIterator[Classifier]:
    """A classifier of one task that is ready, and whose batches run."""
    store.publish("shades", make_artifact(class_count=3))
    engine, metrics, lifecycle = ShadeEngine(), Metrics(), Lifecycle()
    loader = StorageThreads(1, "loader")  # which a test that fails may leave behind
    with ThreadPoolExecutor(1) as thread:
        batcher: Batcher[Payload, Probabilities] = Batcher(
            partial(infer_payloads, engine),
            thread=thread,
            max_batch=4,
            max_pictures=8,
            observer=BatchMetrics(metrics),
            on_device_lost=lambda _: None,
        )

        async def warm(_: Layout) -> None:
            """Nothing to warm."""

        residency = Residency(
            AdapterBank(store.backbone, device=torch.device("cpu"), dtype=torch.float32, slots_per_layout=2),
            loader=thread,
            warm=warm,
            settled=batcher.settled,
            metrics=metrics,
            host=HostMemory(2**40),
        )
        registry = Registry(store, residency, loader=loader, metrics=metrics, preload=Preload(("shades",)))
        await registry.follow(store.records())
        threads = FairThreads(1)
        decoder = Decoder(
            threads, image_size=store.backbone.image_size, max_pixels=10_000, stage=engine.stage
        )
        lifecycle.become_ready()
        running = asyncio.create_task(batcher.run())
        traffic = make_traffic(store, registry, batcher, loader, Audit(None, loader), metrics, str)
        observer = AnswerObserver(Drift(metrics, registry.tasks), RecentAnswers(10))
        yield Classifier(lifecycle, registry, decoder, batcher, metrics, traffic, observer)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        batcher.close()
        await residency.close()
        threads.close()
        loader.shutdown()


async def test_rows_come_in_the_order_of_the_pictures_with_the_version_that_gave_them(
    classifier: Classifier,
) -> None:
    reader = Reader(*map(plain_png, [7, 9, 8]))

    classified = await classifier.classify("shades", QUERY, reader.read)

    assert [row.tolist() for row in classified.rows] == [[7.0] * 3, [9.0] * 3, [8.0] * 3]
    assert (classified.lease.task, classified.lease.version) == ("shades", 1)
    assert classified.timing.decode_s > 0
    assert classifier.metrics.registry.get_sample_value("dvpt_pictures_total", {"task": "shades"}) == 3
    assert reader.reads == 1


async def test_the_copies_of_an_explanation_need_their_places_in_the_queue(classifier: Classifier) -> None:
    reader = Reader(plain_png(7))

    with pytest.raises(Overloaded, match=r"this request has 50$"):
        await classifier.classify("shades", replace(QUERY, explain=True), reader.read)

    assert reader.releases
    assert classifier.batcher.admitted == 0


async def test_only_one_picture_is_explained_at_a_time(classifier: Classifier) -> None:
    with pytest.raises(BadQuery, match=r"^explain takes one picture a request, not 2$"):
        await classifier.classify(
            "shades", replace(QUERY, explain=True), Reader(plain_png(7), plain_png(8)).read
        )


async def test_an_unknown_task_costs_no_upload(classifier: Classifier) -> None:
    reader = Reader(plain_png(1))

    with pytest.raises(TaskNotFound):
        await classifier.classify("made-up", QUERY, reader.read)
    assert reader.reads == 0


async def test_a_service_that_is_not_ready_reads_nothing(classifier: Classifier) -> None:
    reader = Reader(plain_png(1))
    starting = replace(classifier, lifecycle=Lifecycle())

    with pytest.raises(Starting):
        await starting.classify("shades", QUERY, reader.read)
    assert reader.reads == 0


async def test_a_service_that_drains_while_a_request_arrives_admits_it_no_more(
    classifier: Classifier,
) -> None:
    async def read() -> Reader:
        classifier.lifecycle.drain()
        return Reader(plain_png(1))

    with pytest.raises(Draining):
        await classifier.classify("shades", QUERY, read)


async def test_the_version_asked_for_answers_or_none(classifier: Classifier) -> None:
    with pytest.raises(VersionNotFound):
        await classifier.classify("shades", ClassifyQuery(2, None, 60_000), Reader(plain_png(1)).read)


async def test_more_pictures_than_there_is_room_for_are_refused(classifier: Classifier) -> None:
    with pytest.raises(Overloaded):
        await classifier.classify("shades", QUERY, Reader(*[plain_png(1)] * 9).read)
    assert classifier.batcher.admitted == 0


async def test_a_cold_task_is_answered_and_its_time_told(
    classifier: Classifier, store: Store, make_artifact: MakeArtifact
) -> None:
    store.publish("cold", make_artifact(class_count=3))
    await classifier.registry.follow(store.records())
    answers = [await classifier.classify("cold", QUERY, Reader(plain_png(1)).read) for _ in range(2)]
    assert [answer.lease.cold for answer in answers] == [True, False]
    assert classifier.metrics.registry.get_sample_value("dvpt_cold_answer_seconds_count") == 1


async def test_a_request_whose_adapter_comes_too_late_may_try_again(
    classifier: Classifier, store: Store, store_folder: Path, make_artifact: MakeArtifact
) -> None:
    """A pipe without a writer holds whoever reads it, as slow storage does."""
    store.publish("cold", make_artifact(class_count=3))
    await classifier.registry.follow(store.records())
    tensors = store_folder / "cold" / "1" / TENSORS_FILE
    whole = tensors.read_bytes()
    tensors.unlink()
    os.mkfifo(tensors)
    with pytest.raises(AdapterLoading, match=r"not read from the store within 50 ms.* try again"):
        await classifier.classify("cold", ClassifyQuery(None, None, 50), Reader(plain_png(1)).read)
    await classifier.classify("shades", QUERY, Reader(plain_png(1)).read)  # undisturbed

    await asyncio.to_thread(tensors.write_bytes, whole)
    assert (await classifier.classify("cold", QUERY, Reader(plain_png(1)).read)).lease.version == 1


async def test_the_wait_for_an_answer_ends_with_its_timeout(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(classifier.batcher, "submit", never)

    with pytest.raises(DeadlineExceeded, match="within 1 ms"):
        await classifier.classify("shades", ClassifyQuery(None, None, 1), Reader(plain_png(1)).read)
    assert classifier.batcher.admitted == 0
    counted = classifier.registry.statistics.of("shades", 1)
    assert (counted.failed, counted.requests) == (1, 0)
    assert counted.failed_s > 0


async def test_pictures_are_counted_by_their_task(classifier: Classifier) -> None:
    await classifier.classify("shades", QUERY, Reader(plain_png(1), plain_png(2)).read)

    value = classifier.metrics.registry.get_sample_value
    assert value("dvpt_pictures_total", {"task": "shades"}) == 2
    assert value("dvpt_decode_seconds_count") == value("dvpt_queue_seconds_count") == 1


async def test_answers_and_failures_are_counted_by_their_version(classifier: Classifier) -> None:
    await classifier.classify("shades", QUERY, Reader(plain_png(1), plain_png(2)).read)
    with suppress(ServiceError):
        await classifier.classify("shades", QUERY, Reader(b"none").read)

    counted = classifier.registry.statistics.of("shades", 1)
    assert (counted.requests, counted.pictures, counted.failed, counted.since_read) == (1, 2, 1, 2)


async def test_an_answer_is_remembered_by_who_asked(classifier: Classifier) -> None:
    asked = Asked("one", "key")
    await classifier.classify("shades", QUERY, Reader(plain_png(1), plain_png(2)).read, asked)
    with suppress(ServiceError):
        await classifier.classify("shades", QUERY, Reader(b"none").read, Asked("two"))

    (answer,) = classifier.observer.recent.of("shades", "one")
    assert (answer.key, answer.version, answer.predicted.tolist()) == ("key", 1, [0, 0])
    assert not classifier.observer.recent.of("shades", "two")


async def test_encoded_bytes_go_when_they_are_decoded_and_not_with_the_answer(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, released = Reader(plain_png(1)), list[int]()
    submit = classifier.batcher.submit

    async def look(*given: Any) -> object:
        released.append(reader.releases)
        return await submit(*given)

    monkeypatch.setattr(classifier.batcher, "submit", look)
    await classifier.classify("shades", QUERY, reader.read)

    assert released == [1]


@pytest.mark.parametrize("query", [QUERY, ClassifyQuery(2, None, 60_000), ClassifyQuery(None, None, 1)])
@pytest.mark.parametrize("pictures", [[b"none"], [plain_png(1)] * 9, [plain_png(1)]])
async def test_an_upload_is_released_whatever_comes(
    query: ClassifyQuery, pictures: list[bytes], classifier: Classifier
) -> None:
    reader = Reader(*pictures)
    with suppress(ServiceError, VersionNotFound):
        await classifier.classify("shades", query, reader.read)

    assert reader.releases >= 1
    assert classifier.batcher.admitted == 0


async def test_taking_a_body_apart_is_within_the_timeout(classifier: Classifier) -> None:
    class Slow(Reader):
        async def pictures(self) -> Sequence[bytes]:
            await asyncio.Event().wait()
            raise AssertionError

    reader = Slow()
    with pytest.raises(DeadlineExceeded, match="within 1 ms"):
        await classifier.classify("shades", ClassifyQuery(None, None, 1), reader.read)
    assert reader.releases == 1
