"""What is trained is what is served: the body of a kind, and a head."""

import copy
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from adapters.kinds.adapter import Adapter
from adapters.kinds.dvpt.body import DvptBody
from adapters.vit.backbone import Backbone
from adapters.vit.row_parameters import concatenated
from training.methods.heads import new_head, plain_head
from training.options.train_config import TrainConfig


class BodyMethod:
    """Trains an Adapter; nothing can be cached, since its body reaches into the first block already."""

    module: nn.Module

    def __init__(self, backbone: Backbone, config: TrainConfig, class_count: int) -> None:
        self._backbone = backbone
        self._adapter = Adapter(config.kind_options, backbone.config, class_count)
        for module in self._adapter.body.modules():
            if isinstance(module, DvptBody):
                module.dropout.p = config.prompt_dropout
        self._adapter.head = new_head(backbone, config, class_count)
        self.module = self._adapter

    @property
    def head(self) -> nn.Module:
        """The adapter's head."""
        return self._adapter.head

    def inputs(self, images: Tensor) -> Tensor:
        """The pixels themselves."""
        return images

    def logits(self, inputs: Tensor) -> Tensor:
        """Pixels [B, 3, H, W] uint8 → logits [B, C]."""
        logits: Tensor = self._adapter(self._backbone, inputs)
        return logits

    def load_body(self, tensors: Mapping[str, Tensor]) -> None:
        """Start from the body of a published adapter."""
        self._adapter.body.load_state_dict(tensors)

    def adapter(self) -> Adapter:
        """A copy on the CPU whose head is plain."""
        published = copy.deepcopy(self._adapter).cpu().eval()
        published.head = plain_head(published.head)
        return published


def joint_logits(methods: Sequence[BodyMethod], inputs: Sequence[Tensor]) -> list[Tensor]:
    """Batches [Bₖ, 3, H, W] of K methods in one forward pass → each one's logits [Bₖ, C].

    Each row has its own method's parameters, as in the service's bank; no row sees another. All methods
    share one backbone and one layout.
    """
    backbone = methods[0]._backbone  # noqa: SLF001 - of this class
    sizes = [len(batch) for batch in inputs]
    tokens = backbone.embed(torch.cat(list(inputs)))
    adapters = [method._adapter for method in methods]  # noqa: SLF001 - of this class
    patches = torch.split(backbone.patch_tokens(tokens), sizes)
    rows = [adapter.row_parameters(own) for adapter, own in zip(adapters, patches, strict=True)]
    features = backbone.encode(tokens, concatenated(rows))
    return [adapter.head(own) for adapter, own in zip(adapters, torch.split(features, sizes), strict=True)]
