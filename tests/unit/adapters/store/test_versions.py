import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from adapters.errors import StoreConflict
from adapters.store.artifact import CONFIG_FILE, TENSORS_FILE
from adapters.store.local_files import LocalFiles
from adapters.store.versions import DEAD_AFTER_S, VersionFolders, VersionsSeen

TASK = "digits"
WHOLE = {TENSORS_FILE: b"tensors", "README.md": b"card", "curve.png": b"picture", CONFIG_FILE: b"{}"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / TASK


@pytest.fixture
def versions(tmp_path: Path) -> VersionFolders:
    return VersionFolders(LocalFiles(tmp_path))


def publish(versions: VersionFolders) -> int:
    version = versions.claim(TASK)
    versions.commit(TASK, version, WHOLE)
    return version


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def make_old(folder: Path, age_s: float) -> None:
    past = time.time() - age_s
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, (past, past))


def test_numbers_are_claimed_one_after_the_other(versions: VersionFolders, folder: Path) -> None:
    assert [versions.claim(TASK) for _ in range(3)] == [1, 2, 3]
    assert names_in(folder / "3") == {"claim"}
    assert (folder / "3" / "claim").read_bytes() == b""
    (folder / "7").mkdir()
    assert versions.claim(TASK) == 8
    for name in ("09", "1000000000", "x12", "12x"):
        (folder / name).mkdir()
    assert versions.claim(TASK) == 9
    (folder / "999999998").mkdir()
    assert versions.claim(TASK) == 999999999


class Overtaken(LocalFiles):
    """Another process claims the first three numbers between this one's look and its claim."""

    def folders(self, folder: str = "") -> list[str]:
        listed = super().folders(folder)
        for version in (1, 2, 3):
            self.put_exclusive(f"{folder}/{version}/claim", b"")
        return listed


def test_a_number_that_another_took_is_passed_over(tmp_path: Path) -> None:
    assert VersionFolders(Overtaken(tmp_path)).claim(TASK) == 4


def test_a_version_exists_from_its_configuration_on(versions: VersionFolders) -> None:
    version = versions.claim(TASK)
    assert not versions.exists(TASK, version)
    versions.commit(TASK, version, {name: data for name, data in WHOLE.items() if name != CONFIG_FILE})
    assert not versions.exists(TASK, version)
    assert versions.published(TASK) == ()
    assert versions.read(TASK, version, [TENSORS_FILE]) is None

    versions.commit(TASK, version, WHOLE)

    assert versions.exists(TASK, version)
    assert versions.published(TASK) == (version,)


def test_what_was_written_is_read(versions: VersionFolders) -> None:
    version = publish(versions)

    assert versions.read(TASK, version, []) == {CONFIG_FILE: b"{}"}
    assert versions.read(TASK, version, ["not-there", TENSORS_FILE]) == {
        CONFIG_FILE: b"{}", TENSORS_FILE: b"tensors",
    }  # fmt: skip
    assert versions.card_names(TASK, version) == ["README.md", "curve.png"]
    assert versions.read(TASK, 9, [TENSORS_FILE]) is None
    assert versions.card_names(TASK, 9) == []


def test_the_fingerprint_is_that_of_the_versions_folder(versions: VersionFolders, tmp_path: Path) -> None:
    version = publish(versions)
    assert versions.fingerprint(TASK, version) == LocalFiles(tmp_path).fingerprint(f"{TASK}/{version}")
    assert versions.fingerprint(TASK, version)
    assert not versions.fingerprint(TASK, 9)


@dataclass(frozen=True)
class Deleting(LocalFiles):
    """Another process deletes the version once its configuration has been read."""

    deleted: list[str] = field(default_factory=list)

    def read(self, key: str) -> bytes:
        data = super().read(key)
        if key.endswith(CONFIG_FILE):
            self.remove(key)
        return data


def test_a_version_deleted_while_it_is_read_is_none(tmp_path: Path) -> None:
    versions = VersionFolders(Deleting(tmp_path))
    assert versions.read(TASK, publish(versions), [TENSORS_FILE]) is None


@dataclass(frozen=True)
class Unreachable(LocalFiles):
    """The disk fails for one version."""

    error: OSError = field(default_factory=OSError)

    def stamp(self, key: str) -> tuple[int, int, int] | None:
        if key.startswith(f"{TASK}/2/"):
            raise self.error
        return super().stamp(key)


@pytest.mark.parametrize(
    ("error", "told"), [(OSError(5, "Input/output error"), "Input/output error"), (OSError("gone"), "gone")]
)
def test_one_look_tells_what_is_there_what_was_deleted_and_what_cannot_be_told(
    tmp_path: Path, error: OSError, told: str
) -> None:
    files = Unreachable(tmp_path, error)
    versions = VersionFolders(files)
    for _ in range(4):
        publish(versions)
    versions.bury(TASK, 3)
    claimed = versions.claim(TASK)

    seen = versions.seen(TASK, ["4", "labels", "01", str(claimed), "3", "2", "1"])

    stamps = {version: files.stamp(f"{TASK}/{version}/{CONFIG_FILE}") for version in (1, 4)}
    assert None not in stamps.values()
    assert seen == VersionsSeen(stamps, frozenset({3}), {2: told})  # type: ignore[arg-type]
    assert list(seen.stamps) == [1, 4]
    assert versions.published(TASK) == (1, 4)


def test_a_buried_version_leaves_its_number_taken(versions: VersionFolders, folder: Path) -> None:
    version = publish(versions)

    versions.bury(TASK, version)

    assert names_in(folder / str(version)) == {"claim", "tombstone"}
    assert (folder / str(version) / "tombstone").read_bytes() == b""
    assert not versions.exists(TASK, version)
    assert versions.claim(TASK) == version + 1


def test_a_folder_that_was_never_claimed_is_buried_with_a_claim(
    versions: VersionFolders, folder: Path
) -> None:
    (folder / "5").mkdir(parents=True)
    versions.bury(TASK, 5)
    assert names_in(folder / "5") == {"claim", "tombstone"}
    assert (folder / "5" / "claim").read_bytes() == b""


@dataclass(frozen=True)
class Recorded(LocalFiles):
    """What is written and removed, in order."""

    steps: list[str] = field(default_factory=list)

    def put_exclusive(self, key: str, data: bytes) -> bool:
        self.steps.append(f"+{key}")
        return super().put_exclusive(key, data)

    def remove(self, key: str) -> None:
        self.steps.append(f"-{key}")
        super().remove(key)


def test_a_version_ceases_to_exist_before_its_files_go(tmp_path: Path) -> None:
    files = Recorded(tmp_path)
    versions = VersionFolders(files)
    publish(versions)
    files.steps.clear()

    versions.bury(TASK, 1)

    assert files.steps[:3] == ["+digits/1/claim", "+digits/1/tombstone", f"-digits/1/{CONFIG_FILE}"]
    assert sorted(files.steps[3:]) == sorted(f"-digits/1/{name}" for name in WHOLE if name != CONFIG_FILE)


def test_a_publish_given_up_for_dead_does_not_begin_to_exist(versions: VersionFolders, folder: Path) -> None:
    version = versions.claim(TASK)
    versions.bury(TASK, version)
    with pytest.raises(
        StoreConflict, match=r"^digits/1 was given up for dead before it was finished; publish again$"
    ):
        versions.commit(TASK, version, WHOLE)
    with pytest.raises(StoreConflict):
        versions.commit(TASK, version, {CONFIG_FILE: b"{}"})
    assert CONFIG_FILE not in names_in(folder / "1")


def unfinish(version: Path) -> None:
    (version / CONFIG_FILE).unlink()


def condemn(version: Path) -> None:
    (version / "tombstone").touch()


def half_delete(version: Path) -> None:
    condemn(version)
    unfinish(version)


LEFTOVERS: dict[str, tuple[Callable[[Path], object], float, bool]] = {
    "a publish that is still for a day": (unfinish, DEAD_AFTER_S + 60, True),
    "a publish that may be running": (unfinish, DEAD_AFTER_S - 60, False),
    "a deletion that was interrupted": (half_delete, 0, True),
    "a version, however old": (names_in, DEAD_AFTER_S + 60, False),
    "a version about to be deleted": (condemn, DEAD_AFTER_S + 60, False),
}


@pytest.mark.parametrize("kind", LEFTOVERS)
def test_what_was_left_unfinished_is_cleared(versions: VersionFolders, folder: Path, kind: str) -> None:
    make, age_s, cleared = LEFTOVERS[kind]
    publish(versions)
    publish(versions)
    make(folder / "1")
    make_old(folder / "1", age_s)
    before = names_in(folder / "1")

    versions.clear_leftovers(TASK)

    assert names_in(folder / "1") == ({"claim", "tombstone"} if cleared else before)
    assert versions.exists(TASK, 2)


def test_what_is_buried_is_left_alone(tmp_path: Path) -> None:
    files = Recorded(tmp_path)
    versions = VersionFolders(files)
    versions.bury(TASK, publish(versions))
    make_old(tmp_path / TASK, DEAD_AFTER_S + 60)
    files.steps.clear()

    versions.clear_leftovers(TASK)

    assert files.steps == []


def test_temporary_files_of_dead_writers_go(versions: VersionFolders, folder: Path) -> None:
    publish(versions)
    places = [folder / "1", folder / "labels"]
    for place in places:
        place.mkdir(exist_ok=True)
        for name in ("old", "new"):
            (place / f".{name}.0123.tmp").touch()
        past = time.time() - DEAD_AFTER_S - 60
        os.utime(place / ".old.0123.tmp", (past, past))

    versions.clear_leftovers(TASK)

    for place in places:
        assert {name for name in names_in(place) if name.startswith(".")} == {".new.0123.tmp"}
