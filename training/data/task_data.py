"""From a task's name, or a folder, to its data."""

import logging
from collections.abc import Mapping
from types import MappingProxyType

from training.data.benchmark import with_absences
from training.data.catalogue import TASKS, CatalogueTask, close_names, task_named
from training.data.departures import DrawnByFormula, SplitName
from training.data.downloads import DOWNLOADS, download_folder, download_task
from training.data.embedded import EMBEDDED_TASKS, load_embedded
from training.data.folders import LAYOUTS, candidates, find_folder, read_folder
from training.data.inspection.balance import unbalanced
from training.data.inspection.contents import equal_pictures, refuse_equal, with_contents
from training.data.inspection.damaged import without_damaged
from training.data.readers import lists
from training.data.readers.hub import read_dataset
from training.data.source import Split, TaskData, check
from training.data.splits import training_part, with_percent, with_shots, with_test, with_val
from training.errors import DataNotFound
from training.options.train_config import TrainConfig
from training.path_text import text_of

LOG = logging.getLogger("training")
# Tasks that can be drawn by formula where their data is not found.
DRAWN: Mapping[str, str] = MappingProxyType(
    {"dsprites_loc": "sprites-location", "dsprites_ori": "sprites-orientation"}
)


def is_embedded(config: TrainConfig) -> bool:
    """Whether the task is drawn or packaged, so that nothing needs to be found or downloaded."""
    return config.data is None and config.dataset is None and config.task in EMBEDDED_TASKS


def open_task(config: TrainConfig, known: dict[str, str] | None = None) -> TaskData:
    """The data of `--task` or `--data`, with the splits this run needs, checked.

    `known` are contents by name, from an earlier look at the same source, and for a later one.
    Raises DataNotFound with the folders looked in, and DataUnusable.
    """
    found = find_task(config)
    if config.skip_damaged:
        found = without_damaged(found, config.decode_threads)
    data = prepared(found, config, known)
    if config.strict_data:
        refuse_equal(data.remarks)
    for remark in data.remarks:
        LOG.warning("data: %s", remark)
    return with_absences(data)


def prepared(found: TaskData, config: TrainConfig, known: dict[str, str] | None = None) -> TaskData:
    """The splits as a run uses them, with what can be seen of them: equal pictures, unlike classes.

    Raises DataUnusable.
    """
    check(found)
    data = _with_splits(with_contents(found, known), config)
    train = training_part(data, config.train_split)
    return data.remarked(*equal_pictures(data), *unbalanced(data, train))


def _with_splits(data: TaskData, config: TrainConfig) -> TaskData:
    data = with_test(data, config.test_fraction, config.split_seed)
    if config.train_split == "train":
        data = with_val(data, config.val_fraction, config.split_seed)
    data = with_percent(data, config.train_percent, config.split_seed, config.train_split)
    if config.shots is not None:
        data = with_shots(data, config.shots, config.split_seed, config.train_split)
    # A class whose few pictures were all drawn from val is trained on with it.
    check(data, ("train", "val") if config.train_split == "trainval" else ("train",))
    return data


def find_task(config: TrainConfig) -> TaskData:
    """The data as its source has it, neither checked nor split.

    Raises DataNotFound with the folders looked in, and DataUnusable.
    """
    if config.dataset is not None:
        return read_dataset(config.dataset)
    if config.data is not None:
        if lists.is_list(config.data):
            return lists.read_list(config.data, skip_missing=config.skip_damaged)
        if not config.data.is_dir():
            raise DataNotFound(f"--data {text_of(config.data)} is no folder, and no {lists.LAYOUT}")
        return read_folder(config.data, config)
    if is_embedded(config):
        return _embedded(config.task)
    folder = find_folder(config)
    if folder is not None:
        return read_folder(folder, config)
    task = task_named(config.task)
    if task is None:
        raise _not_found(config, _unknown(config.task), _without_folder())
    return _made(config, task)


def _made(config: TrainConfig, task: CatalogueTask) -> TaskData:
    """A catalogue task that no folder was found for: drawn, or downloaded."""
    if task.name in DRAWN:
        return _drawn(task)
    had = f"{task.title} ({task.benchmark}) can be had at {task.source}"
    if task.name not in DOWNLOADS:
        raise _not_found(config, f"no data for task '{config.task}'", had)
    try:
        return download_task(task, download_folder())
    except DataNotFound as error:
        raise _not_found(config, f"no data for task '{config.task}'. {error}", had) from error


def _not_found(config: TrainConfig, what: str, then: str) -> DataNotFound:
    looked_in = candidates(config)
    places = ", ".join(map(str, looked_in)) or "no folder: set --data-root or $DVPT_DATA_ROOT"
    task = task_named(config.task)
    aliases = f" (or there as {', '.join(task.aliases)})" if task and looked_in else ""
    layouts = "\n- ".join(LAYOUTS)
    return DataNotFound(
        f"{what}. Looked in {places}{aliases}.\nAccepted there, or with --data FOLDER:\n- {layouts}\n{then}."
    )


def _unknown(name: str) -> str:
    close = close_names(name, tuple(EMBEDDED_TASKS))
    meant = f" (did you mean {' or '.join(close)}?)" if close else ""
    return f"no data for task '{name}', which the catalogue does not have{meant}"


def _without_folder() -> str:
    return (
        f"Tasks that need no folder: {', '.join(sorted({*EMBEDDED_TASKS, *DRAWN, *DOWNLOADS}))}; "
        f"all of the catalogue: {', '.join(TASKS)}"
    )


def _drawn(task: CatalogueTask) -> TaskData:
    data = _embedded(DRAWN[task.name])
    drawn = DrawnByFormula(benchmark=task.benchmark, task=task.title, splits=tuple(data.splits))
    return TaskData(data.classes, data.splits, f"{task.title}, drawn by formula", departures=(drawn,))


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
