"""A folder of coloured pictures, weights for a tiny backbone, and a configuration that trains on them."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from adapters.kinds.dvpt.options import DvptOptions
from adapters.vit.backbone import random_backbone
from tests.support.backbones import save_weights
from tests.support.pictures import write_picture
from training.options.train_config import TrainConfig
from training.reproduce.experiments import Experiment
from training.reproduce.plan import Cell, CellRow, cells
from training.reproduce.reproduce_config import ReproduceConfig

CLASSES = ("amber", "blue", "coral")
COLOURS = ((255, 190, 0), (0, 60, 255), (255, 110, 90))
TINY = "test_vit"
FACTS = {"backbone", "image_size", "departures"}


def save_picture(path: Path, label: int, seed: int) -> None:
    """A noisy picture in the colour of its class."""
    noise = np.random.default_rng(seed).normal(0, 40, (12, 12, 3))
    pixels = np.clip(np.asarray(COLOURS[label]) + noise, 0, 255).astype(np.uint8)
    write_picture(path, Image.fromarray(pixels))


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
    return save_weights(random_backbone(TINY, seed=3), path)


@pytest.fixture
def new_config(tmp_path: Path, tiny_weights: Path) -> Callable[..., TrainConfig]:
    """A configuration for the tiny backbone at 32 pixels that keeps everything in the test's folder."""

    def make(**options: Any) -> TrainConfig:
        base = {
            "task": "colours", "method": "dvpt", "backbone": TINY, "weights": tiny_weights, "image_size": 32,
            "store": tmp_path / "store", "runs": tmp_path / "runs", "epochs": 2, "prompt_count": 2,
            "precision": "fp32", "decode_threads": 1, "device": "cpu", "batch_size": 8,
        }  # fmt: skip
        return TrainConfig.model_validate(base | options)

    return make


@pytest.fixture
def results() -> Callable[..., tuple[tuple[Cell, ...], dict[str, CellRow]]]:
    """An experiment's cells, and a made-up row for each named one: (row, task, percent) → accuracies."""

    def make(
        experiment: Experiment, figures: Mapping[tuple[str, str, int], tuple[float, ...]], **options: Any
    ) -> tuple[tuple[Cell, ...], dict[str, CellRow]]:
        facts = {str(name): options.pop(name) for name in FACTS & options.keys()}
        wanted = cells(experiment, ReproduceConfig.model_validate(options), {})
        found = {(cell.system.name, cell.task.name, cell.percent): cell for cell in wanted}
        return wanted, {
            found[where].key: _row(found[where], accuracies, facts) for where, accuracies in figures.items()
        }

    return make


def _row(cell: Cell, accuracies: tuple[float, ...], facts: dict[str, Any]) -> CellRow:
    options = cell.config.kind_options
    prompts = options.count if isinstance(options, DvptOptions) else 0
    base = {
        "key": cell.key, "task": cell.task.name, "method": cell.config.method, "percent": cell.percent,
        "prompts": prompts, "optimizer": "adamw", "lr": 0.01, "weight_decay": 1e-4,
        "epochs": 15, "trials": 6, "val_accuracy": 0.8, "accuracies": " ".join(map(repr, accuracies)),
        "diverged_seeds": 0, "pictures": 1000, "parameters_with_head": 1000 + (prompts or 10),
        "parameters_without_head": 100 * (prompts or 10), "training_seconds": 90.0,
        "total_seconds": 1000.0, "backbone": "vit_base_patch16_224.orig_in21k", "image_size": 224,
        "splits_made": None, "directory": "runs/x",
    }  # fmt: skip
    departures = [departure.model_dump(mode="json") for departure in facts.get("departures", ())]
    own = {"official": not departures, "departures": json.dumps(departures)}
    return CellRow.model_validate(base | facts | own)
