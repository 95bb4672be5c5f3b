import io
from collections.abc import Iterator

import pytest
import torch
from PIL import Image

from adapters.config import PreprocessConfig
from adapters.errors import PictureDamaged, PictureTooLarge
from adapters.pictures.preprocess import to_pixels
from service.errors import PictureRefused
from service.explain.occlusion import covered
from service.http.decoding.decoder import Decoder
from service.http.decoding.fair_threads import FairThreads
from tests.support.pictures import encoded, noise

pytestmark = pytest.mark.anyio
CONFIG = PreprocessConfig()


def png(shade: int, size: tuple[int, int] = (40, 30)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (shade, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    threads = FairThreads(3)
    yield Decoder(threads, image_size=32, max_pixels=10_000, stage=lambda image: image)
    threads.close()


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 20])
async def test_pixels_come_back_in_order_as_training_sees_them(decoder: Decoder, count: int) -> None:
    pictures = [png(10 * index) for index in range(count)]

    pixels = await decoder.decode("task", pictures, CONFIG)

    assert len(pixels) == count
    for data, each in zip(pictures, pixels, strict=True):
        assert torch.equal(each, to_pixels(data, CONFIG, 32))


async def test_a_picture_to_be_explained_comes_before_its_copies(decoder: Decoder) -> None:
    data = encoded(noise(3, (40, 30)))

    pixels, *copies = await decoder.decode_covered("task", data, CONFIG)

    assert torch.equal(pixels, to_pixels(data, CONFIG, 32))
    assert all(map(torch.equal, copies, covered(pixels)))
    with pytest.raises(PictureRefused, match=r"^picture 0: "):
        await decoder.decode_covered("task", b"no picture", CONFIG)


async def test_the_first_unusable_picture_is_named_by_its_index(decoder: Decoder) -> None:
    pictures = [*(png(1) for _ in range(5)), b"no picture", png(1), b"another"]

    with pytest.raises(PictureRefused, match=r"^picture 5: ") as refused:
        await decoder.decode("task", pictures, CONFIG)

    assert refused.value.index == 5
    assert isinstance(refused.value.cause, PictureDamaged)


async def test_too_many_pixels_are_refused(decoder: Decoder) -> None:
    with pytest.raises(PictureRefused) as refused:
        await decoder.decode("task", [png(1, (101, 100))], CONFIG)

    assert isinstance(refused.value.cause, PictureTooLarge)
