import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from adapters.bank.bank import AdapterBank
from adapters.errors import LabelNotFound, TaskNotFound, VersionNotFound
from adapters.kinds.layout import Layout, Slot
from adapters.store.artifact import TENSORS_FILE, Artifact
from adapters.store.store import Store
from service.errors import AdapterUnavailable
from service.metrics import Metrics
from service.residents.registry import Lease, Registry
from service.residents.residency import Residency

pytestmark = pytest.mark.anyio
MakeArtifact = Callable[..., Artifact]


@dataclass
class Desk:
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

    def value(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(name)


@pytest.fixture
async def desk(store: Store) -> AsyncIterator[Desk]:
    async def at_once(*_: Layout | Slot) -> None:
        pass

    metrics = Metrics()
    bank = AdapterBank(store.backbone, device=torch.device("cpu"), dtype=torch.float32, slots_per_layout=3)
    with ThreadPoolExecutor(2) as loader:
        residency = Residency(
            bank,
            loader=loader,
            warm=at_once,
            settled=at_once,
            metrics=metrics,
        )
        yield Desk(
            store, bank, residency, Registry(store, residency, loader=loader, metrics=metrics), metrics
        )
        await residency.close()


def flip_a_bit(store_folder: Path, task: str, version: int) -> Path:
    path = store_folder / task / str(version) / TENSORS_FILE
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    return path


async def test_an_empty_store_has_no_tasks(desk: Desk) -> None:
    await desk.follow()

    with pytest.raises(TaskNotFound):
        await desk.ask("digits")


async def test_stable_answers_by_default(desk: Desk, make_artifact: MakeArtifact) -> None:
    artifact = make_artifact(1)
    desk.store.publish("digits", artifact)
    await desk.follow()

    lease = await desk.ask("digits")

    assert (lease.task, lease.version) == ("digits", 1)
    assert lease.config == desk.store.config("digits", 1)


async def test_a_published_version_is_swapped_in_and_the_old_slot_freed(
    desk: Desk, make_artifact: MakeArtifact
) -> None:
    desk.store.publish("digits", make_artifact(1))
    await desk.follow()
    desk.store.publish("digits", make_artifact(2))
    await desk.follow()

    assert (await desk.ask("digits")).version == 2
    assert len(desk.bank.slots) == 1
    assert desk.value("dvpt_route_swaps_total") == 1


async def test_a_lease_outlives_the_swap(desk: Desk, make_artifact: MakeArtifact) -> None:
    desk.store.publish("digits", make_artifact(1))
    await desk.follow()
    async with desk.registry.lease("digits", None, None) as lease:
        desk.store.publish("digits", make_artifact(2))
        await desk.follow()
        assert lease.slot in desk.bank.slots
        assert (await desk.ask("digits")).version == 2
    await desk.residency.close()

    assert lease.slot not in desk.bank.slots


async def test_rolling_back_brings_the_old_version_back(desk: Desk, make_artifact: MakeArtifact) -> None:
    for seed in (1, 2):
        desk.store.publish("digits", make_artifact(seed))
    await desk.follow()
    desk.store.rollback("digits")
    await desk.follow()

    assert (await desk.ask("digits")).version == 1


async def test_a_bad_version_is_refused_and_the_old_one_stays(
    desk: Desk, make_artifact: MakeArtifact, store_folder: Path
) -> None:
    desk.store.publish("digits", make_artifact(1))
    await desk.follow()
    desk.store.publish("digits", make_artifact(2))
    flip_a_bit(store_folder, "digits", 2)
    await desk.follow()

    assert (await desk.ask("digits")).version == 1
    assert "SHA-256" in desk.registry.state("digits").faults[2].error
    assert desk.value("dvpt_refused_adapters") == 1
    with pytest.raises(AdapterUnavailable, match="SHA-256"):
        await desk.ask("digits", version=2)


async def test_a_bad_version_is_not_read_again_and_again(
    desk: Desk, make_artifact: MakeArtifact, store_folder: Path
) -> None:
    desk.store.publish("digits", make_artifact(1))
    flip_a_bit(store_folder, "digits", 1)
    for _ in range(5):
        await desk.follow()

    assert desk.registry.state("digits").faults[1].attempts == 1
    with pytest.raises(AdapterUnavailable):
        await desk.ask("digits")


async def test_a_mended_version_is_taken_at_once(
    desk: Desk, make_artifact: MakeArtifact, store_folder: Path
) -> None:
    desk.store.publish("digits", make_artifact(1))
    flip_a_bit(store_folder, "digits", 1)
    await desk.follow()
    flip_a_bit(store_folder, "digits", 1)
    await desk.follow()

    assert (await desk.ask("digits")).version == 1
    assert desk.registry.state("digits").faults == {}


async def test_versions_and_labels_are_loaded_on_demand(desk: Desk, make_artifact: MakeArtifact) -> None:
    for seed in (1, 2, 3):
        desk.store.publish("digits", make_artifact(seed))
    desk.store.set_label("digits", "canary", 1)
    await desk.follow()
    assert len(desk.bank.slots) == 1

    assert (await desk.ask("digits", version=2)).version == 2
    assert (await desk.ask("digits", label="canary")).version == 1


async def test_a_label_in_use_follows_the_store(desk: Desk, make_artifact: MakeArtifact) -> None:
    for seed in (1, 2):
        desk.store.publish("digits", make_artifact(seed))
    desk.store.set_label("digits", "canary", 1)
    await desk.follow()
    await desk.ask("digits", label="canary")
    desk.store.set_label("digits", "canary", 2)
    await desk.follow()

    assert (await desk.ask("digits", label="canary")).version == 2
    assert len(desk.bank.slots) == 1


async def test_one_load_serves_all_that_wait_for_it(desk: Desk, make_artifact: MakeArtifact) -> None:
    for seed in (1, 2):
        desk.store.publish("digits", make_artifact(seed))
    await desk.follow()

    leases = await asyncio.gather(*(desk.ask("digits", version=1) for _ in range(10)))

    assert {lease.version for lease in leases} == {1}
    assert desk.value("dvpt_adapter_load_seconds_count") == 2


async def test_what_is_not_there_is_named(desk: Desk, make_artifact: MakeArtifact) -> None:
    desk.store.publish("digits", make_artifact(1))
    await desk.follow()

    with pytest.raises(VersionNotFound, match="has no version 7; it has: 1"):
        await desk.ask("digits", version=7)
    with pytest.raises(LabelNotFound, match="has no label 'canary'; it has: stable"):
        await desk.ask("digits", label="canary")


async def test_a_removed_label_stops_answering(desk: Desk, make_artifact: MakeArtifact) -> None:
    desk.store.publish("digits", make_artifact(1))
    await desk.follow()
    desk.store.remove_label("digits", "stable")
    await desk.follow()

    with pytest.raises(LabelNotFound):
        await desk.ask("digits")


async def test_a_label_that_cannot_be_read_keeps_answering(
    desk: Desk, make_artifact: MakeArtifact, store_folder: Path
) -> None:
    desk.store.publish("digits", make_artifact(1))
    await desk.follow()
    (store_folder / "digits" / "labels" / "stable").write_text("half a fi")
    await desk.follow()

    assert (await desk.ask("digits")).version == 1


async def test_a_deleted_task_is_gone_and_its_memory_freed(desk: Desk, make_artifact: MakeArtifact) -> None:
    desk.store.publish("digits", make_artifact(1))
    desk.store.publish("pets", make_artifact(2))
    await desk.follow()
    desk.store.delete_task("digits")
    await desk.follow()

    with pytest.raises(TaskNotFound):
        await desk.ask("digits")
    assert len(desk.bank.slots) == 1


async def test_a_deleted_version_leaves_memory(desk: Desk, make_artifact: MakeArtifact) -> None:
    for seed in (1, 2):
        desk.store.publish("digits", make_artifact(seed))
    await desk.follow()
    await desk.ask("digits", version=1)
    desk.store.delete_version("digits", 1)
    await desk.follow()

    assert len(desk.bank.slots) == 1
    with pytest.raises(VersionNotFound):
        await desk.ask("digits", version=1)


async def test_more_tasks_than_slots_all_answer(desk: Desk, make_artifact: MakeArtifact) -> None:
    for index in range(7):
        desk.store.publish(f"task{index}", make_artifact(index))
    await desk.follow()

    leases = await asyncio.gather(*(desk.ask(f"task{index % 7}") for index in range(70)))

    assert len(leases) == 70
    assert len(desk.bank.slots) == 3


async def test_all_slots_leased_makes_the_next_request_wait(desk: Desk, make_artifact: MakeArtifact) -> None:
    for index in range(4):
        desk.store.publish(f"task{index}", make_artifact(index))
    await desk.follow()
    async with AsyncExitStack() as leases:
        for index in range(3):
            await leases.enter_async_context(desk.registry.lease(f"task{index}", None, None))
        waiting = asyncio.create_task(desk.ask("task3"))
        await asyncio.sleep(0.05)
        assert not waiting.done()

    assert (await waiting).version == 1
