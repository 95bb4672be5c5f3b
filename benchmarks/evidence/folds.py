"""A task's training pictures in folds: each is looked at once, and a run on the others is a whole run.

Where train is trained on and val looked at, nothing is held back of what is trained on, and so what holding
back costs would not be seen.
"""

import fcntl
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.model_selection import StratifiedKFold

from adapters.config import PreprocessConfig
from training.data.pixels import Decoder
from training.data.splits import training_part
from training.data.task_data import open_task
from training.options.train_config import TrainConfig

FOLDS = 5
SIDE = 64


def fold_pictures(task: str, fold: int, folder: Path) -> Path:
    """A folder whose train is four fifths of the task's training pictures, and whose test is the fold.

    It is drawn where it is not there yet, by one process. Test pictures are not looked at.
    """
    target = folder / f"{task}-{fold}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{task}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            _draw(task, fold, folder / f"{task}-{fold}.unfinished").rename(target)
    return target


def _draw(task: str, fold: int, target: Path) -> Path:
    data = open_task(TrainConfig(task=task))
    known = training_part(data, "trainval")
    pixels = Decoder(PreprocessConfig(), SIDE).load(known)
    labels = np.array(known.labels)
    splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    for name, rows in zip(("train", "test"), list(splitter.split(labels, labels))[fold], strict=True):
        for row in rows:
            place = target / name / data.classes[labels[row]].replace("/", "-")
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels[row].permute(1, 2, 0).contiguous().numpy()).save(place / f"{row}.png")
    return target
