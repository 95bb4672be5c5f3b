"""The torch engine, for CPU and CUDA."""

import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from adapters.backbone import Backbone, open_backbone
from adapters.bank import AdapterBank, features_mixed
from adapters.config import BackboneConfig
from adapters.layout import Layout, Slot
from service.engine import Probabilities
from service.engine.device_faults import device_faults
from service.engine.graphs import CudaCapture, Graphs
from service.engine.rows import answer_rows
from service.errors import InferenceFailed
from service.logs import log_event

logger = logging.getLogger("service.engine")


class TorchEngine:
    """Runs mixed batches on one device in one precision; the bank's device and precision are the same.

    On CUDA up to `graph_layouts` layouts are captured, in batches of up to `most_rows`.
    """

    def __init__(
        self,
        config: BackboneConfig,
        bank: AdapterBank,
        *,
        device: torch.device,
        dtype: torch.dtype,
        weights: Path | None = None,
        threads: int = 0,
        graph_layouts: int = 0,
        most_rows: int = 64,
    ) -> None:
        self._config = config
        self._bank = bank
        self._device = device
        self._dtype = dtype
        self._weights = weights
        self._threads = threads
        self._graph_layouts = graph_layouts
        self._most_rows = most_rows
        self._backbone: Backbone | None = None
        self._graphs: Graphs | None = None

    def start(self) -> None:
        """Load the backbone. Raises BackboneError or BackboneMismatch."""
        if self._threads:
            torch.set_num_threads(self._threads)  # of this thread, which is the engine's
        with device_faults():
            backbone = open_backbone(self._config, weights=self._weights)
            self._backbone = backbone.for_inference().prepare(self._device, self._dtype)
            if self._device.type == "cuda" and self._graph_layouts:
                self._graphs = Graphs(
                    self._forward, CudaCapture(), self._device, self._config.image_size, self._graph_layouts
                )
        log_event(
            logger,
            logging.INFO,
            "engine",
            engine="torch",
            backbone=self._config.name,
            device=self._device,
            precision=str(self._dtype).removeprefix("torch."),
            threads=torch.get_num_threads(),
        )

    def warm(self, layout: Layout) -> None:
        """Capture the layout's batches, and run one null row."""
        size, null_slot = self._config.image_size, self._bank.null_slot(layout)
        if self._graphs:
            with device_faults():
                self._graphs.warm(layout, self._most_rows)
        self.infer([torch.zeros(3, size, size, dtype=torch.uint8)], [null_slot])

    @torch.inference_mode()
    def infer(self, images: Sequence[Tensor], slots: Sequence[Slot]) -> list[Probabilities | InferenceFailed]:
        """Pictures [3, H, W] uint8 and their slots → each row's probabilities [C] over its own classes."""
        with device_faults():
            self._bank.require_live(slots)
            index = torch.tensor([slot.index for slot in slots])
            features = self._features(slots[0].layout, self._stack(images), index)
            return answer_rows(self._bank.logits(features, slots), slots)

    def _features(self, layout: Layout, images: Tensor, index: Tensor) -> Tensor:
        if self._graphs:
            return self._graphs.features(layout, images, index)
        return self._forward(layout, images.to(self._device, non_blocking=True), index.to(self._device))

    def _forward(self, layout: Layout, images: Tensor, index: Tensor) -> Tensor:
        if self._backbone is None:
            raise InferenceFailed("the engine was not started")
        return features_mixed(self._backbone, self._bank, layout, images, index)

    def _stack(self, images: Sequence[Tensor]) -> Tensor:
        """Pictures as [B, 3, H, W] on the host, in pinned memory where they go on to CUDA."""
        if self._device.type != "cuda":
            return torch.stack(list(images))
        pinned = torch.empty((len(images), *images[0].shape), dtype=torch.uint8, pin_memory=True)
        return torch.stack(list(images), out=pinned)
