"""From a task's name, or a folder, to its data."""

import os
from pathlib import Path

from training.config import TrainConfig
from training.data import imagefolder, vtab
from training.data.downloads import DOWNLOADS, download_folder
from training.data.embedded import EMBEDDED_TASKS, load_embedded
from training.data.source import Split, SplitName, TaskData, check
from training.data.splits import with_test, with_val
from training.errors import DataNotFound

HINTS = {
    "eurosat": "EuroSAT (RGB) is at https://zenodo.org/records/7711810",
}


def is_embedded(config: TrainConfig) -> bool:
    """Whether the task is drawn or packaged, so that nothing needs to be found or downloaded."""
    return config.data is None and config.task in EMBEDDED_TASKS


def open_task(config: TrainConfig) -> TaskData:
    """The data of `--task` or `--data`, with the splits this run needs, checked.

    Raises DataNotFound with the folders looked in, and DataUnusable.
    """
    found = _find(config)
    check(found)
    data = with_test(found, config.test_fraction, config.split_seed)
    if config.train_split == "train":
        data = with_val(data, config.val_fraction, config.split_seed)
    check(data)
    return data


def _find(config: TrainConfig) -> TaskData:
    if config.data is not None:
        return _read_folder(config.data)
    if is_embedded(config):
        return _embedded(config.task)
    looked_in = _candidates(config)
    for folder in looked_in:
        if folder.is_dir():
            return _read_folder(folder)
    if config.task in DOWNLOADS:
        try:
            return DOWNLOADS[config.task](download_folder())
        except DataNotFound as error:
            raise _not_found(config.task, looked_in, f"{error}. ") from error
    raise _not_found(config.task, looked_in)


def _read_folder(folder: Path) -> TaskData:
    if not folder.is_dir():
        raise DataNotFound(f"--data {folder} is no folder")
    return vtab.read_lists(folder) if vtab.is_list_folder(folder) else imagefolder.read_image_folder(folder)


def _candidates(config: TrainConfig) -> list[Path]:
    environment = os.environ.get("DVPT_DATA_ROOT")
    roots = [config.data_root] if config.data_root else [Path(environment)] if environment else []
    return [root / part / config.task for root in roots for part in ("vtab-1k", "imagefolder", "")]


def _not_found(task: str, looked_in: list[Path], first: str = "") -> DataNotFound:
    places = ", ".join(str(folder) for folder in looked_in) or "no folder: set --data-root or $DVPT_DATA_ROOT"
    known = ", ".join(sorted({*EMBEDDED_TASKS, *DOWNLOADS}))
    hint = f"\n{HINTS[task]}." if task in HINTS else ""
    return DataNotFound(
        f"no data for task '{task}'. {first}Looked in {places}.\n"
        f"Accepted: {vtab.LAYOUT}; {imagefolder.LAYOUT}; or give the folder with --data.\n"
        f"Tasks that need no folder: {known}.{hint}"
    )


def _embedded(task: str) -> TaskData:
    return TaskData(
        EMBEDDED_TASKS[task].classes,
        {name: _embedded_split(task, name) for name in ("train", "val", "test")},
        f"embedded: {EMBEDDED_TASKS[task].description}",
    )


def _embedded_split(task: str, name: SplitName) -> Split:
    pictures, labels = load_embedded(task, name)
    names = tuple(f"{task}/{name}/{row:05d}.png" for row in range(len(labels)))
    return Split(names, tuple(labels), tuple(pictures))
