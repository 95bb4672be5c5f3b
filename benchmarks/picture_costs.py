"""Memory and time of the worst pictures of each format, each in a process of its own.

    python -m benchmarks.picture_costs
    python -m benchmarks.picture_costs --megapixels 16 --unbounded  # what docs/adr/0023 took its costs from

Peak memory is what the process held at most while the picture was decoded and resized, without the
file itself and what was there before. A picture that is refused is drawn again at half the sides.
Writes benchmarks/results/picture_costs.json.
"""

import argparse
import json
import math
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from adapters.config import PreprocessConfig
from adapters.errors import PictureError
from adapters.pictures.budget import MAX_PIXELS
from adapters.pictures.preprocess import to_pixels
from benchmarks.common.costly_pictures import COSTLY, saved
from benchmarks.common.machine import write_result
from benchmarks.common.photographs import INPUT_PX

SHAPES = {"square": 1.0, "tall": 1 / 64}  # width of the height
UNBOUNDED = 10**12


def main() -> None:
    """Measure each in a process, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megapixels", type=float, default=MAX_PIXELS / 1e6)
    parser.add_argument("--unbounded", action="store_true", help="measure what would be refused")
    parser.add_argument("--only", help="one of the pictures, by its name")
    parser.add_argument("--shape", choices=SHAPES, default="square")
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    max_pixels = UNBOUNDED if options.unbounded else MAX_PIXELS
    if options.file:
        print(json.dumps(measure(options.file.read_bytes(), max_pixels)))
        return
    figures = {}
    for name in [options.only] if options.only else COSTLY:
        figures[name] = largest(name, options.megapixels, SHAPES[options.shape], options.unbounded)
        print(f"{name}: {figures[name]}", flush=True)
    if not options.unbounded:
        print(write_result("picture_costs", figures))


def largest(name: str, megapixels: float, shape: float, unbounded: bool) -> dict[str, Any]:
    """What a picture took at the largest of its sides, their halves, … that is answered."""
    width = int(math.sqrt(megapixels * 1e6 * shape))
    refused = None
    while True:
        height = int(width / shape)
        taken = _in_a_process(COSTLY[name](width, height), unbounded)
        if "refused" not in taken or width < INPUT_PX:
            break
        refused, width = refused or taken["refused"], width // 2
    pixels = width * height
    per_pixel = {} if "peak_bytes" not in taken else {
        "bytes_a_pixel": round(taken["peak_bytes"] / pixels, 2),
        "ns_a_pixel": round(taken["seconds"] / pixels * 1e9, 1),
    }  # fmt: skip
    return {"pixels": f"{width}x{height}", **taken, **per_pixel, "refused_before": refused}


def measure(data: bytes, max_pixels: int) -> dict[str, Any]:
    """Peak memory and processor time of one picture."""
    torch.set_num_threads(1)
    to_pixels(saved("PNG", "RGBA", 64, 64), PreprocessConfig(), INPUT_PX)  # what the first picture loads
    before = _memory_bytes("VmRSS", reset=True)
    began = time.process_time()
    try:
        to_pixels(data, PreprocessConfig(), INPUT_PX, max_pixels=max_pixels)
    except PictureError as error:
        return {"refused": str(error)}
    seconds = time.process_time() - began
    peak = _memory_bytes("VmHWM") - before
    return {"file_bytes": len(data), "peak_bytes": peak, "seconds": round(seconds, 3)}


def _memory_bytes(field: str, *, reset: bool = False) -> int:
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024


def _in_a_process(data: bytes, unbounded: bool) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        command = [sys.executable, "-m", "benchmarks.picture_costs", "--file", file.name]
        command += ["--unbounded"] if unbounded else []
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


if __name__ == "__main__":
    main()
