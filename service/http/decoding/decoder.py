"""Bytes → the pixels a version wants, off the event loop but for what takes less than leaving it."""

from collections.abc import Callable, Sequence

from torch import Tensor

from adapters.config import PreprocessConfig
from adapters.errors import PictureError, PictureTooLarge
from adapters.pictures.preprocess import to_pixels
from service.errors import PictureRefused
from service.explain.occlusion import covered
from service.http.decoding.fair_threads import FairThreads

Picture = bytes | Tensor
"""An encoded picture, or pixels [3, H, W] uint8 that a client has fitted to the input itself."""
SMALL_BYTES = 16_384
SMALL_PIXELS = 128 * 128
"""What a picture may cost follows its pixels: of so many half a millisecond (`adapters.pictures.budget`)."""
SMALL_INPUT_PX = 256
"""Side of the largest input that it is resized to without a thread, in up to half a millisecond too."""


class Decoder:
    """Decodes the pictures of requests on threads that tasks share fairly.

    `stage` gives a picture to the engine on the thread that decoded it. A request of one small picture is
    decoded where it is, while no thread has work (docs/adr/0025).
    """

    def __init__(
        self,
        threads: FairThreads,
        *,
        image_size: int,
        max_pixels: int,
        stage: Callable[[Tensor], Tensor],
    ) -> None:
        self._threads = threads
        self._takes_small = image_size <= SMALL_INPUT_PX
        self._image_size = image_size
        self._max_pixels = max_pixels
        self._stage = stage

    async def decode(self, task: str, pictures: Sequence[Picture], config: PreprocessConfig) -> list[Tensor]:
        """Pictures → staged pixels [3, H, W] uint8 each.

        Raises PictureRefused for the first unusable one, and what `stage` raises.
        Cancelling spares the pictures that no thread has begun with.
        """
        if len(pictures) == 1 and self._takes_small and self._threads.idle:
            small = self._small(pictures[0], config)
            if small is not None:
                return [small]

        def fit(picture: tuple[int, Picture]) -> Tensor:
            index, data = picture
            return self._stage(self._pixels(data, index, config, self._max_pixels))

        return await self._threads.map(task, fit, list(enumerate(pictures)))

    async def decode_covered(self, task: str, picture: Picture, config: PreprocessConfig) -> list[Tensor]:
        """One picture → its staged pixels and those of each copy that an explanation needs.

        Raises PictureRefused, and what `stage` raises.
        """

        def fit(data: Picture) -> list[Tensor]:
            pixels = self._pixels(data, 0, config, self._max_pixels)
            return [self._stage(each) for each in (pixels, *covered(pixels))]

        (staged,) = await self._threads.map(task, fit, [picture])
        return staged

    def _small(self, data: Picture, config: PreprocessConfig) -> Tensor | None:
        """The staged pixels of a small picture; None of one that might take longer."""
        if isinstance(data, bytes) and len(data) > SMALL_BYTES:
            return None
        try:
            return self._stage(self._pixels(data, 0, config, min(self._max_pixels, SMALL_PIXELS)))
        except PictureRefused as refused:
            if isinstance(refused.cause, PictureTooLarge):
                return None
            raise

    def _pixels(self, data: Picture, index: int, config: PreprocessConfig, max_pixels: int) -> Tensor:
        if isinstance(data, Tensor):
            return data
        try:
            return to_pixels(data, config, self._image_size, max_pixels=max_pixels)
        except PictureError as error:
            raise PictureRefused(index, error) from error
