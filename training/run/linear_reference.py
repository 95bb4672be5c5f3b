"""The linear head on the backbone's own features: where training starts, and what it is measured against."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from adapters.kinds.adapter import Adapter
from adapters.kinds.linear.options import LinearOptions
from adapters.vit.backbone import Backbone
from training.card.findings import Floor, LinearBeside, Predictions, ShiftCheck
from training.data.augmentation import shift_pixels, shifted
from training.data.pixels import Decoder
from training.data.source import Split
from training.loop.evaluate import predict_logits
from training.loop.hold_back import HeldBack
from training.loop.linear_head import LinearHead, answers_out_of_fold, fit_linear_head
from training.uncertainty import difference_interval

DRAWS = 4
"""How often each picture is moved for a check."""
MOST_CHECKED = 2_000


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
            self._known[split.names] = self._encoded(self.decoder.chunks(split))
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

    def shift_check(self, part: float) -> ShiftCheck | None:
        """What linear heads make of pictures that are moved by up to `part` of their side.

        Where position is what a class is about they answer worse: then moved pictures have wrong labels. Of
        many pictures some are asked. None where no class has two of them.
        """
        order = torch.randperm(len(self.train), generator=torch.Generator().manual_seed(0))
        rows = order[:MOST_CHECKED].sort().values
        labels = torch.tensor(self.train.labels)[rows]
        head = self.head if len(rows) == len(self.train) else self.head_of(rows)
        if not head.folds:
            return None
        some = self.train.rows(rows.tolist())
        answers = answers_out_of_fold(
            self._moved(some, part),
            self.features(self.train)[rows],
            labels,
            self.class_count,
            head.strength,
            class_weights=self.class_weights,
        )
        still, moved = (float(F.cross_entropy(given, labels)) for given in (head.out_of_fold, answers))
        return ShiftCheck(shift_pixels(part, self.backbone.config.image_size), len(rows), still, moved)

    def _moved(self, split: Split, part: float) -> list[Tensor]:
        """Features [N, D] of pictures moved at random, of each draw; they are decoded once."""
        chunks = [
            [self._encoded([shifted(pixels, part, 0, draw, chunk)]) for draw in range(DRAWS)]
            for chunk, pixels in enumerate(self.decoder.chunks(split))
        ]
        return [torch.cat(draws) for draws in zip(*chunks, strict=True)]

    def _encoded(self, chunks: Iterable[Tensor]) -> Tensor:
        backbone = self.backbone
        return predict_logits(
            lambda images: backbone.encode(backbone.embed(images)), backbone.mean.device, chunks
        )

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
