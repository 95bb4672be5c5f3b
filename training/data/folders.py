"""Where a task's folder is looked for, and which reader its layout needs."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from adapters.environment import variable
from training.data.benchmark import as_benchmark, other_sizes
from training.data.catalogue import CatalogueTask, task_named
from training.data.departures import ClassFolders
from training.data.readers import fgvc, imagefolder, vtab
from training.data.source import TaskData
from training.options.train_config import TrainConfig

PARTS = ("vtab-1k", "fgvc", "imagefolder", "")
LAYOUTS = (vtab.LAYOUT, fgvc.LAYOUT, imagefolder.LAYOUT)


def read_folder(folder: Path, config: TrainConfig) -> TaskData:
    """The folder's data by the reader of its layout; a catalogue task is held to the catalogue.

    Raises DataUnusable.
    """
    task = task_named(config.task)
    read = _reader(folder, config)
    if read is None:
        data = imagefolder.read_image_folder(folder, config.folders)
        return data if task is None else _in_its_place(data, task)
    data = read()
    if task is None:
        return data
    data = as_benchmark(data, task)
    return replace(data, departures=other_sizes(data, task))


def _in_its_place(data: TaskData, task: CatalogueTask) -> TaskData:
    departure = ClassFolders(
        benchmark=task.benchmark, task=task.title, splits=tuple(data.splits), source=data.source
    )
    return replace(data, departures=(departure,))


def candidates(config: TrainConfig) -> list[Path]:
    """The folders a task is looked for in, by its own names; aliases are found by `find_folder`."""
    task = task_named(config.task)
    names = dict.fromkeys([config.task, *([task.name] if task else [])])
    return [root / part / name for root in _roots(config) for part in PARTS for name in names]


def find_folder(config: TrainConfig) -> Path | None:
    """The first candidate that is a folder, then the first folder beside one that has an alias's name."""
    for folder in candidates(config):
        if folder.is_dir():
            return folder
    task = task_named(config.task)
    return next(_aliased(config, task), None) if task else None


def _aliased(config: TrainConfig, task: CatalogueTask) -> Iterator[Path]:
    for root in _roots(config):
        for part in PARTS:
            if not (root / part).is_dir():
                continue
            for folder in sorted((root / part).iterdir()):
                if _meant(part, folder.name) == task and folder.is_dir():
                    yield folder


def _meant(part: str, name: str) -> CatalogueTask | None:
    """The task a folder's name stands for; Oxford Flowers below fgvc/ is FGVC's."""
    return (part == "fgvc" and task_named(f"fgvc_{name}")) or task_named(name)


def _roots(config: TrainConfig) -> list[Path]:
    environment = variable("DVPT_DATA_ROOT")
    return [config.data_root] if config.data_root else [Path(environment)] if environment else []


def _reader(folder: Path, config: TrainConfig) -> Callable[[], TaskData] | None:
    if vtab.is_list_folder(folder):
        return lambda: vtab.read_lists(folder)
    if fgvc.is_json_folder(folder):
        return lambda: fgvc.read_json(folder, config.train_percent, config.split_seed)
    return None
