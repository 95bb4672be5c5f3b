"""`dvpt-adapters publish` and `export`, run as a user would."""

from collections.abc import Callable
from pathlib import Path

from adapters.store.artifact_folder import read_folder
from adapters.store.store import Store
from tests.support.archives import tar_of
from tests.support.artifacts import MakeArtifact, write_artifact

Run = Callable[..., tuple[int, str, str]]


def test_publish_takes_a_directory_or_a_tar_and_nothing_twice(
    published_twice: Store, make_artifact: MakeArtifact, run: Run, tmp_path: Path
) -> None:
    folder, archive = tmp_path / "new", tmp_path / "new.tar"
    write_artifact(make_artifact(note="third"), folder, published_twice.backbone)
    archive.write_bytes(tar_of(read_folder(folder), prefix="./"))
    assert run("publish", "digits", archive, "--label", "canary") == (0, "published digits version 3\n", "")
    assert run("publish", "digits", folder) == (0, "is there already as digits version 3\n", "")
    assert published_twice.task("digits").labels == {"canary": 3, "stable": 3}
    archive.write_bytes(archive.read_bytes()[:3000])
    code, out, err = run("publish", "digits", archive)
    assert (code, out, err.count("\n")) == (1, "", 1)


def test_an_export_is_the_version_to_the_byte(published_twice: Store, run: Run, tmp_path: Path) -> None:
    assert run("export", "digits", tmp_path / "out")[0] == 0
    assert read_folder(tmp_path / "out") == published_twice.files("digits", 2)
