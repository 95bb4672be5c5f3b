import os
from pathlib import Path

import pytest

from adapters.cores import available_cores


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))


@pytest.mark.parametrize(
    ("content", "cores"),
    [
        ("max 100000\n", 8),
        ("250000 100000\n", 3),
        ("50000 100000\n", 1),
        ("6400000 100000\n", 8),
        ("what\n", 8),
    ],
)
def test_a_quota_counts_where_it_is_less_than_the_cores(tmp_path: Path, content: str, cores: int) -> None:
    (tmp_path / "cpu.max").write_text(content)
    assert available_cores(tmp_path / "cpu.max") == cores


def test_without_control_groups_the_cores_count(tmp_path: Path) -> None:
    assert available_cores(tmp_path / "cpu.max") == 8
