"""Data sets of torchvision, opened: labels at once, pictures one by one."""

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from training.data.source import Split

CLEVR_FEWEST = 3
# Bounds of VTAB's distance classes: CLEVR in the depth of its own scene, KITTI in metres.
CLEVR_BOUNDS = (0.0, 8.0, 8.5, 9.0, 9.5, 10.0, 100.0)
KITTI_BOUNDS = (-100.0, 8.0, 20.0, 999.0)
KITTI_VEHICLES = {"Car", "Van", "Truck"}
NO_VEHICLE = 1000.0


@dataclass(frozen=True)
class Opened:
    """Labels and class names of a data set, and how to get at a picture and its name by position."""

    classes: tuple[str, ...]
    labels: tuple[int, ...]
    name: Callable[[int], str]
    picture: Callable[[int], Path | Image.Image]

    def rows(self, index: Sequence[int]) -> Split:
        """The pictures at these positions; those that are no files are made now and stay in memory."""
        return Split(
            tuple(self.name(row) for row in index),
            tuple(self.labels[row] for row in index),
            tuple(self.picture(row) for row in index),
        )

    def whole(self) -> Split:
        """Every picture."""
        return self.rows(range(len(self.labels)))


Reader = Callable[[Any, Path], Opened]


def files(pictures: str, labels: str) -> Reader:
    """Reads sets that keep their files and labels in attributes of these names, and have `classes`."""
    return lambda dataset, folder: _of_files(
        folder, getattr(dataset, pictures), getattr(dataset, labels), dataset.classes
    )


def samples(dataset: Any, folder: Path) -> Opened:
    """Reads torchvision's own ImageFolder and what is built on it."""
    paths, labels = zip(*dataset.samples, strict=True)
    return _of_files(folder, paths, labels, dataset.classes)


def arrays(labels: str, classes: tuple[str, ...] = ()) -> Reader:
    """Reads sets that are arrays in memory: what an item's picture is, stays in memory too."""
    return lambda dataset, _: _in_memory(dataset, getattr(dataset, labels), classes or dataset.classes)


def caltech(dataset: Any, folder: Path) -> Opened:
    """Reads Caltech101; its background class is left out by torchvision."""
    root = Path(dataset.root) / "101_ObjectCategories"
    paths = [
        root / dataset.categories[label] / f"image_{number:04d}.jpg"
        for label, number in zip(dataset.y, dataset.index, strict=True)
    ]
    return _of_files(folder, paths, dataset.y, dataset.categories)


def camelyon(dataset: Any, _: Path) -> Opened:
    """Reads the labels of PatchCamelyon from its HDF5 file at once; by item it takes minutes."""
    layout = vars(type(dataset))["_FILES"][vars(dataset)["_split"]]
    with dataset.h5py.File(vars(dataset)["_base_folder"] / layout["targets"][0]) as targets:
        labels = np.asarray(targets["y"]).reshape(-1).tolist()
    return _in_memory(dataset, labels, ("no tumour", "tumour"))


def clevr_count(dataset: Any, folder: Path) -> Opened:
    """Reads CLEVR by the number of objects, 3 to 10."""
    counts = [count - CLEVR_FEWEST for count in vars(dataset)["_labels"]]
    names = [f"{count} objects" for count in range(CLEVR_FEWEST, CLEVR_FEWEST + 8)]
    return _of_files(folder, vars(dataset)["_image_files"], counts, names)


def clevr_distance(dataset: Any, folder: Path) -> Opened:
    """Reads CLEVR by the depth of the nearest object, in VTAB's six bins."""
    split = vars(dataset)["_split"]
    scenes_file = vars(dataset)["_data_folder"] / "scenes" / f"CLEVR_{split}_scenes.json"
    scenes = json.loads(scenes_file.read_text(encoding="utf-8"))["scenes"]
    nearest = {
        scene["image_filename"]: min(thing["pixel_coords"][2] for thing in scene["objects"])
        for scene in scenes
    }
    paths = vars(dataset)["_image_files"]
    labels = [_bin(nearest[path.name], CLEVR_BOUNDS) for path in paths]
    names = [f"depth {low:g}-{high:g}" for low, high in itertools.pairwise(CLEVR_BOUNDS)]
    return _of_files(folder, paths, labels, names)


def kitti(dataset: Any, folder: Path) -> Opened:
    """Reads KITTI's detection pictures by the distance of the nearest car, van or truck, in VTAB's bins."""
    order = sorted(range(len(dataset.images)), key=lambda row: str(dataset.images[row]))
    paths = [Path(dataset.images[row]) for row in order]
    labels = [_bin(_nearest_vehicle_m(Path(dataset.targets[row])), KITTI_BOUNDS) for row in order]
    return _of_files(folder, paths, labels, ("up to 8 m", "8 to 20 m", "beyond 20 m", "no vehicle"))


def _nearest_vehicle_m(targets: Path) -> float:
    objects = [line.split() for line in targets.read_text(encoding="utf-8").splitlines() if line.strip()]
    return min((float(one[13]) for one in objects if one[0] in KITTI_VEHICLES), default=NO_VEHICLE)


def _bin(value: float, bounds: tuple[float, ...]) -> int:
    return sum(bound < value for bound in bounds) - 1


def _of_files(folder: Path, paths: Sequence[Any], labels: Sequence[int], classes: Sequence[str]) -> Opened:
    def name(row: int) -> str:
        path = Path(paths[row])
        return (path.relative_to(folder) if path.is_relative_to(folder) else path).as_posix()

    return Opened(tuple(classes), tuple(map(int, labels)), name, lambda row: Path(paths[row]))


def _in_memory(dataset: Any, labels: Sequence[int], classes: Sequence[str]) -> Opened:
    def picture(row: int) -> Image.Image:
        found: Image.Image = dataset[row][0]
        return found

    return Opened(tuple(classes), tuple(map(int, labels)), lambda row: f"{row:06d}.png", picture)
