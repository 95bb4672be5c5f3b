"""How near the engine comes to the device's limit: its arithmetic over what a large matrix product reaches.

    python -m benchmarks.device_limit --backbone vit_base_patch16_224 --device cuda:0

For each batch size the engine answers mixed batches as it is, and on CUDA as captured graphs, with
`--compile` compiled as well, in turn with the matrix product. A profile of the last size explains the rest.
Weights are random unless named. Writes benchmarks/results/device_limit-<backbone>-<device>.json and
…-profile.txt beside it.
"""

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from adapters.config import BackboneConfig
from adapters.device import DTYPES
from adapters.kinds.dvpt.options import DvptOptions
from adapters.vit.backbone import Backbone
from benchmarks.common.interleaved import Call, interleave, ratio, rounded
from benchmarks.common.machine import write_result
from benchmarks.common.random_weights import open_weights
from benchmarks.common.resident import add_engine_flags, make_resident, pictures

MATMUL = "matmul"
SIDE = {"cuda": 8192, "cpu": 1024}
KERNELS = 40


def main() -> None:
    """Measure, print and write."""
    options = _parser().parse_args()
    kind = torch.device(options.device).type
    with open_weights(options.backbone, options.weights) as (backbone, weights):
        measured = {f"batch {batch}": measure(backbone, weights, batch, options) for batch in options.batches}
        explanation = profiled(backbone, weights, options)
    figures = {
        "backbone": options.backbone, "device": options.device, "precision": options.precision,
        "tasks": options.tasks, "rounds": options.rounds,
        "gflop_per_picture": round(flop_per_picture(backbone) / 1e9, 3),
    } | measured  # fmt: skip
    for name, figure in figures.items():
        print(f"{name}: {figure}")
    print(path := write_result(f"device_limit-{options.backbone}-{kind}", figures))
    path.with_name(f"{path.stem}-profile.txt").write_text(explanation)


def measure(
    backbone: Backbone, weights: Path, batch: int, options: argparse.Namespace
) -> dict[str, dict[str, Any]]:
    """Way to run the engine → pictures/s and share of the matrix product's rate."""
    device, dtype = torch.device(options.device), DTYPES[options.precision]
    product, product_flop = matmul(device, dtype)
    sides: dict[str, Call] = {MATMUL: product}
    for name, settings in ways(device, compiled=options.compile).items():
        sides[name] = one_batch(backbone, weights, batch, options, **settings)
    times = interleave(sides, options.rounds, warm=3)
    product_s = [seconds / product_flop for seconds in times.pop(MATMUL)]
    flop = batch * flop_per_picture(backbone)
    return {
        "matmul": {"tflop_per_s": round(1e-12 / float(np.median(product_s)), 2)},
    } | {
        name: {
            "pictures_per_s": round(batch / float(np.median(own)), 1),
            "share_of_matmul": rounded(ratio(product_s, [seconds / flop for seconds in own])),
        }
        for name, own in times.items()
    }


def ways(device: torch.device, *, compiled: bool) -> dict[str, dict[str, Any]]:
    """Name → the service's settings of each way to run the torch engine on this device."""
    plain: dict[str, dict[str, Any]] = {"eager": {"graph_layouts": 0}}
    if device.type == "cuda":
        plain["graphs"] = {"graph_layouts": 1}
    if compiled:
        plain |= {f"{name}, compiled": own | {"compile": True} for name, own in list(plain.items())}
    return plain


def matmul(device: torch.device, dtype: torch.dtype) -> tuple[Call, int]:
    """A square product that waits for the device, and its floating-point operations."""
    side = SIDE[device.type]
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))

    def run() -> None:
        torch.mm(left, right)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return run, 2 * side**3


def flop_per_picture(backbone: Backbone) -> int:
    """Floating-point operations in matrix products of one picture, two a multiply-add, prompts included.

    Counted as the engine computes: of the last block keys and values of all tokens, and else the class token.
    """
    config, prompts = backbone.config, DvptOptions().count
    grid = config.image_size // config.patch_size
    tokens = backbone.prefix_count + prompts + grid**2
    embed = 2 * grid**2 * 3 * config.patch_size**2 * config.width
    return embed + (config.depth - 1) * _block(config, tokens, tokens) + _block(config, tokens, 1)


def _block(config: BackboneConfig, tokens: int, queries: int) -> int:
    """Keys and values of all `tokens`; queries, attention, projection and MLP (of ratio 4) of `queries`."""
    width = config.width
    return 2 * (2 * tokens * width**2 + 10 * queries * width**2 + 2 * queries * tokens * width)


def one_batch(
    backbone: Backbone, weights: Path, batch: int, options: argparse.Namespace, **settings: Any
) -> Call:
    """An engine that is ready, its pictures already on the device as the service stages them."""
    resident = make_resident(
        backbone, options.tasks, weights=weights, device=options.device, precision=options.precision,
        max_batch=batch, torch_threads=options.threads, **settings,
    )  # fmt: skip
    staged = [resident.engine.stage(image) for image in pictures(batch, backbone.config.image_size)]
    return partial(resident.answer, staged, [row % options.tasks for row in range(batch)])


def profiled(backbone: Backbone, weights: Path, options: argparse.Namespace) -> str:
    """Where the time of a batch of the last size goes, operation by operation, eager."""
    call = one_batch(backbone, weights, options.batches[-1], options)
    on_cuda = torch.device(options.device).type == "cuda"
    call()
    with profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_cuda else [])]) as seen:
        call()
    order = "self_cuda_time_total" if on_cuda else "self_cpu_time_total"
    return str(seen.key_averages().table(sort_by=order, row_limit=KERNELS, max_name_column_width=60)) + "\n"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_engine_flags(parser)
    parser.add_argument("--precision", default="bf16", choices=DTYPES)
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of the engine, on a CPU")
    parser.add_argument("--batches", type=int, nargs="+", default=[64, 128, 256], metavar="N")
    parser.add_argument("--tasks", type=int, default=100, metavar="N")
    parser.add_argument("--rounds", type=int, default=20, metavar="N")
    parser.add_argument("--compile", action="store_true", help="torch.compile as well")
    return parser


if __name__ == "__main__":
    main()
