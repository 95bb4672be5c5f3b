"""Parts of a task's training pictures, for the data-scale curve: stratified, by seed, as own lists."""

import os
from pathlib import Path

from training.data.splits import cut
from training.data.task_data import open_task
from training.options.train_config import TrainConfig


def training_subset(task: str, part: float, seed: int, folder: Path) -> Path | None:
    """A VTAB-1k folder whose thousand is that part of the task's; None for the whole task."""
    if part == 1.0:
        return None
    source = Path(os.environ["DVPT_DATA_ROOT"], "vtab-1k", task)
    target = folder / f"{task}-{part:g}-seed{seed}"
    target.mkdir(parents=True, exist_ok=True)
    data = open_task(TrainConfig(task=task))
    _, kept = cut(data.splits["train"] + data.splits["val"], part, seed)
    for name in ("classes.txt", "test.txt", "images"):
        link = target / name
        if not link.exists():
            link.symlink_to((source / name).resolve())
    lines = (f"{name} {label}\n" for name, label in zip(kept.names, kept.labels, strict=True))
    (target / "train800val200.txt").write_text("".join(lines))
    return target
