import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.errors import StoreError, StoreNotFound
from adapters.store.artifact import Artifact
from adapters.store.journal import entry_key
from adapters.store.store import Store
from adapters.store.task_record import TaskRecord
from adapters.store.versions import VersionFolders
from adapters.vit.backbone import Backbone
from service.residents.store_reader import (
    ANNOUNCED_WITHIN_S,
    NO_JOURNAL_S,
    NOT_TRUSTED_S,
    SLICE_S,
    StoreReader,
)

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
    assert made.look().whole_s is not None
    return made


def test_only_tasks_that_entries_name_are_looked_at(
    reader: StoreReader, store: Store, make_artifact: MakeArtifact
) -> None:
    looked = reader.look()
    assert (looked.records, looked.whole_s, looked.more) == ({}, None, False)
    store.publish("digits", make_artifact(2))
    looked = reader.look()
    assert (set(looked.records), looked.whole_s) == ({"digits"}, None)
    assert looked.records["digits"].versions == (1, 2)
    assert reader.look().records == {}
    store.delete_task("birds")
    assert reader.look().records["birds"].buried == {1}
    assert set(reader.look({"digits"}).records) == {"digits"}


def test_everything_is_looked_at_now_and_then(reader: StoreReader, clock: Clock) -> None:
    clock.now_s += WHOLE_S - 1
    assert reader.look().whole_s is None
    clock.now_s += 1
    assert reader.look().whole_s is not None
    assert reader.look().whole_s is None


def test_without_an_interval_every_look_is_at_everything(store: Store, clock: Clock) -> None:
    reader = StoreReader(store, 0.0, clock)
    assert None not in [reader.look().whole_s for _ in range(3)]


def test_a_store_without_a_journal_is_looked_at_each_second_until_there_is_one(
    store: Store, store_folder: Path, clock: Clock, make_artifact: MakeArtifact
) -> None:
    store.publish("digits", make_artifact(1))
    shutil.rmtree(store_folder / "_journal")
    reader = StoreReader(store, WHOLE_S, clock)
    assert reader.look().whole_s is not None
    assert reader.look().whole_s is None
    clock.now_s += NO_JOURNAL_S
    assert reader.look().whole_s is not None
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
    clock.now_s += ANNOUNCED_WITHIN_S
    assert reader.look().whole_s is None
    for _ in range(3):
        clock.now_s += NO_JOURNAL_S
        assert reader.look().whole_s is not None
        assert reader.look().whole_s is None
    clock.now_s += NOT_TRUSTED_S
    assert reader.look().whole_s is not None
    clock.now_s += NO_JOURNAL_S
    assert reader.look().whole_s is None


def test_a_change_that_is_found_before_its_entry_leaves_the_journal_trusted(
    reader: StoreReader,
    store: Store,
    clock: Clock,
    make_artifact: MakeArtifact,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Store, "_announce", lambda *_: None)
        store.publish("digits", make_artifact(2))
    clock.now_s += WHOLE_S
    assert reader.look().records["digits"].versions == (1, 2)
    store.journal.append("digits")
    for _ in range(3):
        clock.now_s += ANNOUNCED_WITHIN_S
        assert reader.look().whole_s is None


class SlowClock(Clock):
    """Each time it is asked a slice of a look at everything is over."""

    def __call__(self) -> float:
        self.now_s += 2 * SLICE_S
        return self.now_s


def test_a_look_at_everything_goes_on_between_looks_at_the_journal(
    store: Store, make_artifact: MakeArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.residents.store_reader.TASKS_AT_ONCE", 2)
    for number in range(7):
        store.publish(f"task{number}", make_artifact(1))
    store.write_index()
    clock = SlowClock()
    reader = StoreReader(store, WHOLE_S, clock)
    assert len(reader.look().records) == 7
    with monkeypatch.context() as patch:
        patch.setattr(Store, "_announce", lambda *_: None)
        for number in range(7):
            store.publish(f"task{number}", make_artifact(2), label=None)
    clock.now_s += NO_JOURNAL_S

    looks = [reader.look()]
    store.publish("new", make_artifact(1))
    store.delete_task("task0")
    looks.append(reader.look())
    assert {"new", "task0"} <= set(looks[1].records)
    while looks[-1].more:
        looks.append(reader.look())
    assert len(looks) == 5
    assert [look.whole_s is None for look in looks] == [True] * 4 + [False]
    found = {name: record for look in looks for name, record in look.records.items()}
    assert {name: record.versions for name, record in found.items()} == {
        "new": (1,),
        "task0": (),
        **{f"task{number}": (1, 2) for number in range(1, 7)},
    }


def test_a_look_at_everything_that_fails_begins_anew(
    reader: StoreReader, clock: Clock, store_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.now_s += WHOLE_S
    (store_folder / "digits").rename(store_folder.with_name("away"))
    with monkeypatch.context() as patch:
        patch.setattr(Store, "look", lambda *_: (_ for _ in ()).throw(StoreNotFound("gone")))
        with pytest.raises(StoreNotFound):
            reader.look()
    looked = reader.look()
    assert looked.whole_s is not None
    assert looked.records["digits"].versions == ()


def test_changes_with_entries_leave_the_journal_trusted(
    reader: StoreReader, store: Store, clock: Clock, make_artifact: MakeArtifact
) -> None:
    clock.now_s += WHOLE_S
    store.publish("digits", make_artifact(2))
    assert reader.look().whole_s is not None
    clock.now_s += NO_JOURNAL_S
    assert reader.look().whole_s is None


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
    assert looked.whole_s is not None
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
        patch.setattr(Store, "unsorted_task_folders", lambda _: pytest.fail("everything is looked at"))
        looked = reader.look()
        assert looked.whole_s is None
        assert {name: record.versions for name, record in looked.records.items()} == {
            "birds": (1,),
            "digits": (1, 2),
        }
        assert reader.look().whole_s is None
    clock.now_s += NO_JOURNAL_S
    assert reader.look().whole_s is not None


def test_it_looks_on_until_there_is_something_to_tell(
    reader: StoreReader, store: Store, make_artifact: MakeArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            store.publish("digits", make_artifact(2))

    monkeypatch.setattr("service.residents.store_reader.sleep", sleep)
    assert set(reader.watch((), 0.1, 1.0).records) == {"digits"}
    assert slept == [0.1] * 3
    assert set(reader.watch({"birds"}, 0.1, 1.0).records) == {"birds"}
    assert reader.watch((), 0.1, 0.0).records == {}
    assert len(slept) == 3


def test_it_looks_on_for_a_while_only(
    reader: StoreReader, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleep(seconds: float) -> None:
        clock.now_s += seconds

    monkeypatch.setattr("service.residents.store_reader.sleep", sleep)
    began_s = clock.now_s
    looked = reader.watch((), 0.25, 1.0)
    assert (looked.records, looked.took_s, clock.now_s - began_s) == ({}, 0.0, 1.0)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["publish", "silent", "delete", "unlabel", "garbage", "look", "wait", "fail"]),
        st.sampled_from(("birds", "cars", "digits", "pets")),
    ),
    max_size=25,
)


def take(step: str, task: str, store: Store, artifact: Artifact, patch: pytest.MonkeyPatch) -> None:
    """One step of somebody else."""
    if step == "silent":
        patch.setattr(Store, "_announce", lambda *_: None)
    if step in ("publish", "silent"):
        store.publish(task, artifact)
    elif step == "delete":
        store.delete_task(task)
    elif step == "unlabel":
        store.remove_label(task, "stable")
    elif step == "garbage":
        number = store.journal.position().number + 1
        store.journal.files.put(entry_key(number), b"garbage")


@given(STEPS)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happens_between_looks_the_reader_ends_with_what_is_there(
    tmp_path_factory: pytest.TempPathFactory,
    backbone: Backbone,
    make_artifact: MakeArtifact,
    steps: list[tuple[str, str]],
) -> None:
    store = Store.create(tmp_path_factory.mktemp("any") / "store", backbone.config)
    for task in ("birds", "digits"):
        store.publish(task, make_artifact(1))
    clock, known = SlowClock(), dict[str, TaskRecord]()
    reader = StoreReader(store, WHOLE_S, clock)
    known |= reader.look().records
    for step, task in steps:
        with pytest.MonkeyPatch.context() as patch, suppress(StoreError):
            take(step, task, store, make_artifact(2), patch)
            if step == "fail":
                patch.setattr(Store, "_place", lambda _: (_ for _ in ()).throw(StoreNotFound("away")))
            if step in ("look", "fail"):
                known |= reader.look().records
        clock.now_s += WHOLE_S if step == "wait" else 0.0
    for _ in range(3):
        clock.now_s += NOT_TRUSTED_S
        looked = reader.look()
        known |= looked.records
        while looked.more:
            looked = reader.look()
            known |= looked.records
    there = store.look()
    assert {name: record for name, record in known.items() if record.versions} == {
        name: record for name, record in there.items() if record.versions
    }
