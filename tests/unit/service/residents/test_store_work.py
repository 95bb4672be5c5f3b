"""Work on the store for requests: followed at once, in turn, and in time."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from functools import partial

import pytest

from adapters.errors import StoreError, TaskNotFound, VersionNotFound
from adapters.store.artifact import Artifact
from adapters.store.store import Store
from service.errors import Starting, StoreSlow
from service.lifecycle import Lifecycle
from service.metrics import Metrics
from service.residents.registry import Registry
from service.residents.storage_threads import StorageThreads
from service.residents.store_work import StoreWork
from service.residents.watch import Watch

pytestmark = pytest.mark.anyio
MakeArtifact = Callable[..., Artifact]


@pytest.fixture
def watch(store: Store, registry: Registry, loader: Executor, metrics: Metrics) -> Watch:
    """Looks at the store when it is told to."""
    return Watch(store, registry, interval_s=0.01, forget_after_s=60.0, loader=loader, metrics=metrics)


@pytest.fixture
def threads() -> Iterator[StorageThreads]:
    made = StorageThreads(2, "work")
    yield made
    made.shutdown()


@pytest.fixture
def work(store: Store, watch: Watch, metrics: Metrics, threads: StorageThreads) -> StoreWork:
    lifecycle = Lifecycle()
    lifecycle.become_ready()
    return StoreWork(store, watch, lifecycle, metrics, threads)


async def test_what_changed_is_served_when_the_change_returns(
    work: StoreWork, registry: Registry, make_artifact: MakeArtifact
) -> None:
    for version in (1, 2):
        artifact = make_artifact(version)
        assert await work.change("pets", partial(Store.publish, task="pets", artifact=artifact)) == version
        assert registry.state("pets").serving["stable"].version == version
    await work.change("pets", lambda at: at.set_label("pets", "old", 1))
    assert registry.tasks["pets"].labels == {"old": 1, "stable": 2}
    await work.change("pets", lambda at: at.remove_label("pets", "old"))
    assert registry.tasks["pets"].labels == {"stable": 2}
    await work.change("pets", lambda at: at.delete_version("pets", 1))
    assert registry.tasks["pets"].versions == (2,)
    await work.change("pets", lambda at: at.delete_task("pets"))
    assert "pets" not in registry.tasks


async def test_a_refresh_takes_in_what_others_did(
    work: StoreWork, registry: Registry, store: Store, make_artifact: MakeArtifact
) -> None:
    store.publish("pets", make_artifact(1))
    await work.refresh("pets")
    assert registry.state("pets").serving["stable"].version == 1
    store.delete_task("pets")
    await work.refresh("pets")
    assert "pets" not in registry.tasks


async def test_a_refresh_of_all_waits_for_a_whole_look(
    work: StoreWork, watch: Watch, registry: Registry, store: Store, make_artifact: MakeArtifact
) -> None:
    running = asyncio.create_task(watch.run())
    store.publish("pets", make_artifact(1))
    assert await work.refresh_all()
    assert "pets" in registry.tasks
    running.cancel()


async def test_a_look_that_does_not_end_is_told(
    store: Store, watch: Watch, metrics: Metrics, threads: StorageThreads
) -> None:
    lifecycle = Lifecycle()
    lifecycle.become_ready()
    assert not await StoreWork(store, watch, lifecycle, metrics, threads, 0.05).refresh_all()


async def test_nothing_is_done_before_the_service_is_ready(
    store: Store, watch: Watch, metrics: Metrics, threads: StorageThreads
) -> None:
    work = StoreWork(store, watch, Lifecycle(), metrics, threads)
    with pytest.raises(Starting):
        await work.change("pets", lambda at: at.delete_task("pets"))


async def test_storage_that_hangs_holds_nobody_longer_than_the_timeout(
    store: Store, watch: Watch, metrics: Metrics, threads: StorageThreads
) -> None:
    lifecycle, gate = Lifecycle(), threading.Event()
    lifecycle.become_ready()
    work = StoreWork(store, watch, lifecycle, metrics, threads, 0.1)
    done: list[str] = []

    def hang(_: Store) -> None:
        gate.wait(60)

    for task in ("pets", "cats", "dogs"):
        with pytest.raises(StoreSlow, match=r"within 0\.1 s; it may yet"):
            await work.change(task, hang)
    with pytest.raises(StoreSlow):
        await work.read("birds", lambda _: done.append("birds"))
    gate.set()
    await work.read("mice", lambda _: done.append("mice"))
    assert done == ["mice"]  # what had not begun in time was dropped


async def test_changes_of_a_task_are_made_one_after_the_other(work: StoreWork) -> None:
    order: list[str] = []

    def change(name: str) -> Callable[[Store], None]:
        def run(_: Store) -> None:
            order.append(f"{name} begins")
            threading.Event().wait(0.02)
            order.append(f"{name} ends")

        return run

    await asyncio.gather(*(work.change("pets", change(name)) for name in "abc"))
    assert order == [f"{name} {what}" for name in "abc" for what in ("begins", "ends")]


async def test_errors_keep_other_tasks_to_themselves(
    work: StoreWork, store: Store, make_artifact: MakeArtifact
) -> None:
    store.publish("secret", make_artifact(1))
    with pytest.raises(TaskNotFound) as caught:
        await work.read("pets", lambda at: at.resolve("pets"))
    assert str(caught.value) == "there is no task 'pets'"
    with pytest.raises(VersionNotFound):
        await work.change("secret", lambda at: at.delete_version("secret", 9))

    def unreachable(_: Store) -> None:
        raise OSError(5, "Input/output error", "/srv/store/secret")

    with pytest.raises(StoreError, match=r"^the store cannot be used now: Input/output error$"):
        await work.read("pets", unreachable)
