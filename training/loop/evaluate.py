"""Evaluation: the answers of an adapter, or of a method that has none, for every picture of a split."""

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from adapters.kinds.dvpt.adapter import Adapter
from adapters.vit.backbone import Backbone
from training.errors import NotWritten
from training.methods.method import Method
from training.run_directory import reason

BATCH = 100
Answer = Callable[[Tensor], Tensor]


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
        """A CSV line for each picture: name, label, predicted index, its probability. Raises NotWritten."""
        probability = self.logits.softmax(dim=1).amax(dim=1)
        rows = zip(
            self.names, self.labels.tolist(), self.predicted.tolist(), probability.tolist(), strict=True
        )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(["name", "label", "predicted", "probability"])
                writer.writerows(rows)
        except OSError as error:
            raise NotWritten(f"cannot write {path}: {reason(error)}") from error


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
