from pathlib import Path

import pytest
import torch

from training.errors import CheckpointDamaged
from training.run_directory import CHECKPOINT, Checkpoint, EpochRecord, RunDirectory

RECORDS = (EpochRecord(1, 0.7, 0.5, 1e-2, 3.25), EpochRecord(2, 0.1 + 0.2, 0.75, 1e-3, 3.5, 0.625))


def saved(tmp_path: Path) -> RunDirectory:
    run = RunDirectory(tmp_path)
    run.save(Checkpoint({"w": torch.rand(3)}, {"0.exp_avg": torch.rand(3)}, RECORDS))
    return run


def test_a_checkpoint_comes_back_exactly(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    weights, state = torch.rand(3, 2), {"0.exp_avg": torch.rand(3), "0.step": torch.tensor(4.0)}
    run.save(Checkpoint({"0.weight": weights}, state, RECORDS))
    loaded = RunDirectory(tmp_path).load()
    assert loaded is not None
    assert torch.equal(loaded.module["0.weight"], weights)
    assert loaded.history == RECORDS
    assert {name: value.tolist() for name, value in loaded.optimizer.items()} == {
        name: value.tolist() for name, value in state.items()
    }


def test_fresh_forgets_the_run(tmp_path: Path) -> None:
    run = saved(tmp_path)
    (run.path / "folder").mkdir()
    with run.claimed():
        assert run.load() is not None
    with run.claimed(fresh=True):
        assert run.load() is None
        assert [path.name for path in run.path.iterdir()] == [".lock"]


def test_metrics_are_a_table(tmp_path: Path) -> None:
    lines = (saved(tmp_path).path / "metrics.csv").read_text().splitlines()
    assert lines[0] == "epoch,loss,accuracy,lr,seconds,val_accuracy"
    assert lines[1] == "1,0.7,0.5,0.01,3.25,"
    assert len(lines) == 3


@pytest.mark.parametrize("keep", [0, 20, 200])
def test_a_truncated_checkpoint_is_named(tmp_path: Path, keep: int) -> None:
    run = saved(tmp_path)
    path = run.path / CHECKPOINT
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointDamaged, match="--fresh"):
        run.load()
