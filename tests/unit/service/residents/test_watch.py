import asyncio
import shutil
import time
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.store.artifact import Artifact
from adapters.store.local_files import LocalFiles
from adapters.store.store import Store
from adapters.vit.backbone import Backbone, random_backbone
from service.metrics import Metrics
from service.residents.registry import Registry
from service.residents.watch import MAX_BUSY_SHARE, Watch, pause_s

pytestmark = pytest.mark.anyio
MakeArtifact = Callable[..., Artifact]


@pytest.fixture
def watch(store: Store, registry: Registry, loader: Executor, metrics: Metrics) -> Watch:
    return Watch(store, registry, interval_s=0.01, forget_after_s=0.0, loader=loader, metrics=metrics)


async def test_a_look_takes_in_what_is_there(
    watch: Watch, registry: Registry, store: Store, make_artifact: MakeArtifact
) -> None:
    store.publish("digits", make_artifact(1))

    await watch.look()

    assert set(registry.tasks) == {"digits"}


async def test_a_store_that_is_gone_takes_nothing_away(
    watch: Watch,
    registry: Registry,
    metrics: Metrics,
    store: Store,
    make_artifact: MakeArtifact,
    caplog: pytest.LogCaptureFixture,
    store_folder: Path,
) -> None:
    store.publish("digits", make_artifact(1))
    await watch.look()
    away = store_folder.with_name("away")
    store_folder.rename(away)  # noqa: ASYNC240 - nothing else runs

    await watch.look()
    await watch.look()

    assert set(registry.tasks) == {"digits"}
    assert metrics.registry.get_sample_value("dvpt_store_scan_faults_total") == 2
    assert [record.message for record in caplog.records].count("store_unreadable") == 1

    away.rename(store_folder)
    store.delete_task("digits")
    await watch.look()
    assert set(registry.tasks) == set()


async def test_a_store_that_goes_while_it_is_looked_at_takes_nothing_away(
    watch: Watch,
    registry: Registry,
    store: Store,
    make_artifact: MakeArtifact,
    store_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Away in the middle, there again at the end, look after look: every listing ends without an error."""
    tasks = {"birds", "cars", "digits", "pets"}
    for task in tasks:
        store.publish(task, make_artifact(1))
    await watch.look()
    away, read = store_folder.with_name("away"), LocalFiles.files

    def read_while_it_goes(files: LocalFiles, folder: str) -> list[str]:
        if folder == "cars/labels":
            store_folder.rename(away)
        if folder == "pets/labels" and away.exists():
            away.rename(store_folder)
        return read(files, folder)

    monkeypatch.setattr(LocalFiles, "files", read_while_it_goes)
    for _ in range(4):
        await watch.look()
        if away.exists():
            away.rename(store_folder)

    assert set(registry.tasks) == tasks
    assert all(record.versions for record in registry.tasks.values())


async def test_another_backbone_s_store_in_its_place_takes_nothing_away(
    watch: Watch,
    registry: Registry,
    metrics: Metrics,
    store: Store,
    make_artifact: MakeArtifact,
    backbone: Backbone,
    store_folder: Path,
) -> None:
    store.publish("digits", make_artifact(1))
    await watch.look()
    shutil.rmtree(store_folder)
    other = random_backbone(seed=9, img_size=32, embed_dim=48, depth=2, num_heads=2)
    assert other.config.sha256 != backbone.config.sha256
    Store.create(store.url, other.config)

    await watch.look()

    assert set(registry.tasks) == {"digits"}
    assert metrics.registry.get_sample_value("dvpt_store_scan_faults_total") == 1


async def test_a_damaged_label_is_told_once(
    watch: Watch,
    registry: Registry,
    store: Store,
    make_artifact: MakeArtifact,
    caplog: pytest.LogCaptureFixture,
    store_folder: Path,
) -> None:
    store.publish("digits", make_artifact(1))
    await watch.look()
    (store_folder / "digits" / "labels" / "stable").write_text("{")

    await watch.look()
    await watch.look()

    assert [record.message for record in caplog.records].count("store_problems") == 1
    assert registry.state("digits").record.problems


@given(st.floats(0.001, 1000), st.floats(0, 10_000))
def test_looking_takes_at_most_its_share_of_the_time(interval_s: float, took_s: float) -> None:
    pause = pause_s(interval_s, took_s)

    assert took_s <= MAX_BUSY_SHARE * (took_s + pause)
    assert pause >= interval_s


@pytest.mark.parametrize(("took_s", "expected_s"), [(0.0, 1.0), (0.1, 1.0), (0.2, 2.0), (3.0, 30.0)])
def test_the_pause_is_the_interval_until_looking_takes_a_tenth_of_it(
    took_s: float, expected_s: float
) -> None:
    assert pause_s(1.0, took_s) == pytest.approx(expected_s)


async def test_it_looks_again_and_again(
    watch: Watch, registry: Registry, store: Store, make_artifact: MakeArtifact
) -> None:
    running = asyncio.create_task(watch.run())
    for task in ("digits", "pets"):
        store.publish(task, make_artifact(1))
        for _ in range(6000):
            if task in registry.tasks:
                break
            await asyncio.sleep(0.01)
        assert task in registry.tasks
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_the_last_good_look_is_told(watch: Watch, metrics: Metrics, store_folder: Path) -> None:
    value = metrics.registry.get_sample_value
    assert value("dvpt_store_last_look_timestamp_seconds") == 0

    await watch.look()
    seen = value("dvpt_store_last_look_timestamp_seconds")
    assert seen is not None
    assert time.time() - seen < 3600

    shutil.move(store_folder, store_folder.with_name("away"))
    await watch.look()
    assert value("dvpt_store_last_look_timestamp_seconds") == seen


@pytest.fixture
def journal_watch(store: Store, registry: Registry, loader: Executor, metrics: Metrics) -> Watch:
    """Looks at everything once, and then only at what the journal names."""
    return Watch(
        store,
        registry,
        interval_s=0.01,
        forget_after_s=30.0,
        whole_interval_s=3600.0,
        loader=loader,
        metrics=metrics,
    )


async def test_what_the_journal_names_is_taken_in(
    journal_watch: Watch,
    registry: Registry,
    store: Store,
    make_artifact: MakeArtifact,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for task in ("birds", "digits", "pets"):
        store.publish(task, make_artifact(1))
    await journal_watch.look()
    monkeypatch.setattr(Store, "unsorted_task_folders", lambda _: pytest.fail("everything is looked at"))

    store.publish("digits", make_artifact(2))
    store.publish("cars", make_artifact(3))
    store.delete_task("pets")
    store.remove_label("birds", "stable")
    await journal_watch.look()

    assert set(registry.tasks) == {"birds", "cars", "digits"}
    assert registry.state("digits").serving["stable"].version == 2
    assert "stable" in registry.state("birds").serving
    await journal_watch.look()  # a label is gone when it was missed twice
    assert registry.state("birds").serving == {}


async def test_a_version_that_was_refused_is_tried_again_without_an_entry(
    journal_watch: Watch,
    registry: Registry,
    store: Store,
    make_artifact: MakeArtifact,
    store_folder: Path,
) -> None:
    store.publish("digits", make_artifact(1))
    await journal_watch.look()
    store.publish("digits", make_artifact(2), label=None)
    tensors = store_folder / "digits" / "2" / "adapter_model.safetensors"
    whole = tensors.read_bytes()
    tensors.write_bytes(b"")
    store.set_label("digits", "stable", 2)
    await journal_watch.look()
    assert registry.state("digits").serving["stable"].version == 1
    assert set(registry.state("digits").refusals) == {2}

    tensors.write_bytes(whole)
    await journal_watch.look()
    assert registry.state("digits").serving["stable"].version == 2
    assert registry.state("digits").refusals == {}


async def test_a_task_that_was_changed_here_is_looked_at_beside_the_other_looks(
    watch: Watch, registry: Registry, loader: Executor, store: Store, make_artifact: MakeArtifact
) -> None:
    for task in ("digits", "other"):
        store.publish(task, make_artifact(1))

    await watch.look_at("digits", loader)

    assert set(registry.tasks) == {"digits"}
