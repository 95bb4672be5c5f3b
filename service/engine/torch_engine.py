"""The torch engine, for CPU and CUDA."""

import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from adapters.backbone import Backbone, open_backbone
from adapters.bank import AdapterBank, forward_mixed
from adapters.config import BackboneConfig
from adapters.layout import Layout, Slot
from service.engine import Probabilities
from service.engine.device_faults import device_faults
from service.engine.rows import answer_rows
from service.errors import InferenceFailed
from service.logs import log_event

logger = logging.getLogger("service.engine")


class TorchEngine:
    """Runs `forward_mixed` on one device in one precision; the bank's device and precision are the same."""

    def __init__(
        self,
        config: BackboneConfig,
        bank: AdapterBank,
        *,
        device: torch.device,
        dtype: torch.dtype,
        weights: Path | None = None,
        threads: int = 0,
    ) -> None:
        self._config = config
        self._bank = bank
        self._device = device
        self._dtype = dtype
        self._weights = weights
        self._threads = threads
        self._backbone: Backbone | None = None

    def start(self) -> None:
        """Load the backbone. Raises BackboneError or BackboneMismatch."""
        if self._threads:
            torch.set_num_threads(self._threads)  # of this thread, which is the engine's
        with device_faults():
            backbone = open_backbone(self._config, weights=self._weights)
            self._backbone = backbone.prepare(self._device, self._dtype)
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
        """Run one null row of a layout."""
        size = self._config.image_size
        self.infer([torch.zeros(3, size, size, dtype=torch.uint8)], [self._bank.null_slot(layout)])

    def infer(self, images: Sequence[Tensor], slots: Sequence[Slot]) -> list[Probabilities | InferenceFailed]:
        """Pictures [3, H, W] uint8 and their slots → each row's probabilities [C] over its own classes."""
        if self._backbone is None:
            raise InferenceFailed("the engine was not started")
        with device_faults():
            logits = forward_mixed(self._backbone, self._bank, self._upload(images), slots)
            return answer_rows(logits, slots)

    def _upload(self, images: Sequence[Tensor]) -> Tensor:
        """Stack pictures to [B, 3, H, W] on the device, through pinned memory on CUDA."""
        if self._device.type != "cuda":
            return torch.stack(list(images))
        pinned = torch.empty((len(images), *images[0].shape), dtype=torch.uint8, pin_memory=True)
        torch.stack(list(images), out=pinned)
        return pinned.to(self._device, non_blocking=True)
