"""What is in memory before anybody asks, and what stays there."""

import asyncio

import pytest

from service.residents.host_memory import HostMemory
from service.residents.preload import Preload
from service.residents.version_reads import LOADS_AT_ONCE
from tests.support.artifacts import MakeArtifact
from tests.support.followed_store import Follower

pytestmark = pytest.mark.anyio


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
