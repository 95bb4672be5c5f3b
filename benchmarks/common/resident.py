"""Engines as the service makes them, with a bank full of random adapters."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adapters.bank.bank import AdapterBank
from adapters.kinds.adapter import Adapter
from adapters.kinds.adapter_config import AdapterConfig
from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.layout import Slot
from adapters.kinds.options import KindOptions
from adapters.kinds.table import kind_of
from adapters.vit.backbone import EMBEDDED_BACKBONE, Backbone
from service.engine.choice import choose_engine, make_engine
from service.engine.protocol import Engine
from service.settings import settings_from

STRAY = 0.02
"""How far random tensors are from where training would start."""


def add_engine_flags(parser: argparse.ArgumentParser) -> None:
    """`--backbone`, `--weights` and `--device`, which all benchmarks of an engine take."""
    parser.add_argument("--backbone", default=EMBEDDED_BACKBONE, metavar="NAME", help="timm's name")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="its weights (.safetensors)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda:N")


def add_pass_flags(parser: argparse.ArgumentParser) -> None:
    """What one pass is, and how often it is timed."""
    parser.add_argument("--image-size", type=int, metavar="PX")
    parser.add_argument("--precision", default="auto", help="auto, fp32, bf16 or fp16")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="0 leaves it to the engine")
    parser.add_argument("--batch", type=int, default=32, metavar="N")
    parser.add_argument("--rounds", type=int, default=20, metavar="N")


@dataclass(frozen=True)
class Resident:
    """An engine, started and warm, and the slots of its bank's adapters."""

    engine: Engine
    bank: AdapterBank
    slots: list[Slot]

    def answer(self, images: Sequence[Tensor], rows: Sequence[int]) -> list[Any]:
        """One batch: picture by picture the task it is for."""
        return self.engine.infer(images, [self.slots[row] for row in rows])


def make_resident(
    backbone: Backbone,
    tasks: int,
    *,
    engine: str = "torch",
    weights: Path | None = None,
    classes: int = 10,
    options: KindOptions | None = None,
    **flags: Any,
) -> Resident:
    """The engine that the service would make of these settings. Raises ConfigError for what is not there."""
    flags = {"engine": engine, "weights": weights} | flags
    choice = choose_engine(settings_from({"store": "."} | flags))
    bank = AdapterBank(backbone.config, device=choice.device, dtype=choice.dtype, slots_per_layout=tasks)
    slots = fill(bank, backbone, tasks, classes, options or DvptOptions())
    made = engine_of(backbone, bank, **flags)
    made.warm(slots[0].layout)
    return Resident(made, bank, slots)


def engine_of(backbone: Backbone, bank: AdapterBank, **flags: Any) -> Engine:
    """The engine that the service would make of these settings, started, with a bank that is there."""
    settings = settings_from({"store": "."} | flags)
    made = make_engine(choose_engine(settings), settings, backbone.config, bank)
    made.start()
    return made


def fill(bank: AdapterBank, backbone: Backbone, count: int, classes: int, options: KindOptions) -> list[Slot]:
    """Insert `count` random adapters; what they answer does not matter, only that they differ."""
    config = AdapterConfig(
        method=kind_of(options).methods[0],
        options=options,
        classes=tuple(str(index) for index in range(classes)),
        backbone_sha256=backbone.config.sha256,
        tensors_sha256="0" * 64,
    )
    return [bank.insert(config, tensors) for tensors in random_tensors(backbone, count, classes, options)]


def random_tensors(
    backbone: Backbone, count: int, classes: int, options: KindOptions
) -> Iterator[dict[str, Tensor]]:
    """Tensors of `count` adapters, the same ones each time."""
    torch.manual_seed(0)
    drawn = Adapter(options, backbone.config, classes).state_dict()
    # What starts at zero would show no difference.
    tensors = {name: value + STRAY * torch.randn_like(value) for name, value in drawn.items()}
    # Drawing a thousand adapters anew takes minutes; the same one, scaled, differs as well.
    for index in range(count):
        yield {name: value * (1 + index / count) for name, value in tensors.items()}


def pictures(count: int, image_size: int) -> list[Tensor]:
    """Random pictures [3, H, W] uint8."""
    generator = torch.Generator().manual_seed(1)
    shape = (count, 3, image_size, image_size)
    return list(torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator))


def bytes_per_task(resident: Resident) -> int:
    """Bytes of the layout's stacked tensors for each slot, and of a head of its bucket."""
    slot = resident.slots[0]
    layout = sum(tensor.nbytes // len(tensor) for tensor in resident.bank.tensors(slot.layout))
    width = resident.bank.tensors(slot.layout)[0].shape[-1]
    itemsize = resident.bank.tensors(slot.layout)[0].element_size()
    return layout + slot.head.class_capacity * (width * itemsize + 4)
