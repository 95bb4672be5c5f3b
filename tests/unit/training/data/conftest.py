"""Tiny folders of each layout, and no network."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from PIL import Image

from tests.support.pictures import write_picture

Folder = Callable[..., Path]


def save_grey(path: Path, level: int) -> None:
    """A picture of 4 by 4 pixels."""
    write_picture(path, Image.new("RGB", (4, 4), (level % 256, level // 256, 0)))


@pytest.fixture(autouse=True)
def _no_network_no_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DVPT_DATA_ROOT", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


@pytest.fixture
def vtab_folder(tmp_path: Path) -> Folder:
    """Make a folder of VTAB-1k lists: place below the test's folder, and the labels of each list."""

    def make(place: str = "pets", **labels: tuple[int, ...]) -> Path:
        folder = tmp_path / place
        for name, numbers in labels.items():
            lines = []
            for row, label in enumerate(numbers):
                file = f"images/{name}/{row:06d}.png"
                save_grey(folder / file, label)
                lines.append(f"{file} {label}\n")
            (folder / f"{name}.txt").write_text("".join(lines))
        return folder

    return make


@pytest.fixture
def fgvc_folder(tmp_path: Path) -> Folder:
    """Make a folder of FGVC lists: place, the folder its pictures are in, and {file: class} of each list."""

    def make(place: str = "birds", images: str = "", **lists: Mapping[str, int | str]) -> Path:
        folder = tmp_path / place
        for name, table in lists.items():
            for row, file in enumerate(table):
                save_grey(folder / images / file, row)
            (folder / f"{name}.json").write_text(json.dumps(table))
        return folder

    return make
