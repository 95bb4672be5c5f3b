"""How each version of a task stands, as the registry tells it."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.store.artifact import TENSORS_FILE
from adapters.store.store import Store
from service.errors import AdapterUnavailable
from service.residents.host_memory import HostMemory
from service.residents.registry import Registry
from service.residents.version_state import MOST_EVICTED, Evicted, VersionState
from tests.support.artifacts import MakeArtifact

pytestmark = pytest.mark.anyio


async def use(registry: Registry, version: int, task: str = "digits") -> None:
    async with registry.lease(task, version, None):
        pass


def told(registry: Registry, task: str = "digits") -> dict[int, tuple[str, str]]:
    return {each.version: (each.state, each.place) for each in registry.versions(registry.state(task))}


async def test_ready_and_stored(store: Store, registry: Registry, make_artifact: MakeArtifact) -> None:
    for seed in range(2):
        store.publish("digits", make_artifact(seed))
    await registry.follow(store.records())
    assert told(registry) == {1: ("stored", "store"), 2: ("ready", "slot")}

    (_, unused) = registry.versions(registry.state("digits"))
    assert unused.last_used is None
    before = datetime.now(UTC) - timedelta(seconds=1)
    await use(registry, 2)
    (_, used) = registry.versions(registry.state("digits"))
    assert used.resident is not None
    assert used.resident.load_s > 0
    assert used.last_used is not None
    assert before < used.last_used < datetime.now(UTC) + timedelta(seconds=1)


async def test_loading_and_refused(
    store: Store, store_folder: Path, registry: Registry, make_artifact: MakeArtifact
) -> None:
    """A pipe without a writer holds whoever reads it, as slow storage does."""
    store.publish("digits", make_artifact(0), label=None)
    await registry.follow(store.records())
    tensors = store_folder / "digits" / "1" / TENSORS_FILE
    tensors.unlink()
    os.mkfifo(tensors)
    asking = asyncio.create_task(use(registry, 1))
    for _ in range(6000):
        if told(registry) == {1: ("loading", "store")}:
            break
        await asyncio.sleep(0.01)
    assert told(registry) == {1: ("loading", "store")}
    await asyncio.to_thread(tensors.write_bytes, b"none")
    with pytest.raises(AdapterUnavailable):
        await asking

    (refused,) = registry.versions(registry.state("digits"))
    assert (refused.state, refused.place, refused.last_used) == ("refused", "store", None)
    assert refused.refusal is not None
    assert refused.next_try is not None
    assert 0 < (refused.next_try - datetime.now(UTC)).total_seconds() < 3


async def test_draining_until_the_last_lease_ends(
    store: Store, registry: Registry, make_artifact: MakeArtifact
) -> None:
    store.publish("digits", make_artifact(0))
    await registry.follow(store.records())
    async with registry.lease("digits", None, None):
        store.publish("digits", make_artifact(1))
        store.delete_version("digits", 1)
        await registry.follow(store.records())
        assert told(registry) == {1: ("draining", "slot"), 2: ("ready", "slot")}
    assert told(registry) == {2: ("ready", "slot")}


async def test_evicted_until_it_is_read_again(
    store: Store,
    registry: Registry,
    make_artifact: MakeArtifact,
    host: HostMemory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("service.residents.host_memory.JUST_LOADED_S", 0.0)
    for seed in range(5):
        store.publish("digits", make_artifact(seed), label=None)
    await registry.follow(store.records())
    monkeypatch.setattr(host, "_limit_bytes", 0)
    for version in range(1, 5):  # of three slots
        await use(registry, version)
    assert told(registry)[1] == ("evicted", "store")
    assert told(registry)[5] == ("stored", "store")
    await use(registry, 1)
    assert told(registry)[1] == ("ready", "slot")


async def test_what_a_version_answered_outlives_it_but_not_as_since_it_was_read(
    store: Store, registry: Registry, make_artifact: MakeArtifact
) -> None:
    store.publish("digits", make_artifact(0), label=None)
    await registry.follow(store.records())
    counted = []
    for _ in range(2):
        await use(registry, 1)
        registry.statistics.answered("digits", 1, 2, decode_s=0, queue_s=0, inference_s=0)
        counted.append(
            (registry.statistics.of("digits", 1).requests, registry.statistics.of("digits", 1).since_read)
        )
        registry.unload("digits")
    assert counted == [(1, 1), (2, 1)]


def test_of_those_that_were_evicted_the_last_are_known() -> None:
    evicted = Evicted()
    for number in range(MOST_EVICTED + 1):
        evicted.add("digits", number)
    assert ("digits", 0) not in evicted
    assert ("digits", 1) in evicted
    evicted.discard("digits", 1)
    assert ("digits", 1) not in evicted


def test_what_is_not_in_memory_is_in_the_store() -> None:
    state = VersionState(1, "stored")
    assert (state.place, state.last_used, state.next_try) == ("store", None, None)
