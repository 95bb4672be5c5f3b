"""The one evaluation: an adapter's answers for every picture of a split."""

from collections.abc import Callable, Iterable
from typing import cast

import torch
from torch import Tensor

from adapters.kinds.adapter import Adapter
from adapters.vit.backbone import Backbone
from training.methods.method import Method

BATCH = 100
Answer = Callable[[Tensor], Tensor]


@torch.inference_mode()
def predict_logits(answer: Answer, device: torch.device, chunks: Iterable[Tensor]) -> Tensor:
    """Chunks of pictures [n, 3, H, W] uint8 → logits [N, C] float32 on the CPU."""
    return torch.cat(
        [answer(batch.to(device)).float().cpu() for chunk in chunks for batch in torch.split(chunk, BATCH)]
    )


def answer_of_adapter(backbone: Backbone, adapter: Adapter) -> Answer:
    """What the service would answer."""
    adapter = adapter.to(backbone.mean.device).eval()
    return lambda images: cast("Tensor", adapter(backbone, images))


def answer_of_method(method: Method, device: torch.device) -> Answer:
    """The answer of a method that has no adapter."""

    def answer(images: Tensor) -> Tensor:
        method.module.eval()
        return method.logits(method.inputs(images).to(device))

    return answer
