"""A folder of coloured pictures, weights for a tiny backbone, and a configuration that trains on them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

from adapters.backbone import random_backbone
from training.config import TrainConfig

CLASSES = ("amber", "blue", "coral")
COLOURS = ((255, 190, 0), (0, 60, 255), (255, 110, 90))
TINY = "test_vit"


def save_picture(path: Path, label: int, seed: int) -> None:
    """A noisy picture in the colour of its class."""
    noise = np.random.default_rng(seed).normal(0, 40, (12, 12, 3))
    pixels = np.clip(np.asarray(COLOURS[label]) + noise, 0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def picture_folder(tmp_path: Path) -> Callable[..., Path]:
    """Make an ImageFolder: split name (or "" for none) → pictures of each class."""

    def make(**counts: int) -> Path:
        root = tmp_path / "pictures"
        for split, count in counts.items():
            for label, name in enumerate(CLASSES):
                for number in range(count):
                    place = root / ("" if split == "flat" else split) / name / f"{number:03d}.png"
                    save_picture(place, label, seed=1000 * label + number + 100_000 * (split == "test"))
        return root

    return make


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of a tiny timm ViT, as a file for `--weights`."""
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_file(random_backbone(TINY, seed=3).vit.state_dict(), path)
    return path


@pytest.fixture
def new_config(tmp_path: Path, tiny_weights: Path) -> Callable[..., TrainConfig]:
    """A configuration for the tiny backbone at 32 pixels that keeps everything in the test's folder."""

    def make(**options: Any) -> TrainConfig:
        base = {
            "task": "colours", "backbone": TINY, "weights": tiny_weights, "image_size": 32,
            "store": tmp_path / "store", "runs": tmp_path / "runs", "epochs": 2, "prompt_count": 2,
            "precision": "fp32", "decode_threads": 1, "device": "cpu", "batch_size": 8,
        }  # fmt: skip
        return TrainConfig.model_validate(base | options)

    return make
