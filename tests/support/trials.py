"""A real `dvpt-train` of many trials on two digits, which can be killed in the middle of one."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from adapters.vit.backbone import random_backbone
from tests.support.backbones import save_weights
from tests.support.pictures import write_picture
from training.data.embedded import load_embedded
from training.search.ledger import Ledger
from training.search.trials import TrialRow

TINY = "test_vit"
START_TIMEOUT_S = 200.0
# One thread: the order of a sum, and so its last bit, follows the number of threads.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
Row = TypeVar("Row", bound=TrialRow)


def two_digits(folder: Path, splits: Mapping[str, tuple[int, int]]) -> list[str]:
    """Flags for the digits 0 and 1, each split from one picture to another, and a tiny backbone."""
    weights = folder / "tiny.safetensors"
    save_weights(random_backbone(TINY, seed=3), weights)
    pictures, labels = load_embedded("digits", "trainval")
    for label in (0, 1):
        chosen = [picture for picture, own in zip(pictures, labels, strict=True) if own == label]
        for split, (start, end) in splits.items():
            for number in range(start, end):
                path = folder / "digits" / split / f"digit {label}" / f"{number}.png"
                write_picture(path, chosen[number])
    return [
        "--task", "two-digits", "--data", str(folder / "digits"), "--backbone", TINY,
        "--weights", str(weights), "--image-size", "32", "--prompt-count", "2", "--device", "cpu",
    ]  # fmt: skip


@dataclass(frozen=True)
class Trials(Generic[Row]):
    """A command in a place of its own, which writes rows of one kind into a table of that name."""

    place: Path
    flags: Sequence[str]
    table: str
    kind: type[Row]

    def finish(self) -> subprocess.CompletedProcess[str]:
        """Run it to its end, or go on with it."""
        return subprocess.run(self._command(), env=ENVIRONMENT, capture_output=True, text=True, check=False)

    def kill_when(self, reached: Callable[[list[int]], bool]) -> None:
        """Start it, and kill -9 as soon as the epochs of the trials that have begun are what is `reached`."""
        process = subprocess.Popen(
            self._command(), env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + START_TIMEOUT_S
        while process.poll() is None and time.monotonic() < deadline:
            tables = (self.place / "runs").glob("*/*/metrics.csv")
            if reached([len(table.read_text().splitlines()) - 1 for table in tables]):
                break
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL

    def rows(self) -> list[Row]:
        """The rows so far, without the times."""
        (path,) = list((self.place / "runs").glob(f"*/{self.table}")) or [self.place / self.table]
        return [
            row.model_copy(update={"seconds": 0.0, "training_seconds": 0.0})
            for row in Ledger(path, self.kind).rows()
        ]

    def _command(self) -> list[str]:
        where = ["--store", str(self.place / "store"), "--runs", str(self.place / "runs")]
        return [sys.executable, "-m", "training.cli", *self.flags, *where]
