"""What the embedded backbone's features are worth, by linear probe, beside a random ViT's and raw pixels.

    python -m benchmarks.embedded_backbone [--weights FILE] [--task NAME ...]

One multinomial logistic regression per task and source on standardized inputs; its strength of regularization
is chosen on val after training on train, then it is trained on trainval and tested once.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from adapters.vit.backbone import EMBEDDED_BACKBONE, Backbone, load_backbone, random_backbone
from training.data.embedded import EMBEDDED_TASKS, load_embedded

Floats = NDArray[np.float32]
Extract = Callable[[list[Image.Image]], Floats]

STRENGTHS = (0.003, 0.03, 0.3, 3.0)
RANDOM_SEEDS = (0, 1, 2)


def pixels(pictures: list[Image.Image]) -> Floats:
    """Grey levels 0..1 as drawn, [B,4096]."""
    return np.stack([np.asarray(picture.convert("L"), np.float32).ravel() / 255 for picture in pictures])


def features_of(backbone: Backbone) -> Extract:
    """A function from pictures to the backbone's pooled features, [B,D]."""

    def extract(pictures: list[Image.Image]) -> Floats:
        images = torch.from_numpy(np.stack([np.asarray(picture) for picture in pictures])).permute(0, 3, 1, 2)
        with torch.inference_mode():
            parts = [backbone.encode(backbone.embed(part)) for part in torch.split(images, 128)]
        return np.asarray(torch.cat(parts).numpy(), np.float32)

    return extract


def probe(task: str, extract: Extract) -> tuple[float, float]:
    """Test accuracy and the chosen strength of a linear probe on one task."""
    data = {split: load_embedded(task, split) for split in ("train", "val", "test")}
    inputs = {split: extract(pictures) for split, (pictures, _) in data.items()}
    labels = {split: np.array(answers) for split, (_, answers) in data.items()}
    scores = [
        _fit(s, inputs["train"], labels["train"]).score(inputs["val"], labels["val"]) for s in STRENGTHS
    ]
    best = STRENGTHS[int(np.argmax(scores))]
    both = [np.concatenate([part["train"], part["val"]]) for part in (inputs, labels)]
    return float(_fit(best, both[0], both[1]).score(inputs["test"], labels["test"])), best


def _fit(strength: float, inputs: Floats, labels: NDArray[np.int64]) -> Any:
    model: Any = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000))
    return model.fit(inputs, labels)


def main() -> None:
    """Print one line of the table per task and source."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, help="instead of the weights that come with the package")
    parser.add_argument("--task", nargs="+", choices=sorted(EMBEDDED_TASKS), default=list(EMBEDDED_TASKS))
    parser.add_argument("--only-embedded", action="store_true", help="leave out random ViTs and raw pixels")
    arguments = parser.parse_args()
    sources = {"embedded backbone": features_of(load_backbone(EMBEDDED_BACKBONE, weights=arguments.weights))}
    if not arguments.only_embedded:
        for seed in RANDOM_SEEDS:
            sources[f"random ViT, seed {seed}"] = features_of(random_backbone(seed=seed))
        sources["raw pixels"] = pixels
    for task in arguments.task:
        for source, extract in sources.items():
            accuracy, strength = probe(task, extract)
            print(f"{task:20} {source:20} accuracy {accuracy:.4f} (C={strength})", flush=True)


if __name__ == "__main__":
    main()
