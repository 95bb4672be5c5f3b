"""Wrote the golden stores. They are not written again: what was written must keep loading.

A later format version, and a kind of adapter that came after the first ones, get a folder of their own,
written by the code of that day: `python -m tests.golden.generate tests/golden/<folder>`.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from adapters.config import PreprocessConfig
from adapters.kinds.affine.options import AffineOptions
from adapters.kinds.bottleneck.options import BottleneckOptions
from adapters.kinds.combined.options import CombinedOptions
from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.linear.options import LinearOptions
from adapters.kinds.options import KindOptions
from adapters.store.artifact import adapter_of
from adapters.store.store import Store
from adapters.vit.backbone import Backbone, random_backbone, weights_digest
from tests.support.artifacts import random_artifact

Adapters = dict[str, tuple[KindOptions, str, int, torch.dtype]]
"""Task → options, method, linear maps of the head, and the type that the tensors are written in."""
SHAPE: dict[str, Any] = {
    "img_size": 16,
    "patch_size": 8,
    "embed_dim": 16,
    "depth": 2,
    "num_heads": 2,
    "mlp_ratio": 2.0,
}
FIRST_KINDS: Adapters = {
    "dvpt-shared": (DvptOptions(count=2, meta_layers=2, meta_hidden=3), "dvpt", 1, torch.bfloat16),
    "dvpt-specific": (
        DvptOptions(
            count=2, deep=False, meta_net="specific", meta_layers=3, meta_hidden=2, meta_input="token",
            meta_norm=True, dynamic_layers="all",
        ), "dvpt", 2, torch.float16,
    ),
    "vpt": (DvptOptions(count=3, meta_net="none"), "vpt", 1, torch.float32),
    "linear": (LinearOptions(), "linear", 1, torch.bfloat16),
}  # fmt: skip
LATER_KINDS: Adapters = {
    "affine": (AffineOptions(), "affine", 1, torch.bfloat16),
    "bias": (AffineOptions(biases=True, hidden=32), "bias", 1, torch.bfloat16),
    "bottleneck": (BottleneckOptions(width=3), "bottleneck", 2, torch.float16),
    "dvpt-plus": (
        CombinedOptions(dvpt=DvptOptions(count=2, meta_hidden=3), bottleneck=BottleneckOptions(width=2)),
        "dvpt-plus", 1, torch.bfloat16,
    ),
}  # fmt: skip
ADAPTERS: dict[str, Adapters] = {"format-1": FIRST_KINDS, "format-1-kinds": LATER_KINDS}


def golden_backbone(weights: dict[str, Tensor]) -> Backbone:
    """The ViT of the golden store; its weights are committed, as random numbers may change with torch."""
    backbone = random_backbone(**SHAPE)
    backbone.vit.load_state_dict(weights)
    digest = weights_digest(backbone.vit.state_dict())
    return Backbone(backbone.vit, backbone.config.model_copy(update={"sha256": digest}))


def golden_images() -> Tensor:
    """Two pictures [2, 3, 16, 16] uint8 by formula: a slope, and stripes."""
    slope = torch.arange(3 * 16 * 16).reshape(3, 16, 16) // 3
    stripes = (torch.arange(16) % 4 < 2).expand(3, 16, 16) * torch.tensor([250, 130, 20]).view(3, 1, 1)
    return torch.stack([slope, stripes]).to(torch.uint8)


def main(folder: Path) -> None:
    """Write weights, store and the logits that must come out."""
    torch.manual_seed(0)
    folder.mkdir()
    state = {name: value.half() for name, value in random_backbone(seed=1, **SHAPE).vit.state_dict().items()}
    save_file(state, folder / "backbone.safetensors")
    backbone = golden_backbone(state)
    store = Store.create(folder / "store", backbone.config)
    logits = {}
    for task, (options, method, head_layers, dtype) in ADAPTERS[folder.name].items():
        artifact = random_artifact(
            backbone.config, options, ["rose", "tulip", "élan vital"], method=method, head_layers=head_layers,
            noise=0.5, preprocess=PreprocessConfig(fit="crop"),
            provenance={"metrics": {"test": {"accuracy": 0.5}}}, card={"README.md": f"# {task}\n".encode()},
            dtype=dtype,
        )  # fmt: skip
        store.publish(task, artifact)
        logits[task] = adapter_of(artifact, backbone.config)(backbone, golden_images()).tolist()
    if "vpt" in logits:
        store.publish("vpt", store.load("vpt", 1), label="canary")
        store.publish("vpt", store.load("vpt", 1), label=None)
        store.delete_version("vpt", 3)
    (folder / "logits.json").write_text(json.dumps(logits, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
