"""How versions are read: once for all who wait, refused, anew once they changed, and not for ever."""

import asyncio
import os
import shutil
import threading
from concurrent.futures import Executor
from pathlib import Path

import pytest

from adapters.bank.bank import AdapterBank
from adapters.errors import TaskNotFound
from adapters.store.artifact import TENSORS_FILE, Artifact
from adapters.store.store import Store
from service.errors import AdapterUnavailable
from service.metrics import Metrics
from service.residents.preload import Preload
from service.residents.registry import Registry
from service.residents.residency import Residency
from service.residents.storage_threads import StorageThreads
from tests.support.artifacts import MakeArtifact
from tests.support.followed_store import Follower, flip_a_bit

pytestmark = pytest.mark.anyio


async def test_a_bad_version_is_refused_and_the_old_one_stays(
    follower: Follower, make_artifact: MakeArtifact, store_folder: Path
) -> None:
    follower.store.publish("digits", make_artifact(1))
    await follower.follow()
    follower.store.publish("digits", make_artifact(2))
    flip_a_bit(store_folder, "digits", 2)
    await follower.follow()

    assert (await follower.ask("digits")).version == 1
    assert "SHA-256" in follower.registry.state("digits").refusals[2].error
    assert follower.value("dvpt_refused_adapters") == 1
    with pytest.raises(AdapterUnavailable, match="SHA-256"):
        await follower.ask("digits", version=2)


async def test_a_bad_version_is_not_read_again_and_again(
    follower: Follower, make_artifact: MakeArtifact, store_folder: Path
) -> None:
    follower.store.publish("digits", make_artifact(1))
    flip_a_bit(store_folder, "digits", 1)
    for _ in range(5):
        await follower.follow()

    assert follower.registry.state("digits").refusals[1].attempts == 1
    with pytest.raises(AdapterUnavailable):
        await follower.ask("digits")


async def test_a_mended_version_is_taken_at_once(
    follower: Follower, make_artifact: MakeArtifact, store_folder: Path
) -> None:
    follower.store.publish("digits", make_artifact(1))
    flip_a_bit(store_folder, "digits", 1)
    await follower.follow()
    flip_a_bit(store_folder, "digits", 1)
    await follower.follow()

    assert (await follower.ask("digits")).version == 1
    assert follower.registry.state("digits").refusals == {}


async def test_a_refusal_is_forgotten_when_nobody_has_asked_in_a_while(
    follower: Follower, make_artifact: MakeArtifact, store_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lazy = follower.lazy()
    lazy.store.publish("digits", make_artifact(1))
    flip_a_bit(store_folder, "digits", 1)
    await lazy.follow()
    for _ in range(2):
        with pytest.raises(AdapterUnavailable, match="SHA-256"):
            await lazy.ask("digits")
    await lazy.registry.follow_some({})
    assert lazy.registry.state("digits").refusals[1].attempts == 1
    assert lazy.value("dvpt_refused_adapters") == 1
    monkeypatch.setattr("service.residents.refusals.REMEMBERED_S", -10.0)
    await lazy.registry.follow_some({})
    assert lazy.registry.state("digits").refusals == {}
    assert lazy.value("dvpt_refused_adapters") == 0


async def test_a_refused_version_that_was_deleted_is_no_longer_told(
    follower: Follower, make_artifact: MakeArtifact, store_folder: Path
) -> None:
    for seed in (1, 2):
        follower.store.publish("digits", make_artifact(seed))
    flip_a_bit(store_folder, "digits", 2)
    await follower.follow()
    follower.store.rollback("digits")
    follower.store.delete_version("digits", 2)
    await follower.follow()

    assert follower.registry.state("digits").refusals == {}
    assert follower.value("dvpt_refused_adapters") == 0


async def test_one_load_serves_all_that_wait_for_it(follower: Follower, make_artifact: MakeArtifact) -> None:
    for seed in (1, 2):
        follower.store.publish("digits", make_artifact(seed))
    await follower.follow()

    leases = await asyncio.gather(*(follower.ask("digits", version=1) for _ in range(10)))

    assert {lease.version for lease in leases} == {1}
    assert follower.value("dvpt_adapter_load_seconds_count") == 2


async def test_many_that_ask_for_a_cold_task_at_once_share_one_load(
    follower: Follower, make_artifact: MakeArtifact
) -> None:
    lazy = follower.lazy()
    lazy.store.publish("digits", make_artifact(1))
    await lazy.follow()
    leases = await asyncio.gather(*(lazy.ask("digits") for _ in range(20)))
    assert all(lease.cold for lease in leases)
    assert lazy.loads() == {"request": 1}


async def test_a_request_that_waits_for_its_adapter_can_be_told_from_one_that_waits_otherwise(
    follower: Follower, make_artifact: MakeArtifact, store_folder: Path
) -> None:
    lazy = follower.lazy()
    for seed in range(2):
        lazy.store.publish("digits", make_artifact(seed))
    await lazy.follow()
    await lazy.ask("digits", version=2)
    tensors = store_folder / "digits" / "1" / TENSORS_FILE
    tensors.rename(tensors.with_name("tensors"))
    os.mkfifo(tensors)
    asking = asyncio.create_task(lazy.ask("digits", version=1))
    for _ in range(6000):
        if lazy.registry.loading("digits", 1, None):
            break
        await asyncio.sleep(0.01)
    assert not lazy.registry.loading("digits", None, None)
    assert not lazy.registry.loading("digits", 2, None)
    assert not lazy.registry.loading("pets", None, None)
    await asyncio.to_thread(tensors.write_bytes, tensors.with_name("tensors").read_bytes())
    assert (await asking).version == 1
    assert not lazy.registry.loading("digits", 1, None)


async def test_a_version_that_cannot_be_found_just_now_is_unavailable_and_not_unknown(
    follower: Follower, make_artifact: MakeArtifact, store_folder: Path
) -> None:
    for seed in (1, 2):
        follower.store.publish("digits", make_artifact(seed))
    await follower.follow()
    away = store_folder.with_name("away")
    store_folder.rename(away)  # noqa: ASYNC240 - nothing else runs
    with pytest.raises(AdapterUnavailable, match=r"version 1 .* cannot be read from the store now"):
        await follower.ask("digits", version=1)
    away.rename(store_folder)

    assert (await follower.ask("digits", version=1)).version == 1


async def test_an_adapter_whose_task_goes_while_it_comes_in_leaves_nothing_behind(
    follower: Follower, make_artifact: MakeArtifact, loader: Executor
) -> None:
    follower.store.publish("digits", make_artifact(1), label=None)
    await follower.follow()
    may_load = threading.Event()
    for _ in range(2):
        loader.submit(may_load.wait, 60)
    asking = asyncio.create_task(follower.ask("digits", version=1))
    await asyncio.sleep(0)
    await follower.registry.follow({})
    may_load.set()

    with pytest.raises(TaskNotFound):
        await asking
    await follower.residency.close()
    assert follower.bank.slots == frozenset()


async def test_reads_that_hang_hold_up_nobody_else(
    store: Store,
    residency: Residency,
    bank: AdapterBank,
    metrics: Metrics,
    make_artifact: MakeArtifact,
    store_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A pipe without a writer hangs whoever opens it, as a file on a dead share does."""
    monkeypatch.setattr("service.residents.version_reads.PATIENCE_S", 0.05)
    monkeypatch.setattr("service.residents.storage_threads.SLOW_AFTER_S", 0.05)
    threads = StorageThreads(8, "loader")
    registry = Registry(store, residency, loader=threads, metrics=metrics, preload=Preload(("*",)))
    follower = Follower(store, bank, residency, registry, metrics)
    pipes = []
    for task in ("a", "b", "c", "z"):
        store.publish(task, make_artifact(1))
        if task != "z":
            pipes.append(store_folder / task / "1" / TENSORS_FILE)
            pipes[-1].rename(pipes[-1].with_name("tensors"))
            os.mkfifo(pipes[-1])
    for _ in range(3):
        await asyncio.wait_for(follower.follow(), timeout=60)
    assert (await follower.ask("z")).version == 1
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(follower.ask("a"), timeout=0.2)
    assert follower.value("dvpt_slow_store_reads") == 3
    assert [record.message for record in caplog.records].count("store_slow") == 3
    assert sum(thread.name.startswith("loader") for thread in threading.enumerate()) <= 8

    for pipe in pipes:
        tensors = await asyncio.to_thread(pipe.with_name("tensors").read_bytes)
        await asyncio.to_thread(pipe.write_bytes, tensors)  # what hung goes on
    for task in ("a", "b", "c"):
        assert (await asyncio.wait_for(follower.ask(task), timeout=60)).version == 1
    for _ in range(6000):
        if not follower.value("dvpt_slow_store_reads"):
            break
        await asyncio.sleep(0.01)
    assert follower.value("dvpt_slow_store_reads") == 0
    threads.shutdown()


def restore(store: Store, store_folder: Path, artifact: Artifact) -> None:
    """Put another adapter under a version's number, as a restore from another store's backup does."""
    other = Store.create(store_folder.with_name("other"), store.backbone)
    other.publish("digits", artifact)
    shutil.rmtree(store_folder / "digits" / "1")
    shutil.copytree(store_folder.with_name("other") / "digits" / "1", store_folder / "digits" / "1")


async def test_what_changed_under_the_same_number_is_read_anew(
    follower: Follower,
    make_artifact: MakeArtifact,
    store_folder: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    follower.store.publish("digits", make_artifact(1))
    await follower.follow()
    async with follower.registry.lease("digits", None, None) as before:
        restore(follower.store, store_folder, make_artifact(2))
        await follower.follow()
        after = await follower.ask("digits")
        assert before.slot in follower.bank.slots
    await follower.residency.close()

    assert after.config == follower.store.config("digits", 1) != before.config
    assert after.slot != before.slot
    assert (await follower.ask("digits", version=1)).config == after.config
    assert len(follower.bank.slots) == 1
    assert [record.message for record in caplog.records].count("adapter_changed") == 1
    assert follower.value("dvpt_host_adapters") == 0


async def test_files_that_hold_what_they_held_change_nothing(
    follower: Follower, make_artifact: MakeArtifact, store_folder: Path
) -> None:
    follower.store.publish("digits", make_artifact(1))
    await follower.follow()
    before = dict(follower.registry.state("digits").residents)
    for _ in range(2):
        folder = store_folder / "digits" / "1"
        shutil.copytree(folder, store_folder / "digits" / "copy")
        shutil.rmtree(folder)
        (store_folder / "digits" / "copy").rename(folder)
        await follower.follow()
    loads = follower.value("dvpt_adapter_load_seconds_count")
    await follower.follow()

    assert follower.registry.state("digits").residents == before
    assert follower.value("dvpt_adapter_load_seconds_count") == loads == 1
    assert not follower.registry.state("digits").changed


async def test_what_changed_to_something_unusable_is_told_and_the_old_one_serves_on(
    follower: Follower, make_artifact: MakeArtifact, store_folder: Path
) -> None:
    follower.store.publish("digits", make_artifact(1))
    await follower.follow()
    before = await follower.ask("digits")
    restore(follower.store, store_folder, make_artifact(2))
    flip_a_bit(store_folder, "digits", 1)
    await follower.follow()

    assert (await follower.ask("digits")).config == before.config
    assert "SHA-256" in follower.registry.state("digits").refusals[1].error
    flip_a_bit(store_folder, "digits", 1)
    await follower.follow()
    assert (await follower.ask("digits")).config == follower.store.config("digits", 1) != before.config
    assert follower.registry.state("digits").refusals == {}
