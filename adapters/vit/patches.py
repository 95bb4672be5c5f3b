"""Pixels to patch tokens in one matrix product, the backbone's normalization folded into its weights."""

import torch
from timm.layers.patch_embed import PatchEmbed
from torch import Tensor, nn
from torch.nn import functional as F

MIDDLE = 128.0


class FoldedPatches(nn.Module):
    """Pictures [B, 3, H, W] uint8 → patch tokens [B, N, D] by a copy of the frozen weights.

    Pixels minus 128 are whole numbers that bfloat16 and float16 hold exactly, so that of the two roundings,
    of normalized pixels and of weights, the first falls away. Without the 128 the constant part of the
    weights' rounding errors would be multiplied by the picture's brightness.
    """

    weight: Tensor
    bias: Tensor
    middle: Tensor

    def __init__(self, embed: PatchEmbed, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        weight = embed.proj.weight.detach().float()
        own = embed.proj.bias
        bias = torch.zeros(len(weight)) if own is None else own.detach().float()
        shift = ((MIDDLE / 255.0 - mean) / std * weight).sum(dim=(1, 2, 3))
        self.register_buffer("weight", (weight / (255.0 * std)).flatten(1), persistent=False)
        self.register_buffer("bias", bias + shift, persistent=False)
        self.register_buffer("middle", torch.tensor(MIDDLE), persistent=False)
        self._patch_size = int(embed.patch_size[0])
        self._grid = int(embed.img_size[0]) // self._patch_size
        # In tuples, so that they are no parameters under a second name.
        self._norm = (embed.norm,)
        self._source = (embed.proj.weight, embed.proj.bias)

    def is_of(self, embed: PatchEmbed) -> bool:
        """Whether the weights are still those that were copied, and not trained ones put in their place."""
        weight, bias = self._source
        return embed.proj.weight is weight and embed.proj.bias is bias

    def forward(self, images: Tensor) -> Tensor:
        """Cut the pictures while a pixel is one byte, then multiply."""
        patch, grid = self._patch_size, self._grid
        covered = images[:, :, : grid * patch, : grid * patch].reshape(-1, 3, grid, patch, grid, patch)
        cut = covered.permute(0, 2, 4, 1, 3, 5).reshape(-1, grid * grid, 3 * patch * patch)
        pixels = cut.to(self.weight.dtype) - self.middle
        tokens: Tensor = self._norm[0](F.linear(pixels, self.weight, self.bias))
        return tokens
