"""The one evaluation: an adapter's answers for every picture of a split."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from adapters.backbone import Backbone
from adapters.dvpt import Adapter

BATCH = 100


@dataclass(frozen=True)
class Predictions:
    """Answers in the split's order: names [N], labels [N], logits [N, C] float32."""

    names: tuple[str, ...]
    labels: Tensor
    logits: Tensor

    @property
    def predicted(self) -> Tensor:
        """The index of the most probable class [N]."""
        return self.logits.argmax(dim=1)

    @property
    def correct(self) -> list[bool]:
        """Whether each answer is right."""
        return [bool(right) for right in self.predicted == self.labels]

    @property
    def accuracy(self) -> float:
        """The part of right answers."""
        return float((self.predicted == self.labels).double().mean())

    def write(self, path: Path) -> None:
        """A CSV line for each picture: name, label, predicted index, its probability."""
        probability = self.logits.softmax(dim=1).amax(dim=1)
        rows = zip(
            self.names, self.labels.tolist(), self.predicted.tolist(), probability.tolist(), strict=True
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["name", "label", "predicted", "probability"])
            writer.writerows(rows)


@torch.inference_mode()
def predict_logits(backbone: Backbone, adapter: Adapter, chunks: Iterable[Tensor]) -> Tensor:
    """Chunks of pictures [n, 3, H, W] uint8 → logits [N, C] float32 on the CPU, on the backbone's device."""
    device = backbone.mean.device
    adapter = adapter.to(device).eval()
    return torch.cat(
        [
            adapter(backbone, batch.to(device)).float().cpu()
            for chunk in chunks
            for batch in torch.split(chunk, BATCH)
        ]
    )
