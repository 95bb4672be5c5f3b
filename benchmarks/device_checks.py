"""Whether mixed batches on a device answer as each adapter alone does in float32 on the CPU.

    python -m benchmarks.device_checks --backbone vit_base_patch16_224 --device cuda:0

Each precision and each group of kinds that share a pass is checked as it is and, on CUDA, as captured
graphs, which have the backbone's own kernels where these compile; `--compile` checks the compiled pass in
bfloat16 instead. Ends with 1 where a probability differs by more than the design allows. The weights are
random unless named.
Writes benchmarks/results/device_checks-<backbone>-<device>.json.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from adapters.kinds.adapter import Adapter
from adapters.kinds.affine.options import AffineOptions
from adapters.kinds.bottleneck.options import BottleneckOptions
from adapters.kinds.combined.options import CombinedOptions
from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.linear.options import LinearOptions
from adapters.kinds.options import KindOptions
from adapters.vit.backbone import Backbone
from benchmarks.common.machine import write_result
from benchmarks.common.random_weights import open_weights
from benchmarks.common.resident import (
    Resident,
    add_engine_flags,
    fill,
    make_resident,
    pictures,
    random_tensors,
)

TOLERANCE = {"fp32": 1e-4, "bf16": 0.02, "fp16": 0.02}
ON_CPU = ("fp32", "bf16")
SHARING: Mapping[str, Sequence[KindOptions]] = MappingProxyType(
    {
        "dvpt": (DvptOptions(),),
        "affine beside bottleneck": (AffineOptions(), BottleneckOptions()),
        "dvpt-plus": (CombinedOptions(),),
    }
)
"""Kinds whose rows share a pass."""
ADAPTERS, PICTURES, CLASSES = 7, 19, 10


def main() -> int:
    """Check, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_engine_flags(parser)
    parser.add_argument("--compile", action="store_true", help="the compiled pass, in bfloat16 alone")
    options = parser.parse_args()
    with open_weights(options.backbone, options.weights) as (backbone, weights):
        figures = check(backbone, weights, options.device, compiled=options.compile)
    for name, figure in figures.items():
        print(f"{name}: {figure}")
    kind = torch.device(options.device).type
    print(write_result(f"device_checks-{options.backbone}-{kind}", figures))
    return 0 if all(figure["passed"] for figure in figures.values()) else 1


def check(
    backbone: Backbone, weights: Path, device: str, *, compiled: bool = False
) -> dict[str, dict[str, Any]]:
    """Name of each way to compute → largest difference, equal top-1, and whether that is within tolerance."""
    images = pictures(PICTURES, backbone.config.image_size)
    rows = [row % ADAPTERS for row in range(PICTURES)]
    expected = {name: alone(backbone, images, rows, kinds) for name, kinds in SHARING.items()}
    figures = {}
    for name, settings in ways(on_cuda=torch.device(device).type == "cuda", compiled=compiled):
        resident = make_resident(
            backbone, 2 * ADAPTERS, weights=weights, device=device, options=LinearOptions(), max_batch=32,
            **settings,
        )  # fmt: skip
        for group, kinds in SHARING.items():
            found = np.stack(with_slots(resident, backbone, kinds).answer(images, rows))
            tolerance = TOLERANCE[settings["precision"]]
            figures[f"{name}, {group}"] = compared(found, expected[group], tolerance)
    return figures


def ways(*, on_cuda: bool, compiled: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name → the service's settings of each way to compute."""
    precisions = ("bf16",) if compiled else tuple(TOLERANCE) if on_cuda else ON_CPU
    for precision in precisions:
        for graph_layouts in (0, 1 + len(SHARING)) if on_cuda else (0,):
            name = ", ".join([precision, "graphs" if graph_layouts else "eager"] + ["compiled"] * compiled)
            yield name, {"precision": precision, "graph_layouts": graph_layouts, "compile": compiled}


def with_slots(resident: Resident, backbone: Backbone, kinds: Sequence[KindOptions]) -> Resident:
    """The same engine with slots of adapters of these kinds in turn."""
    of_kind = [fill(resident.bank, backbone, ADAPTERS, CLASSES, options) for options in kinds]
    slots = [of_kind[row % len(kinds)][row] for row in range(ADAPTERS)]
    resident.engine.warm(slots[0].layout)
    return Resident(resident.engine, resident.bank, slots)


@torch.inference_mode()
def alone(
    backbone: Backbone, images: list[Tensor], rows: list[int], kinds: Sequence[KindOptions]
) -> NDArray[np.float32]:
    """Each picture through its adapter's own forward pass, float32 on the CPU → probabilities [B, C]."""
    of_kind = [
        [
            _adapter(backbone, options, tensors)
            for tensors in random_tensors(backbone, ADAPTERS, CLASSES, options)
        ]
        for options in kinds
    ]
    adapters = [of_kind[row % len(kinds)][row] for row in range(ADAPTERS)]
    logits = [adapters[row](backbone, image.unsqueeze(0))[0] for image, row in zip(images, rows, strict=True)]
    probabilities: NDArray[np.float32] = torch.stack(logits).softmax(dim=1).numpy()
    return probabilities


def _adapter(backbone: Backbone, options: KindOptions, tensors: dict[str, Tensor]) -> Adapter:
    adapter = Adapter(options, backbone.config, CLASSES)
    adapter.load_state_dict(tensors)
    return adapter


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
