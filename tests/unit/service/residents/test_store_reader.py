import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.errors import StoreNotFound
from adapters.store.artifact import Artifact
from adapters.store.store import Store
from adapters.store.versions import VersionFolders
from service.residents.store_reader import NO_JOURNAL_S, NOT_TRUSTED_S, StoreReader

MakeArtifact = Callable[..., Artifact]
WHOLE_S = 60.0


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reader(store: Store, clock: Clock, make_artifact: MakeArtifact) -> StoreReader:
    """Has looked at a store of `birds` and `digits`, each of one version."""
    for task in ("birds", "digits"):
        store.publish(task, make_artifact(1))
    made = StoreReader(store, WHOLE_S, clock)
    assert made.look().whole
    return made


def test_only_tasks_that_entries_name_are_looked_at(
    reader: StoreReader, store: Store, make_artifact: MakeArtifact
) -> None:
    looked = reader.look()
    assert (looked.records, looked.whole) == ({}, False)
    store.publish("digits", make_artifact(2))
    looked = reader.look()
    assert (set(looked.records), looked.whole) == ({"digits"}, False)
    assert looked.records["digits"].versions == (1, 2)
    assert reader.look().records == {}
    store.delete_task("birds")
    assert reader.look().records["birds"].buried == {1}
    assert set(reader.look({"digits"}).records) == {"digits"}


def test_everything_is_looked_at_now_and_then(reader: StoreReader, clock: Clock) -> None:
    clock.now_s += WHOLE_S - 1
    assert not reader.look().whole
    clock.now_s += 1
    assert reader.look().whole
    assert not reader.look().whole


def test_without_an_interval_every_look_is_at_everything(store: Store, clock: Clock) -> None:
    reader = StoreReader(store, 0.0, clock)
    assert [reader.look().whole for _ in range(3)] == [True] * 3


def test_a_store_without_a_journal_is_looked_at_each_second_until_there_is_one(
    store: Store, store_folder: Path, clock: Clock, make_artifact: MakeArtifact
) -> None:
    store.publish("digits", make_artifact(1))
    shutil.rmtree(store_folder / "_journal")
    reader = StoreReader(store, WHOLE_S, clock)
    assert reader.look().whole
    assert not reader.look().whole
    clock.now_s += NO_JOURNAL_S
    assert reader.look().whole
    store.publish("cars", make_artifact(1))
    assert set(reader.look().records) == {"cars"}


def test_a_change_without_an_entry_has_everything_looked_at_each_second_for_a_while(
    reader: StoreReader,
    store: Store,
    clock: Clock,
    make_artifact: MakeArtifact,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Store, "_announce", lambda *_: None)  # as an older release
    store.publish("digits", make_artifact(2))
    assert reader.look().records == {}
    clock.now_s += WHOLE_S
    assert reader.look().records["digits"].versions == (1, 2)
    for _ in range(3):
        assert not reader.look().whole
        clock.now_s += NO_JOURNAL_S
        assert reader.look().whole
    clock.now_s += NOT_TRUSTED_S
    assert reader.look().whole
    clock.now_s += NO_JOURNAL_S
    assert not reader.look().whole


def test_changes_with_entries_leave_the_journal_trusted(
    reader: StoreReader, store: Store, clock: Clock, make_artifact: MakeArtifact
) -> None:
    clock.now_s += WHOLE_S
    store.publish("digits", make_artifact(2))
    assert reader.look().whole
    clock.now_s += NO_JOURNAL_S
    assert not reader.look().whole


def test_a_publish_that_was_killed_before_its_entry_is_seen_with_the_next_of_that_task(
    reader: StoreReader, store: Store, make_artifact: MakeArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Store, "_announce", lambda *_: None)
        store.publish("digits", make_artifact(2), label=None)
    store.publish("birds", make_artifact(2))
    assert set(reader.look().records) == {"birds"}
    store.set_label("digits", "next", 1)
    assert reader.look().records["digits"].versions == (1, 2)


def test_an_entry_before_its_version_is_there_shows_nothing_half(
    reader: StoreReader, store: Store, make_artifact: MakeArtifact
) -> None:
    store.publish("digits", make_artifact(2))
    versions = VersionFolders(store.journal.files)
    versions.claim("digits")
    store.journal.append("digits")
    assert reader.look().records["digits"].versions == (1, 2)


def test_after_a_look_that_failed_everything_is_looked_at(
    reader: StoreReader, store: Store, store_folder: Path, make_artifact: MakeArtifact
) -> None:
    store_folder.rename(store_folder.with_name("away"))
    with pytest.raises(StoreNotFound):
        reader.look()
    store_folder.with_name("away").rename(store_folder)
    store.publish("digits", make_artifact(2))
    looked = reader.look()
    assert looked.whole
    assert looked.records["digits"].versions == (1, 2)


def test_a_start_takes_the_index_and_looks_at_everything_soon(
    store: Store, clock: Clock, make_artifact: MakeArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    for task in ("birds", "digits"):
        store.publish(task, make_artifact(1))
    store.write_index()
    store.publish("digits", make_artifact(2))
    reader = StoreReader(store, WHOLE_S, clock)
    with monkeypatch.context() as patch:
        patch.setattr(Store, "task_folders", lambda _: pytest.fail("everything is looked at"))
        looked = reader.look()
        assert looked.whole
        assert {name: record.versions for name, record in looked.records.items()} == {
            "birds": (1,),
            "digits": (1, 2),
        }
        assert not reader.look().whole
    clock.now_s += NO_JOURNAL_S
    assert reader.look().whole
