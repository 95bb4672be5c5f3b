"""What is kept of a real store whose folders come and go."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.store.artifact import CONFIG_FILE, Artifact
from adapters.store.local_files import LocalFiles
from adapters.store.store import Store
from adapters.store.task_record import TaskRecord
from adapters.vit.backbone import Backbone
from service.residents.absences import Absences
from service.residents.store_reader import StoreReader

MakeArtifact = Callable[..., Artifact]
FORGET_AFTER_S = 30.0


class Follower:
    """Looks at a store of two versions of `digits`, at the times the test says."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now_s = 0.0
        self.absences = Absences(FORGET_AFTER_S, clock=lambda: self.now_s)
        self.reader = StoreReader(store, 0.0)
        self.known: dict[str, TaskRecord | None] = {}

    def look(self, after_s: float = 0.0) -> dict[str, TaskRecord]:
        self.now_s += after_s
        self.known |= self.absences.update(self.reader.look(self.absences.pending).records)
        return {name: record for name, record in self.known.items() if record}


@pytest.fixture
def follower(store: Store, make_artifact: MakeArtifact) -> Follower:
    for seed in (1, 2):
        store.publish("digits", make_artifact(seed))
    made = Follower(store)
    assert made.look()["digits"].versions == (1, 2)
    return made


def seen(records: dict[str, TaskRecord]) -> tuple[tuple[int, ...], dict[str, int]]:
    record = records.get("digits")
    return (record.versions, dict(record.labels)) if record else ((), {})


def test_what_was_deleted_is_gone_at_the_next_look(follower: Follower) -> None:
    follower.store.delete_version("digits", 1)
    assert seen(follower.look()) == ((2,), {"stable": 2})

    follower.store.delete_task("digits")
    assert follower.look() == {}


def test_a_folder_that_is_missing_is_forgotten_only_after_a_while(
    follower: Follower, store_folder: Path
) -> None:
    (store_folder / "digits").rename(store_folder.with_name("away"))

    assert seen(follower.look()) == ((1, 2), {"stable": 2})
    kept = follower.look(FORGET_AFTER_S - 1)
    assert seen(kept) == ((1, 2), {"stable": 2})
    assert "version 1 of 'digits' is missing, though nobody deleted it" in kept["digits"].problems
    assert follower.look(1) == {}


def test_one_late_look_is_not_enough(follower: Follower, store_folder: Path) -> None:
    (store_folder / "digits").rename(store_folder.with_name("away"))

    assert seen(follower.look(1000)) == ((1, 2), {"stable": 2})


def test_what_comes_back_is_missing_anew_the_next_time(follower: Follower, store_folder: Path) -> None:
    away = store_folder.with_name("away")
    for _ in range(5):
        (store_folder / "digits").rename(away)
        assert seen(follower.look(FORGET_AFTER_S - 1)) == ((1, 2), {"stable": 2})
        away.rename(store_folder / "digits")
        back = follower.look(FORGET_AFTER_S - 1)
        assert seen(back) == ((1, 2), {"stable": 2})
        assert back["digits"].problems == ()


def test_an_outage_lets_the_time_begin_anew(follower: Follower, store_folder: Path) -> None:
    (store_folder / "digits").rename(store_folder.with_name("away"))
    follower.look()
    follower.absences.interrupted()

    assert seen(follower.look(1000)) == ((1, 2), {"stable": 2})
    assert follower.look(FORGET_AFTER_S) == {}


def test_a_version_without_its_configuration_is_merely_missing(
    follower: Follower, store_folder: Path
) -> None:
    (store_folder / "digits" / "2" / CONFIG_FILE).unlink()

    assert seen(follower.look()) == ((1, 2), {"stable": 2})
    assert seen(follower.look(FORGET_AFTER_S)) == ((1,), {})


def test_a_removed_label_is_gone_at_the_second_look(follower: Follower) -> None:
    follower.store.remove_label("digits", "stable")

    assert seen(follower.look()) == ((1, 2), {"stable": 2})
    assert seen(follower.look()) == ((1, 2), {})


def test_labels_whose_folder_is_missing_stay_for_a_while(follower: Follower, store_folder: Path) -> None:
    (store_folder / "digits" / "labels").rename(store_folder.with_name("away"))

    follower.look()
    assert seen(follower.look()) == ((1, 2), {"stable": 2})
    assert seen(follower.look(FORGET_AFTER_S)) == ((1, 2), {})


def test_what_cannot_be_read_stays_however_long(
    follower: Follower, store_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamp = LocalFiles.stamp

    def fail(files: LocalFiles, key: str) -> tuple[int, int, int] | None:
        if key == f"digits/1/{CONFIG_FILE}":
            raise OSError(5, "Input/output error")
        return stamp(files, key)

    monkeypatch.setattr(LocalFiles, "stamp", fail)
    (store_folder / "digits" / "labels" / "stable").write_text("half a fi")
    for _ in range(3):
        kept = follower.look(1000)
        assert seen(kept) == ((1, 2), {"stable": 2})
        assert "version 1 of 'digits' cannot be read: Input/output error" in kept["digits"].problems


def test_a_label_that_moves_is_followed_while_a_version_is_missing(
    follower: Follower, make_artifact: MakeArtifact, store_folder: Path
) -> None:
    (store_folder / "digits" / "1").rename(store_folder.with_name("away"))
    follower.store.publish("digits", make_artifact(3))

    assert seen(follower.look()) == ((1, 2, 3), {"stable": 3})


WAYS = st.lists(st.sampled_from(["away", "back", "look", "late"]), max_size=12)


@given(WAYS)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_away_for_less_than_the_time_is_never_forgotten(
    follower: Follower, store_folder: Path, steps: list[str]
) -> None:
    task, away, gone_s = store_folder / "digits", store_folder.with_name("away"), 0.0
    for step in steps:
        if step == "away" and task.exists():
            task.rename(away)
            gone_s = follower.now_s
        elif step == "back" and away.exists():
            away.rename(task)
        elif step == "look" or (step == "late" and not away.exists()):
            follower.now_s += 1 if step == "look" else 1000
            kept = follower.look()
            if follower.now_s - gone_s < FORGET_AFTER_S or task.exists():
                assert seen(kept) == ((1, 2), {"stable": 2})
    if away.exists():
        away.rename(task)
    follower.look()


@given(
    st.lists(
        st.tuples(st.sampled_from(["away", "back", "delete", "unlabel"]), st.integers(0, 20)), max_size=12
    )
)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_looks_at_one_task_go_by_the_same_rules(
    tmp_path_factory: pytest.TempPathFactory,
    backbone: Backbone,
    make_artifact: MakeArtifact,
    steps: list[tuple[str, int]],
) -> None:
    folder = tmp_path_factory.mktemp("any") / "store"
    store = Store.create(folder, backbone.config)
    for _ in range(2):
        store.publish("digits", make_artifact(1))
    store.publish("birds", make_artifact(1))
    whole, some = Follower(store), Follower(store)
    known: dict[str, TaskRecord | None] = {**whole.look()}
    some.look()
    for step, after_s in steps:
        away = folder.with_name("away")
        if step == "away" and not away.exists():
            (folder / "digits").rename(away)
        elif step == "back" and away.exists():
            away.rename(folder / "digits")
        elif step == "delete" and not away.exists() and (folder / "digits" / "1" / CONFIG_FILE).exists():
            store.delete_version("digits", 1)
        elif step == "unlabel" and (folder / "digits" / "labels" / "stable").exists():
            store.remove_label("digits", "stable")
        some.now_s += after_s
        known |= some.absences.update(store.look(["digits"]))
        assert {name: record for name, record in known.items() if record} == whole.look(after_s)
        assert ("digits" in some.absences.pending) == ("digits" in whole.absences.pending)


def test_a_look_at_one_task_leaves_what_others_lack(
    follower: Follower, make_artifact: MakeArtifact, store_folder: Path
) -> None:
    follower.store.publish("birds", make_artifact(1))
    follower.look()
    (store_folder / "birds").rename(store_folder.with_name("away"))
    assert "birds" in follower.look()
    follower.absences.update(follower.store.look(["digits"]))
    assert follower.absences.pending == {"birds"}
    follower.now_s += FORGET_AFTER_S
    assert follower.absences.update(follower.store.look(["birds"])) == {"birds": None}
    follower.absences.update(follower.store.look(["birds"]))
    assert follower.absences.pending == frozenset()
