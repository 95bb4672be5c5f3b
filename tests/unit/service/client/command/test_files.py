import os
import stat
from itertools import islice
from pathlib import Path

import pytest

from service.client.command.files import Fault, Files


def write(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def found(files: Files) -> list[str]:
    return sorted(str(path.path if isinstance(path, Fault) else path) for path in files)


def test_pictures_at_every_depth_are_found_and_others_counted(tmp_path: Path) -> None:
    write(tmp_path, "a.JPG", "b/c/d.png", "b/e.heic", "b/notes.txt", "b/.hidden.png", ".git/x.png", "._a.jpg")
    files = Files([tmp_path])
    assert found(files) == [str(tmp_path / name) for name in ("a.JPG", "b/c/d.png", "b/e.heic")]
    assert (files.found, files.passed_over) == (3, 3)


def test_every_file_is_taken_where_that_is_asked(tmp_path: Path) -> None:
    write(tmp_path, "a", "b/.c", ".d/e.txt")
    assert found(Files([tmp_path], every=True)) == [
        str(tmp_path / name) for name in (".d/e.txt", "a", "b/.c")
    ]


def test_what_the_run_itself_writes_is_none_of_them(tmp_path: Path) -> None:
    write(tmp_path, "a.png", "o.csv", "o.csv.unfinished", "o.csv.unfinished-wal", "sub/o.csv")
    files = Files([tmp_path / "sub" / "..", tmp_path], every=True, own=tmp_path / "o.csv")
    assert {Path(name).name for name in found(files)} == {"a.png", "o.csv"}
    assert (files.found, files.passed_over) == (4, 0)


def test_what_is_named_is_taken_whatever_its_name(tmp_path: Path) -> None:
    write(tmp_path, "a.bin")
    roots = [tmp_path / "a.bin", tmp_path / "none", tmp_path / ("x" * 5000)]
    assert found(Files(roots)) == sorted(map(str, roots))


def test_links_are_followed_but_not_round_in_circles(tmp_path: Path) -> None:
    write(tmp_path, "real/a.png", "folder/b.png")
    (tmp_path / "folder/real").symlink_to(tmp_path / "real")
    (tmp_path / "folder/again").symlink_to(tmp_path / "folder")
    (tmp_path / "folder/up").symlink_to(tmp_path)
    (tmp_path / "folder/self.png").symlink_to("self.png")
    (tmp_path / "folder/none.jpg").symlink_to("nowhere")
    everything = list(Files([tmp_path]))
    faults = [path for path in everything if isinstance(path, Fault)]
    assert {path.path.name for path in faults} == {"again", "up"}
    assert all("leads back" in path.error.detail for path in faults)
    names = sorted(path.name for path in everything if isinstance(path, Path))
    assert names == ["a.png", "a.png", "b.png", "none.jpg", "self.png"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_a_fault(tmp_path: Path) -> None:
    write(tmp_path, "closed/a.png", "open/b.png")
    (tmp_path / "closed").chmod(0)
    try:
        everything = list(Files([tmp_path]))
    finally:
        (tmp_path / "closed").chmod(stat.S_IRWXU)
    assert [type(path) for path in everything].count(Fault) == 1


def test_a_folder_that_goes_meanwhile_ends_nothing(tmp_path: Path) -> None:
    write(tmp_path, "a/1.png", "b/2.png")
    files = iter(Files([tmp_path]))
    first = next(files)
    assert isinstance(first, Path)
    other = tmp_path / {"a": "b", "b": "a"}[first.parent.name]
    for path in (*other.iterdir(), other):
        path.unlink() if path.is_file() else path.rmdir()
    (fault,) = files
    assert isinstance(fault, Fault)


def test_nothing_is_read_before_it_is_asked_for(tmp_path: Path) -> None:
    write(tmp_path, *(f"{number}/{other}.png" for number in range(20) for other in range(5)))
    files = Files([tmp_path])
    few = list(islice(files, 7))
    assert len(few) == files.found == 7


def test_a_deep_tree_needs_no_deep_stack(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(300):
        deep = deep / "d"
        deep.mkdir()
    write(deep, "a.png")
    assert found(Files([tmp_path])) == [str(deep / "a.png")]
