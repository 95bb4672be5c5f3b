"""The linear head on the backbone's own features: where training starts, and what it is measured against."""

from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor, nn

from adapters.kinds.adapter import Adapter
from adapters.kinds.linear.options import LinearOptions
from adapters.vit.backbone import Backbone
from training.card.findings import Floor, LinearBeside, Predictions
from training.data.pixels import Decoder
from training.data.source import Split
from training.loop.evaluate import predict_logits
from training.loop.hold_back import HeldBack
from training.loop.linear_head import LinearHead, fit_linear_head
from training.uncertainty import difference_interval


@dataclass
class LinearReference:
    """Linear heads of one run's pictures; features are computed once, when they are first asked for."""

    backbone: Backbone
    decoder: Decoder
    train: Split
    class_count: int
    class_weights: Tensor | None = None
    _known: dict[tuple[str, ...], Tensor] = field(default_factory=dict)

    def features(self, split: Split) -> Tensor:
        """The frozen backbone's features [N, D] of a split."""
        if split.names not in self._known:
            device = self.backbone.mean.device
            self._known[split.names] = predict_logits(
                lambda images: self.backbone.encode(self.backbone.embed(images)),
                device,
                self.decoder.chunks(split),
            )
        return self._known[split.names]

    @cached_property
    def head(self) -> LinearHead:
        """The head of all training pictures."""
        return self.head_of(torch.arange(len(self.train)))

    def head_of(self, rows: Tensor, features: Tensor | None = None) -> LinearHead:
        """The head of some of the training pictures, on features of another make [N, D] if they are given."""
        given = self.features(self.train) if features is None else features
        labels = torch.tensor(self.train.labels)
        return fit_linear_head(given[rows], labels[rows], self.class_count, class_weights=self.class_weights)

    def floor(self, held: HeldBack, answers: Tensor) -> Floor | None:
        """What a head was right for of the held back, if `answers` [H, C] were right for fewer beyond chance.

        What is trained still learns after these answers, and the head does not.
        """
        labels = torch.tensor(self.train.labels)[held.rows]
        head = self.head_of(held.early(len(self.train)))
        logits = head.logits(self.features(self.train)[held.rows])
        own, other = ((given.argmax(1) == labels).tolist() for given in (answers, logits))
        if difference_interval([other], [own]).low <= 0:
            return None
        return Floor(sum(own) / len(own), sum(other) / len(other), len(labels))

    def beside(self, split: Split) -> LinearBeside:
        """What the head of all training pictures answers on a split."""
        head = self.head
        logits = head.logits(self.features(split))
        values = head.weight.numel() + head.bias.numel()
        return LinearBeside(
            Predictions(split.names, torch.tensor(split.labels), logits), values, head.strength
        )

    def adapter(self) -> Adapter:
        """The adapter that the head of all training pictures is."""
        adapter = Adapter(LinearOptions(), self.backbone.config, self.class_count)
        load_head(adapter.head, self.head)
        return adapter.eval()


@torch.no_grad()
def load_head(module: nn.Module, head: LinearHead) -> None:
    """Let a head of one linear map start as `head`."""
    (last,) = (part for part in module.modules() if isinstance(part, nn.Linear))
    last.weight.copy_(head.weight)
    last.bias.copy_(head.bias)
