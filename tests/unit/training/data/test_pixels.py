from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from adapters.config import PreprocessConfig
from adapters.pictures.preprocess import read_pixels
from training.data import pixels as pictures
from training.data.inspection.contents import digest
from training.data.pixels import Decoder
from training.data.readers.imagefolder import read_image_folder
from training.data.source import Split
from training.errors import DataUnusable

DECODER = Decoder(PreprocessConfig(), 32, threads=2)
Make = Callable[..., Path]


def test_pixels_come_from_the_one_preprocess_in_order(picture_folder: Make) -> None:
    split = read_image_folder(picture_folder(train=2)).splits["train"]
    pixels = DECODER.load(split)
    assert pixels.dtype == torch.uint8
    for row, path in enumerate(split.pictures):
        assert isinstance(path, Path)
        assert torch.equal(pixels[row], read_pixels(path, PreprocessConfig(), 32))


def test_unreadable_pictures_are_all_listed(picture_folder: Make) -> None:
    folder = picture_folder(train=12)
    split = read_image_folder(folder).splits["train"]
    for row in range(25):
        bad = split.pictures[row]
        assert isinstance(bad, Path)
        bad.write_bytes(b"no picture at all")
    with pytest.raises(DataUnusable) as caught:
        DECODER.load(split)
    message = str(caught.value)
    assert message.startswith("25 of 36 pictures cannot be read:")
    assert "amber/000.png" in message
    assert "; and 5 more (--check lists" in message


def test_a_text_file_called_jpg_is_named_and_a_wrong_suffix_is_not(picture_folder: Make) -> None:
    folder = picture_folder(train=1)
    (folder / "train" / "amber" / "000.png").rename(folder / "train" / "amber" / "photo.jpg")
    (folder / "train" / "blue" / "notes.jpg").write_text("a list of blue things")
    with pytest.raises(DataUnusable, match=r"1 of 4 pictures cannot be read: train/blue/notes\.jpg: [^;]*$"):
        DECODER.load(read_image_folder(folder).splits["train"])


def test_a_truncated_picture_and_one_that_is_gone_are_named(picture_folder: Make) -> None:
    split = read_image_folder(picture_folder(train=1)).splits["train"]
    short, gone = split.pictures[0], split.pictures[1]
    assert isinstance(short, Path)
    assert isinstance(gone, Path)
    short.write_bytes(short.read_bytes()[:-60])
    gone.unlink()
    with pytest.raises(DataUnusable, match=r"2 of 3 pictures(.|\n)*amber/000\.png(.|\n)*blue/000\.png"):
        DECODER.load(split)


def test_a_split_too_large_for_memory_is_decoded_in_chunks(
    picture_folder: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = read_image_folder(picture_folder(train=3)).splits["train"]
    monkeypatch.setattr(pictures, "RESIDENT_BYTES", 1)
    monkeypatch.setattr(pictures, "CHUNK", 4)
    chunks = DECODER.chunks(split)
    for _ in range(2):
        parts = list(chunks)
        assert [len(part) for part in parts] == [4, 4, 1]
        assert torch.equal(torch.cat(parts), DECODER.load(split))


def test_the_digest_follows_content_label_and_name() -> None:
    white, black = Image.new("RGB", (2, 2), "white"), Image.new("RGB", (2, 2))
    base = digest(Split(("a",), (0,), (white,)))
    assert digest(Split(("a",), (0,), (white,))) == base
    others = [Split(("a",), (0,), (black,)), Split(("a",), (1,), (white,)), Split(("b",), (0,), (white,))]
    assert base not in {digest(other) for other in others}
