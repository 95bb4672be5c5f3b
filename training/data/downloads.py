"""Data sets that torchvision downloads."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from training.data.source import Split, TaskData
from training.data.splits import cut
from training.errors import DataNotFound

SPLIT_SEED = 0


def download_folder() -> Path:
    """`$XDG_CACHE_HOME/dvpt` or `~/.cache/dvpt`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dvpt"


def download_eurosat(folder: Path) -> TaskData:
    """EuroSAT RGB, 27,000 pictures; 800 train, 200 val, a fifth test, stratified, not VTAB-1k's own split.

    Raises DataNotFound without a network.
    """
    from torchvision.datasets import EuroSAT  # noqa: PLC0415 - slow to import, rarely needed

    try:
        pictures = EuroSAT(folder, download=True)
    except (OSError, RuntimeError) as error:
        raise DataNotFound(f"EuroSAT cannot be downloaded ({type(error).__name__}: {error})") from error
    paths = [Path(path) for path, _ in pictures.samples]
    every = Split(
        tuple(path.name for path in paths), tuple(label for _, label in pictures.samples), tuple(paths)
    )
    rest, test = cut(every, 0.2, SPLIT_SEED)
    _, thousand = cut(rest, 1000, SPLIT_SEED)
    train, val = cut(thousand, 200, SPLIT_SEED)
    return TaskData(
        tuple(pictures.classes),
        {"train": train, "val": val, "test": test},
        "EuroSAT RGB by torchvision",
        (f"800 train, 200 val, {len(test)} test, stratified, seed {SPLIT_SEED}: not the VTAB-1k split",),
    )


DOWNLOADS: Mapping[str, Callable[[Path], TaskData]] = MappingProxyType({"eurosat": download_eurosat})
