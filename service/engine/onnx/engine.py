"""The ONNX Runtime engine, for CPU and CUDA.

Graphs in a chain: pictures → tokens, tokens and the bank's tensors → what each row brings, both → features.
The first and the last are the backbone's, exported once, the last for each set of places in the blocks that
rows reach into; those in the middle are the layout's, and its kinds write them. Heads stay in torch: they
grow, and multiply in float32 whatever the graphs compute in.
"""

from collections.abc import Callable, Sequence
from time import monotonic

import torch
from torch import Tensor

from adapters.bank.bank import AdapterBank
from adapters.kinds.layout import Layout, Slot
from adapters.vit.backbone import Backbone
from service.engine.device_faults import device_faults
from service.engine.onnx.cache import GraphCache
from service.engine.onnx.forward import OnnxForward
from service.engine.onnx.session import SessionMaker
from service.engine.probabilities import row_probabilities
from service.engine.protocol import Probabilities
from service.engine.start_log import log_start
from service.errors import InferenceFailed


class OnnxEngine:
    """Runs mixed batches in ONNX Runtime on the bank's own memory, in its device and precision."""

    def __init__(
        self,
        load: Callable[[], Backbone],
        bank: AdapterBank,
        *,
        device: torch.device,
        dtype: torch.dtype,
        cache: GraphCache,
        threads: int = 0,
    ) -> None:
        self._load = load
        self._bank = bank
        self._device = device
        self._dtype = dtype
        self._cache = cache
        self._threads = threads
        self._forward: OnnxForward | None = None

    def start(self) -> None:
        """Load the backbone, and export it if it never was. Raises BackboneError, ConfigError."""
        if self._threads:
            torch.set_num_threads(self._threads)
        began_s = monotonic()
        with device_faults():
            backbone = self._load().prepare(torch.device("cpu"), self._dtype)
            maker = SessionMaker.on(self._device, self._threads)
            self._forward = OnnxForward(backbone, self._bank, maker, self._cache)
        log_start(
            "onnx",
            backbone.config,
            self._device,
            self._dtype,
            threads=self._threads or "auto",
            graphs=self._cache.root,
            start_ms=1000 * (monotonic() - began_s),
        )

    def warm(self, layout: Layout) -> None:
        """Make the layout's graph and run one null row."""
        size = self._started().image_size
        self.infer([torch.zeros(3, size, size, dtype=torch.uint8)], [self._bank.null_slot(layout)])

    def infer(self, images: Sequence[Tensor], slots: Sequence[Slot]) -> list[Probabilities | InferenceFailed]:
        """Pictures [3, H, W] uint8 and their slots → each row's probabilities [C] over its own classes."""
        forward = self._started()
        with device_faults(), torch.inference_mode(), forward.on_stream():
            rows = self._bank.locate(slots)
            features = forward.features(torch.stack(list(images)), rows)
            return row_probabilities(self._bank.logits(features, rows), slots)

    def stage(self, image: Tensor) -> Tensor:
        """Pictures go to the device as a batch."""
        return image

    def _started(self) -> OnnxForward:
        if self._forward is None:
            raise InferenceFailed("the engine was not started")
        return self._forward
