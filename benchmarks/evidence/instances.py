"""Whether the dynamic part earns its place: tasks whose pictures differ in what the label does not say.

Every reading is trained on train and looked at on val alone, as the parts of the default recipe are.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from PIL import Image

from adapters.config import PreprocessConfig
from benchmarks.evidence.comparison import Setting
from benchmarks.evidence.trial import OWN_LR, STILL, Known, Trial
from training.data.pixels import Decoder
from training.data.task_data import open_task
from training.options.train_config import TrainConfig

SUITE = "instances"
SEEDS = (0, 1, 2)
_METHOD: Mapping[str, Any] = MappingProxyType({"method": "dvpt-plus", "bottleneck_lr_ratio": 0.1, **STILL})
"""The default of when the readings were compared."""
SIDE = 64
MOST_OF_A_SPLIT = 800
READINGS: Mapping[str, tuple[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "default": ("", {}),
        "no-meta-net": ("", {"meta_net": "none"}),
        "pi-in-the-affine-too": ("affine", {}),
        "pi-of-each-layers-tokens": ("pooled", {}),
        "pi-in-all-layers": ("", {"dynamic_layers": "all"}),
    }
)
"""What `pi_readings.reading` is to change, and the options of `dvpt-train`."""


def turned(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Turned by any angle; corners are filled with the mirrored picture."""
    margin = picture.width // 2
    padded = np.pad(np.asarray(picture), ((margin, margin), (margin, margin), (0, 0)), mode="reflect")
    whole = Image.fromarray(padded).rotate(float(rng.uniform(0, 360)), Image.Resampling.BILINEAR)
    return whole.crop((margin, margin, margin + picture.width, margin + picture.height))


def lit(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Under a light of any strength from a third to one and a half, and a cast of its own."""
    light = np.exp(rng.uniform(np.log(0.33), np.log(1.5))) * rng.uniform(0.7, 1.3, 3)
    return Image.fromarray((np.asarray(picture) * light).clip(0, 255).astype(np.uint8))


def as_it_is(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Unchanged."""
    del rng
    return picture


TASKS: Mapping[str, tuple[tuple[str, ...], Callable[[Image.Image, np.random.Generator], Image.Image]]] = (
    MappingProxyType(
        {
            "eurosat-turned": (("eurosat",), turned),
            "eurosat-lit": (("eurosat",), lit),
            "three-domains": (("eurosat", "flowers5", "dtd10"), as_it_is),
        }
    )
)
"""Where the pictures are from, and what becomes of each."""
SETTINGS = tuple(Setting(f"{task}-{SIDE}", task, SIDE) for task in TASKS)


def instance_trials(known: Sequence[Known]) -> Iterator[Trial]:
    """Every reading in every setting with one seed, then with the next."""
    del known
    for seed, (name, (reading, options)), setting in product(SEEDS, READINGS.items(), SETTINGS):
        yield Trial(
            SUITE, setting.task, f"{setting.name}:{name}", OWN_LR, seed, "val", setting.image_size,
            extra={**_METHOD, **options}, recipe={}, reading=reading,
        )  # fmt: skip


def instance_pictures(task: str, folder: Path) -> Path:
    """The task's folder of train, val and test pictures, which is drawn where it is not there yet."""
    target = folder / task
    if target.exists():
        return target
    sources, change = TASKS[task]
    unfinished = folder / f"{task}.unfinished"
    rng = np.random.default_rng(7)
    decoder = Decoder(PreprocessConfig(), SIDE)
    for source in sources:
        data = open_task(TrainConfig(task=source, train_split="train"))
        for name, split in data.splits.items():
            some = split.rows(range(min(len(split), MOST_OF_A_SPLIT)))
            for row, pixels in enumerate(decoder.load(some)):
                label = f"{source}-{data.classes[some.labels[row]]}".replace("/", "-")
                place = unfinished / name / label
                place.mkdir(parents=True, exist_ok=True)
                picture = Image.fromarray(pixels.permute(1, 2, 0).numpy())
                change(picture, rng).save(place / f"{row}.png")
    return unfinished.rename(target)
