"""What a search ends with: the chosen point, and the accuracies of its final seeds."""

import statistics

from adapters.config import StrictModel
from training.data.departures import AnyDeparture
from training.search.grid import Optimizer
from training.uncertainty import Interval, wilson


class SearchResult(StrictModel):
    """The chosen point and its figures on test; accuracies are parts of 1, one for each seed that finished.

    `training_seconds` is the mean over the final trainings, `total_seconds` all that the search took.
    """

    task: str
    method: str
    optimizer: Optimizer
    lr: float
    weight_decay: float
    epochs: int
    trials: int
    diverged_trials: int
    val_accuracy: float
    val_pictures: int
    seeds: tuple[int, ...]
    diverged_seeds: tuple[int, ...]
    accuracies: tuple[float, ...]
    pictures: int
    parameters_with_head: int
    parameters_without_head: int
    training_seconds: float
    total_seconds: float
    backbone: str
    image_size: int
    source: str
    departures: tuple[AnyDeparture, ...]
    splits_made: tuple[str, ...]
    store: str
    version: int | None
    directory: str

    @property
    def mean(self) -> float:
        """Of the accuracies."""
        return statistics.fmean(self.accuracies)

    @property
    def std(self) -> float | None:
        """Sample standard deviation over seeds, None for a single one."""
        return sample_std(self.accuracies)

    @property
    def interval(self) -> Interval:
        """Wilson's 95 % interval of the mean: all seeds are tested on the same pictures."""
        return wilson(self.mean, self.pictures)


def sample_std(accuracies: tuple[float, ...]) -> float | None:
    """Sample standard deviation, None for a single value."""
    return statistics.stdev(accuracies) if len(accuracies) > 1 else None
