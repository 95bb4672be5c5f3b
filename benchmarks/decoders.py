"""Decoders and resizers against each other: JPEG to the backbone's pixels, small to large.

    python -m benchmarks.decoders

Files: EuroSAT (64 px) and DTD (about 300 to 640 px) below DVPT_DATA_ROOT, and photographs that are
drawn here: of 1,001 pixels a side, a multiple of nothing that a JPEG is decoded by, and of 12
megapixels, as JPEG and, for those that read it, as PNG. Decoders that are not
installed are left out: simplejpeg and opencv-python-headless are no dependencies of the project. Each
side ends with the same uint8 tensor [3, 224, 224]; what differs from Pillow's is told in levels. Writes
benchmarks/results/decoders.json.
"""

import argparse
import importlib
import io
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from adapters.config import PreprocessConfig
from adapters.pictures.preprocess import RESIZE_GAP, least_side_px
from benchmarks.common.interleaved import interleave, ratio, rounded
from benchmarks.common.machine import write_result
from benchmarks.common.photographs import INPUT_PX, fitted, fitted_by_pillow, photograph

JPEG = b"\xff\xd8"
LEAST_PX = least_side_px(PreprocessConfig(), INPUT_PX)
REFERENCE = "Pillow, whole"
Fit = Callable[[bytes], Tensor]


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(1)
    figures = {name: measure(files, options.rounds) for name, files in file_sets().items()}
    for name, sides in figures.items():
        for decoder, figure in sides.items():
            print(f"{name}, {decoder}: {figure}")
    print(write_result("decoders", figures))


def file_sets() -> dict[str, list[bytes]]:
    """Names of kinds of files, and a few of each."""
    root = Path(os.environ["DVPT_DATA_ROOT"])
    eurosat = sorted((root / "vtab-1k/eurosat/images").rglob("*.jpg"))[:40]
    large = [photograph(3464, seed) for seed in range(2)]
    textures = sorted((root / "imagefolder/dtd10/test").rglob("*.jpg"))[:20]
    return {
        "EuroSAT": [path.read_bytes() for path in eurosat],
        "DTD": [path.read_bytes() for path in textures],
        "1,001 px": [photograph(1001, seed) for seed in range(8)],
        "12 megapixels": large,
        "12 megapixels, PNG": [_as_png(data) for data in large],
    }


def measure(files: Sequence[bytes], rounds: int) -> dict[str, Any]:
    """Milliseconds a picture, speed against whole decoding with Pillow, and difference in levels."""
    sides = pillow_sides() | (others() if files[0].startswith(JPEG) else {})
    times = interleave({name: partial(_all, fit, files) for name, fit in sides.items()}, rounds)
    expected = [sides[REFERENCE](data).float() for data in files]
    differences = {name: _differences(fit, files, expected) for name, fit in sides.items()}
    return {
        name: {
            "ms_per_picture": round(1000 * float(np.median(times[name])) / len(files), 3),
            "speed_up": rounded(ratio(times[REFERENCE], times[name])),
            "mean_levels": round(float(np.mean([each.mean().item() for each in differences[name]])), 3),
            "most_levels": max(each.max().item() for each in differences[name]),
        }
        for name in sides
    }


def pillow_sides() -> dict[str, Fit]:
    """What reads every format: whole, decoded smaller, and with torch's resize."""
    return {
        REFERENCE: fitted_by_pillow,
        "Pillow, smaller": _smaller_by_pillow,
        "Pillow, smaller, torch's resize (the service)": fitted,
    }


def others() -> dict[str, Fit]:
    """Every other decoder of JPEG that is here, with DCT scaling where it has it."""
    sides: dict[str, Fit] = {}
    for module, name, fit in (
        ("torchvision.io", "torchvision, torch's resize", _torchvision),
        ("simplejpeg", "simplejpeg, DCT scaling, torch's resize", _simplejpeg),
        ("cv2", "OpenCV", _opencv),
    ):
        try:
            sides[name] = partial(fit, importlib.import_module(module))
        except ImportError:
            print(f"{name}: not installed, left out")
    return sides


def _smaller_by_pillow(data: bytes) -> Tensor:
    picture = Image.open(io.BytesIO(data))
    picture.draft(None, (LEAST_PX, LEAST_PX))
    size = (INPUT_PX, INPUT_PX)
    resized = picture.convert("RGB").resize(size, Image.Resampling.BICUBIC, reducing_gap=RESIZE_GAP)
    return torch.from_numpy(np.asarray(resized).transpose(2, 0, 1).copy())


def _as_png(data: bytes) -> bytes:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(data)).save(buffer, "PNG")
    return buffer.getvalue()


def _torchvision(library: Any, data: bytes) -> Tensor:
    encoded = torch.frombuffer(bytearray(data), dtype=torch.uint8)
    pixels = library.decode_jpeg(encoded, mode=library.ImageReadMode.RGB)
    return _resized(pixels)


def _simplejpeg(library: Any, data: bytes) -> Tensor:
    pixels = library.decode_jpeg(data, min_height=LEAST_PX, min_width=LEAST_PX, min_factor=1)
    return _resized(torch.from_numpy(pixels.transpose(2, 0, 1)))


def _resized(pixels: Tensor) -> Tensor:
    return F.interpolate(pixels[None], (INPUT_PX, INPUT_PX), mode="bicubic", antialias=True)[0]


def _opencv(library: Any, data: bytes) -> Tensor:
    pixels = library.imdecode(np.frombuffer(data, np.uint8), library.IMREAD_COLOR)[:, :, ::-1]
    how = library.INTER_AREA if min(pixels.shape[:2]) > INPUT_PX else library.INTER_CUBIC
    resized = library.resize(pixels, (INPUT_PX, INPUT_PX), interpolation=how)
    return torch.from_numpy(resized.transpose(2, 0, 1).copy())


def _all(fit: Fit, files: Sequence[bytes]) -> None:
    for data in files:
        fit(data)


def _differences(fit: Fit, files: Sequence[bytes], expected: Sequence[Tensor]) -> list[Tensor]:
    return [(fit(data).float() - whole).abs() for data, whole in zip(files, expected, strict=True)]


if __name__ == "__main__":
    main()
