"""What every peer has beneath it: one frozen backbone and the adapters of a store, one task at a time.

Or, with `--fixed-ms`, the engine of `benchmarks.common.model_service`, which only takes its time. A peer
knows models, and a model is one task: pictures of one task may share a batch, the next task is another batch.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from adapters.device import choose_device, choose_dtype
from adapters.kinds.adapter_config import AdapterConfig
from adapters.pictures.preprocess import to_pixels
from adapters.store.artifact import adapter_of
from adapters.store.store import Store
from adapters.vit.backbone import Backbone, open_backbone
from benchmarks.common.model_service import ModelEngine

Rows = NDArray[np.float32]
TOP_K = 5


@dataclass(frozen=True)
class PeerOptions:
    """What every peer's command line takes; without `fixed_ms` the engine is the real ViT."""

    store: Path
    port: int
    weights: Path | None
    device: str
    threads: int
    max_batch: int
    batch_wait_ms: float
    fixed_ms: float | None
    per_picture_ms: float


def peer_options(doc: str | None) -> PeerOptions:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--weights", type=Path, metavar="FILE")
    parser.add_argument("--device", default="cpu", help="cpu or cuda:N")
    parser.add_argument("--threads", type=int, default=1, help="of the forward pass")
    parser.add_argument("--max-batch", type=int, default=64)
    parser.add_argument("--batch-wait-ms", type=float, default=0.0, help="how long a batch may gather")
    parser.add_argument("--fixed-ms", type=float, help="of a batch, of the time model")
    parser.add_argument("--per-picture-ms", type=float, default=0.0, help="of a picture, of the time model")
    return PeerOptions(**vars(parser.parse_args()))


@dataclass(frozen=True)
class PeerModel:
    """One task: from bytes to pixels, from pixels to probabilities, from those to an answer."""

    config: AdapterConfig
    image_size: int
    predict: Callable[[Sequence[Tensor]], Rows]

    def pixels(self, data: bytes) -> Tensor:
        """An encoded picture → [3, H, W] uint8, exactly as the service does it. Raises PictureError."""
        return to_pixels(data, self.config.preprocess, self.image_size)

    def answer(self, row: Rows) -> dict[str, Any]:
        """The likeliest classes from probabilities [C], in the form that the service answers with."""
        classes = [
            {"index": int(index), "label": self.config.classes[index], "probability": float(row[index])}
            for index in np.argsort(-row, kind="stable")[:TOP_K]
        ]
        return {"predictions": [{"classes": classes}]}


class PeerEngine:
    """The one backbone of a process, in the precision that the service would choose."""

    def __init__(self, options: PeerOptions) -> None:
        torch.set_num_threads(options.threads)
        self._device = choose_device(options.device)
        self._store = Store.open(options.store)
        self._backbone: Backbone | None = None
        self._clock = ModelEngine((options.fixed_ms or 0) / 1000, options.per_picture_ms / 1000)
        if options.fixed_ms is None:
            backbone = open_backbone(self._store.backbone, weights=options.weights)
            self._backbone = backbone.prepare(self._device, choose_dtype("auto", self._device))

    def load_all(self) -> dict[str, PeerModel]:
        """Every task's model, kept in memory."""
        return {task: self.load(task) for task in self._store.tasks()}

    def load(self, task: str) -> PeerModel:
        """One task's model. Raises TaskNotFound."""
        version = self._store.resolve(task)
        config = self._store.config(task, version)
        predict = self._clocked(config) if self._backbone is None else self._forward(task, version)
        return PeerModel(config, self._store.backbone.image_size, predict)

    def _clocked(self, config: AdapterConfig) -> Callable[[Sequence[Tensor]], Rows]:
        def predict(images: Sequence[Tensor]) -> Rows:
            self._clock.wait(len(images))
            return np.full((len(images), len(config.classes)), 1 / len(config.classes), dtype=np.float32)

        return predict

    def _forward(self, task: str, version: int) -> Callable[[Sequence[Tensor]], Rows]:
        backbone, device = self._backbone, self._device
        adapter = adapter_of(self._store.load(task, version), self._store.backbone)
        assert backbone is not None
        adapter.to(device, backbone.dtype)

        @torch.inference_mode()
        def predict(images: Sequence[Tensor]) -> Rows:
            logits: Tensor = adapter(backbone, torch.stack(list(images)).to(device))
            rows: Rows = logits.float().softmax(dim=-1).cpu().numpy()
            return rows

        return predict
