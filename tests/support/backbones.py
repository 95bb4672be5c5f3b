"""Backbones of tests: a tiny one to run, a full one to describe, and weights as a user gives them."""

from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from adapters.config import BackboneConfig
from adapters.vit.backbone import Backbone, random_backbone

VIT_B16 = BackboneConfig(
    name="vit_base_patch16_224",
    sha256="0" * 64,
    image_size=224,
    patch_size=16,
    width=768,
    depth=12,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
)


def tiny_backbone(**overrides: Any) -> Backbone:
    """A ViT of two blocks on 32-pixel pictures, float32, on the CPU; `overrides` as for `random_backbone`."""
    tiny = {"img_size": 32, "embed_dim": 48, "depth": 2, "num_heads": 2}
    return random_backbone(**tiny | overrides)


def save_weights(backbone: Backbone, path: Path) -> Path:
    """The weights of `backbone` as a file for `--weights`; its path."""
    state = backbone.vit.state_dict()
    save_file({name: value.contiguous() for name, value in state.items()}, path)
    return path
