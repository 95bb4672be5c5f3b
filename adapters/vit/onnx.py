"""The frozen backbone as ONNX graphs, exported by torch; no adapter's tensor is in them.

Needs the `onnx` extra, which is imported only when a graph is written.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import torch
from torch import Tensor, nn

from adapters.errors import ConfigError
from adapters.vit.backbone import Backbone
from adapters.vit.blocks import mlp_width, require_plain_blocks, shifted_tokens, through
from adapters.vit.row_parameters import PLACES, Affine, Biases, Bottleneck, RowParameters

ENGINE_OPSET = 23  # the first with attention as one operator
PACKAGES = ("onnxruntime", "onnx", "onnxscript")
DYNAMIC = torch.export.Dim.DYNAMIC
PART_INPUTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "affine": ("affine_scale", "affine_shift"),
        "bottleneck": ("bottleneck_down", "bottleneck_bias", "bottleneck_up"),
        "biases": ("affine_embed", "affine_qkv", "affine_hidden"),
    }
)
"""The encoder's inputs for each field of RowParameters that reaches into the blocks."""


class Embed(nn.Module):
    """Pictures → tokens E₀ behind the prefix."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, images: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] uint8 → tokens [B, prefix + N, D]."""
        return self.backbone.embed(images)


class Encode(nn.Module):
    """Tokens and what each row brings → features, one graph for all layouts whose `parts` are the same.

    `Backbone.encode` asks in Python whether prompts are deep; a graph cannot. Here the later layers replace
    as many prompt outputs as they are given prompts: P of them (deep), or none (shallow). What reaches into
    the blocks is in the graph or is not: neutral values would cost what others cost.
    """

    def __init__(self, backbone: Backbone, parts: Sequence[str] = ()) -> None:
        super().__init__()
        self.backbone = backbone
        self.parts = tuple(parts)

    def forward(self, tokens: Tensor, first: Tensor, later: Tensor, own: tuple[Tensor, ...] = ()) -> Tensor:
        """Tokens [B, prefix + N, D], prompts [B, P, D] and [B, depth − 1, P or 0, D] → float32 [B, D].

        `own` are the tensors of the parts, in the order of `part_inputs`.
        """
        vit, prefix, rows = self.backbone.vit, self.backbone.prefix_count, self._rows(own)
        if rows.reach_into_blocks:
            require_plain_blocks(vit, rows)
        if rows.biases is not None:
            tokens = shifted_tokens(tokens, rows.biases.embed, prefix)
        behind = prefix + later.shape[2]
        x = torch.cat([tokens[:, :prefix], first, tokens[:, prefix:]], dim=1)
        for layer, block in enumerate(cast("Iterable[nn.Module]", vit.blocks)):
            if layer:
                x = torch.cat([x[:, :prefix], later[:, layer - 1], x[:, behind:]], dim=1)
            short = self.backbone.class_token_alone and layer == len(vit.blocks) - 1
            if short or rows.reach_into_blocks:
                x = through(block, x, rows.of_block(layer), class_token_alone=short)
            else:
                x = block(x)
        if not self.backbone.class_token_alone:
            x = torch.cat([x[:, :prefix], x[:, prefix + first.shape[1] :]], dim=1)
        return vit.forward_head(vit.norm(x), pre_logits=True).float()

    def _rows(self, own: tuple[Tensor, ...]) -> RowParameters:
        given = dict(zip(part_inputs(self.parts), own, strict=True))

        def of(part: str) -> list[Tensor]:
            return [given[name] for name in PART_INPUTS[part]]

        return RowParameters(
            affine=Affine(*of("affine")) if "affine" in self.parts else None,
            bottleneck=Bottleneck(*of("bottleneck")) if "bottleneck" in self.parts else None,
            biases=Biases(*of("biases")) if "biases" in self.parts else None,
        )


def part_inputs(parts: Sequence[str]) -> tuple[str, ...]:
    """The inputs that an encoder of these parts has beside tokens and prompts."""
    return tuple(name for part in parts for name in PART_INPUTS[part])


def parts_of(names: Collection[str]) -> tuple[str, ...]:
    """The parts that inputs of these names belong to."""
    return tuple(part for part, inputs in PART_INPUTS.items() if set(inputs) <= set(names))


def require_onnx() -> None:
    """Raise ConfigError unless what the `onnx` extra installs is there."""
    missing = [package for package in PACKAGES if find_spec(package) is None]
    if missing:
        raise ConfigError(
            f"ONNX needs {' and '.join(missing)}, which is not installed: pip install 'dvpt-serve[onnx]', "
            "or 'dvpt-serve[onnx-gpu]' for CUDA"
        )


def token_count(backbone: Backbone) -> int:
    """Tokens of one picture: prefix + N."""
    return backbone.prefix_count + int(backbone.vit.patch_embed.num_patches)


def neutral_inputs(backbone: Backbone) -> dict[str, tuple[int, ...]]:
    """The prompts that `Encode` takes where rows bring none: name → shape without its axis of rows."""
    config = backbone.config
    return {"first": (0, config.width), "later": (config.depth - 1, 0, config.width)}


def write_embed(backbone: Backbone, path: Path) -> None:
    """Write `Embed`: images [B, 3, H, W] uint8 → tokens."""
    size = backbone.config.image_size
    images = torch.zeros(2, 3, size, size, dtype=torch.uint8)
    program = export_program(Embed(backbone), (images,), ("images",), "tokens", ({0: DYNAMIC},))
    program.save(path, external_data=True)


def write_encode(backbone: Backbone, path: Path, parts: Sequence[str] = ()) -> None:
    """Write `Encode`: tokens, prompts and what the parts take → features; the weights lie beside `path`."""
    config, dtype = backbone.config, backbone.dtype
    tokens = torch.zeros(2, token_count(backbone), config.width, dtype=dtype)
    first = torch.zeros(2, 3, config.width, dtype=dtype)
    later = torch.zeros(2, config.depth - 1, 3, config.width, dtype=dtype)
    own = tuple(torch.zeros(2, *shape, dtype=dtype) for shape in _part_shapes(backbone, parts))
    # Of the parts' own axes only the bottleneck's columns differ between layouts.
    axes = [2 if name in {"bottleneck_down", "bottleneck_bias"} else 3 for name in part_inputs(parts)]
    free = tuple(
        {0: DYNAMIC, axis: DYNAMIC} if name.startswith("bottleneck") else {0: DYNAMIC}
        for name, axis in zip(part_inputs(parts), axes, strict=True)
    )
    shapes = ({0: DYNAMIC}, {0: DYNAMIC, 1: DYNAMIC}, {0: DYNAMIC, 2: DYNAMIC}, free)
    names = ("tokens", "first", "later", *part_inputs(parts))
    program = export_program(Encode(backbone, parts), (tokens, first, later, own), names, "features", shapes)
    program.save(path, external_data=True)


def _part_shapes(backbone: Backbone, parts: Sequence[str]) -> list[tuple[int, ...]]:
    """The shapes of `part_inputs` without their axis of rows, bottlenecks of three columns."""
    depth, width = backbone.config.depth, backbone.config.width
    columns, hidden = 3, mlp_width(backbone.vit) if "biases" in parts else 0
    shapes: dict[str, list[tuple[int, ...]]] = {
        "affine": [(depth, PLACES, width)] * 2,
        "bottleneck": [(depth, columns, width), (depth, columns), (depth, width, columns)],
        "biases": [(2, width), (depth, 3 * width), (depth, hidden)],
    }
    return [shape for part in parts for shape in shapes[part]]


def export_program(
    module: nn.Module,
    inputs: tuple[Any, ...],
    input_names: Sequence[str],
    output_name: str,
    dynamic_shapes: tuple[Any, ...],
    *,
    opset: int = ENGINE_OPSET,
) -> torch.onnx.ONNXProgram:
    """Trace `module` in evaluation mode. Raises ConfigError without the `onnx` extra."""
    require_onnx()
    with torch.no_grad():
        made = torch.onnx.export(
            module.eval(),
            inputs,
            dynamo=True,
            input_names=list(input_names),
            output_names=[output_name],
            dynamic_shapes=dynamic_shapes,
            opset_version=opset,
            verbose=False,
        )
    program = cast("torch.onnx.ONNXProgram", made)
    for node in program.model.graph:
        node.metadata_props.clear()  # where the exporter's sources lie on this machine
    return program
