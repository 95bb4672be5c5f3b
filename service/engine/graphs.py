"""Captured forward passes: a batch is padded to a bucket's size, copied into place and replayed.

Launching a ViT's hundreds of kernels one by one costs the processor more than a small batch costs the GPU.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from adapters.kinds.layout import Layout
from service.logs import log_event

logger = logging.getLogger("service.engine")

Features = Callable[[Layout, Tensor, Tensor], Tensor]
"""Layout, pictures [B, 3, H, W] uint8 and rows [B] on the device → features [B, D]."""
Capture = Callable[[Callable[[], Tensor]], "Captured"]
BUCKETS = (1, 2, 4, 8, 16, 32, 48, 64, 96, 128, 192, 256, 384, 512)
WARM_UPS = 3


@dataclass(frozen=True)
class Captured:
    """A pass that can be run again: the place its result lies in, and how to run it."""

    result: Tensor
    replay: Callable[[], object]


class Graphs:
    """Captured passes, one for each layout and bucket, up to `most_layouts` layouts and `most_rows` rows.

    Rows that fill a bucket up are of the layout's null slot and show nothing. What is not captured runs as
    it is, and the log says why.
    """

    def __init__(
        self,
        forward: Features,
        capture: Capture,
        device: torch.device,
        image_size: int,
        *,
        most_layouts: int,
        most_rows: int,
    ) -> None:
        self._forward = forward
        self._capture = capture
        self._most_layouts = most_layouts
        self._captured: dict[tuple[Layout, int], Captured] = {}
        self._layouts: set[Layout] = set()
        self._refused: set[Layout] = set()
        self._most_rows = bucket_of(most_rows) or BUCKETS[-1]
        shape = (self._most_rows, 3, image_size, image_size)
        self.images = torch.zeros(shape, dtype=torch.uint8, device=device)
        self._index = torch.zeros(self._most_rows, dtype=torch.long, device=device)

    def features(self, layout: Layout, images: Tensor, index: Tensor) -> Tensor:
        """Features [B, D] of pictures [B, 3, H, W] and rows [B], all on the device.

        The next call overwrites them.
        """
        count = len(images)
        captured = self._find(layout, count)
        if captured is None:
            return self._forward(layout, images, index)
        self.images[:count].copy_(images, non_blocking=True)
        self._index[:count].copy_(index, non_blocking=True)
        self._index[count : bucket_of(count)].zero_()
        captured.replay()
        return captured.result[:count]

    def warm(self, layout: Layout) -> None:
        """Capture every bucket, the largest first: the others then fit into its memory."""
        for bucket in reversed([size for size in BUCKETS if size <= self._most_rows]):
            self._find(layout, bucket)

    def _find(self, layout: Layout, count: int) -> Captured | None:
        bucket = bucket_of(count)
        if layout in self._refused or not 0 < bucket <= self._most_rows:
            return None
        key = (layout, bucket)
        if key not in self._captured:
            if layout not in self._layouts and len(self._layouts) >= self._most_layouts:
                self._refuse(layout, f"{self._most_layouts} layouts are captured already")
                return None
            self._add(layout, bucket)
        return self._captured.get(key)

    def _add(self, layout: Layout, bucket: int) -> None:
        images, index = self.images[:bucket], self._index[:bucket]
        index.zero_()
        try:
            self._captured[layout, bucket] = self._capture(lambda: self._forward(layout, images, index))
        except RuntimeError as error:  # out of memory, or an operation that no graph holds
            self._refuse(layout, str(error).partition("\n")[0])
        else:
            self._layouts.add(layout)

    def _refuse(self, layout: Layout, reason: str) -> None:
        self._refused.add(layout)
        log_event(logger, logging.WARNING, "graph_not_captured", layout=layout, reason=reason)


def bucket_of(count: int) -> int:
    """The smallest bucket that holds so many rows; 0 where there is none."""
    return next((size for size in BUCKETS if size >= count), 0)


class CudaCapture:
    """Captures CUDA graphs that share one pool of memory: they never run at the same time."""

    def __init__(self) -> None:
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, run: Callable[[], Tensor]) -> Captured:
        """Run a few times aside, as capturing asks for, then once recorded."""
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UPS):
                run()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        # Adapters are loaded on other threads meanwhile; their allocations must not end the capture.
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            result = run()
        return Captured(result, graph.replay)
