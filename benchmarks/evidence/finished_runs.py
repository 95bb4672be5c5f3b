"""Rows of the evidence: one for each finished run, appended and never changed."""

import csv
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.evidence.trial import Key, Trial
from training.run.execution import Outcome


@dataclass(frozen=True)
class Row:
    """What a trial was and what came of it; accuracy is a part of 1.

    `correct` has a bit for each tested picture, in the split's order, so that runs can be compared in pairs.
    The rest is not known of rows from before it was recorded: the method that was trained in the end, its
    trained values with the head, processor seconds from pictures to the published adapter, that one's bytes
    (0 where none is published), and the expected calibration error before and after a temperature.
    `device` is the GPU's name where there was one.
    """

    suite: str
    task: str
    variant: str
    lr: float
    seed: int
    split: str
    train_pictures: int
    pictures: int
    accuracy: float
    parameters: int
    train_seconds: float
    finished: str
    correct: str
    method: str = ""
    values: int | None = None
    seconds: float | None = None
    adapter_bytes: int | None = None
    error_before: float | None = None
    error_after: float | None = None
    device: str = ""

    @property
    def key(self) -> Key:
        """What makes two rows the same trial."""
        return (self.suite, self.variant, self.lr, self.seed, self.split)

    @classmethod
    def of(
        cls,
        trial: Trial,
        outcome: Outcome,
        train_pictures: int,
        seconds: float,
        adapter_bytes: int,
        device: str = "",
    ) -> "Row":
        """The row of a finished run."""
        predictions, facts = outcome.findings.predictions, outcome.provenance
        after = facts.metrics.calibration_error
        return cls(
            trial.suite, trial.task, trial.variant, trial.lr, trial.seed, trial.split, train_pictures,
            len(predictions.labels), round(predictions.accuracy, 6), facts.parameters.without_head,
            facts.training_seconds, _now(), to_hex(predictions.correct),
            facts.method, facts.parameters.with_head, round(seconds, 1), adapter_bytes,
            facts.calibration.error_before if facts.calibration else after, after, device,
        )  # fmt: skip

    @classmethod
    def diverged(cls, trial: Trial, train_pictures: int) -> "Row":
        """The row of a run whose loss was no number: no picture was tested."""
        return cls(
            trial.suite, trial.task, trial.variant, trial.lr, trial.seed, trial.split, train_pictures,
            0, 0.0, 0, 0.0, _now(), "",
        )  # fmt: skip


def append_row(path: Path, row: Row) -> None:
    """Add a line in one write, so that several queues can share the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_text(",".join(field.name for field in fields(Row)) + "\n")
    with path.open("a", newline="") as file:
        csv.DictWriter(file, [field.name for field in fields(Row)], lineterminator="\n").writerow(asdict(row))
        file.flush()
        os.fsync(file.fileno())


def read_rows(path: Path) -> list[Row]:
    """All rows; none if there is no file yet."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [_row(line) for line in csv.DictReader(file, restval="")]


def to_hex(correct: Sequence[bool]) -> str:
    """Bits, the first picture's first, in hex digits."""
    bits = "".join("1" if right else "0" for right in correct)
    return f"{int(bits, 2):0{(len(bits) + 3) // 4}x}"


def from_hex(digits: str, count: int) -> list[bool]:
    """The inverse of `to_hex`."""
    return [bit == "1" for bit in f"{int(digits, 16):0{count}b}"]


def _row(line: dict[str, str]) -> Row:
    return Row(
        line["suite"], line["task"], line["variant"], float(line["lr"]), int(line["seed"]), line["split"],
        int(line["train_pictures"]), int(line["pictures"]), float(line["accuracy"]), int(line["parameters"]),
        float(line["train_seconds"]), line["finished"], line["correct"],
        line["method"], _whole(line["values"]), _real(line["seconds"]), _whole(line["adapter_bytes"]),
        _real(line["error_before"]), _real(line["error_after"]), line.get("device", ""),
    )  # fmt: skip


def _whole(text: str) -> int | None:
    return int(text) if text else None


def _real(text: str) -> float | None:
    return float(text) if text else None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
