"""Wrote the golden store of format version 1. It is not run again: what it wrote must keep loading.

A later format version gets a folder of its own beside `format-1`, written by the code of that day:
`python -m tests.golden.generate tests/golden/format-<n>`.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from adapters.config import PreprocessConfig
from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.linear.options import LinearOptions
from adapters.store.artifact import adapter_of
from adapters.store.store import Store
from adapters.vit.backbone import Backbone, random_backbone, weights_digest
from tests.support.artifacts import random_artifact

SHAPE: dict[str, Any] = {
    "img_size": 16,
    "patch_size": 8,
    "embed_dim": 16,
    "depth": 2,
    "num_heads": 2,
    "mlp_ratio": 2.0,
}
ADAPTERS = {
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
    for task, (options, method, head_layers, dtype) in ADAPTERS.items():
        artifact = random_artifact(
            backbone.config, options, ["rose", "tulip", "élan vital"], method=method, head_layers=head_layers,
            noise=0.5, preprocess=PreprocessConfig(fit="crop"),
            provenance={"metrics": {"test": {"accuracy": 0.5}}}, card={"README.md": f"# {task}\n".encode()},
            dtype=dtype,
        )  # fmt: skip
        store.publish(task, artifact)
        logits[task] = adapter_of(artifact, backbone.config)(backbone, golden_images()).tolist()
    store.publish("vpt", store.load("vpt", 1), label="canary")
    store.publish("vpt", store.load("vpt", 1), label=None)
    store.delete_version("vpt", 3)
    (folder / "logits.json").write_text(json.dumps(logits, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
