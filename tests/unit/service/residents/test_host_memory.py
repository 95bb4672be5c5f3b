"""Who leaves host memory for the store, and who does not."""

import asyncio
from pathlib import Path
from time import monotonic

import pytest

from service.residents.host_memory import HostMemory
from tests.support.artifacts import MakeArtifact
from tests.support.followed_store import Follower, flip_a_bit

pytestmark = pytest.mark.anyio


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
