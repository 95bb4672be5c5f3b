"""The bank's two halves as one pass, as an engine composes them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from adapters.bank.bank import AdapterBank, Encoder, features_mixed
from adapters.kinds.layout import Slot


@torch.inference_mode()
def forward_mixed(backbone: Encoder, bank: AdapterBank, images: Tensor, slots: Sequence[Slot]) -> Tensor:
    """Answer pictures [B, 3, H, W] uint8 of many tasks in one pass → logits [B, C] float32.

    Row b runs under the adapter in `slots[b]`; columns beyond its classes are −∞.
    """
    rows = bank.locate(slots)
    return bank.logits(features_mixed(backbone, bank, rows.layout, images, rows.index), rows)
