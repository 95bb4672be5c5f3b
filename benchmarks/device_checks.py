"""Whether mixed batches on a device answer as each adapter alone does in float32 on the CPU.

    python -m benchmarks.device_checks --backbone vit_base_patch16_224 --device cuda:0

Each precision is checked as it is and, on CUDA, as captured graphs. Ends with 1 where a probability differs
by more than the design allows. The weights are random unless named. Writes
benchmarks/results/device_checks-<backbone>-<device>.json.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from adapters.kinds.adapter import Adapter
from adapters.kinds.dvpt.options import DvptOptions
from adapters.vit.backbone import Backbone
from benchmarks.common.machine import write_result
from benchmarks.common.random_weights import open_weights
from benchmarks.common.resident import add_engine_flags, make_resident, pictures, random_tensors

TOLERANCE = {"fp32": 1e-4, "bf16": 0.02, "fp16": 0.02}
ON_CPU = ("fp32", "bf16")
ADAPTERS, PICTURES, CLASSES = 7, 19, 10


def main() -> int:
    """Check, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_engine_flags(parser)
    options = parser.parse_args()
    with open_weights(options.backbone, options.weights) as (backbone, weights):
        figures = check(backbone, weights, options.device)
    for name, figure in figures.items():
        print(f"{name}: {figure}")
    kind = torch.device(options.device).type
    print(write_result(f"device_checks-{options.backbone}-{kind}", figures))
    return 0 if all(figure["passed"] for figure in figures.values()) else 1


def check(backbone: Backbone, weights: Path, device: str) -> dict[str, dict[str, Any]]:
    """Name of each way to compute → largest difference, equal top-1, and whether that is within tolerance."""
    images = pictures(PICTURES, backbone.config.image_size)
    rows = [row % ADAPTERS for row in range(PICTURES)]
    expected = alone(backbone, images, rows)
    on_cuda = torch.device(device).type == "cuda"
    figures = {}
    for precision in TOLERANCE if on_cuda else ON_CPU:
        for graph_layouts in (0, 1) if on_cuda else (0,):
            resident = make_resident(
                backbone, ADAPTERS, weights=weights, device=device, precision=precision,
                graph_layouts=graph_layouts, max_batch=32,
            )  # fmt: skip
            found = np.stack(resident.answer(images, rows))
            name = f"{precision}, {'graphs' if graph_layouts else 'eager'}"
            figures[name] = compared(found, expected, TOLERANCE[precision])
    return figures


@torch.inference_mode()
def alone(backbone: Backbone, images: list[Tensor], rows: list[int]) -> NDArray[np.float32]:
    """Each picture through its adapter's own forward pass, float32 on the CPU → probabilities [B, C]."""
    options, adapters = DvptOptions(), []
    for tensors in random_tensors(backbone, ADAPTERS, CLASSES, options):
        adapters.append(Adapter(options, backbone.config, CLASSES))
        adapters[-1].load_state_dict(tensors)
    logits = [adapters[row](backbone, image.unsqueeze(0))[0] for image, row in zip(images, rows, strict=True)]
    probabilities: NDArray[np.float32] = torch.stack(logits).softmax(dim=1).numpy()
    return probabilities


def compared(
    found: NDArray[np.float32], expected: NDArray[np.float32], tolerance: float
) -> dict[str, float | bool]:
    """The largest difference of a probability, and the share of rows with the same likeliest class."""
    difference = float(np.abs(found - expected).max())
    return {
        "largest_difference": difference,
        "equal_top_1": float((found.argmax(1) == expected.argmax(1)).mean()),
        "tolerance": tolerance,
        "passed": difference <= tolerance,
    }


if __name__ == "__main__":
    sys.exit(main())
