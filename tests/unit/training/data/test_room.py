from pathlib import Path

import pytest

from training.data import room
from training.data.room import available, check_room
from training.errors import OutOfMemory


def give(root: Path, files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    monkeypatch.setattr(room, "PROC", root / "proc")
    monkeypatch.setattr(room, "CGROUP", root / "cgroup")
    monkeypatch.setattr(room, "_limits", lambda: iter(()))


def test_the_narrowest_control_group_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "proc/meminfo": "MemTotal: 9000 kB\nMemAvailable: 8000 kB\nSwapFree: 100 kB\n",
        "proc/self/cgroup": "0::/pod/box\n",
        "cgroup/pod/memory.max": "6000000\n",
        "cgroup/pod/memory.current": "1500000\n",
        "cgroup/pod/memory.stat": "anon 5\ninactive_file 500000\n",
        "cgroup/pod/box/memory.max": "max\n",
        "cgroup/pod/box/memory.current": "1500000\n",
    }
    give(tmp_path, files, monkeypatch)
    assert available() == (5_000_000, "the control group's limit")


def test_control_groups_of_the_first_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "proc/self/cgroup": "5:cpu:/box\n4:memory:/box\n",
        "cgroup/memory/box/memory.limit_in_bytes": "6000000\n",
        "cgroup/memory/box/memory.usage_in_bytes": "1000000\n",
    }
    give(tmp_path, files, monkeypatch)
    assert available() == (5_000_000, "the control group's limit")


def test_the_machine_and_nothing_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    give(tmp_path, {}, monkeypatch)
    assert available()[0] == float("inf")
    give(tmp_path, {"proc/meminfo": "MemAvailable: 8000 kB\nSwapFree: 100 kB\n"}, monkeypatch)
    assert available() == (8100 * 1024, "the machine's memory")


def test_the_error_says_what_would_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "available", lambda: (6e9, "the control group's limit"))
    check_room(1000, 1024)
    with pytest.raises(
        OutOfMemory, match=r"5,000 pictures of 1024 px .* 15\.7 GB .* 6\.0 GB .*--image-size 512"
    ):
        check_room(5000, 1024)
