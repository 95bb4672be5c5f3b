"""Which runs are trained: the selection of a learning rate, then the final runs."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from benchmarks.real_pictures.predictions import accuracy, read_predictions

BACKBONE = "vit_tiny_patch16_224.augreg_in21k_ft_in1k"
TASKS = ("eurosat", "dtd10")
METHODS = ("dvpt", "vpt", "linear")
LEARNING_RATES = (1e-2, 3e-3)
EPOCHS = {"dvpt": 15, "vpt": 15, "linear": 100}
SEEDS = (0,)


@dataclass(frozen=True)
class Plan:
    """One training run: selection trains on train and looks at val, final trains on both and tests once."""

    task: str
    method: str
    lr: float
    seed: int
    final: bool

    @property
    def name(self) -> str:
        """The run's file name; of the final runs seed 0 is published under `published`."""
        return f"{self.task}-{self.method}-lr{self.lr:g}-seed{self.seed}-{'test' if self.final else 'val'}"

    @property
    def published(self) -> str:
        """The task's name in the store: DVPT takes the plain one."""
        return self.task if self.method == "dvpt" else f"{self.task}-{self.method}"

    def predictions(self, folder: Path) -> Path:
        """Where the run leaves its answer for each picture."""
        return folder / f"{self.name}.csv"

    def command(self, folder: Path) -> list[str]:
        """The dvpt-train command of this run."""
        splits = ("trainval", "test") if self.final else ("train", "val")
        published = ["--name", self.published] if self.final and self.seed == 0 else ["--no-publish"]
        return [
            str(Path(sys.executable).with_name("dvpt-train")), "--task", self.task, "--method", self.method,
            "--backbone", BACKBONE, "--store", str(folder / "store"), "--runs", str(folder / "runs"),
            "--lr", f"{self.lr:g}", "--epochs", str(EPOCHS[self.method]), "--seed", str(self.seed),
            "--train-split", splits[0], "--eval-split", splits[1],
            "--drop-path", "0", "--label-smoothing", "0",
            "--predictions", str(self.predictions(folder)), *published,
        ]  # fmt: skip


def selections() -> Iterator[Plan]:
    """Every learning rate of every method on EuroSAT's val200, seed 0, equal for all."""
    for method, lr in product(METHODS, LEARNING_RATES):
        yield Plan("eurosat", method, lr, 0, final=False)


def finals(folder: Path) -> Iterator[Plan]:
    """The final runs, seed by seed, at the learning rate that was best on val."""
    for seed, task, method in product(SEEDS, TASKS, METHODS):
        yield Plan(task, method, best_lr(folder, method), seed, final=True)


def best_lr(folder: Path, method: str) -> float:
    """The learning rate with the best accuracy on val200, for both tasks; the higher one of equals."""
    tried = [plan for plan in selections() if plan.method == method]
    return max(tried, key=lambda plan: accuracy(read_predictions(plan.predictions(folder)))).lr
