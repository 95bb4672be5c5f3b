"""Pictures on their way to a CUDA device while batches run there (docs/adr/0019)."""

import threading

import torch
from torch import Tensor


class CudaStaging:
    """Copies a picture through pinned memory on a stream of the calling thread, and waits for it alone.

    When this returns the copy is done: whichever stream reads it needs no event. Its memory goes back to
    this thread's stream with the last reference. Whoever reads it keeps one until the results are on the
    host, as the batcher does, so that no later picture is written where a batch still reads.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._local = threading.local()

    def __call__(self, image: Tensor) -> Tensor:
        """A picture [3, H, W] uint8 in host memory → the same on the device."""
        stream = self._stream()
        with torch.cuda.stream(stream):
            staged = image.pin_memory().to(self._device, non_blocking=True)
        stream.synchronize()
        return staged

    def _stream(self) -> "torch.cuda.Stream":
        found: torch.cuda.Stream | None = getattr(self._local, "stream", None)
        if found is None:
            found = self._local.stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        return found
