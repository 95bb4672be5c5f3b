"""Pictures on their way to a CUDA device while batches run there (docs/adr/0019)."""

import torch
from torch import Tensor


class CudaStaging:
    """Copies pictures through pinned memory on a stream of its own, and waits for nothing.

    Whoever reads them calls `arrived` first, and keeps a reference until its results are on the host, as the
    batcher does: their memory goes back to this stream, where no later picture may be written while a batch
    still reads.
    """

    def __init__(self, device: torch.device, image_size: int, reserved: int) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        _pin(reserved, (3, image_size, image_size))

    def __call__(self, image: Tensor) -> Tensor:
        """A picture [3, H, W] uint8 in host memory → the same on the device, once its copy has run."""
        pinned = image.pin_memory()
        with torch.cuda.stream(self._stream):
            return pinned.to(self._device, non_blocking=True)

    def arrived(self) -> None:
        """Have the current stream run what follows after the copies of all that was staged so far."""
        torch.cuda.current_stream(self._device).wait_stream(self._stream)


def _pin(count: int, shape: tuple[int, ...]) -> None:
    """Have memory of so many pictures pinned, which torch keeps: the driver takes longer than decoding."""
    kept = [torch.empty(shape, dtype=torch.uint8, pin_memory=True) for _ in range(count)]
    kept.clear()
