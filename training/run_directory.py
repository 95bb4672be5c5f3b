"""One run's directory: configuration, splits, checkpoint, metrics; everything that resuming needs."""

import csv
import io
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from training.errors import CheckpointDamaged, NotWritten, RunInUse

CHECKPOINT = "checkpoint.safetensors"
LOCK = ".lock"
_TENSORS = ("module", "optimizer", "best", "averaged", "held_back")


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
    """What training had reached after the last whole epoch.

    `best` is the module of the epoch with the best val accuracy, empty where training does not stop early.
    `scaler` is the state of float16's loss scale, empty for the other types. `averaged` are the averaged
    weights and `held_back` the answers to pictures held back, empty where there are none.
    """

    module: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    history: tuple[EpochRecord, ...]
    best: dict[str, Tensor] = field(default_factory=dict)
    scaler: dict[str, float] = field(default_factory=dict)
    averaged: dict[str, Tensor] = field(default_factory=dict)
    held_back: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class RunDirectory:
    """Files of one run, found again by its key. Each is replaced whole; writing raises NotWritten."""

    path: Path

    @contextmanager
    def claimed(self, *, fresh: bool = False) -> Iterator[None]:
        """Make the directory, and keep other processes from working in it; `fresh` empties it first.

        The system frees it with the process. Raises RunInUse.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            held = FileLock(self.path / LOCK, fallback_to_soft=False).acquire(blocking=False)
        except Timeout as error:
            raise RunInUse(
                f"another process is training in {self.path}: the same options make the same run; "
                "wait for it, or change an option (another --seed, another --runs folder)"
            ) from error
        with held:
            if fresh:
                self._empty()
            yield

    def write_json(self, name: str, value: Any) -> None:
        """Write one JSON file."""
        self.write_text(name, json.dumps(value, indent=2) + "\n")

    def write_text(self, name: str, text: str) -> None:
        """Write one text file."""
        self.write_bytes(name, text.encode())

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write one file."""
        self._replace(name, lambda new: new.write_bytes(content))

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace the checkpoint, in one file so that a kill leaves the old one or the new one."""
        parts = {name: getattr(checkpoint, name) for name in _TENSORS}
        tensors = {
            f"{part}.{name}": value.detach().cpu().contiguous()
            for part, values in parts.items()
            for name, value in values.items()
        }
        history = json.dumps([asdict(record) for record in checkpoint.history])
        metadata = {"history": history, "scaler": json.dumps(checkpoint.scaler)}
        self._replace(CHECKPOINT, lambda new: save_file(tensors, new, metadata=metadata))
        self.write_text("metrics.csv", _metrics(checkpoint.history))

    def load(self) -> Checkpoint | None:
        """The last checkpoint, None if there is none. Raises CheckpointDamaged."""
        path = self.path / CHECKPOINT
        if not path.is_file():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
                metadata = file.metadata()
            history = tuple(EpochRecord(**record) for record in json.loads(metadata["history"]))
            scaler = json.loads(metadata.get("scaler", "{}"))
        except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            raise CheckpointDamaged(f"cannot resume from {path}: {error}; start over with --fresh") from error
        parts = {name: part(tensors, f"{name}.") for name in _TENSORS}
        return Checkpoint(history=history, scaler=scaler, **parts)

    def _empty(self) -> None:
        """Remove everything but the lock, which others may be waiting at."""
        for path in self.path.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != LOCK:
                path.unlink()

    def _replace(self, name: str, write: Callable[[Path], object]) -> None:
        """Write beside the file and then over it, so that a full disk leaves what was there."""
        path, new = self.path / name, self.path / f"{name}.new"
        try:
            write(new)
            new.replace(path)
        except (OSError, SafetensorError) as error:
            with suppress(OSError):  # the first error is the one to tell
                new.unlink(missing_ok=True)
            raise NotWritten(
                f"cannot write {path}: {reason(error)}; what was there is kept, and the same command goes on"
            ) from error


def find_directory(runs: Path, name: str, key: str) -> RunDirectory:
    """The run of that key, under whatever name it was begun; one of this name where there is none yet."""
    own = runs / f"{name}-{key}"
    begun = sorted(path for path in runs.glob(f"*-{key}") if path.is_dir())
    return RunDirectory(own if own in begun or not begun else begun[0])


def reason(error: Exception) -> str:
    """The system's own words, which stand in OSError's middle."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, under what is behind it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _metrics(history: Sequence[EpochRecord]) -> str:
    """The history as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [column.name for column in fields(EpochRecord)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(record) for record in history)
    return text.getvalue()
