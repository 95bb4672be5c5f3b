import asyncio
import io
import threading
from collections.abc import Callable, Iterator

import pytest
import torch
from PIL import Image

from adapters.config import PreprocessConfig
from adapters.errors import PictureDamaged, PictureTooLarge
from adapters.pictures.preprocess import to_pixels
from service.errors import PictureRefused
from service.explain.occlusion import covered
from service.http.decoding.decoder import SMALL_BYTES, Decoder
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


def where(pictures: list[int]) -> Callable[[torch.Tensor], torch.Tensor]:
    """A stage that notes the thread it is called on."""

    def stage(image: torch.Tensor) -> torch.Tensor:
        pictures.append(threading.get_ident())
        return image

    return stage


@pytest.mark.parametrize(
    ("sizes", "here"),
    [
        ([(40, 30)], True),
        ([(128, 128)], True),
        ([(129, 128)], False),
        ([(40, 30), (40, 30)], False),
    ],
)
async def test_one_small_picture_is_decoded_where_it_is(sizes: list[tuple[int, int]], here: bool) -> None:
    threads, seen = FairThreads(2), list[int]()
    decoder = Decoder(threads, image_size=32, max_pixels=100_000, stage=where(seen))

    await decoder.decode("task", [png(1, size) for size in sizes], CONFIG)

    assert [at == threading.get_ident() for at in seen] == [here] * len(sizes)
    threads.close()


@pytest.mark.parametrize(("image_size", "here"), [(256, True), (257, False)])
async def test_a_large_input_is_resized_on_a_thread(image_size: int, here: bool) -> None:
    threads, seen = FairThreads(2), list[int]()
    decoder = Decoder(threads, image_size=image_size, max_pixels=100_000, stage=where(seen))

    await decoder.decode("task", [png(1)], CONFIG)

    assert seen == [threading.get_ident()] if here else threading.get_ident() not in seen
    threads.close()


async def test_many_bytes_are_not_decoded_where_they_are() -> None:
    threads, seen = FairThreads(2), list[int]()
    decoder = Decoder(threads, image_size=32, max_pixels=100_000, stage=where(seen))
    noise = io.BytesIO()
    pixels = torch.randint(0, 255, (80, 80, 3), dtype=torch.uint8).numpy()
    Image.fromarray(pixels).save(noise, "PNG")
    assert len(noise.getvalue()) > SMALL_BYTES

    await decoder.decode("task", [noise.getvalue()], CONFIG)

    assert threading.get_ident() not in seen
    threads.close()


async def test_a_small_picture_does_not_overtake_those_that_wait() -> None:
    threads, seen, begun, go_on = FairThreads(1), list[int](), threading.Event(), threading.Event()
    decoder = Decoder(threads, image_size=32, max_pixels=100_000, stage=where(seen))

    def hold(_: int) -> None:
        begun.set()
        go_on.wait()

    other = asyncio.create_task(threads.map("other", hold, [0]))
    await asyncio.to_thread(begun.wait)
    small = asyncio.create_task(decoder.decode("task", [png(1)], CONFIG))
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(other, small)

    assert threading.get_ident() not in seen
    threads.close()
