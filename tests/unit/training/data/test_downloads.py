from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.data.downloads import download_eurosat, download_folder
from training.errors import DataNotFound

CLASSES = ("AnnualCrop", "Forest", "River", "SeaLake")


def test_without_a_network_the_error_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(DataNotFound, match="EuroSAT cannot be downloaded"):
        download_eurosat(tmp_path)


def test_what_torchvision_has_downloaded_is_split(tmp_path: Path) -> None:
    for label, name in enumerate(CLASSES):
        folder = tmp_path / "eurosat" / "2750" / name
        folder.mkdir(parents=True)
        for number in range(340):
            Image.fromarray(np.full((2, 2, 3), 60 * label, np.uint8)).save(folder / f"{name}_{number}.png")
    data = download_eurosat(tmp_path)
    assert {name: len(split) for name, split in data.splits.items()} == {
        "train": 800, "val": 200, "test": 272
    }  # fmt: skip
    assert data.classes == CLASSES
    assert "not the VTAB-1k split" in data.made[0]


def test_the_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "somewhere")
    assert download_folder() == Path("somewhere/dvpt")
