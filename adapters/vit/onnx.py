"""The frozen backbone as ONNX graphs, exported by torch; no adapter's tensor is in them.

Needs the `onnx` extra, which is imported only when a graph is written.
"""

from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from adapters.errors import ConfigError
from adapters.vit.backbone import Backbone
from adapters.vit.blocks import class_token_through

ENGINE_OPSET = 23  # the first with attention as one operator
PACKAGES = ("onnxruntime", "onnx", "onnxscript")
DYNAMIC = torch.export.Dim.DYNAMIC


class Embed(nn.Module):
    """Pictures → tokens E₀ behind the prefix."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, images: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] uint8 → tokens [B, prefix + N, D]."""
        return self.backbone.embed(images)


class Encode(nn.Module):
    """Tokens and what each row brings → features, one graph for every layout.

    `Backbone.encode` asks in Python whether prompts are deep; a graph cannot. Here the later layers replace
    as many prompt outputs as they are given prompts: P of them (deep), or none (shallow).
    """

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, tokens: Tensor, first: Tensor, later: Tensor) -> Tensor:
        """Tokens [B, prefix + N, D], prompts [B, P, D] and [B, depth − 1, P or 0, D] → float32 [B, D]."""
        vit, prefix = self.backbone.vit, self.backbone.prefix_count
        behind = prefix + later.shape[2]
        x = torch.cat([tokens[:, :prefix], first, tokens[:, prefix:]], dim=1)
        for layer, block in enumerate(cast("Iterable[nn.Module]", vit.blocks)):
            if layer:
                x = torch.cat([x[:, :prefix], later[:, layer - 1], x[:, behind:]], dim=1)
            short = self.backbone.class_token_alone and layer == len(vit.blocks) - 1
            x = class_token_through(block, x) if short else block(x)
        if not self.backbone.class_token_alone:
            x = torch.cat([x[:, :prefix], x[:, prefix + first.shape[1] :]], dim=1)
        return vit.forward_head(vit.norm(x), pre_logits=True).float()


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
    """What `Encode` takes beside tokens where rows bring nothing: name → shape without its axis of rows."""
    config = backbone.config
    return {"first": (0, config.width), "later": (config.depth - 1, 0, config.width)}


def write_embed(backbone: Backbone, path: Path) -> None:
    """Write `Embed`: images [B, 3, H, W] uint8 → tokens."""
    size = backbone.config.image_size
    images = torch.zeros(2, 3, size, size, dtype=torch.uint8)
    program = export_program(Embed(backbone), (images,), ("images",), "tokens", ({0: DYNAMIC},))
    program.save(path, external_data=True)


def write_encode(backbone: Backbone, path: Path) -> None:
    """Write `Encode`: tokens, first and later prompts → features; weights of any size lie beside `path`."""
    config, dtype = backbone.config, backbone.dtype
    tokens = torch.zeros(2, token_count(backbone), config.width, dtype=dtype)
    first = torch.zeros(2, 3, config.width, dtype=dtype)
    later = torch.zeros(2, config.depth - 1, 3, config.width, dtype=dtype)
    shapes = ({0: DYNAMIC}, {0: DYNAMIC, 1: DYNAMIC}, {0: DYNAMIC, 2: DYNAMIC})
    names = ("tokens", "first", "later")
    program = export_program(Encode(backbone), (tokens, first, later), names, "features", shapes)
    program.save(path, external_data=True)


def export_program(
    module: nn.Module,
    inputs: tuple[Tensor, ...],
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
