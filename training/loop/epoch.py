"""What an epoch goes over, and what is measured of it while it lasts."""

import time
from dataclasses import dataclass

from torch import Tensor

from training.run_directory import EpochRecord


@dataclass(frozen=True)
class Pictures:
    """What a method made of the training pictures [N, …], and their labels [N].

    The pixels themselves where they are augmented: then the method's part is done batch by batch.
    """

    inputs: Tensor
    labels: Tensor


@dataclass
class Epoch:
    """An epoch in progress: the rows of each batch, and what was measured so far.

    `first_step` of `all_steps` of the run is its own first.
    """

    number: int
    batches: list[Tensor]
    began: float
    first_step: int
    all_steps: int
    lr: float = 0.0
    done: int = 0
    loss_sum: float = 0.0
    right: int = 0
    seen: int = 0

    def count(self, loss: float, right: int, rows: int) -> None:
        """Add a batch."""
        self.done += 1
        self.loss_sum += loss * rows
        self.right += right
        self.seen += rows

    def record(self, trials: int = 1) -> EpochRecord:
        """What is kept of it; its time is shared by the trials that were trained side by side."""
        seconds = (time.perf_counter() - self.began) / trials
        return EpochRecord(
            self.number + 1, self.loss_sum / self.seen, self.right / self.seen, self.lr, seconds
        )
