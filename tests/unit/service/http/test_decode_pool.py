import threading
from collections.abc import Iterator

import anyio
import pytest
import torch

from adapters.config import PreprocessConfig
from adapters.errors import PictureDamaged, PictureTooLarge
from adapters.pictures.preprocess import to_pixels
from service.errors import PictureRefused
from service.http.decode_pool import Decoder
from tests.support.pictures import plain_png

pytestmark = pytest.mark.anyio
CONFIG = PreprocessConfig()


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    made = Decoder(threads=3, image_size=32, max_pixels=10_000, stage=lambda image: image)
    yield made
    made.close()


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 20])
async def test_pixels_come_back_in_order_as_training_sees_them(decoder: Decoder, count: int) -> None:
    pictures = [plain_png(10 * index) for index in range(count)]

    pixels = await decoder.decode(pictures, CONFIG)

    assert len(pixels) == count
    for data, each in zip(pictures, pixels, strict=True):
        assert torch.equal(each, to_pixels(data, CONFIG, 32))


async def test_an_unusable_picture_is_named_by_its_index(decoder: Decoder) -> None:
    with pytest.raises(PictureRefused, match=r"^picture 5: ") as refused:
        await decoder.decode([*(plain_png(1) for _ in range(5)), b"no picture", plain_png(1)], CONFIG)

    assert refused.value.index == 5
    assert isinstance(refused.value.cause, PictureDamaged)


async def test_too_many_pixels_are_refused(decoder: Decoder) -> None:
    with pytest.raises(PictureRefused) as refused:
        await decoder.decode([plain_png(1, (101, 100))], CONFIG)

    assert isinstance(refused.value.cause, PictureTooLarge)


async def test_cancelling_spares_what_no_thread_has_begun_with(
    decoder: Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, begun, entered = threading.Event(), list[int](), threading.Semaphore(0)

    def slow(data: bytes, index: int, config: PreprocessConfig) -> torch.Tensor:
        begun.append(index)
        entered.release()
        gate.wait(60)
        return to_pixels(data, config, 32)

    monkeypatch.setattr(decoder, "_fit", slow)
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(decoder.decode, [plain_png(1)], CONFIG)
        for _ in range(3):
            await anyio.to_thread.run_sync(entered.acquire)
        with anyio.move_on_after(0.01):
            await decoder.decode([plain_png(1)], CONFIG)
        gate.set()

    assert len(begun) == 3
