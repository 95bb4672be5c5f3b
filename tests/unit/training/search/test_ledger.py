import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from training.errors import CheckpointDamaged
from training.search.ledger import Ledger
from training.search.trials import TrialRow

ROW = TrialRow(
    task="a, b", method="vpt", optimizer="adamw", lr=0.1 + 0.2, weight_decay=0.0, seed=0, split="val",
    epochs=2, state="finished", accuracy=1 / 3, loss=2.5, pictures=9, seconds=1.5, training_seconds=1.0,
    run="x-1", version=None,
)  # fmt: skip
DIVERGED = ROW.model_copy(update={"state": "diverged", "accuracy": None, "loss": None})


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "new" / "rows.csv", TrialRow)
    assert ledger.rows() == []
    for row in (ROW, DIVERGED):
        ledger.append(row)
    assert ledger.rows() == [ROW, DIVERGED]
    assert ledger.path.read_text().splitlines()[0].startswith("task,method,optimizer,lr,weight_decay,seed")


@pytest.mark.parametrize("lost", [1, 20, 1000])
def test_a_line_that_was_cut_short_does_not_count(tmp_path: Path, lost: int) -> None:
    ledger = Ledger(tmp_path / "rows.csv", TrialRow)
    ledger.append(ROW)
    whole = ledger.path.read_bytes()
    ledger.append(DIVERGED)
    ledger.path.write_bytes(ledger.path.read_bytes()[:-lost])
    kept = [ROW] if lost < 1000 else []
    assert ledger.rows() == kept
    ledger.append(DIVERGED)
    assert ledger.rows() == [*kept, DIVERGED]
    assert lost == 1000 or ledger.path.read_bytes().startswith(whole)


def test_a_foreign_line_is_named(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "rows.csv", TrialRow)
    ledger.append(ROW)
    ledger.path.write_text(ledger.path.read_text().replace("finished", "perhaps"))
    with pytest.raises(CheckpointDamaged, match=r"rows\.csv, line 2: state"):
        ledger.rows()


def test_rows_appended_at_once_all_stay_whole(tmp_path: Path) -> None:
    """As by processes that share the work: each has the file open on its own."""
    path, start = tmp_path / "rows.csv", threading.Barrier(8)

    def append(seed: int) -> None:
        start.wait()
        for _ in range(10):
            Ledger(path, TrialRow).append(ROW.model_copy(update={"seed": seed}))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(append, range(8)))
    rows = Ledger(path, TrialRow).rows()
    assert sorted(row.seed for row in rows) == sorted(list(range(8)) * 10)
    assert [file.name for file in tmp_path.iterdir()] == ["rows.csv"]
