"""Colours for formula pictures: plain ink on ground, or any two colours with uneven light and grain."""

import torch
from torch import Tensor
from torch.nn import functional as F

from training.pretrain.families.family import SIDE


def colour_pictures(masks: Tensor, plain_share: float, generator: torch.Generator) -> Tensor:
    """Pictures [B,3,64,64] in -1..1 from masks [B,1,64,64] in 0..1, some plain and the others coloured.

    Plain is light ink on dark ground; coloured has any two colours, uneven light and grain.
    """
    masks = _coarsen(masks, generator)
    count = len(masks)
    coloured = (torch.rand(count, 1, 1, 1, generator=generator) >= plain_share).float()
    ink, ground = _random_colours(coloured, generator)
    amount = 0.5 * coloured * torch.rand(2, count, 1, 1, 1, generator=generator)
    uneven = amount * (torch.rand(2, count, 3, 4, 4, generator=generator) - 0.5)
    light = F.interpolate(uneven.flatten(0, 1), SIDE, mode="bilinear").reshape(2, count, 3, SIDE, SIDE)
    pictures = torch.lerp(ground + light[0], ink + light[1], masks)
    grain = 0.1 * coloured * torch.rand(count, 1, 1, 1, generator=generator)
    pictures += grain * torch.randn(pictures.shape, generator=generator)
    return pictures.clamp(0, 1) * 2 - 1


def _coarsen(masks: Tensor, generator: torch.Generator) -> Tensor:
    """Redraw three eighths of the masks at 8, 16 or 32 pixels a side: real pictures are often enlarged."""
    parts = list(torch.split(masks, max(1, len(masks) // 8)))
    for part, side in enumerate((8, 16, 32)[: len(parts)]):
        small = F.adaptive_avg_pool2d(parts[part], side)
        mode = "bicubic" if torch.rand((), generator=generator) < 0.5 else "bilinear"
        parts[part] = F.interpolate(small, SIDE, mode=mode).clamp(0, 1)
    return torch.cat(parts)


def _random_colours(coloured: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Ink and ground, each [B,3,1,1]: light on dark where coloured [B,1,1,1] is 0, else two that differ."""
    count = len(coloured)
    ink, ground = torch.rand(2, count, 3, 1, 1, generator=generator)
    near = (ink - ground).abs().amax(1, keepdim=True) < 0.3
    ground = torch.where(near, (ground + 0.5) % 1, ground)
    tone = 0.1 * torch.rand(2, count, 1, 1, 1, generator=generator)
    tone *= torch.rand(count, 1, 1, 1, generator=generator) < 0.3
    return torch.lerp(1 - tone[0], ink, coloured), torch.lerp(tone[1], ground, coloured)
