import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from adapters.bank.bank import AdapterBank
from adapters.kinds.adapter_config import AdapterConfig
from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.layout import Layout, Slot
from adapters.store.artifact import Artifact
from adapters.vit.backbone import Backbone
from service.metrics import Metrics
from service.residents.host_memory import HostMemory
from service.residents.residency import Residency
from service.residents.resident import Resident

pytestmark = pytest.mark.anyio
SLOTS = 2


class TwoSlots:
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
            host=HostMemory(2**40),
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

    def counts(self) -> tuple[float, float]:
        """Adapters in slots and in host memory, as the metrics have them."""
        values = {"dvpt_slots_used": 0.0, "dvpt_host_adapters": 0.0}
        for metric in self.metrics.registry.collect():
            if metric.name in values:
                values[metric.name] = sum(sample.value for sample in metric.samples)
        return values["dvpt_slots_used"], values["dvpt_host_adapters"]


@pytest.fixture
def two_slots(backbone: Backbone) -> Iterator[TwoSlots]:
    with ThreadPoolExecutor(2) as loader:
        yield TwoSlots(backbone, loader)


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


async def tick() -> None:
    """Give tasks and the loader's threads time to come to rest."""
    for _ in range(20):
        await asyncio.sleep(0.001)


async def test_an_adapter_takes_a_slot_and_its_layout_is_warmed_once(
    two_slots: TwoSlots, make_artifact: Callable[..., Artifact]
) -> None:
    first, second = await two_slots.add(make_artifact(1)), await two_slots.add(make_artifact(2))

    assert first.slot != second.slot
    assert two_slots.bank.slots == {first.slot, second.slot}
    assert two_slots.warmed == [first.layout]


async def test_without_a_free_slot_an_adapter_waits_in_host_memory(
    two_slots: TwoSlots, make_artifact: Callable[..., Artifact]
) -> None:
    residents = [await two_slots.add(make_artifact(seed)) for seed in range(3)]

    assert residents[2].slot is None
    async with two_slots.residency.lease(residents[2]) as slot:
        assert slot in two_slots.bank.slots


async def test_the_least_recently_used_makes_room(
    two_slots: TwoSlots, make_artifact: Callable[..., Artifact]
) -> None:
    recent, old, third = [await two_slots.add(make_artifact(seed)) for seed in range(3)]
    await two_slots.use(old)
    await two_slots.use(recent)
    await two_slots.use(third)

    assert old.slot is None
    assert recent.slot is not None
    assert third.slot is not None
    assert two_slots.bank.slots == {recent.slot, third.slot}


async def test_what_is_in_a_slot_is_not_kept_on_the_host_as_well(
    two_slots: TwoSlots, make_artifact: Callable[..., Artifact]
) -> None:
    residents = [await two_slots.add(make_artifact(seed)) for seed in range(3)]

    assert [len(resident.tensors) > 0 for resident in residents] == [False, False, True]


async def test_an_evicted_adapter_comes_back_as_it_was(
    two_slots: TwoSlots, make_artifact: Callable[..., Artifact]
) -> None:
    artifacts = [make_artifact(seed) for seed in range(3)]
    residents = [await two_slots.add(artifact) for artifact in artifacts]
    await two_slots.use(residents[2])

    assert residents[0].slot is None
    assert_same(residents[0].tensors, artifacts[0].tensors)
    await two_slots.use(residents[0])
    assert residents[0].slot is not None
    assert_same(two_slots.bank.read(residents[0].config, residents[0].slot), artifacts[0].tensors)


async def test_an_adapter_asked_for_while_it_is_leaving_stays(
    two_slots: TwoSlots, make_artifact: Callable[..., Artifact], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = [await two_slots.add(make_artifact(seed)) for seed in range(3)]
    reading, may_read, read = threading.Event(), threading.Event(), two_slots.bank.read

    def slow_read(config: AdapterConfig, slot: Slot) -> dict[str, Tensor]:
        reading.set()
        assert may_read.wait(60)
        return read(config, slot)

    monkeypatch.setattr(two_slots.bank, "read", slow_read)
    arriving = asyncio.create_task(two_slots.use(third))
    await asyncio.to_thread(reading.wait, 60)
    async with two_slots.residency.lease(first) as slot:
        may_read.set()
        await arriving
        assert slot in two_slots.bank.slots
        assert second.slot is None


async def test_an_adapter_retired_while_it_is_leaving_goes(
    two_slots: TwoSlots, make_artifact: Callable[..., Artifact], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = [await two_slots.add(make_artifact(seed)) for seed in range(3)]
    read = two_slots.bank.read
    loop = asyncio.get_running_loop()

    def retiring_read(config: AdapterConfig, slot: Slot) -> dict[str, Tensor]:
        if slot == first.slot:
            asyncio.run_coroutine_threadsafe(retire(first), loop).result(60)
        return read(config, slot)

    async def retire(resident: Resident) -> None:
        two_slots.residency.retire(resident)

    monkeypatch.setattr(two_slots.bank, "read", retiring_read)
    await two_slots.use(third)
    await two_slots.residency.close()

    assert first.slot is None
    assert len(first.tensors) == 0
    assert two_slots.bank.slots == {resident.slot for resident in (second, third) if resident.slot}
    assert third.slot is not None


async def test_another_layout_has_slots_of_its_own(
    two_slots: TwoSlots, make_artifact: Callable[..., Artifact]
) -> None:
    residents = [await two_slots.add(make_artifact(seed)) for seed in range(2)]
    other = await two_slots.add(make_artifact(3, options=DvptOptions(count=1)))

    assert other.slot is not None
    assert all(resident.slot for resident in residents)


async def test_a_leased_adapter_is_never_evicted(
    two_slots: TwoSlots, make_artifact: Callable[..., Artifact]
) -> None:
    first, second, third = [await two_slots.add(make_artifact(seed)) for seed in range(3)]
    async with AsyncExitStack() as leases:
        await leases.enter_async_context(two_slots.residency.lease(first))
        async with two_slots.residency.lease(second):
            waiting = asyncio.create_task(two_slots.use(third))
            await tick()
            assert not waiting.done()
        await waiting
        assert first.slot is not None
        assert second.slot is None


async def test_many_requests_for_one_absent_adapter_bring_it_in_once(
    two_slots: TwoSlots, make_artifact: Callable[..., Artifact]
) -> None:
    residents = [await two_slots.add(make_artifact(seed)) for seed in range(3)]

    await asyncio.gather(*(two_slots.use(residents[2]) for _ in range(20)))

    assert two_slots.metrics.registry.get_sample_value("dvpt_adapter_returns_total") == 1
    assert two_slots.metrics.registry.get_sample_value("dvpt_adapter_evictions_total") == 1


async def test_a_request_that_gives_up_does_not_end_the_return_for_others(
    two_slots: TwoSlots, make_artifact: Callable[..., Artifact]
) -> None:
    residents = [await two_slots.add(make_artifact(seed)) for seed in range(3)]
    two_slots.batch_ended.clear()
    gives_up, stays = (asyncio.create_task(two_slots.use(residents[2])) for _ in range(2))
    await tick()
    gives_up.cancel()
    await tick()
    two_slots.batch_ended.set()

    await stays
    assert residents[2].slot is not None
    assert residents[2].leases == 0


async def test_a_slot_is_not_freed_while_the_batch_that_may_read_it_runs(
    two_slots: TwoSlots, make_artifact: Callable[..., Artifact]
) -> None:
    resident = await two_slots.add(make_artifact(1))
    slot = resident.slot
    two_slots.batch_ended.clear()

    two_slots.residency.retire(resident)
    await tick()
    assert two_slots.bank.slots == {slot}

    two_slots.batch_ended.set()
    await two_slots.residency.close()
    assert two_slots.bank.slots == frozenset()


async def test_a_retired_adapter_stays_until_its_last_lease_ends(
    two_slots: TwoSlots, make_artifact: Callable[..., Artifact]
) -> None:
    resident = await two_slots.add(make_artifact(1))
    async with two_slots.residency.lease(resident) as slot:
        async with two_slots.residency.lease(resident):
            two_slots.residency.retire(resident)
        await tick()
        assert two_slots.bank.slots == {slot}
    await two_slots.residency.close()

    assert two_slots.bank.slots == frozenset()
    assert two_slots.metrics.registry.get_sample_value("dvpt_host_adapters") == 0


async def test_an_adapter_retired_on_its_way_in_still_answers_and_then_goes(
    two_slots: TwoSlots, make_artifact: Callable[..., Artifact]
) -> None:
    residents = [await two_slots.add(make_artifact(seed)) for seed in range(3)]
    two_slots.batch_ended.clear()
    request = asyncio.create_task(two_slots.use(residents[2]))
    await tick()
    two_slots.residency.retire(residents[2])
    two_slots.batch_ended.set()

    await request
    await two_slots.residency.close()
    assert len(two_slots.bank.slots) == 1


async def test_an_adapter_whose_layout_cannot_be_warmed_leaves_nothing_behind(
    two_slots: TwoSlots, make_artifact: Callable[..., Artifact]
) -> None:
    two_slots.warm_error = RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        await two_slots.add(make_artifact(1))

    assert two_slots.bank.slots == frozenset()
    assert two_slots.metrics.registry.get_sample_value("dvpt_host_adapters") == 0


async def test_a_request_waits_for_the_adapters_that_are_just_being_warmed(
    two_slots: TwoSlots, make_artifact: Callable[..., Artifact]
) -> None:
    two_slots.may_warm.clear()
    adding = [asyncio.create_task(two_slots.add(make_artifact(seed))) for seed in range(SLOTS)]
    await tick()
    third = await two_slots.add(make_artifact(3))
    waiting = asyncio.create_task(two_slots.use(third))
    await tick()
    assert not waiting.done()
    two_slots.may_warm.set()

    await asyncio.wait_for(asyncio.gather(waiting, *adding), timeout=60)
    assert third.slot is not None


async def test_many_adapters_take_turns_in_few_slots(
    two_slots: TwoSlots, make_artifact: Callable[..., Artifact]
) -> None:
    residents = [await two_slots.add(make_artifact(seed)) for seed in range(6)]

    await asyncio.wait_for(
        asyncio.gather(*(two_slots.use(resident) for _ in range(5) for resident in residents)), timeout=60
    )

    assert len(two_slots.bank.slots) == SLOTS
    assert all(resident.leases == 0 for resident in residents)


async def test_adapters_in_slots_and_in_host_memory_are_counted_at_every_moment(
    two_slots: TwoSlots, make_artifact: Callable[..., Artifact]
) -> None:
    residents = []
    for seed in range(7):
        residents.append(await two_slots.add(make_artifact(seed)))
        assert two_slots.counts() == (min(seed + 1, SLOTS), max(seed + 1 - SLOTS, 0))

    two_slots.batch_ended.clear()
    returning = asyncio.create_task(two_slots.use(residents[6]))
    await tick()
    assert two_slots.counts() == (1, 6)  # one has been evicted, and its slot is not free yet
    two_slots.batch_ended.set()
    await returning
    assert two_slots.counts() == (2, 5)
    for resident in residents:
        two_slots.residency.retire(resident)
    assert two_slots.counts() == (0, 0)
    await two_slots.residency.close()


async def always_ask(two_slots: TwoSlots, resident: Resident, lease_s: float) -> None:
    """Clients enough for one task that it has a lease at every moment, until cancelled."""

    async def client(after_s: float) -> None:
        await asyncio.sleep(after_s)
        while True:
            async with two_slots.residency.lease(resident):
                await asyncio.sleep(lease_s)

    async with asyncio.TaskGroup() as clients:
        for number in range(4):
            clients.create_task(client(number * lease_s / 4))


async def cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_who_waits_for_a_slot_gets_one_though_all_are_always_in_use(
    two_slots: TwoSlots, make_artifact: Callable[..., Artifact]
) -> None:
    *hot, third, fourth = [await two_slots.add(make_artifact(seed)) for seed in range(4)]
    other = await two_slots.add(make_artifact(5, options=DvptOptions(count=1)))
    asking = [asyncio.create_task(always_ask(two_slots, each, 0.02)) for each in (*hot, other)]
    await tick()

    for _ in range(3):
        for waiting in (third, fourth):
            await asyncio.wait_for(two_slots.use(waiting), timeout=60)

    assert other.slot is not None
    assert other.granted < third.granted  # its layout was left alone
    await cancel(asking)
    # A return goes on without who asked for it, and between two adapters a slot is free.
    await asyncio.gather(*[each.returning for each in (*hot, third, fourth) if each.returning])
    assert len(two_slots.bank.slots) == SLOTS + 1
    assert all(not each.leases and not each.held_back and each.makes_way is None for each in (*hot, third))


async def test_more_adapters_in_demand_than_slots_all_get_their_turns(
    two_slots: TwoSlots, make_artifact: Callable[..., Artifact]
) -> None:
    residents = [await two_slots.add(make_artifact(seed)) for seed in range(5)]
    asking = [asyncio.create_task(always_ask(two_slots, each, 0.01)) for each in residents]
    before = [0] * 5

    for _ in range(2):  # all five got another slot, twice
        for number, resident in enumerate(residents):
            for _ in range(6000):
                if resident.granted > before[number]:
                    break
                await asyncio.sleep(0.01)
            assert resident.granted > before[number]
        before = [resident.granted for resident in residents]
    await cancel(asking)


async def test_one_that_makes_way_serves_on_when_who_waited_is_gone(
    two_slots: TwoSlots, make_artifact: Callable[..., Artifact]
) -> None:
    first, second, third = [await two_slots.add(make_artifact(seed)) for seed in range(3)]
    asking = [asyncio.create_task(always_ask(two_slots, each, 0.02)) for each in (first, second)]
    waiting = asyncio.create_task(two_slots.use(third))
    await tick()
    two_slots.residency.retire(third)
    waiting.cancel()

    for resident in (first, second, first, second):
        await asyncio.wait_for(two_slots.use(resident), timeout=60)
    await cancel(asking)
    await two_slots.residency.close()


async def test_an_adapter_retired_while_it_makes_way_answers_those_it_held_back(
    two_slots: TwoSlots, make_artifact: Callable[..., Artifact]
) -> None:
    first, second, third = [await two_slots.add(make_artifact(seed)) for seed in range(3)]
    async with two_slots.residency.lease(first), two_slots.residency.lease(second):
        waiting = asyncio.create_task(two_slots.use(third))
        for _ in range(6000):
            if first.makes_way is not None:
                break
            await asyncio.sleep(0.01)
        held_back = asyncio.create_task(two_slots.use(first))
        await tick()
        assert first.held_back == 1
        two_slots.residency.retire(first)
    await asyncio.wait_for(asyncio.gather(waiting, held_back), timeout=60)
    await two_slots.residency.close()

    assert first.gone
    assert two_slots.bank.slots == {each.slot for each in (second, third) if each.slot}


async def test_who_waits_takes_a_slot_that_is_freed_though_nobody_is_left_to_make_way(
    two_slots: TwoSlots, make_artifact: Callable[..., Artifact]
) -> None:
    first, second, third = [await two_slots.add(make_artifact(seed)) for seed in range(3)]
    two_slots.batch_ended.clear()  # the freed slots are not free before the batch has ended
    two_slots.residency.retire(first)
    two_slots.residency.retire(second)
    waiting = asyncio.create_task(two_slots.use(third))
    await asyncio.sleep(0.05)  # it has found the bank full by now

    two_slots.batch_ended.set()

    await asyncio.wait_for(waiting, timeout=30)
    assert third.slot is not None


async def test_a_slot_that_is_freed_goes_to_who_waits_though_the_others_are_in_use(
    two_slots: TwoSlots, make_artifact: Callable[..., Artifact]
) -> None:
    first, second, third = [await two_slots.add(make_artifact(seed)) for seed in range(3)]
    async with two_slots.residency.lease(first):
        async with two_slots.residency.lease(second):
            waiting = asyncio.create_task(two_slots.use(third))
            await tick()
            two_slots.residency.retire(second)
        await asyncio.wait_for(waiting, timeout=30)
        assert first.slot is not None
    assert two_slots.bank.slots == {first.slot, third.slot}


STEPS = st.lists(st.tuples(st.sampled_from(["use", "retire", "pause"]), st.integers(0, 4)), max_size=25)


@given(STEPS)
@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # that fixture keeps nothing
def test_whatever_comes_no_slot_is_lost_and_no_adapter_is_held_twice(
    backbone: Backbone, make_artifact: Callable[..., Artifact], steps: list[tuple[str, int]]
) -> None:
    artifacts = [make_artifact(seed) for seed in range(5)]
    with ThreadPoolExecutor(2) as loader:
        asyncio.run(use_and_retire(TwoSlots(backbone, loader), artifacts, steps))


async def use_and_retire(
    two_slots: TwoSlots, artifacts: list[Artifact], steps: list[tuple[str, int]]
) -> None:
    residents = [await two_slots.add(artifact) for artifact in artifacts]
    uses = []
    for what, index in steps:
        if what == "pause":
            await asyncio.sleep(0.001 * index)
        elif what == "retire":
            two_slots.residency.retire(residents[index])
        elif not residents[index].retired:
            uses.append(asyncio.create_task(two_slots.use(residents[index])))
            await asyncio.sleep(0)
    await asyncio.gather(*uses)
    await two_slots.residency.close()

    in_slots = [resident for resident in residents if resident.slot]
    kept = [resident for resident in residents if not resident.retired]
    assert two_slots.bank.slots == {resident.slot for resident in in_slots}
    assert two_slots.counts() == (len(in_slots), len(kept) - len(in_slots))
    assert all(not resident.retired and not resident.leases for resident in in_slots)
    assert all(bool(resident.tensors) != bool(resident.slot) for resident in kept)
