"""Whether the GPU should decode: nvJPEG, as torchvision has it, against the service's decoding on the CPU.

    python -m benchmarks.device_decoding --device cuda:0

JPEG photographs of several sizes become pixels of the backbone's size on the device, many at a time: on the
CPU in as many threads as there are cores, then copied, or decoded and resized on the device. Both take turns.
Where there is no CUDA it runs nothing and says so. Writes benchmarks/results/device_decoding.json.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from adapters.cores import available_cores
from benchmarks.common.interleaved import interleave, ratio, rounded
from benchmarks.common.machine import write_result
from benchmarks.common.photographs import INPUT_PX, fitted, photograph

SIDES_PX = (64, 256, 500, 1001)
FILES = 64
Batch = Callable[[Sequence[bytes]], Tensor]


def main() -> int:
    """Measure, print and write; 1 where there is no CUDA."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("there is no CUDA here: nothing was measured")
        return 1
    torch.set_num_threads(1)
    device = torch.device(options.device)
    with ThreadPoolExecutor(available_cores()) as pool:
        sides: dict[str, Batch] = {
            "processor": partial(by_processor, pool, device),
            "nvJPEG": partial(by_device, device),
        }
        figures = {f"{side_px} px": measure(sides, side_px, options.rounds) for side_px in SIDES_PX}
    for name, figure in figures.items():
        print(f"{name}: {figure}")
    print(write_result("device_decoding", {"threads": available_cores(), "input_px": INPUT_PX} | figures))
    return 0


def measure(sides: dict[str, Batch], side_px: int, rounds: int) -> dict[str, Any]:
    """Pictures/s of each side, and how far their pixels are apart."""
    files = [photograph(side_px, seed) for seed in range(FILES)]

    def run(batch: Batch) -> None:
        batch(files)
        torch.cuda.synchronize()

    times = interleave({name: partial(run, batch) for name, batch in sides.items()}, rounds)
    processor, device = (batch(files).float() for batch in sides.values())
    return {
        "pictures_per_s": {name: round(FILES / float(np.median(took)), 1) for name, took in times.items()},
        "nvjpeg_over_processor": rounded(ratio(times["processor"], times["nvJPEG"])),
        "mean_levels_apart": round(float((processor - device).abs().mean()), 3),
    }


def by_processor(pool: ThreadPoolExecutor, device: torch.device, files: Sequence[bytes]) -> Tensor:
    """Pixels [B, 3, H, W] uint8 on the device, decoded as the service does."""
    return torch.stack(list(pool.map(fitted, files))).to(device)


def by_device(device: torch.device, files: Sequence[bytes]) -> Tensor:
    """Pixels [B, 3, H, W] uint8, decoded and resized on the device."""
    from torchvision.io import ImageReadMode, decode_jpeg  # noqa: PLC0415 - an extra of training

    encoded = [torch.frombuffer(bytearray(data), dtype=torch.uint8) for data in files]
    decoded = decode_jpeg(encoded, mode=ImageReadMode.RGB, device=device)
    return torch.stack([_resized(picture) for picture in decoded])


def _resized(picture: Tensor) -> Tensor:
    size = (INPUT_PX, INPUT_PX)
    resized = F.interpolate(picture[None].float(), size, mode="bicubic", antialias=True)[0]
    return resized.clamp(0, 255).round().byte()


if __name__ == "__main__":
    sys.exit(main())
