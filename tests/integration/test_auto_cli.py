"""A real `dvpt-train --method auto` that is killed in the middle of a trial, and goes on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from adapters.vit.backbone import random_backbone
from tests.support.backbones import save_weights
from tests.support.pictures import write_picture
from training.auto.rungs import ROWS, AutoRow
from training.data.embedded import load_embedded
from training.search.ledger import Ledger

TINY = "test_vit"
START_TIMEOUT_S = 200.0
TRIALS = 5 * 5
# One thread: the order of a sum, and so its last bit, follows the number of threads.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture
def flags(tmp_path: Path) -> list[str]:
    """Five candidates in five folds of 12 pictures of digits 0 and 1, with a tiny backbone."""
    weights = tmp_path / "tiny.safetensors"
    save_weights(random_backbone(TINY, seed=3), weights)
    pictures, labels = load_embedded("digits", "trainval")
    for label in (0, 1):
        chosen = [picture for picture, own in zip(pictures, labels, strict=True) if own == label]
        for split, start, end in (("train", 0, 6), ("test", 6, 12)):
            for number in range(start, end):
                path = tmp_path / "digits" / split / f"digit {label}" / f"{number}.png"
                write_picture(path, chosen[number])
    return [
        "--task", "two-digits", "--data", str(tmp_path / "digits"), "--backbone", TINY,
        "--weights", str(weights), "--image-size", "32", "--prompt-count", "2", "--device", "cpu",
        "--epochs", "24", "--method", "auto",
    ]  # fmt: skip


def command(place: Path, flags: list[str]) -> list[str]:
    where = ["--store", str(place / "store"), "--runs", str(place / "runs")]
    return [sys.executable, "-m", "training.cli", *flags, *where]


def auto(place: Path, flags: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(place, flags), env=ENVIRONMENT, capture_output=True, text=True, check=False)


def rows(place: Path) -> list[AutoRow]:
    """The rows so far, without the times."""
    (path,) = list((place / "runs").glob(f"*/{ROWS}")) or [place / ROWS]
    return [
        row.model_copy(update={"seconds": 0.0, "training_seconds": 0.0})
        for row in Ledger(path, AutoRow).rows()
    ]


def kill_in_second_candidate(place: Path, flags: list[str]) -> None:
    """Start, and kill -9 when the second candidate has had two epochs in its first fold."""
    process = subprocess.Popen(
        command(place, flags), env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        tables = list((place / "runs").glob("*/*/metrics.csv"))
        # The first candidate is computed at once: its five tables have no epochs.
        if len(tables) == 6 and max(len(table.read_text().splitlines()) for table in tables) > 2:
            break
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def test_a_killed_auto_ends_with_the_same_rows_and_the_same_accuracy(
    tmp_path: Path, flags: list[str]
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    finished = auto(whole, flags)
    assert finished.returncode == 0, finished.stderr
    kill_in_second_candidate(broken, flags)
    assert 5 <= len(rows(broken)) < TRIALS
    resumed = auto(broken, flags)
    assert resumed.returncode == 0, resumed.stderr
    assert rows(broken) == rows(whole)
    assert len(rows(whole)) == TRIALS + 1
    told = [line for line in finished.stdout.splitlines() if line.startswith(("auto took", "accuracy on"))]
    assert len(told) == 2
    assert all(line in resumed.stdout for line in told)
    assert "two-digits version 1 in" in resumed.stdout
