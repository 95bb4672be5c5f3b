"""Early stopping: which epoch val says is the best, and when to wait for a better one no longer."""

from collections.abc import Sequence

from training.run_directory import EpochRecord


def best_epoch(history: Sequence[EpochRecord]) -> EpochRecord | None:
    """The first epoch with the best val accuracy, None where none was looked at."""
    looked = [record for record in history if record.val_accuracy is not None]
    return max(looked, key=lambda record: record.val_accuracy or 0.0, default=None)


def out_of_patience(history: Sequence[EpochRecord], patience: int) -> bool:
    """Whether val has not got better for `patience` epochs; never with 0.

    Judged only where val was looked at: between two looks nothing can have got better.
    """
    best = best_epoch(history)
    if not patience or best is None or history[-1].val_accuracy is None:
        return False
    return history[-1].epoch - best.epoch >= patience
