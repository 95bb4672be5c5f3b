"""DVPT, affine and bottleneck in one adapter: each part is as its own kind has it."""

from collections.abc import Mapping
from functools import reduce
from types import MappingProxyType
from typing import Any, cast

import torch
from torch import Tensor, nn

from adapters.config import BackboneConfig
from adapters.kinds.affine.kind import AffineKind
from adapters.kinds.affine.options import AffineOptions, hidden_width
from adapters.kinds.bottleneck.kind import BottleneckKind
from adapters.kinds.bottleneck.options import BottleneckOptions, shared_width
from adapters.kinds.combined.options import CombinedOptions
from adapters.kinds.dvpt.kind import DvptKind
from adapters.kinds.kind import Kind, RowGraph, Stack
from adapters.kinds.options import KindOptions
from adapters.vit.row_parameters import RowParameters

PARTS: Mapping[str, Kind[Any]] = MappingProxyType(
    {"dvpt": DvptKind(), "affine": AffineKind(), "bottleneck": BottleneckKind()}
)


class CombinedKind:
    """A layout is DVPT's, if there are prompts, with an affine and a bottleneck, there or neutral."""

    options = CombinedOptions
    methods = ("dvpt-plus", "dvpt-wide")

    def layout(self, options: CombinedOptions, backbone: BackboneConfig) -> CombinedOptions:
        """Every part in its canonical form."""
        dvpt = options.dvpt and DvptKind().layout(options.dvpt, backbone)
        affine = AffineOptions()
        if options.affine is not None and options.affine.biases:
            affine = AffineOptions(biases=True, hidden=hidden_width(options.affine, backbone.width))
        bottleneck = shared_width(options.bottleneck or BottleneckOptions())
        return CombinedOptions(dvpt=dvpt, affine=affine, bottleneck=bottleneck)

    def layout_name(self, layout: CombinedOptions) -> str:
        """Such as `p10-deep-shared4x48+affine+bottleneck8`."""
        return "+".join(PARTS[name].layout_name(part) for name, part in layout.parts.items())

    def body(self, options: CombinedOptions, backbone: BackboneConfig) -> nn.Module:
        """A body for each part."""
        return CombinedBody(options, backbone)

    def stack(
        self,
        layout: CombinedOptions,
        backbone: BackboneConfig,
        slots: int,
        *,
        device: torch.device,
        dtype: torch.dtype,
    ) -> "CombinedStack":
        """A stack for each part."""
        return CombinedStack(
            {
                name: PARTS[name].stack(part, backbone, slots, device=device, dtype=dtype)
                for name, part in layout.parts.items()
            }
        )

    def graphs(
        self, layout: CombinedOptions, backbone: BackboneConfig, *, prefix: int, half: bool
    ) -> tuple[RowGraph, ...]:
        """Those of each part."""
        return tuple(
            graph
            for name, part in layout.parts.items()
            for graph in PARTS[name].graphs(part, backbone, prefix=prefix, half=half)
        )


class CombinedBody(nn.Module):
    """A body for each part, under the part's name."""

    def __init__(self, options: CombinedOptions, backbone: BackboneConfig) -> None:
        super().__init__()
        for name, part in options.parts.items():
            self.add_module(name, PARTS[name].body(part, backbone))

    def forward(self, patches: Tensor) -> RowParameters:
        """Patch tokens E₀ [B, N, D] → what the parts bring together."""
        brought = (cast("RowParameters", part(patches)) for part in self.children())
        return reduce(RowParameters.merged, brought)


class CombinedStack(Stack[KindOptions]):
    """A stack for each part, with the same slots in all of them.

    It takes adapters with some of the parts, also those of a part's own kind; the others are neutral.
    """

    def __init__(self, parts: Mapping[str, Stack[Any]]) -> None:
        self._parts = parts

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Those of the parts, in their order."""
        return tuple(tensor for part in self._parts.values() for tensor in part.tensors)

    def write(self, slot: int, options: KindOptions, tensors: Mapping[str, Tensor]) -> None:
        """Each part's own tensors, whose names begin with the part's."""
        given = _parts(options)
        for name, stack in self._parts.items():
            if name in given:
                stack.write(slot, given[name], _named(tensors, _prefix(options, name)))
            else:
                stack.clear(slot)

    def read(self, slot: int, options: KindOptions) -> dict[str, Tensor]:
        """Copies, on the host, of what `write` was given."""
        return {
            f"{_prefix(options, part)}{name}": value
            for part, own in _parts(options).items()
            for name, value in self._parts[part].read(slot, own).items()
        }

    def row_parameters(self, patches: Tensor, index: Tensor) -> RowParameters:
        """What the parts bring together."""
        brought = (part.row_parameters(patches, index) for part in self._parts.values())
        return reduce(RowParameters.merged, brought)


def _parts(options: KindOptions) -> Mapping[str, KindOptions]:
    return options.parts if isinstance(options, CombinedOptions) else {options.kind: options}


def _prefix(options: KindOptions, part: str) -> str:
    return f"{part}." if isinstance(options, CombinedOptions) else ""


def _named(tensors: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    return {name.removeprefix(part): value for name, value in tensors.items() if name.startswith(part)}
