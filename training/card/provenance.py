"""Where a figure comes from: what is needed to judge it and to repeat it."""

import math
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from adapters.config import Sha256, StrictModel
from training.data.departures import AnyDeparture


def _finite(value: float | None) -> float | None:
    return value if value is None or math.isfinite(value) else None


# JSON has no NaN, and answers that are no numbers have no calibration error.
Measured = Annotated[float | None, BeforeValidator(_finite)]


class Metrics(StrictModel):
    """What was measured on the evaluated split; accuracies and calibration error are parts of 1.

    `accuracy_low` and `accuracy_high` are Wilson's 95 % interval; older results have a standard error
    instead.
    """

    split: Literal["val", "test"]
    accuracy: float
    accuracy_low: float | None = None
    accuracy_high: float | None = None
    standard_error: float | None = None
    pictures: int
    balanced_accuracy: float | None = None
    calibration_error: Measured = None


class EarlyStopping(StrictModel):
    """The epoch that counts, and why."""

    epoch: int
    val_accuracy: float


class Calibrated(StrictModel):
    """The temperature that was folded in, what it was fitted on, and the calibration error beside it."""

    temperature: float
    pictures: int
    run: str
    error_before: Measured = None
    error_after: Measured = None


class LinearFloor(StrictModel):
    """The parts of right answers to pictures held back for which a run ended as a linear head."""

    own: float
    linear: float
    pictures: int


class ShiftChecked(StrictModel):
    """By how many pixels training pictures were moved at most, and the cross-entropies that decided it."""

    pixels: int
    pictures: int
    still: float
    moved: float


class LinearHeadBeside(StrictModel):
    """The linear head on frozen features, computed from the same pictures and asked the same ones.

    `difference` is the method's accuracy minus `accuracy`, with its 95 % interval from the same pictures;
    `values` are the numbers it has, `strength` is its inverse regularization.
    """

    accuracy: float
    difference: float
    difference_low: float
    difference_high: float
    values: int
    strength: float


class TriedMethod(StrictModel):
    """A method that auto tried: the values and epochs it trained, and its part of right answers on val.

    `behind` is by how much the best one's part is larger, and `behind_error` the standard error of that. All
    three are None where it diverged. What was `dropped` was not trained for all of its epochs.
    """

    method: str
    values: int
    epochs: int
    dropped: bool = False
    accuracy: float | None = None
    behind: float | None = None
    behind_error: float | None = None


class Choice(StrictModel):
    """How `--method auto` came to the method: by val, or by `folds` of all training pictures.

    `pictures` is how many were answered by runs that had not seen them; with none, nothing was tried.
    """

    pictures: int
    folds: int
    tried: tuple[TriedMethod, ...]
    why: str


class DataFacts(StrictModel):
    """The pictures: where from, how many were trained on, digests of the trained and the evaluated ones."""

    source: str
    trained_on: Literal["train", "trainval"]
    pictures: int
    train_sha256: Sha256
    val_sha256: Sha256 | None = None
    test_sha256: Sha256 | None = None


class Seeds(StrictModel):
    """Of training, and of splits that were made."""

    seed: int
    split_seed: int


class ParameterCounts(StrictModel):
    """How many values were trained."""

    with_head: int
    without_head: int


class StartedFrom(StrictModel):
    """The version that training started from, as `task@version`, and what was taken of it."""

    version: str
    tensors: str


class Provenance(StrictModel):
    """The free block of `adapter_config.json`, and `result.json` of a run; the card shows it line by line.

    `departures` says in what the splits are not the benchmark's own, `splits_made` how those that the data
    lacks were made, `remarks` what was left out of it and what else should be known of the pictures.
    `options` are those that change the result, `finished` is a time in UTC.
    """

    method: str
    backbone: str
    metrics: Metrics
    early_stopping: EarlyStopping | None = None
    calibration: Calibrated | None = None
    linear_floor: LinearFloor | None = None
    shift: ShiftChecked | None = None
    linear_head: LinearHeadBeside | None = None
    choice: Choice | None = None
    data: DataFacts
    departures: tuple[AnyDeparture, ...]
    splits_made: tuple[str, ...]
    remarks: tuple[str, ...] = ()
    seeds: Seeds
    precision: str
    options: dict[str, Any]
    packages: dict[str, str]
    training_seconds: float
    finished: str
    command: str
    parameters: ParameterCounts
    warm_start: StartedFrom | None = None

    def plain(self) -> dict[str, Any]:
        """As JSON has it, without what does not apply."""
        return self.model_dump(mode="json", exclude_none=True)
