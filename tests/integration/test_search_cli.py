"""A real `dvpt-train --search` that is killed in the middle of a trial, and goes on."""

from pathlib import Path

from tests.support.trials import Trials, two_digits
from training.search.search import ROWS
from training.search.trials import TrialRow


def test_a_killed_search_ends_with_the_same_rows_and_the_same_accuracy(tmp_path: Path) -> None:
    flags = two_digits(tmp_path, {"train": (0, 12), "val": (12, 18), "test": (18, 30)})
    flags += ["--epochs", "20", "--search", "--grid-lr", "0.03,0.003", "--grid-weight-decay", "0"]
    whole, broken = (Trials(tmp_path / name, flags, ROWS, TrialRow) for name in ("whole", "broken"))
    finished = whole.finish()
    assert finished.returncode == 0, finished.stderr
    broken.kill_when(lambda epochs: len(epochs) == 2 and min(epochs) >= 2)
    assert len(broken.rows()) == 1
    resumed = broken.finish()
    assert resumed.returncode == 0, resumed.stderr
    assert " of 20 epochs are trained" in resumed.stderr
    assert broken.rows() == whole.rows()
    accuracy = [line for line in finished.stdout.splitlines() if line.startswith("accuracy on test")]
    assert accuracy[0] in resumed.stdout
    assert "two-digits version 1, seed 0," in resumed.stdout
