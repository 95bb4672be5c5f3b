"""Each reader on torchvision's own class, opened from tiny files in the set's own layout."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torchvision import datasets

from tests.support.pictures import write_picture
from training.data import torchvision_sets as sets
from training.data.downloads import DOWNLOADS


def save(path: Path) -> None:
    write_picture(path, Image.new("RGB", (2, 2)))


@pytest.fixture
def clevr(tmp_path: Path) -> Callable[[], Any]:
    def make() -> Any:
        root = tmp_path / "clevr" / "CLEVR_v1.0"
        depths = {"b.png": [9.2, 8.4, 12.0], "a.png": [7.0] * 10}
        for name in depths:
            save(root / "images" / "val" / name)
        scenes = [
            {"image_filename": name, "objects": [{"pixel_coords": [1, 2, depth]} for depth in found]}
            for name, found in depths.items()
        ]
        (root / "scenes").mkdir()
        (root / "scenes" / "CLEVR_val_scenes.json").write_text(json.dumps({"scenes": scenes}))
        return datasets.CLEVRClassification(tmp_path, split="val")

    return make


def test_clevr_counts_objects_from_three(tmp_path: Path, clevr: Callable[[], Any]) -> None:
    opened = sets.clevr_count(clevr(), tmp_path)
    assert opened.whole().names == (
        "clevr/CLEVR_v1.0/images/val/a.png", "clevr/CLEVR_v1.0/images/val/b.png",
    )  # fmt: skip
    assert opened.labels == (7, 0)
    assert opened.classes[::7] == ("3 objects", "10 objects")


def test_clevr_bins_the_depth_of_the_nearest_object(tmp_path: Path, clevr: Callable[[], Any]) -> None:
    opened = sets.clevr_distance(clevr(), tmp_path)
    assert opened.labels == (0, 1)
    assert opened.classes == (
        "depth 0-8", "depth 8-8.5", "depth 8.5-9", "depth 9-9.5", "depth 9.5-10", "depth 10-100",
    )  # fmt: skip


def kitti_line(kind: str, z: float) -> str:
    return f"{kind} 0.00 0 -1.5 1 2 3 4 1.5 1.6 3.9 2.0 1.7 {z} 0.0"


@pytest.mark.parametrize(
    ("objects", "label"),
    [
        ([("Car", 7.9), ("Van", 30.0)], 0),
        ([("Truck", 8.0)], 0),
        ([("Pedestrian", 3.0), ("Van", 19.0)], 1),
        ([("Car", 40.0)], 2),
        ([("Pedestrian", 3.0), ("DontCare", -1000.0)], 3),
        ([], 3),
    ],
)
def test_kitti_bins_the_distance_of_the_nearest_vehicle(
    tmp_path: Path, objects: list[tuple[str, float]], label: int
) -> None:
    raw = tmp_path / "Kitti" / "raw" / "training"
    save(raw / "image_2" / "000000.png")
    (raw / "label_2").mkdir()
    (raw / "label_2" / "000000.txt").write_text("\n".join(kitti_line(*one) for one in objects))
    opened = sets.kitti(datasets.Kitti(tmp_path, train=True), tmp_path)
    assert opened.labels == (label,)
    assert opened.whole().names == ("Kitti/raw/training/image_2/000000.png",)
    assert len(opened.classes) == 4


def test_kitti_is_in_the_order_of_its_names(tmp_path: Path) -> None:
    raw = tmp_path / "Kitti" / "raw" / "training"
    (raw / "label_2").mkdir(parents=True)
    for number in range(12):
        save(raw / "image_2" / f"{number:06d}.png")
        (raw / "label_2" / f"{number:06d}.txt").write_text(kitti_line("Car", 3.0 * number))
    opened = sets.kitti(datasets.Kitti(tmp_path, train=True), tmp_path)
    assert opened.labels == (0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2)


def test_caltech_has_its_files_by_number(tmp_path: Path) -> None:
    root = tmp_path / "caltech101"
    for name, count in (("BACKGROUND_Google", 1), ("ant", 2), ("bass", 1)):
        for number in range(count):
            save(root / "101_ObjectCategories" / name / f"image_{number + 1:04d}.jpg")
    (root / "Annotations").mkdir()
    opened = sets.caltech(datasets.Caltech101(tmp_path), tmp_path)
    assert opened.labels == (0, 0, 1)
    assert opened.classes == ("ant", "bass")
    assert all(path.is_file() for path in opened.whole().pictures if isinstance(path, Path))
    assert opened.whole().names[2] == "caltech101/101_ObjectCategories/bass/image_0001.jpg"


def test_textures_pets_and_scenes_keep_their_files(tmp_path: Path) -> None:
    dtd = tmp_path / "dtd" / "dtd"
    save(dtd / "images" / "banded" / "b.jpg")
    save(dtd / "images" / "zigzagged" / "z.jpg")
    (dtd / "labels").mkdir()
    (dtd / "labels" / "train1.txt").write_text("zigzagged/z.jpg\nbanded/b.jpg\n")
    pets = tmp_path / "oxford-iiit-pet"
    save(pets / "images" / "Beagle_1.jpg")
    save(pets / "images" / "Bengal_9.jpg")
    (pets / "annotations").mkdir()
    (pets / "annotations" / "trainval.txt").write_text("Beagle_1 1 2 1\nBengal_9 2 1 1\n")
    sun = tmp_path / "SUN397"
    save(sun / "a" / "abbey" / "sun_a.jpg")
    (sun / "ClassName.txt").write_text("/a/abbey\n/z/zoo/outdoor\n")
    for name, dataset, labels, classes in (
        ("dtd", datasets.DTD(tmp_path), (1, 0), ("banded", "zigzagged")),
        ("oxford_iiit_pet", datasets.OxfordIIITPet(tmp_path), (0, 1), ("Beagle", "Bengal")),
        ("sun397", datasets.SUN397(tmp_path), (0,), ("abbey", "zoo/outdoor")),
    ):
        opened = DOWNLOADS[name].read(dataset, tmp_path)
        assert (opened.labels, opened.classes) == (labels, classes)
        assert all(path.is_file() for path in opened.whole().pictures if isinstance(path, Path))


class Camelyon(SimpleNamespace):
    """Stands for torchvision's PCAM, which needs h5py: the same attributes, arrays for its files."""

    _FILES = {"train": {"targets": ("y.h5", "", "")}}  # noqa: RUF012 - as torchvision has it

    def __getitem__(self, row: int) -> tuple[Image.Image, int]:
        return Image.new("RGB", (2, 2), (row, 0, 0)), 0


class H5File(dict[str, Any]):
    def __init__(self, path: Path) -> None:
        super().__init__(y=np.array([1, 0, 1]).reshape(3, 1, 1, 1))
        assert path == Path("pcam/y.h5")

    def __enter__(self) -> "H5File":
        return self

    def __exit__(self, *_: object) -> None:
        return None


def test_camelyon_reads_its_labels_at_once_and_pictures_by_item() -> None:
    dataset = Camelyon(_split="train", _base_folder=Path("pcam"), h5py=SimpleNamespace(File=H5File))
    opened = sets.camelyon(dataset, Path())
    assert opened.labels == (1, 0, 1)
    split = opened.rows([2, 0])
    assert split.names == ("000002.png", "000000.png")
    assert isinstance(split.pictures[0], Image.Image)
    assert split.pictures[0].getpixel((0, 0)) == (2, 0, 0)
