import asyncio
import os
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import pytest

from adapters.bank.bank import AdapterBank
from adapters.errors import LabelNotFound, StoreConflict, TaskNotFound, VersionNotFound
from adapters.store.artifact import TENSORS_FILE, Artifact
from adapters.store.label_rules import LabelThresholds
from adapters.store.label_thresholds import rule_thresholds
from adapters.store.store import Store
from service.errors import AdapterUnavailable
from service.metrics import Metrics
from service.residents.host_memory import HostMemory
from service.residents.preload import Preload
from service.residents.registry import Lease, Registry
from service.residents.residency import Residency
from service.residents.storage_threads import StorageThreads
from service.residents.version_reads import LOADS_AT_ONCE

pytestmark = pytest.mark.anyio
MakeArtifact = Callable[..., Artifact]


@dataclass
class Follower:
    """A registry over a real store and bank, without an engine."""

    store: Store
    bank: AdapterBank
    residency: Residency
    registry: Registry
    metrics: Metrics

    async def follow(self) -> None:
        await self.registry.follow(self.store.records())
        await self.residency.close()

    async def ask(self, task: str, version: int | None = None, label: str | None = None) -> Lease:
        async with self.registry.lease(task, version, label) as lease:
            assert lease.slot in self.bank.slots
            return lease

    def lazy(self, preload: Preload | None = None) -> "Follower":
        """As this one, but nothing is loaded before somebody asks, or what `preload` says."""
        registry = Registry(
            self.store, self.residency, loader=ThreadPoolExecutor(2), metrics=self.metrics, preload=preload
        )
        return Follower(self.store, self.bank, self.residency, registry, self.metrics)

    def places(self) -> dict[str, str]:
        """Of each task with something in memory: whether its stable version is in a slot or on the host."""
        states = {task: self.registry.state(task) for task in self.registry.tasks}
        return {
            task: "slot" if state.serving["stable"].slot else "host"
            for task, state in states.items()
            if "stable" in state.serving
        }

    def loads(self) -> dict[str, float]:
        """How many versions were loaded, by cause."""
        samples = {
            cause: self.metrics.registry.get_sample_value(
                "dvpt_adapter_loads_total", {"outcome": "ok", "cause": cause}
            )
            for cause in ("request", "preload", "publish", "change")
        }
        return {cause: value for cause, value in samples.items() if value}

    def value(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(name)


@pytest.fixture
def follower(
    store: Store, bank: AdapterBank, residency: Residency, registry: Registry, metrics: Metrics
) -> Follower:
    return Follower(store, bank, residency, registry, metrics)


def flip_a_bit(store_folder: Path, task: str, version: int) -> Path:
    path = store_folder / task / str(version) / TENSORS_FILE
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    return path


async def test_an_empty_store_has_no_tasks(follower: Follower) -> None:
    await follower.follow()

    with pytest.raises(TaskNotFound):
        await follower.ask("digits")


async def test_stable_answers_by_default(follower: Follower, make_artifact: MakeArtifact) -> None:
    artifact = make_artifact(1)
    follower.store.publish("digits", artifact)
    await follower.follow()

    lease = await follower.ask("digits")

    assert (lease.task, lease.version) == ("digits", 1)
    assert lease.config == follower.store.config("digits", 1)


async def test_a_published_version_is_swapped_in_and_the_old_slot_freed(
    follower: Follower, make_artifact: MakeArtifact
) -> None:
    follower.store.publish("digits", make_artifact(1))
    await follower.follow()
    follower.store.publish("digits", make_artifact(2))
    await follower.follow()

    assert (await follower.ask("digits")).version == 2
    assert len(follower.bank.slots) == 1
    assert follower.value("dvpt_serving_changes_total") == 1


async def test_a_lease_outlives_the_swap(follower: Follower, make_artifact: MakeArtifact) -> None:
    follower.store.publish("digits", make_artifact(1))
    await follower.follow()
    async with follower.registry.lease("digits", None, None) as lease:
        follower.store.publish("digits", make_artifact(2))
        await follower.follow()
        assert lease.slot in follower.bank.slots
        assert (await follower.ask("digits")).version == 2
    await follower.residency.close()

    assert lease.slot not in follower.bank.slots


async def test_rolling_back_brings_the_old_version_back(
    follower: Follower, make_artifact: MakeArtifact
) -> None:
    for seed in (1, 2):
        follower.store.publish("digits", make_artifact(seed))
    await follower.follow()
    follower.store.rollback("digits")
    await follower.follow()

    assert (await follower.ask("digits")).version == 1


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


async def test_versions_and_labels_are_loaded_on_demand(
    follower: Follower, make_artifact: MakeArtifact
) -> None:
    for seed in (1, 2, 3):
        follower.store.publish("digits", make_artifact(seed))
    follower.store.set_label("digits", "canary", 1)
    await follower.follow()
    assert len(follower.bank.slots) == 1

    assert (await follower.ask("digits", version=2)).version == 2
    assert (await follower.ask("digits", label="canary")).version == 1


async def test_a_label_in_use_follows_the_store(follower: Follower, make_artifact: MakeArtifact) -> None:
    for seed in (1, 2):
        follower.store.publish("digits", make_artifact(seed))
    follower.store.set_label("digits", "canary", 1)
    await follower.follow()
    await follower.ask("digits", label="canary")
    follower.store.set_label("digits", "canary", 2)
    await follower.follow()

    assert (await follower.ask("digits", label="canary")).version == 2
    assert len(follower.bank.slots) == 1


async def test_one_load_serves_all_that_wait_for_it(follower: Follower, make_artifact: MakeArtifact) -> None:
    for seed in (1, 2):
        follower.store.publish("digits", make_artifact(seed))
    await follower.follow()

    leases = await asyncio.gather(*(follower.ask("digits", version=1) for _ in range(10)))

    assert {lease.version for lease in leases} == {1}
    assert follower.value("dvpt_adapter_load_seconds_count") == 2


async def test_a_task_that_nobody_asked_for_costs_its_record_only(
    follower: Follower, make_artifact: MakeArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    lazy = follower.lazy()
    for task in ("birds", "digits", "pets"):
        lazy.store.publish(task, make_artifact(1))
    with monkeypatch.context() as patch:
        patch.setattr(Store, "load", lambda *_, **__: pytest.fail("an adapter is read"))
        await lazy.follow()
    assert (lazy.value("dvpt_tasks"), lazy.value("dvpt_adapters"), lazy.loads()) == (3, 3, {})
    assert lazy.bank.slots == frozenset()

    async with lazy.registry.lease("digits", None, None) as first:
        assert first.cold
    async with lazy.registry.lease("digits", None, None) as second:
        assert not second.cold
    assert (lazy.places(), lazy.loads()) == ({"digits": "slot"}, {"request": 1})


async def test_a_new_version_of_a_task_in_use_is_there_before_it_is_asked_for(
    follower: Follower, make_artifact: MakeArtifact
) -> None:
    lazy = follower.lazy()
    for task in ("digits", "pets"):
        lazy.store.publish(task, make_artifact(1))
    await lazy.follow()
    await lazy.ask("digits")
    for task in ("digits", "pets"):
        lazy.store.publish(task, make_artifact(2))
    await lazy.follow()

    async with lazy.registry.lease("digits", None, None) as lease:
        assert (lease.version, lease.cold) == (2, False)
    assert lazy.loads() == {"request": 1, "publish": 1}
    assert (await lazy.ask("pets")).version == 2


async def test_many_that_ask_for_a_cold_task_at_once_share_one_load(
    follower: Follower, make_artifact: MakeArtifact
) -> None:
    lazy = follower.lazy()
    lazy.store.publish("digits", make_artifact(1))
    await lazy.follow()
    leases = await asyncio.gather(*(lazy.ask("digits") for _ in range(20)))
    assert all(lease.cold for lease in leases)
    assert lazy.loads() == {"request": 1}


async def test_patterns_and_labels_say_what_is_loaded_before_anybody_asks(
    follower: Follower, make_artifact: MakeArtifact
) -> None:
    lazy = follower.lazy(Preload(tasks=("bird*",), pins=("digits",)))
    for task in ("birds", "digits", "labelled", "other", "unlabelled"):
        for seed in range(2):
            lazy.store.publish(task, make_artifact(seed))
    lazy.store.set_label("labelled", "preload", 1)
    await lazy.follow()
    assert set(lazy.places()) == {"birds", "digits", "labelled"}
    assert set(lazy.registry.state("labelled").residents) == {1, 2}

    lazy.store.set_label("other", "pinned", 2)
    await lazy.follow()
    assert lazy.registry.state("other").serving["pinned"].pinned
    lazy.store.remove_label("other", "pinned")
    await lazy.follow()
    assert not lazy.registry.state("other").residents[2].pinned


async def test_the_least_recently_used_leave_host_memory_for_the_store(
    follower: Follower, make_artifact: MakeArtifact, host: HostMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.residents.host_memory.JUST_LOADED_S", 0.0)
    lazy, tasks = follower.lazy(), [f"task{number}" for number in range(8)]
    for number, task in enumerate(tasks):
        lazy.store.publish(task, make_artifact(number))
    await lazy.follow()
    size = sum(tensor.nbytes for tensor in make_artifact(0).tensors.values())
    monkeypatch.setattr(host, "_limit_bytes", 2 * size)
    for task in tasks:
        await lazy.ask(task)

    on_host, in_slots = ["task3", "task4"], ["task5", "task6", "task7"]
    assert lazy.places() == dict.fromkeys(on_host, "host") | dict.fromkeys(in_slots, "slot")
    assert (lazy.value("dvpt_host_adapters"), lazy.value("dvpt_host_bytes")) == (2, 2 * size)
    left = {"place": "host"}
    assert lazy.metrics.registry.get_sample_value("dvpt_eviction_age_seconds_count", left) == 3
    assert (await lazy.ask("task0")).version == 1
    assert lazy.loads() == {"request": 9}
    leases = await asyncio.gather(*(lazy.ask(f"task{number % 8}") for number in range(80)))
    assert [lease.task for lease in leases] == [f"task{number % 8}" for number in range(80)]
    assert host.bytes <= 2 * size


async def test_what_was_just_loaded_is_not_thrown_out_first(
    follower: Follower, make_artifact: MakeArtifact, host: HostMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    lazy = follower.lazy()
    for number in range(6):
        lazy.store.publish(f"task{number}", make_artifact(number))
    await lazy.follow()
    for number in range(5):
        await lazy.ask(f"task{number}")
    now_s = monotonic()
    residents = [lazy.registry.state(f"task{number}").residents[1] for number in range(5)]
    for number in (1, 2, 3, 4):
        residents[number].loaded_s = now_s - 60
    monkeypatch.setattr(host, "_limit_bytes", host.bytes)
    await lazy.ask("task5")

    assert "task0" in lazy.places()
    assert "task1" not in lazy.places()


async def test_what_is_pinned_stays_where_it_is(
    follower: Follower, make_artifact: MakeArtifact, host: HostMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.residents.host_memory.JUST_LOADED_S", 0.0)
    monkeypatch.setattr(host, "_limit_bytes", 0)
    lazy = follower.lazy(Preload(pins=("pets", "task0")))
    for task in ("pets", *(f"task{number}" for number in range(6))):
        lazy.store.publish(task, make_artifact(1))
    await lazy.follow()
    for _ in range(2):
        for number in range(6):
            await lazy.ask(f"task{number}")
        assert lazy.places() == {"pets": "slot", "task0": "slot", "task5": "slot"}


async def test_an_unloaded_task_leaves_memory_after_its_leases_and_answers_when_asked(
    follower: Follower, make_artifact: MakeArtifact
) -> None:
    lazy = follower.lazy()
    for task in ("digits", "pets"):
        lazy.store.publish(task, make_artifact(1))
        lazy.store.publish(task, make_artifact(2))
    await lazy.follow()
    await lazy.ask("digits", 1)
    await lazy.ask("pets")
    async with lazy.registry.lease("digits", None, None) as lease:
        lazy.registry.unload("digits")
        await lazy.residency.close()
        assert lease.slot in lazy.bank.slots
        assert len(lazy.bank.slots) == 2  # this one and the other task's
    await lazy.follow()
    assert lazy.places() == {"pets": "slot"}
    assert len(lazy.bank.slots) == 1
    lazy.registry.unload("digits")  # nothing is left to do

    assert (await lazy.ask("digits")).version == 2
    with pytest.raises(TaskNotFound):
        lazy.registry.unload("none")


async def test_what_is_wanted_or_stands_in_for_another_is_not_unloaded(
    follower: Follower, make_artifact: MakeArtifact, store_folder: Path
) -> None:
    lazy = follower.lazy(Preload(("cats",), pins=("pets",)))
    for task in ("digits", "pets", "cats"):
        lazy.store.publish(task, make_artifact(1))
    await lazy.follow()
    await lazy.ask("digits")
    lazy.store.publish("digits", make_artifact(9))
    flip_a_bit(store_folder, "digits", 2)
    await lazy.follow()

    for task in ("pets", "cats"):
        with pytest.raises(StoreConflict, match=f"task '{task}' is to be in memory"):
            lazy.registry.unload(task)
    with pytest.raises(StoreConflict, match="the store might not give it again"):
        lazy.registry.unload("digits")
    assert lazy.places() == {"digits": "slot", "pets": "slot", "cats": "slot"}


async def test_more_pins_than_slots_all_answer(
    follower: Follower, make_artifact: MakeArtifact, host: HostMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.residents.residency.TURN_S", 0.01)
    monkeypatch.setattr(host, "_limit_bytes", 0)
    pinned = follower.lazy(Preload(pins=("*",)))
    for number in range(5):
        pinned.store.publish(f"task{number}", make_artifact(number))
    await pinned.follow()
    for number in range(5):
        await asyncio.wait_for(pinned.ask(f"task{number}"), timeout=60)
    assert pinned.loads() == {"preload": 5}


async def test_what_answers_in_place_of_a_refused_version_does_not_leave(
    follower: Follower,
    make_artifact: MakeArtifact,
    host: HostMemory,
    store_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("service.residents.host_memory.JUST_LOADED_S", 0.0)
    monkeypatch.setattr(host, "_limit_bytes", 0)
    lazy = follower.lazy()
    for number in range(5):
        lazy.store.publish(f"task{number}", make_artifact(number))
    await lazy.follow()
    await lazy.ask("task0")
    lazy.store.publish("task0", make_artifact(9))
    flip_a_bit(store_folder, "task0", 2)
    await lazy.follow()
    for number in range(1, 5):
        await lazy.ask(f"task{number}")

    assert lazy.places()["task0"] == "host"
    assert (await lazy.ask("task0")).version == 1


async def test_a_preload_ends_where_host_memory_is_full(
    follower: Follower, make_artifact: MakeArtifact, host: HostMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = sum(tensor.nbytes for tensor in make_artifact(0).tensors.values())
    monkeypatch.setattr(host, "_limit_bytes", 2 * size)
    lazy = follower.lazy(Preload(tasks=("*",)))
    for number in range(20):
        lazy.store.publish(f"task{number:02d}", make_artifact(number))
    for _ in range(3):
        await lazy.follow()
    loaded = lazy.loads()["preload"]
    assert 5 <= loaded < 5 + LOADS_AT_ONCE
    assert (await lazy.ask("task19")).version == 1


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


async def test_what_is_not_there_is_named(follower: Follower, make_artifact: MakeArtifact) -> None:
    follower.store.publish("digits", make_artifact(1))
    await follower.follow()

    with pytest.raises(VersionNotFound, match=r"^task 'digits' has no version 7; it has: 1$"):
        await follower.ask("digits", version=7)
    with pytest.raises(LabelNotFound, match=r"^task 'digits' has no label 'canary'; it has: stable$"):
        await follower.ask("digits", label="canary")
    with pytest.raises(TaskNotFound, match=r"^there is no task 'pets'$"):
        await follower.ask("pets")


async def test_a_version_is_there_from_the_next_look_on(
    follower: Follower, make_artifact: MakeArtifact
) -> None:
    follower.store.publish("digits", make_artifact(1))
    await follower.follow()
    follower.store.publish("digits", make_artifact(2))
    with pytest.raises(VersionNotFound, match=r"it has: 1$"):
        await follower.ask("digits", version=2)
    await follower.follow()

    assert (await follower.ask("digits", version=2)).version == 2


async def test_a_label_that_cannot_be_read_is_told_to_who_asks_for_it(
    follower: Follower, make_artifact: MakeArtifact, store_folder: Path
) -> None:
    follower.store.publish("digits", make_artifact(1))
    (store_folder / "digits" / "labels" / "stable").write_text("half a fi")
    await follower.follow()

    told = "^task 'digits' has no label 'stable'; it has: none; label 'stable' of 'digits'"
    with pytest.raises(LabelNotFound, match=told):
        await follower.ask("digits")


async def test_a_removed_label_stops_answering(follower: Follower, make_artifact: MakeArtifact) -> None:
    follower.store.publish("digits", make_artifact(1))
    await follower.follow()
    follower.store.remove_label("digits", "stable")
    await follower.follow()

    with pytest.raises(LabelNotFound):
        await follower.ask("digits")


async def test_a_label_that_cannot_be_read_keeps_answering(
    follower: Follower, make_artifact: MakeArtifact, store_folder: Path
) -> None:
    follower.store.publish("digits", make_artifact(1))
    await follower.follow()
    (store_folder / "digits" / "labels" / "stable").write_text("half a fi")
    await follower.follow()

    assert (await follower.ask("digits")).version == 1


async def test_a_deleted_task_is_gone_and_its_memory_freed(
    follower: Follower, make_artifact: MakeArtifact
) -> None:
    follower.store.publish("digits", make_artifact(1))
    follower.store.publish("pets", make_artifact(2))
    await follower.follow()
    follower.store.delete_task("digits")
    await follower.follow()

    with pytest.raises(TaskNotFound):
        await follower.ask("digits")
    assert len(follower.bank.slots) == 1


async def test_a_deleted_version_leaves_memory(follower: Follower, make_artifact: MakeArtifact) -> None:
    for seed in (1, 2):
        follower.store.publish("digits", make_artifact(seed))
    await follower.follow()
    await follower.ask("digits", version=1)
    follower.store.delete_version("digits", 1)
    await follower.follow()

    assert len(follower.bank.slots) == 1
    with pytest.raises(VersionNotFound):
        await follower.ask("digits", version=1)


async def test_more_tasks_than_slots_all_answer(follower: Follower, make_artifact: MakeArtifact) -> None:
    for index in range(7):
        follower.store.publish(f"task{index}", make_artifact(index))
    await follower.follow()

    leases = await asyncio.gather(*(follower.ask(f"task{index % 7}") for index in range(70)))

    assert len(leases) == 70
    assert len(follower.bank.slots) == 3


async def test_all_slots_leased_makes_the_next_request_wait(
    follower: Follower, make_artifact: MakeArtifact
) -> None:
    for index in range(4):
        follower.store.publish(f"task{index}", make_artifact(index))
    await follower.follow()
    async with AsyncExitStack() as leases:
        for index in range(3):
            await leases.enter_async_context(follower.registry.lease(f"task{index}", None, None))
        waiting = asyncio.create_task(follower.ask("task3"))
        await asyncio.sleep(0.05)
        assert not waiting.done()

    assert (await waiting).version == 1


async def test_a_version_that_still_serves_for_another_label_stays(
    follower: Follower, make_artifact: MakeArtifact, store_folder: Path
) -> None:
    follower.store.publish("digits", make_artifact(1))
    follower.store.set_label("digits", "canary", 1)
    await follower.follow()
    await follower.ask("digits", label="canary")
    for seed in (2, 3):
        follower.store.publish("digits", make_artifact(seed))
    follower.store.set_label("digits", "canary", 2)
    flip_a_bit(store_folder, "digits", 2)
    await follower.follow()

    assert (await follower.ask("digits")).version == 3
    assert (await follower.ask("digits", label="canary")).version == 1


async def test_versions_that_the_store_still_has_stay_in_memory(
    follower: Follower, make_artifact: MakeArtifact
) -> None:
    for seed in (1, 2):
        follower.store.publish("digits", make_artifact(seed))
    follower.store.set_label("digits", "canary", 2)
    await follower.follow()
    await follower.ask("digits", version=1)
    follower.store.publish("digits", make_artifact(3))
    await follower.follow()

    # 1 was asked for, 2 has a label that nobody has asked for yet, 3 serves.
    assert set(follower.registry.state("digits").residents) == {1, 2, 3}
    assert follower.loads() == {"request": 1, "preload": 1, "publish": 1}


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


async def test_a_deleted_task_leaves_no_series(follower: Follower, make_artifact: MakeArtifact) -> None:
    follower.store.publish("digits", make_artifact(1))
    await follower.follow()
    follower.metrics.pictures.labels("digits").inc()
    follower.store.delete_task("digits")
    await follower.follow()

    assert follower.metrics.registry.get_sample_value("dvpt_pictures_total", {"task": "digits"}) is None


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


async def test_a_lease_has_the_thresholds_of_the_label_it_was_taken_by(
    follower: Follower, make_artifact: MakeArtifact
) -> None:
    follower.store.publish("digits", make_artifact(1))
    follower.store.set_label("digits", "canary", 1)
    ruled = LabelThresholds(default=0.9)
    rule_thresholds(follower.store, "digits", "canary", ruled)
    await follower.follow()

    leases = [
        await follower.ask("digits", label="canary"),
        await follower.ask("digits"),
        await follower.ask("digits", version=1),
    ]

    assert [(lease.label, lease.thresholds) for lease in leases] == [
        ("canary", ruled), ("stable", None), (None, None),
    ]  # fmt: skip
    assert [lease.verdict(0, 0.5) for lease in leases] == ["below_threshold", None, None]
