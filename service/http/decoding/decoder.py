"""Bytes → the pixels a version wants, off the event loop."""

from collections.abc import Callable, Sequence

from torch import Tensor

from adapters.config import PreprocessConfig
from adapters.errors import PictureError
from adapters.pictures.preprocess import to_pixels
from service.errors import PictureRefused
from service.explain.occlusion import covered
from service.http.decoding.fair_threads import FairThreads


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

    async def decode(self, task: str, pictures: Sequence[bytes], config: PreprocessConfig) -> list[Tensor]:
        """Encoded pictures → staged pixels [3, H, W] uint8 each.

        Raises PictureRefused for the first unusable one, and what `stage` raises.
        Cancelling spares the pictures that no thread has begun with.
        """

        def fit(picture: tuple[int, bytes]) -> Tensor:
            index, data = picture
            return self._stage(self._fit(data, index, config))

        return await self._threads.map(task, fit, list(enumerate(pictures)))

    async def decode_covered(self, task: str, picture: bytes, config: PreprocessConfig) -> list[Tensor]:
        """One encoded picture → its staged pixels and those of each copy that an explanation needs.

        Raises PictureRefused, and what `stage` raises.
        """

        def fit(data: bytes) -> list[Tensor]:
            pixels = self._fit(data, 0, config)
            return [self._stage(each) for each in (pixels, *covered(pixels))]

        (staged,) = await self._threads.map(task, fit, [picture])
        return staged

    def _fit(self, data: bytes, index: int, config: PreprocessConfig) -> Tensor:
        try:
            return to_pixels(data, config, self._image_size, max_pixels=self._max_pixels)
        except PictureError as error:
            raise PictureRefused(index, error) from error
