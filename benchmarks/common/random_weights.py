"""Random weights as a file, for what does not depend on their values; a service reads them like any."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors.torch import save_file

from adapters.vit.backbone import Backbone, load_backbone, random_backbone


def random_weights(name: str, folder: Path) -> tuple[Backbone, Path]:
    """A backbone of timm's architecture `name`, and its weights in `folder`."""
    backbone = random_backbone(name)
    path = folder / "weights.safetensors"
    save_file({key: value.contiguous() for key, value in backbone.vit.state_dict().items()}, path)
    return backbone, path


@contextmanager
def open_weights(name: str, weights: Path | None) -> Iterator[tuple[Backbone, Path]]:
    """Architecture `name` with a file's weights, or for the while with random ones in a file of their own."""
    if weights is not None:
        yield load_backbone(name, weights=weights), weights
        return
    with tempfile.TemporaryDirectory() as folder:
        yield random_weights(name, Path(folder))
