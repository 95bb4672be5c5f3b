"""Catalogue tasks that torchvision downloads, each cut to the size of its benchmark."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from adapters.environment import cache_folder
from training.data.benchmark import TRAIN, VAL, as_benchmark
from training.data.catalogue import CatalogueTask
from training.data.departures import AnyDeparture, OwnParts, Redrawn, SplitName
from training.data.source import Split, TaskData
from training.data.splits import draw, draw_off
from training.data.torchvision_sets import (
    Opened,
    Reader,
    arrays,
    caltech,
    camelyon,
    clevr_count,
    clevr_distance,
    files,
    kitti,
    samples,
)
from training.errors import DataNotFound

LOG = logging.getLogger("training")
SPLIT_SEED = 0
TEST_FRACTION = 0.2


@dataclass(frozen=True)
class Download:
    """A class of torchvision.datasets: its size, how it is read, the options that choose each part.

    A set without a test part has a fifth cut off. One with a val part is taken whole.
    """

    dataset: str
    about: str
    read: Reader
    train: Mapping[str, Any] = field(default_factory=dict)
    test: Mapping[str, Any] | None = None
    val: Mapping[str, Any] | None = None


_FILES = files("_image_files", "_labels")
_TRAIN, _TEST, _VAL = {"split": "train"}, {"split": "test"}, {"split": "val"}
_DIGITS = tuple(str(digit) for digit in range(10))

DOWNLOADS: Mapping[str, Download] = MappingProxyType(
    {
        "cifar": Download("CIFAR100", "170 MB", arrays("targets"), {"train": True}, {"train": False}),
        "caltech101": Download("Caltech101", "130 MB", caltech),
        "dtd": Download("DTD", "600 MB", _FILES, _TRAIN, _TEST),
        "oxford_flowers102": Download("Flowers102", "350 MB", _FILES, _TRAIN, _TEST),
        "oxford_iiit_pet": Download(
            "OxfordIIITPet", "800 MB", files("_images", "_labels"), {"split": "trainval"}, _TEST
        ),
        "svhn": Download("SVHN", "250 MB", arrays("labels", _DIGITS), _TRAIN, _TEST),
        "sun397": Download("SUN397", "37 GB", _FILES),
        "patch_camelyon": Download("PCAM", "7 GB", camelyon, _TRAIN, _TEST),
        "eurosat": Download("EuroSAT", "90 MB", samples),
        # CLEVR's own test part has no labels: VTAB tests on val.
        "clevr_count": Download("CLEVRClassification", "18 GB", clevr_count, _TRAIN, _VAL),
        "clevr_dist": Download("CLEVRClassification", "18 GB", clevr_distance, _TRAIN, _VAL),
        "kitti": Download("Kitti", "12 GB", kitti, {"train": True}),
        "fgvc_flowers": Download("Flowers102", "350 MB", _FILES, _TRAIN, _TEST, _VAL),
    }
)


def download_folder() -> Path:
    """`$XDG_CACHE_HOME/dvpt` or `~/.cache/dvpt`."""
    return cache_folder() / "dvpt"


def download_task(task: CatalogueTask, folder: Path) -> TaskData:
    """Download a task into `folder`, or read what is there, and cut it to the benchmark's size.

    Raises DataNotFound without a network or a package that the set needs, DataUnusable.
    """
    download = DOWNLOADS[task.name]
    parts = {"train": download.train, "val": download.val, "test": download.test}
    opened = {
        name: download.read(_open(download, options, folder), folder)
        for name, options in parts.items()
        if options is not None
    }
    data = _whole(task, download, opened) if "val" in opened else _thousand(task, download, opened)
    return as_benchmark(data, task)


def _open(download: Download, options: Mapping[str, Any], folder: Path) -> Any:
    from torchvision import datasets  # noqa: PLC0415 - slow to import, rarely needed

    LOG.info("%s by torchvision (%s) in %s", download.dataset, download.about, folder)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return getattr(datasets, download.dataset)(folder, **options, download=True)
    except (OSError, RuntimeError, ImportError) as error:
        raise DataNotFound(
            f"{download.dataset} ({download.about}) cannot be downloaded by torchvision "
            f"({type(error).__name__}: {error})"
        ) from error


def _thousand(task: CatalogueTask, download: Download, opened: Mapping[str, Opened]) -> TaskData:
    """800 and 200 pictures of the train part, drawn by class; the test part, or a fifth that is cut off."""
    train, source = opened["train"], _source(download)
    every = list(range(len(train.labels)))
    tested: AnyDeparture
    if "test" in opened:
        test = _named(opened["test"].whole(), "test")
        tested = OwnParts(benchmark=task.benchmark, task=task.title, splits=("test",), source=source)
    else:
        taken = draw(train.labels, round(len(every) * TEST_FRACTION), SPLIT_SEED)
        test = train.rows(taken)
        tested = _redrawn(task, source, {"test": test}, len(every))
        every = sorted(set(every) - set(taken))
    chosen = draw([train.labels[row] for row in every], TRAIN + VAL, SPLIT_SEED)
    thousand = train.rows([every[row] for row in chosen])
    if "test" in opened:
        thousand = _named(thousand, "train")
    kept, val = draw_off(thousand, round(len(thousand) * VAL / (TRAIN + VAL)), SPLIT_SEED)
    trained = _redrawn(task, source, {"train": kept, "val": val}, len(every))
    splits: dict[SplitName, Split] = {"train": kept, "val": val, "test": test}
    return TaskData(train.classes, splits, source, departures=(trained, tested))


def _whole(task: CatalogueTask, download: Download, opened: Mapping[str, Opened]) -> TaskData:
    splits: dict[SplitName, Split] = {
        "train": opened["train"].whole(), "val": opened["val"].whole(), "test": opened["test"].whole()
    }  # fmt: skip
    source = _source(download)
    own = OwnParts(benchmark=task.benchmark, task=task.title, splits=tuple(splits), source=source)
    return TaskData(opened["train"].classes, splits, source, departures=(own,))


def _source(download: Download) -> str:
    return f"{download.dataset} by torchvision"


def _redrawn(task: CatalogueTask, source: str, splits: Mapping[SplitName, Split], of: int) -> Redrawn:
    return Redrawn(
        benchmark=task.benchmark, task=task.title, splits=tuple(splits), source=source,
        pictures=tuple(map(len, splits.values())), of_pictures=of, seed=SPLIT_SEED,
    )  # fmt: skip


def _named(split: Split, part: str) -> Split:
    """Two arrays number their pictures alike: say which of the two."""
    return replace(split, names=tuple(f"{part}/{name}" for name in split.names))
