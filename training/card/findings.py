"""What a run found: an answer for each picture of the evaluated split, and the way there."""

import statistics
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from adapters.kinds.acceptance import Acceptance
from training.card.provenance import Choice
from training.run_directory import EpochRecord
from training.uncertainty import Interval, Reliability, difference_interval, wilson


@dataclass(frozen=True)
class Predictions:
    """Answers in the split's order: names [N], labels [N], logits [N, C] float32."""

    names: tuple[str, ...]
    labels: Tensor
    logits: Tensor

    @property
    def predicted(self) -> Tensor:
        """The index of the most probable class [N]."""
        return self.logits.argmax(dim=1)

    @property
    def correct(self) -> list[bool]:
        """Whether each answer is right."""
        return [bool(right) for right in self.predicted == self.labels]

    @property
    def accuracy(self) -> float:
        """The part of right answers."""
        return float((self.predicted == self.labels).double().mean())

    @property
    def balanced_accuracy(self) -> float:
        """The mean of the part that is answered right of each class's pictures, of classes that have any."""
        present = set(self.labels.tolist())
        return statistics.fmean(self._recall(label) for label in present)

    @property
    def largest_class(self) -> tuple[int, float]:
        """The class with most pictures, and its part of them: the accuracy of always saying it."""
        counts = torch.bincount(self.labels)
        return int(counts.argmax()), float(counts.max() / counts.sum())

    @property
    def no_better_than_one_answer(self) -> bool:
        """Whether always answering with the largest class would be right as often."""
        part = self.largest_class[1]
        return part < 1 and self.accuracy <= part + 1e-9

    def _recall(self, label: int) -> float:
        return float((self.predicted[self.labels == label] == label).double().mean())


@dataclass(frozen=True)
class Calibration:
    """A fitted temperature and thresholds: on how many pictures, and of which run."""

    temperature: float
    pictures: int
    run: str
    acceptance: Acceptance | None = None


@dataclass(frozen=True)
class Accepted:
    """Parts of the evaluated pictures: accepted, of these right (None of none), taken for no known class."""

    part: float
    right: float | None
    none_of_these: float

    def __str__(self) -> str:
        right = "" if self.right is None else f", of which {self.right:.4f} are right"
        return f"{self.part:.4f}{right}; {self.none_of_these:.4f} are taken for none of the classes"


@dataclass(frozen=True)
class LinearBeside:
    """What the linear head on frozen features answers to the evaluated pictures, in the same order.

    `values` is how many numbers it has, `strength` the inverse regularization that was chosen.
    """

    predictions: Predictions
    values: int
    strength: float


@dataclass(frozen=True)
class Floor:
    """Why a run ends as a linear head: its part of right answers to pictures held back was the larger one."""

    own: float
    linear: float
    pictures: int

    def __str__(self) -> str:
        return f"{self.linear:.4f} of {self.pictures} pictures held back, {self.own:.4f} by what was trained"


@dataclass(frozen=True)
class ShiftCheck:
    """Whether training pictures may be moved by up to so many `pixels`: what linear heads say.

    `still` and `moved` are cross-entropies of answers to the same `pictures`, none of them moved, by heads
    that were fitted to others as they are, and moved.
    """

    pixels: int
    pictures: int
    still: float
    moved: float

    @property
    def passed(self) -> bool:
        """Whether the head that was fitted to moved pictures is the better one."""
        return self.moved < self.still

    def __str__(self) -> str:
        how = f"moved by up to {self.pixels} pixels" if self.passed else "not moved"
        return (
            f"training pictures are {how}: a linear head fitted to moved ones answers {self.pictures} others "
            f"with a cross-entropy of {self.moved:.4f}, one fitted to them as they are with {self.still:.4f}"
        )


@dataclass(frozen=True)
class Lead:
    """Accuracy over that of the linear head, a part of 1, and its 95 % interval from the same pictures."""

    difference: float
    interval: Interval


@dataclass(frozen=True)
class Findings:
    """What a finished run found out: answers on the evaluated split and the way there.

    `kept` is the epoch whose tensors count where training stops early, None where the last one does. `floor`
    is why it is a linear head that counts, where it is; `linear` is what all of it is held against, `choice`
    how the method was chosen, where auto did.
    """

    split: Literal["val", "test"]
    classes: tuple[str, ...]
    predictions: Predictions
    history: tuple[EpochRecord, ...]
    kept: EpochRecord | None = None
    calibration: Calibration | None = None
    floor: Floor | None = None
    linear: LinearBeside | None = None
    choice: Choice | None = None

    @property
    def interval(self) -> Interval:
        """Wilson's 95 % interval of the accuracy."""
        return wilson(self.predictions.accuracy, len(self.predictions.labels))

    @property
    def lead(self) -> Lead | None:
        """How far above the linear head. Raises ValueError unless both answered the same pictures."""
        if self.linear is None:
            return None
        own, other = self.predictions, self.linear.predictions
        if own.names != other.names:
            raise ValueError("the linear head answered other pictures, or in another order")
        return Lead(own.accuracy - other.accuracy, difference_interval([own.correct], [other.correct]))

    @property
    def accepted(self) -> Accepted | None:
        """What the thresholds make of the evaluated pictures, if there are any."""
        found = self.calibration and self.calibration.acceptance
        if not found:
            return None
        likeliest = self.predictions.logits.double().softmax(1).max(1)
        verdicts = [
            found.verdict(*one)
            for one in zip(likeliest.indices.tolist(), likeliest.values.tolist(), strict=True)
        ]
        right = [
            one
            for one, verdict in zip(self.predictions.correct, verdicts, strict=True)
            if verdict == "accepted"
        ]
        return Accepted(
            len(right) / len(verdicts),
            sum(right) / len(right) if right else None,
            verdicts.count("none_of_these") / len(verdicts),
        )

    @property
    def reliability(self) -> Reliability:
        """How far the probabilities that were answered can be believed."""
        return Reliability.of(self.predictions.logits, self.predictions.labels)

    @property
    def uncalibrated(self) -> Reliability:
        """The same before a temperature was folded in."""
        temperature = self.calibration.temperature if self.calibration else 1.0
        return Reliability.of(self.predictions.logits * temperature, self.predictions.labels)
