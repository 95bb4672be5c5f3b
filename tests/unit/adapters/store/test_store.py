"""The store's rules: publishing, labels, deletion, pruning, and what damage on the disk does."""

import os
import resource
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from adapters.errors import (
    ArtifactFormat,
    BackboneMismatch,
    ClassesDiffer,
    ConfigError,
    InvalidName,
    LabelNotFound,
    StoreConflict,
    StoreNotFound,
    TaskNotFound,
    VersionNotFound,
)
from adapters.store.artifact import CONFIG_FILE, TENSORS_FILE
from adapters.store.store import Store
from adapters.store.versions import VersionFolders
from adapters.vit.backbone import Backbone
from tests.support.artifacts import MakeArtifact

TWO_DAYS_S = 2 * 24 * 3600


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def make_old(folder: Path) -> None:
    past = time.time() - TWO_DAYS_S
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, (past, past))


def test_a_published_adapter_loads_equal(
    store: Store, make_artifact: MakeArtifact, store_folder: Path
) -> None:
    artifact = make_artifact(note="first")
    assert store.publish("digits", artifact) == 1
    loaded = store.load("digits", 1)
    assert loaded.config == artifact.config == store.config("digits", 1)
    assert loaded.card == artifact.card == store.card("digits", 1)
    assert all(torch.equal(loaded.tensors[name], artifact.tensors[name]) for name in artifact.tensors)
    assert names_in(store_folder / "digits" / "1") == {
        "claim", CONFIG_FILE, TENSORS_FILE, "README.md", "learning-curve.png",
    }  # fmt: skip


def test_a_store_belongs_to_one_backbone(store: Store) -> None:
    assert Store.create(store.url, store.backbone) == store
    assert Store.open(store.url).backbone == store.backbone
    downloaded = store.backbone.model_copy(update={"revision": "abc"})
    assert Store.create(store.url, downloaded).backbone == store.backbone
    changes: list[dict[str, Any]] = [
        {"sha256": "0" * 64}, {"image_size": 64}, {"std": (1.0, 1.0, 1.0)}, {"name": "x"},
    ]  # fmt: skip
    for change in changes:
        with pytest.raises(BackboneMismatch, match="belongs to vit_dvpt"):
            Store.create(store.url, store.backbone.model_copy(update=change))


def test_where_no_store_is(tmp_path: Path) -> None:
    with pytest.raises(StoreNotFound, match=f"no store at {tmp_path}"):
        Store.open(tmp_path)
    (tmp_path / "backbone.json").write_text("{")
    with pytest.raises(ArtifactFormat, match=r"backbone\.json is not readable JSON"):
        Store.open(tmp_path)


def test_a_store_is_looked_at_again(store: Store, store_folder: Path) -> None:
    store.check_backbone()
    shutil.rmtree(store_folder)
    with pytest.raises(StoreNotFound, match=f"no store at {store_folder}"):
        store.check_backbone()
    Store.create(store_folder, store.backbone.model_copy(update={"sha256": "0" * 64}))
    with pytest.raises(BackboneMismatch, match=f"{store_folder} now belongs to another backbone"):
        store.check_backbone()


def test_a_store_is_found_by_its_url(store: Store, store_folder: Path) -> None:
    assert Store.open(f"file://{store_folder}") == store
    assert store.url == str(store_folder)
    with pytest.raises(ConfigError, match="no files are kept at s3://"):
        Store.create("s3://bucket/store", store.backbone)


def test_a_fingerprint_tells_versions_and_their_files_apart(published: Store, store_folder: Path) -> None:
    first, second = published.fingerprint("digits", 1), published.fingerprint("digits", 2)
    assert len({first, second, published.fingerprint("digits", 9)}) == 3
    assert first == Store.open(store_folder).fingerprint("digits", 1)
    os.truncate(store_folder / "digits" / "1" / TENSORS_FILE, 5)
    assert published.fingerprint("digits", 1) != first
    assert published.fingerprint("digits", 2) == second
    with pytest.raises(InvalidName):
        published.fingerprint("labels", 1)


def test_an_adapter_of_another_backbone_is_refused_and_nothing_written(
    tmp_path: Path, backbone: Backbone, make_artifact: MakeArtifact
) -> None:
    store = Store.create(tmp_path, backbone.config.model_copy(update={"sha256": "0" * 64}))
    with pytest.raises(BackboneMismatch, match="made for the backbone with SHA-256"):
        store.publish("digits", make_artifact())
    assert names_in(tmp_path) == {"backbone.json"}


@pytest.mark.parametrize("task", ["../escape", "..", "a/b", "/etc", ".hidden", "labels"])
def test_names_that_lead_elsewhere_are_refused_everywhere(
    store: Store, make_artifact: MakeArtifact, task: str, store_folder: Path
) -> None:
    calls: list[Callable[[], object]] = [
        lambda: store.publish(task, make_artifact()),
        lambda: store.publish("digits", make_artifact(), label=task if task != "labels" else "../x"),
        lambda: store.publish("digits", make_artifact(), label="../x", replace_classes=True),
        lambda: store.task(task),
        lambda: store.resolve(task),
        lambda: store.config(task, 1),
        lambda: store.card(task, 1),
        lambda: store.load(task, 1),
        lambda: store.set_label(task, "stable", 1),
        lambda: store.remove_label(task, "stable"),
        lambda: store.rollback(task),
        lambda: store.delete_version(task, 1),
        lambda: store.delete_task(task),
        lambda: store.prune(task, 1),
    ]
    for call in calls:
        with pytest.raises(InvalidName):
            call()
    assert names_in(store_folder.parent) == {"store"}
    assert names_in(store_folder) == {"backbone.json"}


def test_publishing_moves_stable_unless_told_otherwise(store: Store, make_artifact: MakeArtifact) -> None:
    assert store.publish("digits", make_artifact(), label=None) == 1
    assert store.task("digits").labels == {}
    assert store.publish("digits", make_artifact()) == 2
    assert store.publish("digits", make_artifact(), label="canary") == 3
    record = store.task("digits")
    assert record.versions == (1, 2, 3)
    assert record.labels == {"stable": 2, "canary": 3}
    assert store.records() == {"digits": record}
    assert store.tasks() == ["digits"]


def test_resolving(published: Store) -> None:
    published.set_label("digits", "canary", 1)
    assert published.resolve("digits") == 3
    assert published.resolve("digits", label="canary") == 1
    assert published.resolve("digits", version=2) == 2
    with pytest.raises(VersionNotFound, match="'digits' has no version 9; it has: 1, 2, 3"):
        published.resolve("digits", version=9)
    with pytest.raises(LabelNotFound, match=r"no label 'beta'; it has: canary \(version 1\), stable \(ver"):
        published.resolve("digits", label="beta")
    with pytest.raises(TaskNotFound, match="no task 'cats'; the store has: digits"):
        published.resolve("cats")


def test_an_empty_store_says_so(store: Store, store_folder: Path) -> None:
    assert store.tasks() == []
    with pytest.raises(TaskNotFound, match="the store has: none yet"):
        store.task("digits")
    for call in (store.rollback, store.delete_task, lambda task: store.set_label(task, "stable", 1)):
        with pytest.raises(TaskNotFound):
            call("digits")
    assert names_in(store_folder) == {"backbone.json"}


def test_labels_move_roll_back_and_go(published: Store) -> None:
    assert published.rollback("digits") == 2
    assert published.rollback("digits") == 1
    with pytest.raises(StoreConflict, match="no version before 1 to go back to"):
        published.rollback("digits")
    published.set_label("digits", "stable", 3)
    published.set_label("digits", "stable", 3)
    assert published.rollback("digits") == 1
    with pytest.raises(VersionNotFound, match="no version 7"):
        published.set_label("digits", "stable", 7)
    published.remove_label("digits", "stable")
    assert published.task("digits").labels == {}
    for call in (published.rollback, lambda task: published.remove_label(task, "stable")):
        with pytest.raises(LabelNotFound, match="'digits' has no label 'stable'"):
            call("digits")


def test_a_label_moves_to_other_classes_only_when_told_to(
    published: Store, make_artifact: MakeArtifact, store_folder: Path
) -> None:
    wider = make_artifact(class_count=6)
    with pytest.raises(ClassesDiffer, match=r"'stable' names version 3, .* 'class 5' would be new"):
        published.publish("digits", wider)
    assert published.task("digits").versions == (1, 2, 3)
    assert not (store_folder / "digits" / "4").exists()
    assert published.publish("digits", wider, label="canary") == 4
    with pytest.raises(ClassesDiffer):
        published.set_label("digits", "stable", 4)
    assert published.task("digits").labels == {"canary": 4, "stable": 3}
    published.set_label("digits", "stable", 4, replace_classes=True)
    with pytest.raises(ClassesDiffer, match="'class 5' would be gone"):
        published.rollback("digits")
    assert published.rollback("digits", replace_classes=True) == 3
    assert published.publish("digits", wider, replace_classes=True) == 5
    assert published.resolve("digits") == 5


def test_a_label_that_came_to_other_classes_meanwhile_stays(
    published: Store, make_artifact: MakeArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else moves the label between the check and the commit."""
    commit = VersionFolders.commit
    others = make_artifact(class_count=4)

    def later(self: VersionFolders, task: str, version: int, files: Any) -> None:
        monkeypatch.undo()
        published.publish("digits", others, replace_classes=True)
        commit(self, task, version, files)

    monkeypatch.setattr(VersionFolders, "commit", later)
    with pytest.raises(ClassesDiffer, match="published as version 4, without the label"):
        published.publish("digits", make_artifact())
    assert published.resolve("digits") == 5
    assert published.load("digits", 4).config.classes[-1] == "class 4"


def test_a_label_on_a_damaged_version_can_be_moved(
    published: Store, make_artifact: MakeArtifact, store_folder: Path
) -> None:
    (store_folder / "digits" / "3" / CONFIG_FILE).write_text("{")
    assert published.publish("digits", make_artifact(class_count=6)) == 4
    assert published.resolve("digits") == 4


def test_rollback_passes_over_deleted_versions(published: Store) -> None:
    published.delete_version("digits", 2)
    assert published.rollback("digits") == 1


def test_deleting_leaves_a_tombstone_and_the_number_is_never_used_again(
    published: Store, make_artifact: MakeArtifact, store_folder: Path
) -> None:
    published.set_label("digits", "stable", 1)
    published.delete_version("digits", 3)
    assert published.task("digits").versions == (1, 2)
    assert names_in(store_folder / "digits" / "3") == {"claim", "tombstone"}
    for call in (published.load, published.config, published.card, published.delete_version):
        with pytest.raises(VersionNotFound, match="no version 3; it has: 1, 2"):
            call("digits", 3)
    assert published.publish("digits", make_artifact()) == 4


def test_a_labelled_version_is_not_deleted(published: Store) -> None:
    published.set_label("digits", "canary", 3)
    with pytest.raises(StoreConflict, match="version 3 of task 'digits' has the label canary and stable"):
        published.delete_version("digits", 3)
    published.load("digits", 3)


def test_deleting_a_task_removes_all_and_its_numbers_go_on(
    published: Store, make_artifact: MakeArtifact, store_folder: Path
) -> None:
    published.delete_task("digits")
    assert published.tasks() == []
    assert published.records() == {}
    with pytest.raises(TaskNotFound):
        published.load("digits", 3)
    assert not list(store_folder.rglob("*.safetensors"))
    assert published.publish("digits", make_artifact()) == 4
    assert published.task("digits").labels == {"stable": 4}


def test_prune_keeps_the_newest_the_labelled_and_the_way_back(
    published: Store, make_artifact: MakeArtifact
) -> None:
    for _ in range(3):
        published.publish("digits", make_artifact())
    published.set_label("digits", "canary", 1)
    assert published.prune("digits", 10) == []
    assert published.prune("digits", 1) == [2, 3, 4]  # 6 newest and stable, 5 its way back, 1 canary
    assert published.task("digits").versions == (1, 5, 6)
    assert published.rollback("digits") == 5
    assert published.prune("digits", 0) == [6]
    assert published.task("digits").versions == (1, 5)
    with pytest.raises(ConfigError, match="cannot keep -1"):
        published.prune("digits", -1)


def test_prune_clears_what_a_dead_publish_left_but_not_a_running_one(
    published: Store, make_artifact: MakeArtifact, store_folder: Path
) -> None:
    dead, running = store_folder / "digits" / "4", store_folder / "digits" / "5"
    for folder in (dead, running):
        shutil.copytree(store_folder / "digits" / "3", folder)
        (folder / CONFIG_FILE).rename(folder / f".{CONFIG_FILE}.0123.tmp")
    make_old(dead)
    assert published.task("digits").versions == (1, 2, 3)
    before = names_in(running)
    assert published.prune("digits", 10) == []
    assert names_in(dead) == {"claim", "tombstone"}
    assert names_in(running) == before
    assert published.publish("digits", make_artifact()) == 6


def test_prune_ends_an_interrupted_deletion(published: Store, store_folder: Path) -> None:
    folder = store_folder / "digits" / "1"
    (folder / "tombstone").touch()
    (folder / CONFIG_FILE).unlink()
    published.prune("digits", 10)
    assert names_in(folder) == {"claim", "tombstone"}


def test_prune_clears_a_task_of_which_nothing_was_finished(
    store: Store, make_artifact: MakeArtifact, store_folder: Path
) -> None:
    store.publish("digits", make_artifact())
    (store_folder / "digits" / "1" / CONFIG_FILE).unlink()
    (store_folder / "digits" / "labels" / "stable").unlink()
    make_old(store_folder / "digits")
    assert store.tasks() == []
    assert store.task_folders() == ["digits"]
    assert store.prune("digits", 1) == []
    assert names_in(store_folder / "digits" / "1") == {"claim", "tombstone"}


def test_a_publish_given_up_for_dead_does_not_come_back(
    store: Store, make_artifact: MakeArtifact, store_folder: Path
) -> None:
    versions = store._versions
    assert versions.claim("digits") == 1
    make_old(store_folder / "digits" / "1")
    store.prune("digits", 1)
    files = {TENSORS_FILE: b"", CONFIG_FILE: make_artifact().config.model_dump_json().encode()}
    with pytest.raises(StoreConflict, match="digits/1 was given up for dead"):
        versions.commit("digits", 1, files)
    assert store.tasks() == []


@contextmanager
def full_disk(limit_bytes: int) -> Iterator[None]:
    """No file of this process may grow beyond the limit: the real error of a full quota."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_publish_that_fails_leaves_nothing_and_loses_nothing(
    published: Store, make_artifact: MakeArtifact, store_folder: Path
) -> None:
    artifact = make_artifact()
    with full_disk(1000), pytest.raises(OSError, match="File too large"):
        published.publish("digits", artifact)
    assert published.task("digits").versions == (1, 2, 3)
    assert published.task("digits").labels == {"stable": 3}
    assert names_in(store_folder / "digits" / "4") == {"claim", "tombstone"}
    assert published.publish("digits", artifact) == 5
