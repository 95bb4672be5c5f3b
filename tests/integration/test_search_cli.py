"""A real `dvpt-train --search` that is killed in the middle of a trial, and goes on."""

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
from training.data.embedded import load_embedded
from training.search.ledger import Ledger
from training.search.search import ROWS
from training.search.trials import TrialRow

TINY = "test_vit"
START_TIMEOUT_S = 200.0
# One thread: the order of a sum, and so its last bit, follows the number of threads.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture
def flags(tmp_path: Path) -> list[str]:
    """Search over two points on digits 0 and 1 with a tiny backbone of random weights."""
    weights = tmp_path / "tiny.safetensors"
    save_weights(random_backbone(TINY, seed=3), weights)
    for label in (0, 1):
        pictures, labels = load_embedded("digits", "trainval")
        chosen = [picture for picture, own in zip(pictures, labels, strict=True) if own == label]
        for split, start, end in (("train", 0, 12), ("val", 12, 18), ("test", 18, 30)):
            for number in range(start, end):
                path = tmp_path / "digits" / split / f"digit {label}" / f"{number}.png"
                write_picture(path, chosen[number])
    return [
        "--task", "two-digits", "--data", str(tmp_path / "digits"), "--backbone", TINY,
        "--weights", str(weights), "--image-size", "32", "--prompt-count", "2", "--device", "cpu",
        "--epochs", "20", "--search", "--grid-lr", "0.03,0.003", "--grid-weight-decay", "0",
    ]  # fmt: skip


def command(place: Path, flags: list[str]) -> list[str]:
    where = ["--store", str(place / "store"), "--runs", str(place / "runs")]
    return [sys.executable, "-m", "training.cli", *flags, *where]


def search(place: Path, flags: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(place, flags), env=ENVIRONMENT, capture_output=True, text=True, check=False)


def rows(place: Path) -> list[TrialRow]:
    """The rows so far, without the times."""
    (path,) = list((place / "runs").glob(f"*/{ROWS}")) or [place / ROWS]
    return [
        row.model_copy(update={"seconds": 0.0, "training_seconds": 0.0})
        for row in Ledger(path, TrialRow).rows()
    ]


def kill_in_second_trial(place: Path, flags: list[str]) -> None:
    """Start, and kill -9 when the second trial has had two epochs."""
    process = subprocess.Popen(
        command(place, flags), env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        tables = list((place / "runs").glob("*/*/metrics.csv"))
        longest = [len(table.read_text().splitlines()) - 1 for table in tables]
        if len(tables) == 2 and min(longest) >= 2:
            break
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def test_a_killed_search_ends_with_the_same_rows_and_the_same_accuracy(
    tmp_path: Path, flags: list[str]
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    finished = search(whole, flags)
    assert finished.returncode == 0, finished.stderr
    kill_in_second_trial(broken, flags)
    assert len(rows(broken)) == 1
    resumed = search(broken, flags)
    assert resumed.returncode == 0, resumed.stderr
    assert " of 20 epochs are trained" in resumed.stderr
    assert rows(broken) == rows(whole)
    accuracy = [line for line in finished.stdout.splitlines() if line.startswith("accuracy on test")]
    assert accuracy[0] in resumed.stdout
    assert "two-digits version 1, seed 0," in resumed.stdout
