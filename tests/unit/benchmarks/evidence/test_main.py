"""The queue: a trial is one process's at a time, is done once, and leaves its row alone behind."""

from pathlib import Path

import pytest

from benchmarks.evidence import __main__ as queue
from benchmarks.evidence.comparison import Setting, first_seed
from benchmarks.evidence.finished_runs import read_rows
from benchmarks.evidence.trial import Trial

TRIAL = next(
    trial
    for trial in first_seed([Setting("digits", "digits")], [])
    if trial.variant == "digits:linear" and trial.split == "test"
)


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(queue, "RESULTS", tmp_path / "rows.csv")
    monkeypatch.setattr(queue, "FOLDER", tmp_path / "work")
    return tmp_path


@pytest.mark.usefixtures("places")
def test_a_trial_is_claimed_by_one_at_a_time() -> None:
    with queue._claimed(TRIAL) as first, queue._claimed(TRIAL) as second:
        assert first
        assert not second
    with queue._claimed(TRIAL) as again:
        assert again


@pytest.mark.slow
def test_a_suite_is_done_once_and_leaves_rows_alone(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "trials", lambda *_: [TRIAL])
    queue.run_suites(["any", "another"])
    (row,) = read_rows(places / "rows.csv")
    assert (row.key, row.method, row.values, row.pictures) == (TRIAL.key, "linear", 1930, 450)
    assert row.accuracy > 0.9
    assert row.adapter_bytes is not None
    assert 1930 * 2 < row.adapter_bytes < 1930 * 4
    assert row.error_after is not None
    assert [path for path in (places / "work").rglob("*") if path.is_file()] == [
        places / "work" / "claims" / TRIAL.name
    ]
    monkeypatch.setattr(queue, "train", _never)
    queue.run_suites(["any"])


def _never(trial: Trial, *_: object) -> None:
    raise AssertionError(f"{trial.name} is done already")
