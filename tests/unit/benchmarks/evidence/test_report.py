import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.evidence import report
from benchmarks.evidence.__main__ import RESULTS
from benchmarks.evidence.finished_runs import Row, append_row, from_hex, read_rows, to_hex
from benchmarks.evidence.plan import AUGMENTATIONS, AUGMENTED_TASKS, SUITES, trials


def rows(variant: str, seeds: int, accuracy: float, suite: str = "readings") -> Iterator[Row]:
    for seed in range(seeds):
        right = np.random.default_rng(zlib.crc32(f"{variant} {seed}".encode())).random(200) < accuracy
        yield Row(
            suite, variant.partition("-")[0], variant, 0.01, seed, "test", 1000, 200, float(right.mean()),
            28164, 50.0, "2026-11-22T18:36:17+00:00", to_hex(right.tolist()),
        )  # fmt: skip


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(report, "REPORT", tmp_path / "evidence.md")
    monkeypatch.setattr(report, "SCALE_PLOT", tmp_path / "scale.png")
    monkeypatch.setattr(report, "FEW_SHOT_PLOT", tmp_path / "few-shot.png")
    return tmp_path / "evidence.md"


def test_an_interval_of_one_seed_is_marked(written: Path) -> None:
    report.write_report([*rows("dvpt", 3, 0.9), *rows("shallow", 3, 0.6), *rows("norm", 1, 0.9)])
    lines = {line.split(" | ")[0]: line for line in written.read_text().splitlines()}
    assert lines["| norm"].endswith("(pictures alone) |")
    assert "pictures alone" not in lines["| shallow"]
    assert lines["| dvpt"].endswith("|  |  |")
    assert float(lines["| shallow"].split(" | ")[-1].split()[2]) < 0  # the whole interval is below 0


def test_augmentation_stands_beside_its_task_without(written: Path) -> None:
    task = AUGMENTED_TASKS[0]
    found = [*rows(f"{task}-none", 2, 0.7, "augmentation"), *rows(f"{task}-flip", 2, 0.9, "augmentation")]
    report.write_report(found)
    lines = [line for line in written.read_text().splitlines() if line.startswith(f"| {task} |")]
    assert len(lines) == 2
    assert "| flip 0.5 | 200 | 2 | " in lines[1]
    assert " to " not in lines[0]


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    (row,) = rows("dvpt", 1, 0.9)
    append_row(tmp_path / "rows.csv", row)
    assert read_rows(tmp_path / "rows.csv") == [row]
    assert sum(from_hex(row.correct, row.pictures)) / 200 == row.accuracy


def test_rows_from_before_columns_were_added_are_read() -> None:
    rows = read_rows(RESULTS)
    (old,) = (row for row in rows if row.key == ("readings", "dvpt", 0.01, 0, "test"))
    assert (old.accuracy, old.method, old.values, old.error_after) == (0.866333, "", None, None)
    assert sum(from_hex(old.correct, old.pictures)) / old.pictures == pytest.approx(old.accuracy, abs=1e-6)


def test_no_two_trials_of_a_suite_are_one() -> None:
    for suite in SUITES:
        keys = [trial.key for trial in trials(suite, [])]
        assert len(set(keys)) == len(keys)
    assert len(trials("augmentation", [])) == 3 * len(AUGMENTATIONS) * len(AUGMENTED_TASKS)
