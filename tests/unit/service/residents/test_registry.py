"""Versions and labels of a store that changes, leased by task, version and label."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from adapters.errors import LabelNotFound, StoreConflict, TaskNotFound, VersionNotFound
from adapters.store.store import Store
from service.errors import AdapterUnavailable
from service.residents.preload import Preload
from tests.support.artifacts import MakeArtifact
from tests.support.followed_store import Follower, flip_a_bit

pytestmark = pytest.mark.anyio


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


async def test_a_task_whose_version_was_replaced_and_deleted_since_the_last_look_answers(
    follower: Follower, make_artifact: MakeArtifact
) -> None:
    lazy = follower.lazy()
    lazy.store.publish("digits", make_artifact(1))
    await lazy.follow()
    lazy.store.publish("digits", make_artifact(2))
    lazy.store.delete_version("digits", 1)

    leases = await asyncio.gather(*(lazy.ask("digits") for _ in range(10)))

    assert {lease.version for lease in leases} == {2}
    with pytest.raises(VersionNotFound, match=r"it has: 2$"):
        await lazy.ask("digits", version=1)
    lazy.store.delete_task("digits")
    await lazy.follow()
    with pytest.raises(TaskNotFound):
        await lazy.ask("digits")


async def test_a_version_that_is_gone_while_its_label_still_names_it_is_unavailable(
    follower: Follower, make_artifact: MakeArtifact
) -> None:
    lazy = follower.lazy()
    lazy.store.publish("digits", make_artifact(1))
    await lazy.follow()
    lazy.store.delete_task("digits")
    with pytest.raises(
        AdapterUnavailable, match="version 1 of task 'digits' cannot be read from the store now"
    ):
        await lazy.ask("digits")
    await lazy.follow()
    with pytest.raises(TaskNotFound):
        await lazy.ask("digits")


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


async def test_a_deleted_task_leaves_no_series(follower: Follower, make_artifact: MakeArtifact) -> None:
    follower.store.publish("digits", make_artifact(1))
    await follower.follow()
    follower.metrics.pictures.labels("digits").inc()
    follower.store.delete_task("digits")
    await follower.follow()

    assert follower.metrics.registry.get_sample_value("dvpt_pictures_total", {"task": "digits"}) is None
