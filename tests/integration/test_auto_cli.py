"""A real `dvpt-train --method auto` that is killed in the middle of a trial, and goes on."""

from pathlib import Path

from tests.support.trials import Trials, two_digits
from training.auto.rungs import ROWS, AutoRow

FOLDS = 5
TRIALS = 5 * FOLDS


def test_a_killed_auto_ends_with_the_same_rows_and_the_same_accuracy(tmp_path: Path) -> None:
    flags = two_digits(tmp_path, {"train": (0, 6), "test": (6, 12)})
    flags += ["--epochs", "24", "--method", "auto"]
    whole, broken = (Trials(tmp_path / name, flags, ROWS, AutoRow) for name in ("whole", "broken"))
    finished = whole.finish()
    assert finished.returncode == 0, finished.stderr
    broken.kill_when(_in_second_candidate)
    assert FOLDS <= len(broken.rows()) < TRIALS
    resumed = broken.finish()
    assert resumed.returncode == 0, resumed.stderr
    assert broken.rows() == whole.rows()
    assert len(whole.rows()) == TRIALS + 1
    told = [line for line in finished.stdout.splitlines() if line.startswith(("auto took", "accuracy on"))]
    assert len(told) == 2
    assert all(line in resumed.stdout for line in told)
    assert "two-digits version 1 in" in resumed.stdout


def _in_second_candidate(epochs: list[int]) -> bool:
    """In its first fold, after two epochs; the first candidate is computed at once, without any."""
    return len(epochs) == FOLDS + 1 and max(epochs) >= 2
