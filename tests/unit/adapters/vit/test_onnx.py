"""The exported backbone embeds and encodes as the backbone does, with prompts of any number and depth."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from adapters.errors import ConfigError
from adapters.vit import onnx as onnx_graphs
from adapters.vit.backbone import Backbone
from adapters.vit.onnx import require_onnx, token_count, write_embed, write_encode
from adapters.vit.row_parameters import RowParameters
from tests.support.backbones import tiny_backbone
from tests.support.pictures import pixels

BACKBONES: dict[str, dict[str, Any]] = {
    "class token": {},
    "average, registers, norm_pre": {
        "global_pool": "avg",
        "reg_tokens": 2,
        "pre_norm": True,
        "fc_norm": True,
    },
}  # fmt: skip


@pytest.fixture(scope="module", params=[*BACKBONES, "prepared"])
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Backbone, Any, Any]:
    """A tiny backbone and its two graphs."""
    options = BACKBONES.get(request.param, {})
    backbone = tiny_backbone(**options)
    if request.param == "prepared":
        backbone.prepare(torch.device("cpu"), torch.float32)
    folder = tmp_path_factory.mktemp("graphs")
    write_embed(backbone, folder / "embed.onnx")
    write_encode(backbone, folder / "encode.onnx")
    return backbone, open_session(folder / "embed.onnx"), open_session(folder / "encode.onnx")


def open_session(path: Path) -> Any:
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 4])
def test_pictures_are_embedded_as_by_the_backbone(exported: tuple[Backbone, Any, Any], batch: int) -> None:
    backbone, embed, _ = exported
    images = pixels(batch)

    (tokens,) = embed.run(None, {"images": images.numpy()})

    with torch.no_grad():
        np.testing.assert_allclose(tokens, backbone.embed(images).numpy(), atol=1e-5)
    assert tokens.shape[1] == token_count(backbone)


@pytest.mark.slow
@pytest.mark.parametrize(("count", "layers"), [(0, 0), (1, 2), (5, 2), (1, 1), (5, 1)], ids=str)
@pytest.mark.parametrize("batch", [1, 3])
def test_tokens_are_encoded_as_by_the_backbone(
    exported: tuple[Backbone, Any, Any], batch: int, count: int, layers: int
) -> None:
    backbone, _, encode = exported
    tokens = torch.randn(batch, token_count(backbone), 48)
    prompts = torch.randn(batch, max(layers, 1), count, 48)
    later = prompts[:, 1:] if layers > 1 else torch.empty(batch, 1, 0, 48)

    inputs = {"tokens": tokens, "first": prompts[:, 0], "later": later}
    (features,) = encode.run(None, {name: value.numpy() for name, value in inputs.items()})

    with torch.no_grad():
        expected = backbone.encode(tokens, RowParameters(prompts if count else None))
    np.testing.assert_allclose(features, expected.numpy(), atol=2e-5)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_graphs, "PACKAGES", ("onnxruntime", "no_such_package_of_onnx"))

    with pytest.raises(ConfigError, match=r"no_such_package_of_onnx.*dvpt-serve\[onnx\]"):
        require_onnx()
