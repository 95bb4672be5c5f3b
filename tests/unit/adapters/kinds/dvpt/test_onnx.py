"""The graph of a layout computes what the bank computes, from the bank's own tensors."""

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor

from adapters.config import PromptConfig
from adapters.kinds.dvpt.onnx import dvpt_graph, dvpt_inputs
from adapters.kinds.dvpt.stack import LayoutBank
from adapters.kinds.layout import Layout
from adapters.vit.backbone import Backbone

CPU = torch.device("cpu")
LAYOUTS = [
    PromptConfig(count=3),
    PromptConfig(count=1, deep=False),
    PromptConfig(count=4, meta_net="specific", meta_layers=2),
    PromptConfig(count=2, meta_net="specific", deep=False, meta_input="token", meta_norm=True),
    PromptConfig(count=2, meta_norm=True, meta_hidden=5, meta_layers=6),
    PromptConfig(count=2, meta_input="token"),
]


def filled_bank(backbone: Backbone, layout: Layout, dtype: torch.dtype) -> LayoutBank:
    """Random values in every slot but the null one; π added at the first, all or no layers."""
    bank = LayoutBank(layout, backbone.config, 4, device=CPU, dtype=dtype)
    generator = torch.Generator().manual_seed(1)
    for tensor in bank.tensors:
        tensor[1:] = torch.randn(tensor[1:].shape, generator=generator).mul(0.3).to(dtype)
    bank.pi_scale[1:] = 0.0
    bank.pi_scale[1, 0] = 1.0
    bank.pi_scale[2] = 1.0
    return bank


def run_graph(
    layout: Layout, bank: LayoutBank, tokens: Tensor, index: Tensor, *, half: bool = False
) -> list[np.ndarray]:
    graph = dvpt_graph(layout, prefix=1, width=tokens.shape[2], half=half)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    inputs = dict(zip(dvpt_inputs(layout), bank.tensors, strict=True)) | {"tokens": tokens, "index": index}
    return list(session.run(None, {name: value.numpy() for name, value in inputs.items()}))


@pytest.mark.parametrize("options", LAYOUTS, ids=lambda options: str(Layout.of(options, 48)))
def test_every_layout_computes_what_the_bank_computes(backbone: Backbone, options: PromptConfig) -> None:
    layout = Layout.of(options, backbone.config.width)
    bank = filled_bank(backbone, layout, torch.float32)
    tokens, index = torch.randn(5, 17, 48), torch.tensor([2, 0, 1, 3, 2])

    first, *later = run_graph(layout, bank, tokens, index)

    expected = bank.prompts_for(tokens[:, 1:], index)
    assert expected is not None
    np.testing.assert_allclose(first, expected[:, 0].numpy(), atol=1e-5)
    assert len(later) == options.deep
    if options.deep:
        np.testing.assert_allclose(later[0], expected[:, 1:].numpy(), atol=1e-5)


def test_half_precision_is_of_the_memory_not_of_the_arithmetic(backbone: Backbone) -> None:
    layout = Layout.of(PromptConfig(count=2), backbone.config.width)
    bank = filled_bank(backbone, layout, torch.float16)
    tokens, index = torch.randn(3, 17, 48).half(), torch.tensor([1, 2, 3])

    first, later = run_graph(layout, bank, tokens, index, half=True)

    expected = bank.prompts_for(tokens[:, 1:], index)
    assert expected is not None
    assert first.dtype == later.dtype == np.dtype(np.float16)
    np.testing.assert_allclose(first, expected[:, 0].half().numpy(), atol=1e-3)
    np.testing.assert_allclose(later, expected[:, 1:].half().numpy(), atol=1e-3)
