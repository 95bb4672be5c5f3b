"""What many tasks cost: batches of one task against mixed ones, and against the bare ViT.

    python -m benchmarks.many_tasks --backbone vit_tiny_patch16_224.augreg_in21k_ft_in1k --batch 16

Retention is the throughput with T resident tasks over that with one, rows drawn uniformly, by Zipf's law, or
all distinct. Adapter overhead is the throughput of the mixed engine over that of a bare ViT with as many
tokens (registers in place of prompts), same precision and batch. There are two of it, both without a head
and fed with pictures that are stacked already: timm's own model behind the usual normalization of uint8
pictures, and the pass that the engine itself runs, without adapters. The second tells what adapters alone
cost, as nothing that the engine does better than timm stands against it. All sides find the pictures on the
device and are timed in turn in one run.
Writes benchmarks/results/many_tasks-<backbone>-<device>.json.
"""

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from adapters.device import choose_device, choose_dtype
from adapters.vit.backbone import Backbone, load_backbone
from benchmarks.common.bare_vit import PROMPTS, bare_vit, own_pass
from benchmarks.common.interleaved import Call, interleave, ratio, rounded
from benchmarks.common.machine import write_result
from benchmarks.common.resident import (
    Resident,
    add_engine_flags,
    add_pass_flags,
    bytes_per_task,
    make_resident,
    pictures,
)

TASKS = (1, 10, 100, 1000)
ONE_TASK, TIMM, OWN = "1 task", "bare ViT, timm's pass", "bare ViT, the engine's pass"


def main() -> None:
    """Measure, print and write."""
    options = _parser().parse_args()
    figures = measure(options)
    for name, figure in figures["retention"].items():
        print(f"{name}: {_shown(figure)} of one task's throughput")
    for name, figure in figures["overhead"].items():
        print(f"adapter overhead: {_shown(figure)} of the throughput of the {name}")
    print(f"memory: {figures['bytes_per_task']:,} bytes a task")
    kind = torch.device(figures["device"]).type
    print(write_result(f"many_tasks-{options.backbone}-{kind}", figures))


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Every figure of one backbone, batch size, device and precision."""
    backbone = load_backbone(options.backbone, weights=options.weights, image_size=options.image_size)
    flags = {"device": options.device, "precision": options.precision, "torch_threads": options.threads}
    resident = make_resident(
        backbone, max(options.tasks), weights=options.weights, max_batch=options.batch, **flags
    )
    device = choose_device(options.device)
    dtype = choose_dtype(options.precision, device)
    sides = mixed_sides(resident, options.tasks, options.batch, backbone.config.image_size)
    images = torch.stack(pictures(options.batch, backbone.config.image_size)).to(device)
    sides[TIMM] = timm_pass(bare_vit(backbone).prepare(device, dtype), images)
    sides[OWN] = own_pass(bare_vit(backbone).prepare(device, dtype), images)
    times = interleave(sides, options.rounds, warm=2)
    return {
        "backbone": backbone.config.name,
        "image_size": backbone.config.image_size,
        "batch": options.batch,
        "device": str(device),
        "precision": str(dtype).removeprefix("torch."),
        "prompts": PROMPTS,
        "rounds": options.rounds,
        "pictures_per_s": {name: round(options.batch / float(np.median(t)), 1) for name, t in times.items()},
        "retention": {
            name: rounded(ratio(times[ONE_TASK], own))
            for name, own in times.items()
            if name not in {ONE_TASK, TIMM, OWN}
        },
        "overhead": {name: rounded(ratio(times[name], times[_mixed(options.tasks)])) for name in (TIMM, OWN)},
        "bytes_per_task": bytes_per_task(resident),
    }


def mixed_sides(resident: Resident, tasks: list[int], batch: int, image_size: int) -> dict[str, Call]:
    """Name → one batch of it, over the pictures that all of them share."""
    images = [resident.engine.stage(image) for image in pictures(batch, image_size)]
    sides: dict[str, Call] = {ONE_TASK: partial(resident.answer, images, [0] * batch)}
    for count in tasks:
        for name, draw in DRAWS.items():
            if count > 1:
                rows = [int(row) for row in draw(np.random.default_rng(0), count, batch)]
                sides[f"{count} tasks, {name}"] = partial(resident.answer, images, rows)
    return sides


def timm_pass(bare: Backbone, images: Tensor) -> Call:
    """Pictures [B, 3, H, W] uint8 in, features out, on the device's clock: timm's model as it is."""

    @torch.inference_mode()
    def run() -> None:
        bare.vit(bare.normalize(images).to(bare.dtype)).cpu()

    return run


def _uniform(random: np.random.Generator, tasks: int, batch: int) -> Any:
    return random.integers(tasks, size=batch)


def _zipf(random: np.random.Generator, tasks: int, batch: int) -> Any:
    weights = 1 / np.arange(1, tasks + 1)
    return random.choice(tasks, size=batch, p=weights / weights.sum())


def _distinct(random: np.random.Generator, tasks: int, batch: int) -> Any:
    return np.resize(random.permutation(tasks), batch)


DRAWS: dict[str, Callable[[np.random.Generator, int, int], Any]] = {
    "uniform": _uniform, "zipf": _zipf, "distinct": _distinct,
}  # fmt: skip


def _mixed(tasks: list[int]) -> str:
    return f"{max(tasks)} tasks, distinct"


def _shown(figure: dict[str, float]) -> str:
    return f"{figure['median']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_engine_flags(parser)
    add_pass_flags(parser)
    parser.add_argument("--tasks", type=int, nargs="+", default=list(TASKS), metavar="N")
    return parser


if __name__ == "__main__":
    main()
