"""TensorBoard's log of a run."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from training.harmless import harmless
from training.run_directory import EpochRecord

SCALARS = ("loss", "accuracy", "lr", "val_accuracy", "seconds")


@contextmanager
def board(path: Path, *, first_epoch: int) -> Iterator[Callable[[EpochRecord], None]]:
    """What adds an epoch to the log in a run directory; one that cannot be written is a warning."""
    opened: list[SummaryWriter] = []
    with _harmless():
        opened.append(SummaryWriter(path, purge_step=first_epoch))

    def add(record: EpochRecord) -> None:
        with _harmless():
            for name in SCALARS if opened else ():
                if (value := getattr(record, name)) is not None:
                    opened[0].add_scalar(name, value, record.epoch)

    try:
        yield add
    finally:
        with _harmless():
            for writer in opened:
                writer.close()


def _harmless() -> AbstractContextManager[None]:
    return harmless("TensorBoard log", "metrics.csv has the same figures")
