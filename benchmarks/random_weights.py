"""Random weights as a file, for what does not depend on their values; a service reads them like any."""

from pathlib import Path

from safetensors.torch import save_file

from adapters.backbone import Backbone, random_backbone


def random_weights(name: str, folder: Path) -> tuple[Backbone, Path]:
    """A backbone of timm's architecture `name`, and its weights in `folder`."""
    backbone = random_backbone(name)
    path = folder / "weights.safetensors"
    save_file({key: value.contiguous() for key, value in backbone.vit.state_dict().items()}, path)
    return backbone, path
