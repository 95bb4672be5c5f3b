"""The engines against each other: torch in float32 and bfloat16, ONNX Runtime in float32, on mixed batches.

    python -m benchmarks.engines --backbone vit_tiny_patch16_224.augreg_in21k_ft_in1k --batch 16 --tasks 100

Each engine is built as the service builds it and answers the same batches, in turn, in one process. On
CUDA ONNX Runtime computes in float16, and so does a torch engine beside it. `--compile` adds torch.compile,
which takes a minute or more before it starts; what the service says of an engine is printed.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from adapters.bank.bank import AdapterBank
from adapters.errors import ConfigError
from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.layout import Slot
from adapters.vit.backbone import Backbone, load_backbone
from benchmarks.common.interleaved import interleave, ratio, rounded
from benchmarks.common.machine import write_result
from benchmarks.common.resident import add_engine_flags, fill
from service.engine.choice import choose_engine, make_engine
from service.engine.protocol import Engine
from service.errors import InferenceFailed
from service.logs import configure_logging
from service.settings import settings_from

SIDES = {"cpu": ("torch fp32", "torch bf16", "onnx fp32"), "cuda": ("torch fp32", "torch bf16", "torch fp16",
         "onnx fp16", "onnx fp32")}  # fmt: skip
COMPILED = ("torch bf16 compiled",)
REFERENCE = "torch fp32"
CLASSES = 10


@dataclass(frozen=True)
class Side:
    """One engine with its bank, filled with the same adapters as the others'."""

    engine: Engine
    slots: list[Slot]


def main() -> None:
    """Measure, print, and write `benchmarks/results/engines-….json`."""
    options = _parser().parse_args()
    configure_logging()
    backbone = load_backbone(options.backbone, weights=options.weights)
    kind = torch.device(options.device).type
    names = (*SIDES[kind], *(COMPILED if options.compile else ()))
    sides, left_out = make_sides(names, options, backbone)
    images, rows = drawn(options.batch, options.tasks, backbone.config.image_size)
    calls = {name: partial(answer, side, images, rows) for name, side in sides.items()}
    agreement = {name: agree(calls[REFERENCE](), call()) for name, call in calls.items()}
    times = interleave(calls, options.rounds)
    figures = {
        "backbone": backbone.config.name,
        "device": options.device,
        "batch": options.batch,
        "tasks": options.tasks,
        "threads": options.threads,
        "rounds": options.rounds,
        "left_out": left_out,
        "engines": {name: summary(times, name, options.batch, agreement[name]) for name in sides},
    }
    for name, figure in figures["engines"].items():
        speed, share = figure["pictures_per_s"]["median"], figure["throughput_to_reference"]["median"]
        print(f"{name}: {speed:.1f} pictures/s, {share:.3f} of {REFERENCE}; {agreement[name]}")
    print(write_result(f"engines-{backbone.config.name}-{kind}", figures))


def make_sides(
    names: Sequence[str], options: argparse.Namespace, backbone: Backbone
) -> tuple[dict[str, Side], dict[str, str]]:
    """Every side that can be had here, and why the others cannot."""
    sides: dict[str, Side] = {}
    left_out: dict[str, str] = {}
    for name in names:
        try:
            sides[name] = make_side(name, options, backbone)
        except ConfigError as error:
            print(f"{name}: left out, {error}")
            left_out[name] = str(error)
    return sides, left_out


def make_side(name: str, options: argparse.Namespace, backbone: Backbone) -> Side:
    """The engine as the service makes and starts it, with `--tasks` random adapters in its bank."""
    engine_name, precision, *compiled = name.split()
    flags: dict[str, Any] = {"store": ".", "engine": engine_name, "precision": precision}
    flags |= {"compile": bool(compiled)}
    flags |= {"device": options.device, "torch_threads": options.threads, "weights": options.weights}
    settings = settings_from(flags)
    choice = choose_engine(settings)
    bank = AdapterBank(
        backbone.config, device=choice.device, dtype=choice.dtype, slots_per_layout=options.tasks
    )
    torch.manual_seed(0)
    slots = fill(bank, backbone, options.tasks, CLASSES, DvptOptions())
    engine = make_engine(choice, settings, backbone.config, bank)
    engine.start()
    engine.warm(slots[0].layout)
    return Side(engine, slots)


def drawn(batch: int, tasks: int, image_size: int) -> tuple[list[Tensor], list[int]]:
    """Random pictures, and which task each asks for."""
    generator = torch.Generator().manual_seed(1)
    shape = (batch, 3, image_size, image_size)
    images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    return list(images), torch.randint(tasks, (batch,), generator=generator).tolist()


def answer(side: Side, images: Sequence[Tensor], rows: Sequence[int]) -> list[Any]:
    """One batch."""
    return side.engine.infer(images, [side.slots[row] for row in rows])


def agree(reference: Sequence[Any], answers: Sequence[Any]) -> dict[str, float]:
    """Largest difference of probabilities, and share of equal top-1."""
    if any(isinstance(row, InferenceFailed) for row in answers):
        raise RuntimeError("an engine gave no finite answer")
    pairs = list(zip(reference, answers, strict=True))
    difference = max(float(np.abs(left - right).max()) for left, right in pairs)
    same = sum(int(left.argmax() == right.argmax()) for left, right in pairs)
    return {"largest_difference": difference, "equal_top_1": same / len(pairs)}


def summary(
    times: dict[str, list[float]], name: str, batch: int, agreement: dict[str, float]
) -> dict[str, Any]:
    """Medians with 95 % intervals: pictures per second, and throughput against the reference's."""
    return {
        "pictures_per_s": rounded(ratio([batch] * len(times[name]), times[name])),
        "throughput_to_reference": rounded(ratio(times[REFERENCE], times[name])),
        **agreement,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines", description="Compare the engines.")
    add_engine_flags(parser)
    parser.add_argument("--batch", type=int, default=16, metavar="N", help="pictures in a batch")
    parser.add_argument("--tasks", type=int, default=100, metavar="N", help="adapters in the bank")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="0 leaves it to the engine")
    parser.add_argument("--rounds", type=int, default=20, metavar="N", help="batches of each engine")
    parser.add_argument("--compile", action="store_true", help="torch.compile as well")
    return parser


if __name__ == "__main__":
    main()
