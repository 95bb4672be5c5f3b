"""The torch engine, for CPU and CUDA."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from adapters.bank.bank import AdapterBank, Encoder, features_mixed
from adapters.config import BackboneConfig
from adapters.kinds.layout import Layout, Slot
from adapters.vit.backbone import Backbone, open_backbone
from service.engine.device_faults import device_faults
from service.engine.graphs import CudaCapture, Graphs
from service.engine.kernels import fuse
from service.engine.probabilities import row_probabilities
from service.engine.protocol import Probabilities
from service.engine.staging import CudaStaging
from service.engine.start_log import log_start
from service.errors import InferenceFailed

CPU_ROWS, CPU_PATCHES = 32, 4096
"""The most that a CPU takes at once, as 20 pictures of 224 px; a larger batch goes in pieces.

More leaves the processor's caches. And of each number of rows that ever ran the matrix library keeps kernels
and buffers, several megabytes.
"""
RESERVED_BATCHES = 2  # one that runs, one that gathers


@dataclass(frozen=True)
class Tuning:
    """What is done for speed; 0 `threads` leaves their number to torch.

    On CUDA up to `graph_layouts` layouts are captured, in batches of up to `most_rows`: the compiled pass
    where `compiled`, else one that moves rows in kernels of its own. `mapped` weights are not copied where
    they are computed with as they are in the file, so that processes share them.
    """

    threads: int = 0
    graph_layouts: int = 0
    most_rows: int = 64
    compiled: bool = False
    mapped: bool = False


class TorchEngine:
    """Runs mixed batches on one device in one precision; the bank's device and precision are the same."""

    def __init__(
        self,
        config: BackboneConfig,
        bank: AdapterBank,
        *,
        device: torch.device,
        dtype: torch.dtype,
        weights: Path | None = None,
        tuning: Tuning | None = None,
    ) -> None:
        self._config = config
        self._bank = bank
        self._device = device
        self._dtype = dtype
        self._weights = weights
        self._tuning = tuning or Tuning()
        self._staging: CudaStaging | None = None
        self._encoder: Encoder | None = None
        self._graphs: Graphs | None = None

    def start(self) -> None:
        """Load the backbone. Raises BackboneError or BackboneMismatch."""
        if self._tuning.threads:
            torch.set_num_threads(self._tuning.threads)  # of this thread, which is the engine's
        compiled, fused = self._tuning.compiled, False
        with device_faults():
            backbone = open_backbone(self._config, weights=self._weights, mapped=self._tuning.mapped)
            backbone.prepare(self._device, self._dtype)
            self._encoder = captured = _compiled(backbone, self._device) if compiled else backbone
            if self._device.type == "cuda":
                reserved = RESERVED_BATCHES * self._tuning.most_rows
                self._staging = CudaStaging(self._device, self._config.image_size, reserved)
                if self._tuning.graph_layouts:
                    if not compiled:
                        # Launched one by one, kernels cost the processor more than they save the GPU.
                        captured = fuse(backbone)
                        fused = captured.fused
                    self._graphs = self._new_graphs(captured)
        facts = {"threads": torch.get_num_threads(), "compiled": compiled, "fused": fused}
        log_start("torch", self._config, self._device, self._dtype, **facts)

    def warm(self, layout: Layout) -> None:
        """Capture the layout's batches, and run null rows; compiled, one alone is a case of its own."""
        size, null_slot = self._config.image_size, self._bank.null_slot(layout)
        if self._graphs:
            with device_faults():
                self._graphs.warm(layout)
        image = self.stage(torch.zeros(3, size, size, dtype=torch.uint8))
        for rows in (2, 1) if self._tuning.compiled else (1,):
            self.infer([image] * rows, [null_slot] * rows)

    def stage(self, image: Tensor) -> Tensor:
        """A picture [3, H, W] uint8 → the same on the device."""
        if self._staging is None:
            return image
        with device_faults():
            return self._staging(image)

    @torch.inference_mode()
    def infer(self, images: Sequence[Tensor], slots: Sequence[Slot]) -> list[Probabilities | InferenceFailed]:
        """Pictures [3, H, W] uint8 and their slots → each row's probabilities [C] over its own classes."""
        with device_faults():
            rows = self._bank.locate(slots)
            if self._staging:
                self._staging.arrived()
            pictures = torch.stack(list(images)).to(self._device, non_blocking=True)
            run = self._graphs.features if self._graphs else self._forward
            features = run(rows.layout, pictures, rows.index)
            return row_probabilities(self._bank.logits(features, rows), slots)

    def _forward(self, layout: Layout, images: Tensor, index: Tensor) -> Tensor:
        if self._encoder is None:
            raise InferenceFailed("the engine was not started")
        if self._device.type != "cpu":
            return features_mixed(self._encoder, self._bank, layout, images, index)
        patches = (self._config.image_size // self._config.patch_size) ** 2
        most = max(1, min(CPU_ROWS, CPU_PATCHES // patches))
        pieces = zip(torch.split(images, most), torch.split(index, most), strict=True)
        return torch.cat([features_mixed(self._encoder, self._bank, layout, *piece) for piece in pieces])

    def _new_graphs(self, encoder: Encoder) -> Graphs:
        return Graphs(
            partial(features_mixed, encoder, self._bank),
            CudaCapture(),
            self._device,
            self._config.image_size,
            most_layouts=self._tuning.graph_layouts,
            most_rows=self._tuning.most_rows,
        )


def _compiled(backbone: Backbone, device: torch.device) -> Encoder:
    from service.engine.compiled import CompiledBackbone  # noqa: PLC0415 - a second of imports

    return CompiledBackbone(backbone, device)
