"""Every odd picture gets a defined answer: the right prediction, or a clear 4xx that names it."""

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from adapters.config import PreprocessConfig
from adapters.pictures.preprocess import to_pixels
from adapters.store.artifact import Artifact, adapter_of
from adapters.store.store import Store
from adapters.vit.backbone import Backbone
from tests.support.artifacts import MakeArtifact
from tests.support.pictures import encoded
from tests.support.server import Serve

Make = Callable[[], bytes]
CLASSIFY = "/v1/tasks/{}/classify?top_k=100"


@pytest.fixture(scope="module")
def artifacts(make_artifact: MakeArtifact) -> dict[str, Artifact]:
    cropped = PreprocessConfig(fit="crop")
    return {"squash": make_artifact(1), "crop": make_artifact(2, preprocess=cropped)}


@pytest.fixture(scope="module")
def client(
    module_store: Store,
    artifacts: dict[str, Artifact],
    serve: Serve,
) -> Iterator[httpx.Client]:
    for task, artifact in artifacts.items():
        module_store.publish(task, artifact)
    limits = ("--max-request-bytes=300000", "--max-picture-bytes=200000", "--max-pictures-per-request=4")
    with (
        serve(module_store, *limits, "--max-pixels=1000000") as server,
        httpx.Client(base_url=server.url, timeout=60) as made,
    ):
        yield made


def scene(size: tuple[int, int] = (96, 72)) -> Image.Image:
    """A picture whose sides and colours all differ."""
    rows, columns = np.mgrid[0 : size[1], 0 : size[0]]
    red, green = columns * 255 // size[0], rows * 255 // size[1]
    return Image.fromarray(np.stack([red, green, (red + green) // 3], axis=-1).astype(np.uint8))


def animated(format_: str) -> bytes:
    frames = [scene(), scene().transpose(Image.Transpose.ROTATE_180)]
    return encoded(frames[0], format_, save_all=True, append_images=frames[1:], duration=50)


def turned_by_exif(format_: str) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(scene().transpose(Image.Transpose.ROTATE_90), format_, exif=exif.tobytes())


def sixteen_bit() -> Image.Image:
    return Image.fromarray(np.asarray(scene().convert("L")).astype(np.uint16) * 257)


def png_of_any_size(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


ANSWERED: dict[str, Make] = {
    "png": lambda: encoded(scene(), "PNG"),
    "jpeg": lambda: encoded(scene(), "JPEG"),
    "progressive jpeg": lambda: encoded(scene(), "JPEG", progressive=True),
    "webp": lambda: encoded(scene(), "WEBP"),
    "lossless webp": lambda: encoded(scene(), "WEBP", lossless=True),
    "bmp": lambda: encoded(scene(), "BMP"),
    "tiff": lambda: encoded(scene(), "TIFF"),
    "ppm": lambda: encoded(scene(), "PPM"),
    "gif": lambda: encoded(scene(), "GIF"),
    "grey": lambda: encoded(scene().convert("L"), "PNG"),
    "grey jpeg": lambda: encoded(scene().convert("L"), "JPEG"),
    "grey with alpha": lambda: encoded(scene().convert("LA"), "PNG"),
    "one bit": lambda: encoded(scene().convert("1"), "PNG"),
    "rgba": lambda: encoded(scene().convert("RGBA"), "PNG"),
    "palette": lambda: encoded(scene().convert("P"), "PNG"),
    "palette with transparency": lambda: encoded(scene().convert("P"), "PNG", transparency=3),
    "cmyk jpeg": lambda: encoded(scene().convert("CMYK"), "JPEG"),
    "cmyk tiff": lambda: encoded(scene().convert("CMYK"), "TIFF"),
    "16 bit png": lambda: encoded(sixteen_bit(), "PNG"),
    "16 bit tiff": lambda: encoded(sixteen_bit(), "TIFF"),
    "float tiff": lambda: encoded(scene().convert("F"), "TIFF"),
    "exif turned jpeg": lambda: turned_by_exif("JPEG"),
    "exif turned png": lambda: turned_by_exif("PNG"),
    "animated gif": lambda: animated("GIF"),
    "animated webp": lambda: animated("WEBP"),
    "animated png": lambda: animated("PNG"),
    "multi-page tiff": lambda: animated("TIFF"),
    "1x1": lambda: encoded(Image.new("RGB", (1, 1), "red"), "PNG"),
    "1x5000": lambda: encoded(Image.new("RGB", (1, 5000), "red"), "PNG"),
    "5000x1": lambda: encoded(Image.new("RGB", (5000, 1), "red"), "PNG"),
    "as many pixels as allowed": lambda: encoded(Image.new("RGB", (1000, 1000), "red"), "PNG"),
    "trailing bytes": lambda: encoded(scene(), "JPEG") + b"\0" * 100,
}


@pytest.mark.parametrize("task", ["squash", "crop"])
@pytest.mark.parametrize("name", ANSWERED)
def test_an_odd_picture_is_answered_as_offline(
    name: str, task: str, client: httpx.Client, artifacts: dict[str, Artifact], served_backbone: Backbone
) -> None:
    data, artifact = ANSWERED[name](), artifacts[task]

    response = client.post(CLASSIFY.format(task), content=data)

    rows = response.raise_for_status().json()["predictions"][0]["classes"]
    pixels = to_pixels(data, artifact.config.preprocess, served_backbone.config.image_size)
    logits = adapter_of(artifact, served_backbone.config)(served_backbone, pixels[None])
    found = [row["probability"] for row in sorted(rows, key=lambda row: row["index"])]
    np.testing.assert_allclose(found, logits.softmax(-1)[0].numpy(), atol=1e-4)


@pytest.mark.parametrize(
    ("name", "same_as"),
    [
        ("rgba", "png"),
        ("exif turned png", "png"),
        ("animated png", "png"),
        ("lossless webp", "png"),
        ("16 bit png", "grey"),
        ("grey with alpha", "grey"),
        ("trailing bytes", "jpeg"),
    ],
)
def test_how_a_picture_is_stored_does_not_matter(name: str, same_as: str, client: httpx.Client) -> None:
    one, other = (
        client.post(CLASSIFY.format("squash"), content=ANSWERED[each]()).raise_for_status().json()
        for each in (name, same_as)
    )

    def by_index(answer: dict[str, Any]) -> list[float]:
        rows = sorted(answer["predictions"][0]["classes"], key=lambda row: row["index"])
        return [row["probability"] for row in rows]

    # Rows of a turned picture are resized as columns, where rounding differs by a level here and there.
    np.testing.assert_allclose(by_index(one), by_index(other), atol=1e-3 if "turned" in name else 1e-4)


REFUSED: dict[str, tuple[Make, int, str, str]] = {
    "text": (lambda: b"hello " * 10, 422, "picture_damaged", "no picture"),
    "one byte": (lambda: b"\xff", 422, "picture_damaged", "1 bytes"),
    "truncated jpeg": (lambda: encoded(scene(), "JPEG")[:-400], 422, "picture_damaged", "not decode"),
    "truncated png": (lambda: encoded(scene(), "PNG")[:-60], 422, "picture_damaged", "not decode"),
    "jpeg head alone": (lambda: encoded(scene(), "JPEG")[:20], 422, "picture_damaged", "picture 0"),
    "empty png": (lambda: png_of_any_size(10, 10), 422, "picture_damaged", "not decode"),
    "png without pixels": (lambda: png_of_any_size(0, 0), 422, "picture_damaged", "picture 0"),
    "too many pixels": (
        lambda: encoded(Image.new("1", (1001, 1000)), "PNG"), 413, "picture_too_large", "1001x1000",
    ),
    "a bomb": (lambda: png_of_any_size(60_000, 60_000), 413, "picture_too_large", "picture 0"),
    "heic": (lambda: b"\0\0\0\x18ftypheic" + bytes(100), 415, "picture_format", "HEIC is not read"),
    "avif": (lambda: b"\0\0\0\x18ftypavif" + bytes(100), 415, "picture_format", "AVIF is not read"),
    "dicom": (lambda: bytes(128) + b"DICM" + bytes(100), 415, "picture_format", "DICOM is not read"),
    "pdf": (lambda: b"%PDF-1.7" + bytes(100), 415, "picture_format", "PDF is not read"),
    "svg": (lambda: b"<svg xmlns='x'></svg>", 415, "picture_format", "SVG is not read"),
    "too many bytes": (lambda: bytes(200_001), 413, "request_too_large", "200001 bytes"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_an_unusable_picture_is_refused_with_its_reason(name: str, client: httpx.Client) -> None:
    make, status, code, detail = REFUSED[name]

    response = client.post(CLASSIFY.format("squash"), content=make())

    problem = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert detail in problem["detail"]


def test_the_unusable_picture_among_many_is_named(client: httpx.Client) -> None:
    good = encoded(scene(), "PNG")
    files = [("images", ("x", data)) for data in (good, good, b"no picture")]

    response = client.post(CLASSIFY.format("squash"), files=files)

    assert response.status_code == 422
    assert response.json()["index"] == 2
    assert response.json()["detail"].startswith("picture 2: ")


def test_every_byte_of_a_picture_may_be_wrong(client: httpx.Client) -> None:
    random = np.random.default_rng(1)
    whole = {name: np.frombuffer(ANSWERED[name](), dtype=np.uint8) for name in ("jpeg", "png", "gif", "tiff")}
    for name, data in whole.items():
        for _ in range(25):
            broken = data.copy()
            places = random.integers(0, len(broken), 8)
            broken[places] = random.integers(0, 256, 8)
            response = client.post(CLASSIFY.format("squash"), content=broken.tobytes())
            assert response.status_code in (200, 413, 415, 422), (name, places, response.text)
