import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack

import pytest
import torch
from torch import Tensor

from adapters.bank.bank import AdapterBank
from adapters.kinds.adapter_config import AdapterConfig
from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.layout import Layout, Slot
from adapters.store.artifact import Artifact
from adapters.vit.backbone import Backbone
from service.metrics import Metrics
from service.residents.residency import Residency, Resident

pytestmark = pytest.mark.anyio
SLOTS = 2


class House:
    """A residency of two slots, whose engine the test plays."""

    def __init__(self, backbone: Backbone, loader: ThreadPoolExecutor) -> None:
        self.bank = AdapterBank(
            backbone.config, device=torch.device("cpu"), dtype=torch.float32, slots_per_layout=SLOTS
        )
        self.warmed: list[Layout] = []
        self.batch_ended = asyncio.Event()
        self.batch_ended.set()
        self.metrics = Metrics()
        self.may_warm = asyncio.Event()
        self.may_warm.set()
        self.warm_error: Exception | None = None
        self.residency = Residency(
            self.bank,
            loader=loader,
            warm=self.warm,
            settled=self.settled,
            metrics=self.metrics,
        )

    async def warm(self, layout: Layout) -> None:
        await self.may_warm.wait()
        if self.warm_error is not None:
            raise self.warm_error
        self.warmed.append(layout)

    async def settled(self) -> None:
        await self.batch_ended.wait()

    async def add(self, artifact: Artifact, task: str = "task") -> Resident:
        return await self.residency.add(task, 1, artifact)

    async def use(self, resident: Resident) -> None:
        async with self.residency.lease(resident):
            pass


@pytest.fixture
def house(backbone: Backbone) -> Iterator[House]:
    with ThreadPoolExecutor(2) as loader:
        yield House(backbone, loader)


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


async def tick() -> None:
    """Give tasks and the loader's threads time to come to rest."""
    for _ in range(20):
        await asyncio.sleep(0.001)


async def test_an_adapter_takes_a_slot_and_its_layout_is_warmed_once(
    house: House, make_artifact: Callable[..., Artifact]
) -> None:
    first, second = await house.add(make_artifact(1)), await house.add(make_artifact(2))

    assert first.slot != second.slot
    assert house.bank.slots == {first.slot, second.slot}
    assert house.warmed == [first.layout]


async def test_without_a_free_slot_an_adapter_waits_in_host_memory(
    house: House, make_artifact: Callable[..., Artifact]
) -> None:
    residents = [await house.add(make_artifact(seed)) for seed in range(3)]

    assert residents[2].slot is None
    async with house.residency.lease(residents[2]) as slot:
        assert slot in house.bank.slots


async def test_the_least_recently_used_makes_room(
    house: House, make_artifact: Callable[..., Artifact]
) -> None:
    recent, old, third = [await house.add(make_artifact(seed)) for seed in range(3)]
    await house.use(old)
    await house.use(recent)
    await house.use(third)

    assert old.slot is None
    assert recent.slot is not None
    assert third.slot is not None
    assert house.bank.slots == {recent.slot, third.slot}


async def test_what_is_in_a_slot_is_not_kept_on_the_host_as_well(
    house: House, make_artifact: Callable[..., Artifact]
) -> None:
    residents = [await house.add(make_artifact(seed)) for seed in range(3)]

    assert [len(resident.tensors) > 0 for resident in residents] == [False, False, True]


async def test_an_evicted_adapter_comes_back_as_it_was(
    house: House, make_artifact: Callable[..., Artifact]
) -> None:
    artifacts = [make_artifact(seed) for seed in range(3)]
    residents = [await house.add(artifact) for artifact in artifacts]
    await house.use(residents[2])

    assert residents[0].slot is None
    assert_same(residents[0].tensors, artifacts[0].tensors)
    await house.use(residents[0])
    assert residents[0].slot is not None
    assert_same(house.bank.read(residents[0].config, residents[0].slot), artifacts[0].tensors)


async def test_an_adapter_asked_for_while_it_is_leaving_stays(
    house: House, make_artifact: Callable[..., Artifact], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = [await house.add(make_artifact(seed)) for seed in range(3)]
    reading, may_read, read = threading.Event(), threading.Event(), house.bank.read

    def slow_read(config: AdapterConfig, slot: Slot) -> dict[str, Tensor]:
        reading.set()
        assert may_read.wait(60)
        return read(config, slot)

    monkeypatch.setattr(house.bank, "read", slow_read)
    arriving = asyncio.create_task(house.use(third))
    await asyncio.to_thread(reading.wait, 60)
    async with house.residency.lease(first) as slot:
        may_read.set()
        await arriving
        assert slot in house.bank.slots
        assert second.slot is None


async def test_an_adapter_retired_while_it_is_leaving_goes(
    house: House, make_artifact: Callable[..., Artifact], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = [await house.add(make_artifact(seed)) for seed in range(3)]
    read = house.bank.read
    loop = asyncio.get_running_loop()

    def retiring_read(config: AdapterConfig, slot: Slot) -> dict[str, Tensor]:
        if slot == first.slot:
            asyncio.run_coroutine_threadsafe(retire(first), loop).result(60)
        return read(config, slot)

    async def retire(resident: Resident) -> None:
        house.residency.retire(resident)

    monkeypatch.setattr(house.bank, "read", retiring_read)
    await house.use(third)
    await house.residency.close()

    assert first.slot is None
    assert len(first.tensors) == 0
    assert house.bank.slots == {resident.slot for resident in (second, third) if resident.slot}
    assert third.slot is not None


async def test_another_layout_has_slots_of_its_own(
    house: House, make_artifact: Callable[..., Artifact]
) -> None:
    residents = [await house.add(make_artifact(seed)) for seed in range(2)]
    other = await house.add(make_artifact(3, options=DvptOptions(count=1)))

    assert other.slot is not None
    assert all(resident.slot for resident in residents)


async def test_a_leased_adapter_is_never_evicted(
    house: House, make_artifact: Callable[..., Artifact]
) -> None:
    first, second, third = [await house.add(make_artifact(seed)) for seed in range(3)]
    async with AsyncExitStack() as leases:
        await leases.enter_async_context(house.residency.lease(first))
        async with house.residency.lease(second):
            waiting = asyncio.create_task(house.use(third))
            await tick()
            assert not waiting.done()
        await waiting
        assert first.slot is not None
        assert second.slot is None


async def test_many_requests_for_one_absent_adapter_bring_it_in_once(
    house: House, make_artifact: Callable[..., Artifact]
) -> None:
    residents = [await house.add(make_artifact(seed)) for seed in range(3)]

    await asyncio.gather(*(house.use(residents[2]) for _ in range(20)))

    assert house.metrics.registry.get_sample_value("dvpt_adapter_returns_total") == 1
    assert house.metrics.registry.get_sample_value("dvpt_adapter_evictions_total") == 1


async def test_a_request_that_gives_up_does_not_end_the_return_for_others(
    house: House, make_artifact: Callable[..., Artifact]
) -> None:
    residents = [await house.add(make_artifact(seed)) for seed in range(3)]
    house.batch_ended.clear()
    gives_up, stays = (asyncio.create_task(house.use(residents[2])) for _ in range(2))
    await tick()
    gives_up.cancel()
    await tick()
    house.batch_ended.set()

    await stays
    assert residents[2].slot is not None
    assert residents[2].leases == 0


async def test_a_slot_is_not_freed_while_the_batch_that_may_read_it_runs(
    house: House, make_artifact: Callable[..., Artifact]
) -> None:
    resident = await house.add(make_artifact(1))
    slot = resident.slot
    house.batch_ended.clear()

    house.residency.retire(resident)
    await tick()
    assert house.bank.slots == {slot}

    house.batch_ended.set()
    await house.residency.close()
    assert house.bank.slots == frozenset()


async def test_a_retired_adapter_stays_until_its_last_lease_ends(
    house: House, make_artifact: Callable[..., Artifact]
) -> None:
    resident = await house.add(make_artifact(1))
    async with house.residency.lease(resident) as slot:
        async with house.residency.lease(resident):
            house.residency.retire(resident)
        await tick()
        assert house.bank.slots == {slot}
    await house.residency.close()

    assert house.bank.slots == frozenset()
    assert house.metrics.registry.get_sample_value("dvpt_host_adapters") == 0


async def test_an_adapter_retired_on_its_way_in_still_answers_and_then_goes(
    house: House, make_artifact: Callable[..., Artifact]
) -> None:
    residents = [await house.add(make_artifact(seed)) for seed in range(3)]
    house.batch_ended.clear()
    request = asyncio.create_task(house.use(residents[2]))
    await tick()
    house.residency.retire(residents[2])
    house.batch_ended.set()

    await request
    await house.residency.close()
    assert len(house.bank.slots) == 1


async def test_an_adapter_whose_layout_cannot_be_warmed_leaves_nothing_behind(
    house: House, make_artifact: Callable[..., Artifact]
) -> None:
    house.warm_error = RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        await house.add(make_artifact(1))

    assert house.bank.slots == frozenset()
    assert house.metrics.registry.get_sample_value("dvpt_host_adapters") == 0


async def test_a_request_waits_for_the_adapters_that_are_just_being_warmed(
    house: House, make_artifact: Callable[..., Artifact]
) -> None:
    house.may_warm.clear()
    adding = [asyncio.create_task(house.add(make_artifact(seed))) for seed in range(SLOTS)]
    await tick()
    third = await house.add(make_artifact(3))
    waiting = asyncio.create_task(house.use(third))
    await tick()
    assert not waiting.done()
    house.may_warm.set()

    await asyncio.wait_for(asyncio.gather(waiting, *adding), timeout=60)
    assert third.slot is not None


async def test_many_adapters_take_turns_in_few_slots(
    house: House, make_artifact: Callable[..., Artifact]
) -> None:
    residents = [await house.add(make_artifact(seed)) for seed in range(6)]

    await asyncio.wait_for(
        asyncio.gather(*(house.use(resident) for _ in range(5) for resident in residents)), timeout=60
    )

    assert len(house.bank.slots) == SLOTS
    assert all(resident.leases == 0 for resident in residents)
