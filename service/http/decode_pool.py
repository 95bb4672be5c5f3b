"""Bytes → the pixels a version wants, in a bounded pool of threads, off the event loop."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from torch import Tensor

from adapters.config import PreprocessConfig
from adapters.errors import PictureError
from adapters.pictures.preprocess import to_pixels
from service.errors import PictureRefused


class Decoder:
    """Decodes a request's pictures in as few thread hops as there are threads to use.

    `stage` gives a picture to the engine on the thread that decoded it.
    """

    def __init__(
        self, *, threads: int, image_size: int, max_pixels: int, stage: Callable[[Tensor], Tensor]
    ) -> None:
        self._threads = threads
        self._image_size = image_size
        self._max_pixels = max_pixels
        self._stage = stage
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")

    async def decode(self, pictures: Sequence[bytes], config: PreprocessConfig) -> list[Tensor]:
        """Encoded pictures → staged pixels [3, H, W] uint8 each.

        Raises PictureRefused for the first unusable one, and what `stage` raises.
        Cancelling spares the pictures that no thread has begun with.
        """
        loop = asyncio.get_running_loop()
        share = -(-len(pictures) // self._threads)
        parts = [
            loop.run_in_executor(self._pool, self._fit_all, pictures[first : first + share], first, config)
            for first in range(0, len(pictures), share)
        ]
        try:
            if len(parts) == 1:
                return await parts[0]  # most requests: nothing to gather
            return [pixels for part in await asyncio.gather(*parts) for pixels in part]
        finally:
            for part in parts:
                part.cancel()

    def close(self) -> None:
        """End the threads once they have done what they have begun, for which nothing waits."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _fit_all(self, pictures: Sequence[bytes], first: int, config: PreprocessConfig) -> list[Tensor]:
        return [self._fit(data, first + offset, config) for offset, data in enumerate(pictures)]

    def _fit(self, data: bytes, index: int, config: PreprocessConfig) -> Tensor:
        try:
            pixels = to_pixels(data, config, self._image_size, max_pixels=self._max_pixels)
        except PictureError as error:
            raise PictureRefused(index, error) from error
        return self._stage(pixels)
