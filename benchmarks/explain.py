"""Attention rollout, or one of several occlusions: what tells best what carried an answer.

    python -m benchmarks.explain --store STORE --task eurosat [--weights FILE] [--pictures N] [--sides …]

`--store` holds a trained adapter of the task, on a ViT whose weights are embedded, given, or below
$DVPT_DATA_ROOT; pictures are test pictures of EuroSAT ($DVPT_DATA_ROOT) or of an embedded task.

Deletion: the patches that an explanation calls most important are painted grey first, 16th by 16th of the
picture; the area below the probability of the class that was likeliest, lower is better. Insertion: the same
patches appear first on a blurred picture; higher is better. The score is insertion minus deletion; each is
compared with the service's own explanation on the same pictures, with 1.96 standard errors. Writes
benchmarks/results/explain-<task>.json.
"""

import argparse
import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from adapters.kinds.adapter import Adapter
from adapters.pictures.preprocess import to_pixels
from adapters.store.artifact import adapter_of
from adapters.store.store import Store
from adapters.vit.backbone import Backbone, open_backbone
from benchmarks.common.machine import write_result
from service.explain import occlusion
from training.data.embedded import EMBEDDED_TASKS, load_embedded

STEPS = 16
BATCH = 64
SERVICE = "occlusion, as the service does it"
Weights = NDArray[np.float32]


@dataclass(frozen=True)
class Model:
    """One adapter on its backbone; `probabilities` of pictures [B, 3, H, W] uint8 are [B, C]."""

    backbone: Backbone
    adapter: Adapter

    @torch.inference_mode()
    def probabilities(self, images: Tensor) -> NDArray[np.float32]:
        """In float32, in batches."""
        parts = [self.adapter(self.backbone, part).softmax(dim=1) for part in torch.split(images, BATCH)]
        return cast("NDArray[np.float32]", torch.cat(parts).numpy())


Explain = Callable[[Model, Tensor], Weights]


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", required=True)
    parser.add_argument("--task", required=True)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--pictures", type=int, default=40)
    parser.add_argument("--sides", nargs="*", help="only these beside the service's own")
    options = parser.parse_args()
    store = Store.open(options.store)
    version = store.resolve(options.task)
    artifact = store.load(options.task, version, card=False)
    backbone = open_backbone(store.backbone, weights=options.weights)
    model = Model(backbone, adapter_of(artifact, backbone.config).eval())
    size = backbone.config.image_size
    pictures = [
        to_pixels(data, artifact.config.preprocess, size)
        for data in test_pictures(options.task, options.pictures)
    ]
    chosen = {*(options.sides or explanations()), SERVICE}
    sides = {name: explain for name, explain in explanations().items() if name in chosen}
    scores = measure(model, pictures, sides)
    figures = {name: summary(each, scores[SERVICE]) for name, each in scores.items()}
    for name, figure in sorted(figures.items(), key=lambda item: -item[1]["score"]):
        print(f"{name}: {figure}")
    about = {
        "backbone": store.backbone.name,
        "method": artifact.config.method,
        "image_size": size,
        "pictures": len(pictures),
    }
    print(write_result(f"explain-{options.task}", about | figures))


def test_pictures(task: str, count: int) -> list[bytes]:
    """Encoded test pictures, spread over the classes."""
    if task in EMBEDDED_TASKS:
        pictures, _ = load_embedded(task, "test")
        chosen = np.random.default_rng(0).permutation(len(pictures))[:count]
        return [_png(pictures[index]) for index in chosen]
    root = Path(os.environ["DVPT_DATA_ROOT"], "vtab-1k", task)
    lines = (root / "test.txt").read_text().splitlines()
    chosen = np.random.default_rng(0).permutation(len(lines))[:count]
    return [(root / lines[index].rsplit(" ", 1)[0]).read_bytes() for index in chosen]


def measure(
    model: Model, pictures: list[Tensor], sides: dict[str, Explain]
) -> dict[str, NDArray[np.float64]]:
    """Deletion and insertion [pictures, 2] of each explanation."""
    scores: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for number, picture in enumerate(pictures):
        for name, explain in sides.items():
            scores[name].append(deletion_and_insertion(model, picture, explain(model, picture)))
        print(f"picture {number + 1} of {len(pictures)}", flush=True)
    return {name: np.array(each) for name, each in scores.items()}


def summary(scores: NDArray[np.float64], service: NDArray[np.float64]) -> dict[str, Any]:
    """Means over pictures, and the score's difference from the service's."""
    score, its = scores[:, 1] - scores[:, 0], service[:, 1] - service[:, 0]
    error = 1.96 * float(np.std(score - its, ddof=1)) / np.sqrt(len(score))
    return {
        "deletion": round(float(scores[:, 0].mean()), 4),
        "insertion": round(float(scores[:, 1].mean()), 4),
        "score": round(float(score.mean()), 4),
        "behind_service": round(float((its - score).mean()), 4),
        "plus_minus": round(float(error), 4),
    }


def explanations() -> dict[str, Explain]:
    """Every side by its name."""
    sides: dict[str, Explain] = {
        "chance": lambda model, _: np.random.default_rng(0).random(_patches(model)).astype(np.float32),
        "attention rollout": rollout,
        SERVICE: as_served,
    }
    others = (
        ("blurred", 1.0, "log-odds"),
        ("blurred", 3.0, "log-odds"),
        ("mean", 2.0, "log-odds"),
        ("grey", 2.0, "log-odds"),
        ("blurred", 2.0, "probability"),
    )
    for fill, window, value in others:
        sides[f"occlusion of {window:g} cells, {fill}, {value}"] = _occlusion(fill, window, value)
    return sides


def as_served(model: Model, picture: Tensor) -> Weights:
    """What `?explain=true` answers."""
    rows = model.probabilities(torch.stack([picture, *occlusion.covered(picture)]))
    return occlusion.weights(rows[0], list(rows[1:]))


def _occlusion(fill: str, window: float, value: str, grid: int = 7) -> Explain:
    """Occlusion with another filling, window (in cells of the grid) or value."""

    def explain(model: Model, picture: Tensor) -> Weights:
        filling, size = _filling(picture, fill), picture.shape[-1]
        middles, half = [(index + 0.5) * size / grid for index in range(grid)], window * size / grid / 2
        spans = [slice(max(0, round(m - half)), round(m + half)) for m in middles]
        copies = picture.repeat(grid * grid + 1, 1, 1, 1)
        for copy, (rows, columns) in zip(copies[1:], [(r, c) for r in spans for c in spans], strict=True):
            copy[:, rows, columns] = filling[:, rows, columns]
        answers = model.probabilities(copies).astype(np.float64)
        column = answers[:, int(answers[0].argmax())]
        told = np.log(column / np.maximum(1 - column, 1e-7)) if value == "log-odds" else column
        taken: Weights = np.maximum(told[0] - told[1:], 0).reshape(grid, grid).astype(np.float32)
        return taken

    return explain


@torch.inference_mode()
def rollout(model: Model, picture: Tensor) -> Weights:
    """Attention rollout (Abnar and Zuidema 2020): each block's mean over heads, half of it the identity.

    Prompts that a block replaces carry nothing of the patches from the block before.
    """
    maps: list[Tensor] = []

    def keep(attention: Any, inputs: tuple[Tensor], _: Tensor) -> None:
        batch, count, _width = inputs[0].shape
        qkv = attention.qkv(inputs[0]).reshape(batch, count, 3, attention.num_heads, -1)
        query, key = qkv.permute(2, 0, 3, 1, 4)[:2]
        weights = attention.q_norm(query) @ attention.k_norm(key).transpose(-2, -1) * attention.scale
        maps.append(weights.softmax(dim=-1)[0].mean(dim=0))

    blocks = cast("Any", model.backbone.vit.blocks)
    hooks = [block.attn.register_forward_hook(keep) for block in blocks]
    try:
        model.probabilities(picture[None])
    finally:
        for hook in hooks:
            hook.remove()
    side, prefix = _patches(model)[0], model.backbone.prefix_count
    prompts = len(maps[0]) - prefix - side * side
    whole = torch.eye(len(maps[0]))
    for attention in maps:
        whole[prefix : prefix + prompts] = 0
        whole = (attention + torch.eye(len(attention))) / 2 @ whole
    return whole[0, prefix + prompts :].reshape(side, side).numpy()


def deletion_and_insertion(model: Model, picture: Tensor, weights: Weights) -> tuple[float, float]:
    """Areas below the probability of the likeliest class, while patches vanish and while they appear."""
    side, size = _patches(model)[0], picture.shape[-1]
    whole = F.interpolate(torch.from_numpy(weights)[None, None], (side, side), mode="bilinear")
    # Ties, where nothing counted, in an order drawn once: not from the top left.
    order = np.lexsort((np.random.default_rng(1).random(side * side), -whole.flatten().numpy()))
    rank = torch.from_numpy(np.argsort(order)).reshape(1, 1, side, side).float()
    ranks = F.interpolate(rank, (size, size), mode="nearest")[0]
    taken = [ranks < share * side * side / STEPS for share in range(STEPS + 1)]
    grey, blurred = _filling(picture, "grey"), _filling(picture, "blurred")
    deleted = [torch.where(mask, grey, picture) for mask in taken]
    inserted = [torch.where(mask, picture, blurred) for mask in taken]
    rows = model.probabilities(torch.stack([picture, *deleted, *inserted]))
    curve = rows[1:, int(rows[0].argmax())].astype(np.float64)
    return float(np.trapezoid(curve[: STEPS + 1]) / STEPS), float(np.trapezoid(curve[STEPS + 1 :]) / STEPS)


def _filling(picture: Tensor, kind: str) -> Tensor:
    if kind == "grey":
        return torch.full_like(picture, 128)
    least = 1 if kind == "mean" else 4
    small = F.interpolate(picture[None].float(), (least, least), mode="area")
    return F.interpolate(small, picture.shape[1:], mode="bilinear")[0].round().to(torch.uint8)


def _patches(model: Model) -> tuple[int, int]:
    side = model.backbone.config.image_size // model.backbone.config.patch_size
    return side, side


def _png(picture: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


if __name__ == "__main__":
    main()
