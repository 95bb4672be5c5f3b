"""The pictures and weights that cells act on, told apart by what they are and not by where they lie."""

import hashlib
from dataclasses import replace
from pathlib import Path

from training.data.folders import find_folder
from training.data.inspection.contents import digest
from training.data.task_data import DRAWN, open_task
from training.errors import TrainingError
from training.options.train_config import TrainConfig
from training.reproduce.plan import Cell
from training.run.placement import backbone_name


class Contents:
    """Digests of what is at hand, each taken once."""

    def __init__(self) -> None:
        self._contents: dict[str, dict[str, str]] = {}
        self._data: dict[tuple[str, int], str] = {}
        self._weights: dict[Path, str] = {}

    def of(self, cell: Cell, *, downloaded: bool = False) -> Cell:
        """The cell with its content; as it is where its data is not there, or cannot be used."""
        if not downloaded and find_folder(cell.config) is None and cell.task.name not in DRAWN:
            return cell
        asked = (cell.task.name, cell.percent)
        if asked not in self._data:
            self._data[asked] = self._of_data(cell.config)
        if not self._data[asked]:
            return cell
        backbone = f"{backbone_name(cell.config)} {cell.config.image_size}"
        text = "\n".join((self._data[asked], backbone, self._of_weights(cell.config.weights)))
        return replace(cell, content=hashlib.sha256(text.encode()).hexdigest())

    def _of_data(self, config: TrainConfig) -> str:
        """The digest of every split, empty where there is none to be had."""
        try:
            # Parts of the training pictures have one test split, which is read once.
            splits = open_task(config, self._contents.setdefault(config.task, {})).splits
            return " ".join(f"{name} {digest(split)}" for name, split in sorted(splits.items()))
        except (TrainingError, OSError):  # the search will say what is wrong
            return ""

    def _of_weights(self, path: Path | None) -> str:
        """The digest of a file of weights; without one the backbone's name has a revision to it."""
        if path is None or not path.is_file():
            return ""
        if path not in self._weights:
            with path.open("rb") as file:
                self._weights[path] = hashlib.file_digest(file, "sha256").hexdigest()
        return self._weights[path]
