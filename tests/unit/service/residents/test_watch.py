import shutil
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from adapters.bank.bank import AdapterBank
from adapters.kinds.layout import Layout
from adapters.store.artifact import Artifact
from adapters.store.store import Store
from adapters.vit.backbone import Backbone, random_backbone
from service.metrics import Metrics
from service.residents.registry import Registry
from service.residents.residency import Residency
from service.residents.watch import Watch

pytestmark = pytest.mark.anyio
MakeArtifact = Callable[..., Artifact]


@pytest.fixture
async def watched(store: Store) -> AsyncIterator[tuple[Watch, Registry, Metrics]]:
    async def at_once(*_: Layout) -> None:
        pass

    metrics = Metrics()
    bank = AdapterBank(store.backbone, device=torch.device("cpu"), dtype=torch.float32, slots_per_layout=3)
    with ThreadPoolExecutor(2) as loader:
        residency = Residency(
            bank,
            width=store.backbone.width,
            loader=loader,
            warm=at_once,
            settled=at_once,
            metrics=metrics,
        )
        registry = Registry(store, residency, loader=loader, metrics=metrics)
        yield Watch(store, registry, interval_s=0.01, loader=loader, metrics=metrics), registry, metrics
        await residency.close()


async def test_a_look_takes_in_what_is_there(
    watched: tuple[Watch, Registry, Metrics], store: Store, make_artifact: MakeArtifact
) -> None:
    watch, registry, _ = watched
    store.publish("digits", make_artifact(1))

    await watch.look()

    assert set(registry.states) == {"digits"}


async def test_a_store_that_is_gone_takes_nothing_away(
    watched: tuple[Watch, Registry, Metrics],
    store: Store,
    make_artifact: MakeArtifact,
    caplog: pytest.LogCaptureFixture,
    store_folder: Path,
) -> None:
    watch, registry, metrics = watched
    store.publish("digits", make_artifact(1))
    await watch.look()
    away = store_folder.with_name("away")
    store_folder.rename(away)  # noqa: ASYNC240 - nothing else runs

    await watch.look()
    await watch.look()

    assert set(registry.states) == {"digits"}
    assert metrics.registry.get_sample_value("dvpt_store_scan_faults_total") == 2
    assert [record.message for record in caplog.records].count("store_unreadable") == 1

    away.rename(store_folder)
    store.delete_task("digits")
    await watch.look()
    assert set(registry.states) == set()


async def test_another_backbone_s_store_in_its_place_takes_nothing_away(
    watched: tuple[Watch, Registry, Metrics],
    store: Store,
    make_artifact: MakeArtifact,
    backbone: Backbone,
    store_folder: Path,
) -> None:
    watch, registry, metrics = watched
    store.publish("digits", make_artifact(1))
    await watch.look()
    shutil.rmtree(store_folder)
    other = random_backbone(seed=9, img_size=32, embed_dim=48, depth=2, num_heads=2)
    assert other.config.sha256 != backbone.config.sha256
    Store.create(store.url, other.config)

    await watch.look()

    assert set(registry.states) == {"digits"}
    assert metrics.registry.get_sample_value("dvpt_store_scan_faults_total") == 1


async def test_a_damaged_label_is_told_once(
    watched: tuple[Watch, Registry, Metrics],
    store: Store,
    make_artifact: MakeArtifact,
    caplog: pytest.LogCaptureFixture,
    store_folder: Path,
) -> None:
    watch, registry, _ = watched
    store.publish("digits", make_artifact(1))
    await watch.look()
    (store_folder / "digits" / "labels" / "stable").write_text("{")

    await watch.look()
    await watch.look()

    assert [record.message for record in caplog.records].count("store_problems") == 1
    assert registry.state("digits").record.problems


async def test_the_last_good_look_is_told(
    watched: tuple[Watch, Registry, Metrics], store_folder: Path
) -> None:
    watch, _, metrics = watched
    value = metrics.registry.get_sample_value
    assert value("dvpt_store_last_look_timestamp_seconds") == 0

    await watch.look()
    seen = value("dvpt_store_last_look_timestamp_seconds")
    assert seen is not None
    assert time.time() - seen < 3600

    shutil.move(store_folder, store_folder.with_name("away"))
    await watch.look()
    assert value("dvpt_store_last_look_timestamp_seconds") == seen
