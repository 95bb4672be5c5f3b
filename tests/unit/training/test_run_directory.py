import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.support.processes import holding
from training.errors import CheckpointDamaged, NotWritten, RunInUse
from training.run_directory import CHECKPOINT, Checkpoint, EpochRecord, RunDirectory

RECORDS = (EpochRecord(1, 0.7, 0.5, 1e-2, 3.25), EpochRecord(2, 0.1 + 0.2, 0.75, 1e-3, 3.5, 0.625))


def saved(tmp_path: Path) -> RunDirectory:
    run = RunDirectory(tmp_path)
    run.save(Checkpoint({"w": torch.rand(3)}, {"0.exp_avg": torch.rand(3)}, RECORDS))
    return run


def test_a_checkpoint_comes_back_exactly(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    weights, state = torch.rand(3, 2), {"0.exp_avg": torch.rand(3), "0.step": torch.tensor(4.0)}
    run.save(Checkpoint({"0.weight": weights}, state, RECORDS, {"0.weight": weights + 1}, {"scale": 8.0}))
    loaded = RunDirectory(tmp_path).load()
    assert loaded is not None
    assert torch.equal(loaded.module["0.weight"], weights)
    assert loaded.history == RECORDS
    assert torch.equal(loaded.best["0.weight"], weights + 1)
    assert loaded.scaler == {"scale": 8.0}
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


def test_a_full_disk_is_told_with_the_files_name_and_leaves_what_was_there(tmp_path: Path) -> None:
    """The new file is written to a device that is always full."""
    run = saved(tmp_path)
    before = (run.path / "metrics.csv").read_bytes()
    (run.path / "metrics.csv.new").symlink_to("/dev/full")
    with pytest.raises(NotWritten, match=r"cannot write .*/metrics\.csv: No space left on device; .*is kept"):
        run.save(Checkpoint({"w": torch.rand(300)}, {}, (*RECORDS, RECORDS[0])))
    assert not (run.path / "metrics.csv.new").is_symlink()
    assert (run.path / "metrics.csv").read_bytes() == before


WRITER = """
import resource, sys, torch
from pathlib import Path
from training.errors import NotWritten
from training.run_directory import Checkpoint, RunDirectory

run = RunDirectory(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
run.save(Checkpoint({"w": torch.ones(100)}, {}, ()))
try:
    run.save(Checkpoint({"w": torch.zeros(100_000)}, {}, ()))
except NotWritten as error:
    print(error)
"""


@pytest.mark.slow
def test_a_file_that_grows_too_large_half_way_leaves_the_old_one(tmp_path: Path) -> None:
    """A process that may write 20 kB a file fails in the midst of a write, as on a disk that fills up."""
    done = subprocess.run(
        [sys.executable, "-c", WRITER, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"cannot write {tmp_path / CHECKPOINT}: " in done.stdout
    kept = RunDirectory(tmp_path).load()
    assert kept is not None
    assert torch.equal(kept.module["w"], torch.ones(100))
    assert {path.name for path in tmp_path.iterdir()} == {CHECKPOINT, "metrics.csv"}


HOLDER = """
import sys
from pathlib import Path
from training.run_directory import RunDirectory

with RunDirectory(Path(sys.argv[1])).claimed():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.slow
def test_another_process_is_kept_out_until_the_first_ends(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    with holding(HOLDER, run.path) as other:
        with pytest.raises(RunInUse, match=r"another process is training in .*run: .*--seed"), run.claimed():
            pass
        other.kill()
    with run.claimed():
        pass


def test_a_checkpoint_of_an_earlier_program_is_read(tmp_path: Path) -> None:
    """It had no tensors of a best epoch and no loss scale."""
    metadata = {"history": json.dumps([asdict(record) for record in RECORDS])}
    save_file({"module.w": torch.ones(2)}, tmp_path / CHECKPOINT, metadata=metadata)
    loaded = RunDirectory(tmp_path).load()
    assert loaded is not None
    assert loaded.history == RECORDS
    assert (loaded.best, loaded.scaler) == ({}, {})
