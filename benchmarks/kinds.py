"""What each kind of adapter costs, and whether kinds should share a pass.

    python -m benchmarks.kinds --backbone vit_tiny_patch16_224.augreg_in21k_ft_in1k

Cost is the time of a mixed batch, every row of another task, over that of one of DVPT (10 prompts) and over
that of heads alone. Retention is the throughput of a batch over all tasks against
that of one task. Riding compares rows of two kinds that run one after the other in batches of their own with
the same rows in one batch of the layout that has both. In graphs what has an affine is timed without kernels
of its own as well. All sides are timed in turn in one run.
Writes benchmarks/results/kinds-<backbone>-<device>.json.
"""

import argparse
import time
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any
from unittest.mock import patch

import numpy as np

from adapters.config import BackboneConfig
from adapters.kinds import table
from adapters.kinds.affine.options import AffineOptions
from adapters.kinds.bottleneck.options import BottleneckOptions
from adapters.kinds.combined.options import CombinedOptions
from adapters.kinds.dvpt.meta_net import hidden_width
from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.kind import Kind
from adapters.kinds.linear.options import LinearOptions
from adapters.kinds.options import KindOptions
from adapters.vit.backbone import Backbone, load_backbone
from benchmarks.common.interleaved import Call, interleave, ratio, rounded
from benchmarks.common.machine import write_result
from benchmarks.common.resident import (
    Resident,
    add_engine_flags,
    add_pass_flags,
    bytes_per_task,
    engine_of,
    fill,
    make_resident,
    pictures,
)
from service.engine import torch_engine
from training.methods.table import METHODS

WIDE = BottleneckOptions(width=METHODS["dvpt-wide"].recipe.bottleneck_width)
SERVED: Mapping[str, KindOptions] = MappingProxyType(
    {
        "linear": LinearOptions(),
        "affine and bottleneck": AffineOptions(),
        "every bias": AffineOptions(biases=True),
        "dvpt": DvptOptions(),
        "dvpt-plus": CombinedOptions(),
        "dvpt-wide": CombinedOptions(bottleneck=WIDE),
    }
)
APART: Mapping[str, KindOptions] = MappingProxyType(
    {
        "affine alone": AffineOptions(),
        "bottleneck alone": BottleneckOptions(),
        "dvpt and affine": CombinedOptions(bottleneck=None),
    }
)
BOTH, PLUS = "affine and bottleneck", "dvpt-plus"
MOVED = ("affine alone", BOTH, "dvpt and affine", PLUS)  # by kernels of their own
RIDES = (1, 4, 16)


class _Apart:
    """A kind whose layout has nothing that its adapters lack."""

    def __init__(self, kind: Kind[Any]) -> None:
        self._kind = kind

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kind, name)

    def layout(self, options: KindOptions, backbone: BackboneConfig) -> KindOptions:
        """The options themselves; a Meta-Net's width is needed in the stack."""
        if not isinstance(options, CombinedOptions) or options.dvpt is None:
            return options
        dvpt = options.dvpt.model_copy(update={"meta_hidden": hidden_width(options.dvpt, backbone.width)})
        return options.model_copy(update={"dvpt": dvpt})


def main() -> None:
    """Measure, print and write."""
    options = _parser().parse_args()
    backbone = load_backbone(options.backbone, weights=options.weights, image_size=options.image_size)
    flags: dict[str, Any] = {
        "weights": options.weights,
        "device": options.device,
        "precision": options.precision,
        "torch_threads": options.threads,
        "graph_layouts": options.graph_layouts,
        "compile": options.compile,
        "max_batch": options.batch,
    }
    resident = make_resident(backbone, options.tasks, options=LinearOptions(), classes=100, **flags)
    of_kind = {"linear": resident}
    for name, kind in list(SERVED.items())[1:]:
        of_kind[name] = _filled(resident, backbone, options.tasks, kind)
    with patch.object(table, "KINDS", {name: _Apart(kind) for name, kind in table.KINDS.items()}):
        for name, kind in APART.items():
            of_kind[name] = _filled(resident, backbone, options.tasks, kind)
    adapted = of_kind.keys() - {"linear"}
    if options.device.startswith("cuda") and options.graph_layouts and not options.compile:
        of_kind |= _unfused(of_kind, backbone, flags)
    images = [resident.engine.stage(image) for image in pictures(options.batch, backbone.config.image_size)]
    clock = time.thread_time if options.processor_time else time.perf_counter
    times = interleave(_sides(of_kind, images, options.tasks), options.rounds, warm=2, clock=clock)
    figures: dict[str, Any] = {
        "clock": clock.__name__,
        "backbone": options.backbone,
        "batch": options.batch,
        "graph_layouts": options.graph_layouts,
        "compile": options.compile,
        "tasks": options.tasks,
        "rounds": options.rounds,
        "against_dvpt": {name: rounded(ratio(times[name], times["dvpt"])) for name in of_kind},
        "against_linear": {name: rounded(ratio(times[name], times["linear"])) for name in of_kind},
        "retention": rounded(ratio(times[f"{PLUS}, 1 task"], times[PLUS])),
        "riding": {
            f"{rows} + {rows} rows": rounded(ratio(times[_ride(rows)], times[_apart(rows)]))
            for rows in RIDES
            if 2 * rows <= options.batch
        },
        "bytes_per_task": {name: bytes_per_task(of_kind[name]) for name in sorted(adapted)},
        "ms": {name: round(1000 * float(np.median(own)), 2) for name, own in times.items()},
    }
    for name, figure in figures.items():
        print(f"{name}: {figure}")
    print(write_result(f"kinds-{options.backbone}-{options.device.partition(':')[0]}", figures))


def _filled(resident: Resident, backbone: Backbone, tasks: int, kind: KindOptions) -> Resident:
    slots = fill(resident.bank, backbone, tasks, 100, kind)
    resident.engine.warm(slots[0].layout)
    return Resident(resident.engine, resident.bank, slots)


def _unfused(
    of_kind: Mapping[str, Resident], backbone: Backbone, flags: Mapping[str, Any]
) -> dict[str, Resident]:
    """The same slots in an engine that runs torch's operations one by one."""
    with patch.object(torch_engine, "fuse", lambda own: own):
        engine = engine_of(backbone, of_kind[PLUS].bank, **flags)
    for name in MOVED:
        engine.warm(of_kind[name].slots[0].layout)
    return {f"{name}, unfused": Resident(engine, of_kind[name].bank, of_kind[name].slots) for name in MOVED}


def _sides(of_kind: Mapping[str, Resident], images: list[Any], tasks: int) -> dict[str, Call]:
    """Name → one batch of it, rows of as many tasks as there are, or pairs of smaller ones."""
    rows = [int(row) for row in np.resize(np.random.default_rng(0).permutation(tasks), len(images))]
    sides: dict[str, Call] = {
        name: partial(resident.answer, images, rows) for name, resident in of_kind.items()
    }
    sides[f"{PLUS}, 1 task"] = partial(of_kind[PLUS].answer, images, [0] * len(images))
    for count in RIDES:
        if 2 * count <= len(images):
            sides[_apart(count)] = partial(_apart_pass, of_kind, images[: 2 * count], rows)
            sides[_ride(count)] = partial(of_kind[BOTH].answer, images[: 2 * count], rows[: 2 * count])
    return sides


def _apart_pass(of_kind: Mapping[str, Resident], images: list[Any], rows: list[int]) -> None:
    half = len(images) // 2
    of_kind["affine alone"].answer(images[:half], rows[:half])
    of_kind["bottleneck alone"].answer(images[half:], rows[half : len(images)])


def _apart(rows: int) -> str:
    return f"{rows} affine, then {rows} bottleneck"


def _ride(rows: int) -> str:
    return f"{rows} affine and {rows} bottleneck in one pass"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_engine_flags(parser)
    add_pass_flags(parser)
    parser.add_argument(
        "--processor-time", action="store_true", help="of the engine's thread, with --threads 1 on a busy CPU"
    )
    parser.add_argument("--tasks", type=int, default=1000, metavar="N")
    parser.add_argument("--graph-layouts", type=int, default=0, metavar="N", help="captured as CUDA graphs")
    parser.add_argument("--compile", action="store_true", help="run the backbone through torch.compile")
    return parser


if __name__ == "__main__":
    main()
