"""One run's directory: configuration, splits, checkpoint, metrics; everything that resuming needs."""

import csv
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from training.errors import CheckpointDamaged

CHECKPOINT = "checkpoint.safetensors"


@dataclass(frozen=True)
class EpochRecord:
    """One epoch's measurements; accuracies are parts of 1, val is None where it was not looked at."""

    epoch: int
    loss: float
    accuracy: float
    lr: float
    seconds: float
    val_accuracy: float | None = None


@dataclass(frozen=True)
class Checkpoint:
    """What training had reached after the last whole epoch."""

    module: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    history: tuple[EpochRecord, ...]


@dataclass(frozen=True)
class RunDirectory:
    """Files of one run, found again by its key."""

    path: Path

    @classmethod
    def open(cls, runs: Path, name: str, *, fresh: bool) -> "RunDirectory":
        """Make `runs/name`, or find it; `fresh` empties it first."""
        path = runs / name
        if fresh and path.is_dir():
            shutil.rmtree(path)
        path.mkdir(parents=True, exist_ok=True)
        return cls(path)

    def write_json(self, name: str, value: Any) -> None:
        """Write one JSON file, replaced whole."""
        self._replace(name, json.dumps(value, indent=2) + "\n")

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace the checkpoint, in one file so that a kill leaves the old one or the new one."""
        tensors = {f"module.{name}": value for name, value in checkpoint.module.items()}
        tensors |= {f"optimizer.{name}": value for name, value in checkpoint.optimizer.items()}
        history = json.dumps([asdict(record) for record in checkpoint.history])
        new = self.path / f"{CHECKPOINT}.new"
        plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        save_file(plain, new, metadata={"history": history})
        new.replace(self.path / CHECKPOINT)
        self._write_metrics(checkpoint.history)

    def load(self) -> Checkpoint | None:
        """The last checkpoint, None if there is none. Raises CheckpointDamaged."""
        path = self.path / CHECKPOINT
        if not path.is_file():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
                records = json.loads(file.metadata()["history"])
            history = tuple(EpochRecord(**record) for record in records)
        except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            raise CheckpointDamaged(f"cannot resume from {path}: {error}; start over with --fresh") from error
        return Checkpoint(part(tensors, "module."), part(tensors, "optimizer."), history)

    def _write_metrics(self, history: Sequence[EpochRecord]) -> None:
        new = self.path / "metrics.csv.new"
        with new.open("w", newline="") as file:
            writer = csv.DictWriter(file, [field.name for field in fields(EpochRecord)])
            writer.writeheader()
            writer.writerows(asdict(record) for record in history)
        new.replace(self.path / "metrics.csv")

    def _replace(self, name: str, text: str) -> None:
        new = self.path / f"{name}.new"
        new.write_text(text)
        new.replace(self.path / name)


def part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, under what is behind it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
