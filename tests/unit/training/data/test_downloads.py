import hashlib
import io
import pickle
from collections import Counter
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torchvision
from PIL import Image

from tests.support.pictures import write_picture
from training.data.catalogue import TASKS
from training.data.downloads import DOWNLOADS, download_folder, download_task
from training.data.source import check
from training.errors import DataNotFound

matlab: Any = import_module("scipy.io")
CLASSES = ("AnnualCrop", "Forest", "River", "SeaLake")


def save(path: Path, level: int = 0) -> None:
    write_picture(path, Image.fromarray(np.full((2, 2, 3), level, np.uint8)))


def make_cifar(folder: Path, monkeypatch: pytest.MonkeyPatch, *, train: int, test: int) -> None:
    """CIFAR-100's own files, but short: torchvision compares checksums, which are changed to theirs."""
    root = folder / "cifar-100-python"
    root.mkdir(parents=True)
    checksums = {}
    for name, count in (("train", train), ("test", test)):
        labels = [row % 100 for row in range(count)]
        pixels = np.repeat(np.array(labels, np.uint8)[:, None], 3072, axis=1)
        (root / name).write_bytes(pickle.dumps({"data": pixels, "fine_labels": labels}))
        checksums[name] = hashlib.md5((root / name).read_bytes()).hexdigest()
    (root / "meta").write_bytes(pickle.dumps({"fine_label_names": [f"thing {n}" for n in range(100)]}))
    meta = torchvision.datasets.CIFAR100.meta | {"md5": hashlib.md5((root / "meta").read_bytes()).hexdigest()}
    monkeypatch.setattr(torchvision.datasets.CIFAR100, "train_list", [["train", checksums["train"]]])
    monkeypatch.setattr(torchvision.datasets.CIFAR100, "test_list", [["test", checksums["test"]]])
    monkeypatch.setattr(torchvision.datasets.CIFAR100, "meta", meta)


@pytest.mark.parametrize("name", sorted(set(DOWNLOADS) - {"patch_camelyon"}))
def test_without_a_network_the_error_names_the_set_and_its_size(tmp_path: Path, name: str) -> None:
    expected = rf"{DOWNLOADS[name].dataset} \({DOWNLOADS[name].about}\) cannot be downloaded by torchvision"
    with pytest.raises(DataNotFound, match=expected):
        download_task(TASKS[name], tmp_path)


def test_a_package_that_the_set_needs_is_named(tmp_path: Path) -> None:
    if find_spec("h5py"):
        pytest.skip("h5py is installed")
    with pytest.raises(DataNotFound, match="h5py is not found"):
        download_task(TASKS["patch_camelyon"], tmp_path)


def test_a_set_without_a_test_part_is_cut_in_three(tmp_path: Path) -> None:
    for label, name in enumerate(CLASSES):
        for number in range(340):
            save(tmp_path / "eurosat" / "2750" / name / f"{name}_{number}.png", 60 * label)
    data = download_task(TASKS["eurosat"], tmp_path)
    check(data)
    assert {name: len(split) for name, split in data.splits.items()} == {
        "train": 800, "val": 200, "test": 272
    }  # fmt: skip
    assert Counter(data.splits["val"].labels) == dict.fromkeys(range(4), 50)
    assert data.classes[:4] == CLASSES
    assert len(data.classes) == 10
    assert data.splits["test"].names[0].startswith("eurosat/2750/AnnualCrop/")
    assert data.notes == (
        "train, val: 800 and 200 of 1088 of EuroSAT by torchvision, by class, seed 0: "
        "not the official VTAB-1k split of EuroSAT",
        "test: 272 of 1360 of EuroSAT by torchvision, by class, seed 0: "
        "not the official VTAB-1k split of EuroSAT",
    )


def test_arrays_become_pictures_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_cifar(tmp_path, monkeypatch, train=1500, test=200)
    data = download_task(TASKS["cifar"], tmp_path)
    check(data)
    assert {name: len(split) for name, split in data.splits.items()} == {
        "train": 800, "val": 200, "test": 200
    }  # fmt: skip
    assert data.classes[7] == "thing 7"
    split = data.splits["train"]
    assert Counter(Counter(split.labels).values()) == {8: 100}
    for label, picture in zip(split.labels[:20], split.pictures[:20], strict=True):
        assert isinstance(picture, Image.Image)
        assert picture.getpixel((3, 3)) == (label, label, label)
    assert data.splits["test"].names[0] == "test/000000.png"
    assert data.source == "CIFAR-100, CIFAR100 by torchvision"
    assert data.notes[1:] == (
        "test: the own part of CIFAR100 by torchvision: not the official VTAB-1k split of CIFAR-100",
    )


def test_the_same_pictures_are_drawn_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_cifar(tmp_path, monkeypatch, train=1500, test=100)
    first, second = (download_task(TASKS["cifar"], tmp_path).splits["val"].names for _ in range(2))
    assert first == second


def test_svhn_keeps_its_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {}
    for name, count in (("train", 1200), ("test", 30)):
        digits = np.arange(count) % 10
        file, stream = tmp_path / f"{name}_32x32.mat", io.BytesIO()
        pixels = np.broadcast_to(digits.astype(np.uint8), (32, 32, 3, count))
        matlab.savemat(stream, {"X": pixels, "y": np.where(digits == 0, 10, digits)[:, None]})
        file.write_bytes(stream.getvalue())
        parts[name] = ["http://127.0.0.1:9", file.name, hashlib.md5(file.read_bytes()).hexdigest()]
    monkeypatch.setattr(torchvision.datasets.SVHN, "split_list", parts)
    data = download_task(TASKS["svhn"], tmp_path)
    split = data.splits["test"]
    assert split.labels[:11] == (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0)
    assert [picture.getpixel((0, 0))[0] for picture in split.pictures[:11]] == list(split.labels[:11])  # type: ignore[union-attr,index]
    assert data.classes[3] == "3"


def test_flowers_for_fgvc_keep_their_own_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = tmp_path / "flowers-102"
    for number in range(1, 13):
        save(base / "jpg" / f"image_{number:05d}.jpg")
    matlab.savemat(base / "imagelabels.mat", {"labels": [[1, 2, 3] * 4]})
    matlab.savemat(base / "setid.mat", {"trnid": [[1, 2, 3]], "valid": [[4, 5, 6]], "tstid": [[7, 8, 9, 10]]})
    archive = base / "102flowers.tgz"
    archive.write_bytes(b"")
    names = {"image": archive.name, "label": "imagelabels.mat", "setid": "setid.mat"}
    files = {key: (name, hashlib.md5((base / name).read_bytes()).hexdigest()) for key, name in names.items()}
    monkeypatch.setattr(torchvision.datasets.Flowers102, "_file_dict", files)
    data = download_task(TASKS["fgvc_flowers"], tmp_path)
    assert {name: split.labels for name, split in data.splits.items()} == {
        "train": (0, 1, 2), "val": (0, 1, 2), "test": (0, 1, 2, 0)
    }  # fmt: skip
    assert data.classes[0] == "pink primrose"
    assert data.notes == (
        "train, val, test: the own parts of Flowers102 by torchvision: "
        "not the official FGVC split of Oxford Flowers",
    )


def test_the_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "somewhere")
    assert download_folder() == Path("somewhere/dvpt")
