"""Prompts that start as patch tokens of the layers they are put in (Self-Prompt Tuning, Wang et al. 2024)."""

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn

from adapters.kinds.dvpt.body import DvptBody
from adapters.vit.backbone import Backbone


@torch.no_grad()
def start_from_tokens(body: nn.Module, backbone: Backbone, images: Tensor, seed: int) -> None:
    """Let prompts be tokens of `images` [B, 3, H, W] uint8, drawn at random from each layer's input.

    A body without prompts is left as it is.
    """
    own = [module for module in body.modules() if isinstance(module, DvptBody)]
    if not own:
        return
    (dvpt,) = own
    layers, count, _ = dvpt.prompts.shape
    generator = torch.Generator().manual_seed(seed)
    for layer, tokens in enumerate(patch_tokens_by_layer(backbone, images)[:layers]):
        drawn = torch.randperm(len(tokens), generator=generator)[:count]
        # Fewer tokens than prompts come again, as many times as it takes.
        rows = drawn.repeat(-(-count // len(drawn)))[:count]
        dvpt.prompts[layer].copy_(tokens[rows])


@torch.inference_mode()
def patch_tokens_by_layer(backbone: Backbone, images: Tensor) -> list[Tensor]:
    """The patch tokens of all `images` that each block is given, [B·N, D] float32 on the CPU."""
    tokens, seen = backbone.embed(images.to(backbone.mean.device)), []
    for block in cast("Iterable[nn.Module]", backbone.vit.blocks):
        seen.append(backbone.patch_tokens(tokens).flatten(0, 1).float().cpu())
        tokens = block(tokens)
    return seen
