"""What only a directory can hold: links, temporary files of dead processes, locks of dead processes."""

import errno
import fcntl
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from adapters.errors import ArtifactDamaged, ConfigError
from adapters.store.local_files import LOCK_FILE, LocalFiles
from adapters.store.store import Store
from adapters.vit.backbone import Backbone
from tests.support.processes import holding

DAY_S = 24 * 3600


@pytest.fixture
def files(tmp_path: Path) -> LocalFiles:
    files = LocalFiles(tmp_path / "place")
    files.put("a/b", b"inside")
    return files


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "b").write_bytes(b"outside")
    return folder


def test_a_linked_folder_is_neither_listed_nor_written_through(files: LocalFiles, outside: Path) -> None:
    (files.root / "linked").symlink_to(outside)
    calls: list[Callable[[], object]] = [
        lambda: files.read("linked/b"),
        lambda: files.put("linked/c", b""),
        lambda: files.put_exclusive("linked/c", b""),
        lambda: files.remove("linked/b"),
        lambda: files.lock("linked").__enter__(),
    ]
    for call in calls:
        with pytest.raises(ArtifactDamaged, match="linked is a symbolic link; a store holds none"):
            call()
    assert files.folders() == ["a"]
    assert [path.name for path in outside.iterdir()] == ["b"]


def test_a_linked_file_is_not_read_and_a_put_replaces_the_link(files: LocalFiles, outside: Path) -> None:
    link = files.root / "a" / "link"
    link.symlink_to(outside / "b")
    with pytest.raises(ArtifactDamaged, match="a/link cannot be read: a store holds no symbolic links"):
        files.read("a/link")
    assert not files.put_exclusive("a/link", b"own")
    files.put("a/link", b"own")
    assert files.read("a/link") == b"own"
    assert (outside / "b").read_bytes() == b"outside"


def test_a_lock_file_that_is_a_link_is_not_followed(files: LocalFiles, outside: Path) -> None:
    (files.root / "a" / ".lock").symlink_to(outside / "new")
    with pytest.raises(OSError, match="symbolic links"), files.lock("a"):
        pass
    assert not (outside / "new").exists()


def test_a_root_that_is_a_link_is_the_owners_choice(files: LocalFiles, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(files.root)
    assert LocalFiles(tmp_path / "link").read("a/b") == b"inside"


def test_what_a_killed_write_left_is_not_listed_and_goes_when_it_is_old(files: LocalFiles) -> None:
    old, new = files.root / "a" / ".b.1.tmp", files.root / "a" / ".b.2.tmp"
    before = files.fingerprint("a")
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 2 * DAY_S,) * 2)
    assert files.files("a") == ["b"]
    assert files.fingerprint("a") == before
    files.remove_temporaries("a", DAY_S)
    assert (old.exists(), new.exists()) == (False, True)
    assert files.read("a/b") == b"inside"


def test_the_age_is_that_of_the_youngest(files: LocalFiles) -> None:
    past = time.time() - 2 * DAY_S
    for path in (files.root / "a" / "b", files.root / "a"):
        os.utime(path, (past, past))
    assert files.age_s("a") > DAY_S
    os.utime(files.root / "a" / "b")
    assert files.age_s("a") < DAY_S


def test_a_change_of_equal_length_shows_in_the_fingerprint(files: LocalFiles) -> None:
    """Somebody flips a bit in place, without this class."""
    before = files.fingerprint("a")
    (files.root / "a" / "b").write_bytes(b"INSIDE")
    os.utime(files.root / "a" / "b", (1, 1))
    assert files.fingerprint("a") != before


def test_a_changed_permission_shows_in_the_fingerprint(files: LocalFiles) -> None:
    (files.root / "a" / "b").chmod(0o600)
    before = files.fingerprint("a")
    (files.root / "a" / "b").chmod(0o644)
    assert files.fingerprint("a") != before


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP])
def test_of_exclusive_puts_without_hard_links_one_wins_and_nobody_sees_half(
    files: LocalFiles, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    for turn in range(20):
        start, key = threading.Barrier(8), f"{turn}/claim"
        datas = [bytes([number]) * 100_000 for number in range(8)]

        def put(data: bytes, start: threading.Barrier = start, key: str = key) -> tuple[bool, bytes]:
            start.wait()
            return files.put_exclusive(key, data), files.read(key)

        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(put, datas))
        winner = datas[[won for won, _ in results].index(True)]
        assert [won for won, _ in results].count(True) == 1
        assert {read for _, read in results} == {winner}
        assert files.files(f"{turn}") == ["claim"]


def test_without_hard_links_a_link_in_the_way_is_left_alone(
    files: LocalFiles, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "no hard links")

    monkeypatch.setattr(os, "link", refuse)
    (files.root / "a" / "link").symlink_to(outside / "missing")
    assert not files.put_exclusive("a/link", b"own")
    assert (files.root / "a" / "link").is_symlink()


def test_a_full_disk_is_not_taken_for_one_without_hard_links(
    files: LocalFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(OSError, match="full"):
        files.put_exclusive("a/c", b"")
    assert [path.name for path in (files.root / "a").iterdir()] == ["b"]


def test_a_store_is_not_made_where_there_are_neither_hard_links_nor_locks(
    tmp_path: Path, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(fcntl, "flock", refuse)
    said = r"store is on a file system without locks \(flock\), which a store needs"
    with pytest.raises(ConfigError, match=said):
        Store.create(tmp_path / "store", backbone.config)
    assert not (tmp_path / "store" / "backbone.json").exists()


HOLDER = """
import sys
from pathlib import Path
from adapters.store.local_files import LocalFiles

with LocalFiles(Path(sys.argv[1])).lock("a"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_another_process_keeps_the_lock_until_it_is_killed(files: LocalFiles) -> None:
    with holding(HOLDER, files.root) as holder:
        with pytest.raises(Timeout):
            FileLock(files.root / "a" / LOCK_FILE).acquire(blocking=False)
        holder.kill()
    with files.lock("a"):
        assert files.files("a") == ["b"]
