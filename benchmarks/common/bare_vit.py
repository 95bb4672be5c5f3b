"""A ViT without adapters, to hold mixed batches against."""

from typing import Any

import torch
from torch import Tensor

from adapters.vit.backbone import Backbone
from benchmarks.common.interleaved import Call

PROMPTS = 10


def bare_vit(backbone: Backbone) -> Backbone:
    """The same architecture with registers for prompts; its weights do not matter."""
    config = backbone.config
    vit = type(backbone.vit)(
        img_size=config.image_size,
        patch_size=config.patch_size,
        embed_dim=config.width,
        depth=config.depth,
        num_heads=_heads(backbone),
        num_classes=0,
        reg_tokens=PROMPTS,
    )
    return Backbone(vit.eval(), config)


def own_pass(bare: Backbone, images: Tensor) -> Call:
    """The same through `Backbone`, as the engine runs it."""

    @torch.inference_mode()
    def run() -> None:
        bare.encode(bare.embed(images)).cpu()

    return run


def _heads(backbone: Backbone) -> int:
    blocks: Any = backbone.vit.blocks
    return int(blocks[0].attn.num_heads)
