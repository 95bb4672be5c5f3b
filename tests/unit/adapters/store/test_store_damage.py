"""Damage on the disk, links, and other processes in between: what is wrong is named, the rest stays."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.errors import (
    ArtifactDamaged,
    ArtifactError,
    ArtifactFormat,
    LabelNotFound,
    StoreConflict,
    TaskNotFound,
    VersionNotFound,
)
from adapters.store.artifact import CONFIG_FILE, TENSORS_FILE
from adapters.store.local_files import LocalFiles
from adapters.store.store import Store
from tests.support.artifacts import MakeArtifact


def link(path: Path, target: Path) -> None:
    path.unlink()
    path.symlink_to(target)


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGE: dict[str, tuple[Callable[[Path], object], type[Exception], str]] = {
    "truncated tensors": (
        lambda folder: os.truncate(folder / TENSORS_FILE, 500),
        ArtifactDamaged,
        r"digits/2: adapter_model\.safetensors is truncated",
    ),
    "missing tensors": (
        lambda folder: (folder / TENSORS_FILE).unlink(), ArtifactDamaged, "digits/2: .* is missing"
    ),
    "flipped bit": (
        lambda folder: (folder / TENSORS_FILE).write_bytes(
            (folder / TENSORS_FILE).read_bytes()[:-1] + b"\x99"
        ),
        ArtifactDamaged,
        "digits/2: .* was changed",
    ),
    "empty configuration": (
        lambda folder: (folder / CONFIG_FILE).write_bytes(b""),
        ArtifactFormat,
        r"digits/2: adapter_config\.json is not readable JSON",
    ),
    "newer format": (
        lambda folder: (folder / CONFIG_FILE).write_bytes(b'{"format_version": 7}'),
        ArtifactFormat,
        "digits/2: .*format version 7",
    ),
    "link instead of the tensors": (
        lambda folder: link(folder / TENSORS_FILE, folder.parent / "1" / TENSORS_FILE),
        ArtifactDamaged,
        "digits/2/adapter_model.safetensors cannot be read: a store holds no symbolic links",
    ),
    "folder instead of the tensors": (
        lambda folder: make_folder(folder / TENSORS_FILE),
        ArtifactDamaged,
        "digits/2/adapter_model.safetensors cannot be read: Is a directory",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_version_is_refused_by_name_and_the_others_stay(
    published: Store, kind: str, store_folder: Path
) -> None:
    damage, error, message = DAMAGE[kind]
    damage(store_folder / "digits" / "2")
    with pytest.raises(error, match=message):
        published.load("digits", 2)
    published.load("digits", 1)
    published.load("digits", published.resolve("digits"))


LABEL_DAMAGE: dict[str, Callable[[Path], object]] = {
    "no JSON": lambda path: path.write_bytes(b"\x00\x01"),
    "empty": lambda path: path.write_bytes(b""),
    "no version": lambda path: path.write_text("{}"),
    "no history": lambda path: path.write_text('{"format_version": 1, "version": 3}'),
    "zero": lambda path: path.write_text('{"format_version": 1, "version": 0, "history": []}'),
    "text": lambda path: path.write_text('{"format_version": 1, "version": "3", "history": []}'),
    "newer": lambda path: path.write_text('{"format_version": 2, "version": 3, "history": []}'),
    "a version that never was": lambda path: path.write_text(
        '{"format_version": 1, "version": 12, "history": []}'
    ),
    "a folder": make_folder,
    "a link": lambda path: link(path, path.parent.parent / "1" / CONFIG_FILE),
}


@pytest.mark.parametrize("kind", LABEL_DAMAGE)
def test_a_damaged_label_hides_nothing_else(
    published: Store, make_artifact: MakeArtifact, kind: str, store_folder: Path
) -> None:
    published.publish("other", make_artifact())
    published.set_label("digits", "canary", 1)
    LABEL_DAMAGE[kind](store_folder / "digits" / "labels" / "stable")
    records = published.records()
    assert records["digits"].versions == (1, 2, 3)
    assert records["digits"].labels == {"canary": 1}
    assert records["other"].labels == {"stable": 1}
    with pytest.raises(LabelNotFound, match="no label 'stable'; it has: canary"):
        published.resolve("digits")
    if kind != "a folder":
        assert "stable" in records["digits"].problems[0]
        published.set_label("digits", "stable", 2)
        assert published.task("digits").labels == {"canary": 1, "stable": 2}


def test_a_label_that_cannot_be_read_is_told_to_who_asks_for_it(published: Store, store_folder: Path) -> None:
    (store_folder / "digits" / "labels" / "stable").write_bytes(b"?")

    with pytest.raises(LabelNotFound) as missing:
        published.resolve("digits")
    told = "task 'digits' has no label 'stable'; it has: no labels; label 'stable' of 'digits'"
    assert str(missing.value).startswith(told)


def test_nothing_is_deleted_while_a_label_cannot_be_read(published: Store, store_folder: Path) -> None:
    (store_folder / "digits" / "labels" / "stable").write_bytes(b"?")
    with pytest.raises(StoreConflict, match="label 'stable' of 'digits' is not readable"):
        published.delete_version("digits", 1)
    with pytest.raises(StoreConflict, match="set or remove that label first"):
        published.prune("digits", 0)
    with pytest.raises(ArtifactError, match="label 'stable'"):
        published.rollback("digits")
    assert published.task("digits").versions == (1, 2, 3)


def test_what_is_not_the_stores_is_left_alone(published: Store, tmp_path: Path, store_folder: Path) -> None:
    outside = tmp_path / "outside"
    shutil.copytree(store_folder / "digits", outside)
    (store_folder / "linked").symlink_to(outside)
    (store_folder / "digits" / "9").symlink_to(outside / "1")
    (store_folder / "lost+found").mkdir()
    (store_folder / "Not A Task").mkdir()
    (store_folder / "empty").mkdir()
    (store_folder / "notes.txt").write_text("hello")
    (store_folder / "digits" / "01").mkdir()
    (store_folder / "digits" / "notes").mkdir()
    (store_folder / "digits" / "labels" / ".stable.77.tmp").write_text("half")
    records = published.records()
    assert list(records) == ["digits"]
    assert records["digits"].versions == (1, 2, 3)
    assert records["digits"].problems == ()
    with pytest.raises(TaskNotFound):
        published.task("empty")


def test_a_linked_task_is_neither_read_nor_written(
    published: Store, tmp_path: Path, make_artifact: MakeArtifact, store_folder: Path
) -> None:
    outside = tmp_path / "outside"
    shutil.copytree(store_folder / "digits", outside)
    (store_folder / "linked").symlink_to(outside)
    before = sorted(outside.rglob("*"))
    for call in (
        lambda: published.load("linked", 1),
        lambda: published.publish("linked", make_artifact()),
    ):
        with pytest.raises(ArtifactDamaged, match="linked is a symbolic link; a store holds none"):
            call()
    assert sorted(outside.rglob("*")) == before


def test_a_copied_version_without_a_claim_counts(
    published: Store, make_artifact: MakeArtifact, store_folder: Path
) -> None:
    shutil.copytree(store_folder / "digits" / "3", store_folder / "digits" / "7")
    (store_folder / "digits" / "7" / "claim").unlink()
    assert published.task("digits").versions == (1, 2, 3, 7)
    assert published.publish("digits", make_artifact()) == 8
    published.delete_version("digits", 7)
    assert sorted(path.name for path in (store_folder / "digits" / "7").iterdir()) == ["claim", "tombstone"]


@dataclass(frozen=True)
class Meddled(LocalFiles):
    """Files that another process changes just before one of them is read or looked for."""

    key: str
    meddle: Callable[[], object]

    def read(self, key: str) -> bytes:
        if key == self.key:
            self.meddle()
        return super().read(key)

    def exists(self, key: str) -> bool:
        if key == self.key:
            self.meddle()
        return super().exists(key)

    def stamp(self, key: str) -> tuple[int, int, int] | None:
        if key == self.key:
            self.meddle()
        return super().stamp(key)


def once(action: Callable[[], object]) -> Callable[[], object]:
    actions = [action]
    return lambda: actions.pop()() if actions else None


@pytest.mark.parametrize("file", [CONFIG_FILE, TENSORS_FILE, "README.md", "learning-curve.png"])
def test_a_version_deleted_while_it_is_read_is_gone_not_damaged(
    published: Store, file: str, store_folder: Path
) -> None:
    delete = once(lambda: published.delete_version("digits", 2))
    reader = Store(published.url, published.backbone, Meddled(store_folder, f"digits/2/{file}", delete))
    with pytest.raises(VersionNotFound, match="'digits' has no version 2; it has: 1, 3"):
        reader.load("digits", 2)


def test_a_label_that_moves_while_the_task_is_read_never_dangles(
    published: Store, store_folder: Path
) -> None:
    def move_and_delete() -> None:
        published.set_label("digits", "stable", 1)
        published.delete_version("digits", 3)

    meddled = Meddled(store_folder, f"digits/1/{CONFIG_FILE}", once(move_and_delete))
    record = Store(published.url, published.backbone, meddled).task("digits")
    assert (record.versions, record.labels, record.problems) == ((1, 2), {"stable": 1}, ())
