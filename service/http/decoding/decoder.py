"""Bytes → the pixels a version wants, off the event loop."""

from collections.abc import Callable, Sequence

from torch import Tensor

from adapters.config import PreprocessConfig
from adapters.errors import PictureError
from adapters.pictures.preprocess import to_pixels
from service.errors import PictureRefused
from service.http.decoding.fair_threads import FairThreads

Picture = bytes | Tensor
"""An encoded picture, or pixels [3, H, W] uint8 that a client has fitted to the input itself."""


class Decoder:
    """Decodes the pictures of requests on threads that tasks share fairly.

    `stage` gives a picture to the engine on the thread that decoded it.
    """

    def __init__(
        self, threads: FairThreads, *, image_size: int, max_pixels: int, stage: Callable[[Tensor], Tensor]
    ) -> None:
        self._threads = threads
        self._image_size = image_size
        self._max_pixels = max_pixels
        self._stage = stage

    async def decode(self, task: str, pictures: Sequence[Picture], config: PreprocessConfig) -> list[Tensor]:
        """Pictures → staged pixels [3, H, W] uint8 each.

        Raises PictureRefused for the first unusable one, and what `stage` raises.
        Cancelling spares the pictures that no thread has begun with.
        """

        def fit(picture: tuple[int, Picture]) -> Tensor:
            index, data = picture
            return self._fit(data, index, config)

        return await self._threads.map(task, fit, list(enumerate(pictures)))

    def _fit(self, data: Picture, index: int, config: PreprocessConfig) -> Tensor:
        if isinstance(data, Tensor):
            return self._stage(data)
        try:
            pixels = to_pixels(data, config, self._image_size, max_pixels=self._max_pixels)
        except PictureError as error:
            raise PictureRefused(index, error) from error
        return self._stage(pixels)
